"""What a model file says about itself: its card, kept in the file's own metadata.

One key per fact in ONNX's `metadata_props`, JSON where structured, so that Netron and any other
reader can show it. A model from elsewhere brings its card beside it as `NAME.json`. Knows nothing
of ONNX Runtime or of how predictions are made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.errors import ModelRefused
from app.preprocess import Preprocess

CARD_VERSION: Literal[1] = 1
_TEXT = {"name", "description", "license", "author", "output"}  # kept as they are, not as JSON
_MAX_SIDE = 4096  # pixels: a card that asks for more would have every request allocate them


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Layer(_Fact):
    """One layer as it computes: windows, strides and shapes in pixels, counts of one image."""

    name: str
    type: str  # the Keras class, such as Conv2D
    tensor: str | None  # its output in the graph; None for a layer that leaves no tensor
    output_shape: list[int]  # without the batch: height, width, channels, or units
    window: list[int] | None = None  # kernel or pool: height, width
    strides: list[int] | None = None
    dilation: list[int] | None = None
    padding: str | None = None  # "valid" or "same"
    activation: str | None = None
    parameters: int = 0
    multiply_adds: int = 0
    receptive_field: list[int] | None = None  # input pixels that one output sees: height, width


class Metrics(_Fact):
    """How good the model is, measured through the service's own path on encoded files."""

    accuracy: float
    accuracy_interval: tuple[float, float]  # 95 %, Wilson
    images: int
    per_class_accuracy: dict[str, float]
    calibration_error: float  # expected calibration error, 15 bins
    temperature: float | None = None  # what the logits are divided by; folded into the graph
    calibration_error_before: float | None = None  # of the same answers without that division
    measured_on: str
    seed_accuracies: dict[str, float] = {}  # of every seed fixed beforehand; the first ships


class Robustness(_Fact):
    """How good it still is when the same pictures are changed, always through the same path."""

    change: str  # such as "rotation"
    strength: float
    unit: str  # of the strength, such as "degrees"
    accuracy: float
    images: int


class Published(_Fact):
    """A figure that those who trained the model published; nobody has measured it here."""

    accuracy: float = Field(ge=0, le=1)
    source: str


class Epoch(_Fact):
    """One pass over the training images: means over its batches, distorted as they were trained."""

    loss: float
    accuracy: float
    validation_accuracy: float | None = None  # of images held out, where there were any
    validation_loss: float | None = None
    learning_rate: float | None = None  # at the end of the epoch
    seconds: float | None = None  # since the first epoch began


class Dataset(_Fact):
    """What it was trained on; the checksum is of all pixels and labels, where they were at hand."""

    name: str
    sha256: str | None = None


class ProofImage(_Fact):
    """An encoded picture and the probabilities that Keras gave for it in training."""

    data: Base64Bytes
    probabilities: list[float]


class Proof(_Fact):
    """Pictures with known answers, replayed through the real path before a model is served.

    float32 differs by about 1e-7 between kinds of processor, so 1e-4 is wide.
    """

    tolerance: float = Field(1e-4, gt=0, lt=1)
    images: list[ProofImage] = Field(min_length=1)


class Normalise(_Fact):
    """For models from elsewhere alone: how pixels become the float32 that the graph expects.

    (pixel / 255 − mean) / std for each channel, laid out as `layout` says.
    """

    mean: list[float]
    std: list[float]
    layout: Literal["NCHW", "NHWC"]

    @model_validator(mode="after")
    def _check(self) -> Normalise:
        if len(self.mean) != len(self.std) or not all(value > 0 for value in self.std):
            raise ValueError("mean and std need one number per channel, and std must be above 0")
        return self


class Card(_Fact):
    """All that is known of one model. Only `labels` and `preprocess` are needed to serve it."""

    card_version: Literal[1] = CARD_VERSION
    name: str = ""
    description: str = ""
    license: str = ""
    author: str = ""
    labels: list[str] = Field(min_length=2)
    preprocess: Preprocess
    layers: list[Layer] = []
    metrics: Metrics | None = None
    published: Published | None = None  # where others trained it; never beside metrics
    confusion: list[list[int]] | None = None  # images by true class (row) and answer (column)
    robustness: list[Robustness] = []
    dataset: Dataset | None = None
    recipe: dict[str, Any] | None = None
    history: list[Epoch] | None = None  # of the run that made it
    made_with: dict[str, str] = {}
    proof: Proof | None = None
    normalise: Normalise | None = None
    output: Literal["probabilities", "logits"] = "probabilities"

    @model_validator(mode="after")
    def _check(self) -> Card:
        if not all(
            1 <= side <= _MAX_SIDE for side in (self.preprocess.height, self.preprocess.width)
        ):
            raise ValueError(f"preprocess needs a height and width from 1 to {_MAX_SIDE}")
        if not all(0 <= level <= 255 for level in self.preprocess.background):
            raise ValueError("preprocess needs a background of levels from 0 to 255")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must differ from each other")
        classes = len(self.labels)
        if (
            self.confusion is not None
            and [len(row) for row in self.confusion] != [classes] * classes
        ):
            raise ValueError("confusion needs a row and a column for each label")
        if self.metrics and self.published:
            raise ValueError("published is for models without metrics: what was measured counts")
        if self.normalise and len(self.normalise.mean) != self.preprocess.channels:
            raise ValueError("normalise needs one mean and std for each channel of preprocess")
        if self.preprocess.layout == "digit" and self.preprocess.channels != 1:
            raise ValueError("the layout digit gives grey pixels: channels must be 1")
        return self

    def to_metadata(self) -> dict[str, str]:
        """One string per known fact, as they go into the model file."""
        facts = self.model_dump(mode="json", exclude_defaults=True) | {"card_version": CARD_VERSION}
        return {
            key: value if key in _TEXT else json.dumps(value, ensure_ascii=False)
            for key, value in facts.items()
        }


def card_from_metadata(metadata: Mapping[str, str]) -> Card:
    """Read back `Card.to_metadata`. Raises ModelRefused."""
    facts = facts_from_metadata(metadata)
    if not {"labels", "preprocess"} & facts.keys():  # other tools write an author, a description
        raise ModelRefused(
            "it has no card: export it with training.export, or put its card beside it as NAME.json"
        )
    return _checked(facts)


def facts_from_metadata(metadata: Mapping[str, str]) -> dict[str, Any]:
    """What stands under the card's keys, not checked yet; other keys are left alone.

    Raises ModelRefused.
    """
    facts: dict[str, Any] = {}
    for key, value in metadata.items():
        field = Card.model_fields.get(key)
        if field is None:
            continue
        try:
            facts[key] = value if key in _TEXT else json.loads(value)
        except (ValueError, RecursionError) as exc:
            raise ModelRefused(f"its metadata key {key!r} is not JSON") from exc
    return facts


def card_from_json(text: str | bytes) -> Card:
    """Read the card of a model from elsewhere. Raises ModelRefused."""
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ModelRefused(f"the card beside it is not JSON: {exc}") from exc
    return _checked(facts)


def _checked(facts: Any) -> Card:
    try:
        json.dumps(facts, ensure_ascii=False).encode()
        return Card.model_validate(facts)
    except UnicodeEncodeError as exc:
        raise ModelRefused(
            "its card holds half a surrogate pair, which no answer can carry"
        ) from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise ModelRefused(f"its card is not valid: {where}: {first['msg']}") from exc
