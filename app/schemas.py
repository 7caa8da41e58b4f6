"""The JSON that the service speaks, as pydantic models: what /openapi.json says of it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class Prediction(BaseModel):
    label: str
    probability: float = Field(description="Softmax, as the model computed it; float32.")


class Answer(BaseModel):
    """For one image."""

    model: str
    version: str = Field(description="First 12 hex digits of the model file's SHA-256.")
    predictions: list[Prediction] = Field(description="Most probable first.")


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str = Field(description="The rule, what was received, and the remedy.")
    code: str = Field(description="For programs; stable.")
    request_id: str | None = Field(None, description="Also in X-Request-ID and in the log.")


class Result(BaseModel):
    """For one of many images: `predictions`, or `error` if this image is at fault."""

    filename: str | None
    predictions: list[Prediction] | None = None
    error: Problem | None = None


class Answers(BaseModel):
    """For many images, in the order in which they were sent."""

    model: str
    version: str
    results: list[Result]


class Embedded(BaseModel):
    """For one image."""

    model: str
    version: str
    dim: int = Field(description="How many numbers an embedding of this model has.")
    embedding: list[float] = Field(description="As the network computed it; float32.")


class EmbeddedResult(BaseModel):
    """For one of many images: `embedding`, or `error` if this image is at fault."""

    filename: str | None
    embedding: list[float] | None = None
    error: Problem | None = None


class EmbeddedMany(BaseModel):
    """For many images, in the order in which they were sent."""

    model: str
    version: str
    dim: int
    results: list[EmbeddedResult]


class Base64Image(BaseModel):
    """Lines may be wrapped and padding left out, which the pattern does not say."""

    image: str = Field(
        description="base64 of the file, or a data: URL with it.",
        pattern="^(data:[^,]{0,200};base64,)?([A-Za-z0-9+/]{4})*[A-Za-z0-9+/]{2,4}={0,2}$",
        examples=["R0lGODdhAQABAIEAAAAAAAAAAAAAAAAAACwAAAAAAQABAAAIBAABBAQAOw=="],
    )


class ModelSummary(BaseModel):
    name: str = Field(description="For ?model=.")
    version: str
    default: bool = Field(description="Answers requests that name no model.")
    proven: bool = Field(description="Its answers in training were replayed here and agreed.")
    description: str
    labels: list[str]
    accuracy: float | None
    samples: int = Field(description="Pictures with known answers, at /models/{name}/samples/1 ….")
    embedding_dim: int | None = Field(description="Numbers in an answer of /embed; null: none.")


class ModelList(BaseModel):
    inside: bool = Field(description="Whether /seen, /inside and /explain are there.")
    models: list[ModelSummary]


class ModelCard(BaseModel):
    name: str
    version: str
    default: bool
    proven: bool
    embedding_dim: int | None
    card: dict[str, Any] = Field(
        description="All that the file says of itself, but the proof's pictures."
    )


class Health(BaseModel):
    status: str


class Readiness(BaseModel):
    ready: bool
    models: list[str]
    refused: dict[str, str] = Field(description="Model files that are not served, and why.")


Number = float | None  # null where a network put out what is no number

_PAIR = "Of y and x."


class PreprocessingStep(BaseModel):
    name: str = Field(description="decode, orient, colour, digit or resize.")
    did: dict[str, Any] = Field(description="What this step found and changed.")
    milliseconds: float


class Seen(BaseModel):
    """An image as the network gets it."""

    model: str
    version: str
    width: int
    height: int
    channels: int
    png: str = Field(description="base64 of a PNG of the very pixels.")
    steps: list[PreprocessingStep] = Field(description="In order; those that changed something.")


class LayerSeen(BaseModel):
    """One layer, and what it put out for one image."""

    name: str
    type: str
    tensor: str | None
    shape: list[int] = Field(description="Height, width and channels; or units.")
    window: list[int] | None = Field(description="Kernel or pool: height, width.")
    strides: list[int] | None
    dilation: list[int] | None
    padding: str | None
    pads: list[int] | None = Field(description="Top, left, bottom, right.")
    activation: str | None
    parameters: int
    multiply_adds: int
    receptive_field: list[int] | None = Field(description="Input pixels that one output sees.")
    inputs: list[str] = Field(description="Names of the layers it reads; `image` is the input.")
    minimum: Number
    maximum: Number
    mean: Number
    zeros: Number = Field(description="Share of zeros, 0 to 1.")
    values: list[Number] | None = Field(None, description="Of a vector of up to 4,096 numbers.")


class Floats(BaseModel):
    shape: list[int]
    data: str = Field(description="base64 of float32, the lowest byte first, row by row.")


class Maps(BaseModel):
    """The feature maps of a layer: value = minimum + byte / 255 · (maximum − minimum)."""

    layer: str
    shape: list[int] = Field(description="Height, width, channels.")
    channels: int = Field(description="How many are in `data`: the first ones.")
    data: str = Field(description="base64 of uint8, channels × height × width.")
    minima: list[Number]
    maxima: list[Number]
    means: list[Number]
    zeros: list[float]
    contributions: list[Number] | None = Field(
        description="Each channel's part in the best class's logit; null where it is not exact."
    )
    kernels: Floats | None = Field(description="Channels × height × width × inputs, if small.")


class Window(BaseModel):
    """Everything that one channel is computed from."""

    layer: str
    channel: int
    kind: str = Field(description="convolution, max or average.")
    input: Floats
    kernel: Floats | None
    bias: Number
    strides: list[int]
    dilation: list[int]
    pads: list[int]
    before: Floats = Field(description="Before the activation.")
    after: Floats
    activation: str | None


class Looked(BaseModel):
    """A network while it reads one image."""

    model: str
    version: str
    layers: list[LayerSeen]
    logits: list[Number] | None = Field(description="The classes' scores before softmax.")
    probabilities: list[float]
    best: int = Field(description="Place of the most probable class.")
    maps: Maps | None = Field(None, description="Of `layer`; null for vectors.")
    window: Window | None = Field(None, description="Of `channel`; null where there is none.")


class ExplanationMap(Floats):
    start: list[float] = Field(description=f"Centre of cell (0, 0) in input pixels. {_PAIR}")
    step: list[float] = Field(description=f"From one cell to the next, and its size. {_PAIR}")


class Explanation(BaseModel):
    """Which parts of an image spoke for a class, and which against it."""

    model: str
    version: str
    label: str
    method: str
    methods: list[str] = Field(description="All that this network allows.")
    exact: bool = Field(description="Whether the map and `rest` add up to `logit`.")
    passes: int = Field(description="Runs of the network beyond the prediction.")
    milliseconds: float
    logit: Number
    probability: float
    rest: Number = Field(description="What no cell is accountable for: the biases.")
    layer: str | None = Field(description="Whose output the map weighs.")
    map: ExplanationMap
