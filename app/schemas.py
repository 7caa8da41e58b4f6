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


class ModelList(BaseModel):
    models: list[ModelSummary]


class ModelCard(BaseModel):
    name: str
    version: str
    default: bool
    proven: bool
    card: dict[str, Any] = Field(
        description="All that the file says of itself, but the proof's pictures."
    )


class Health(BaseModel):
    status: str


class Readiness(BaseModel):
    ready: bool
    models: list[str]
    refused: dict[str, str] = Field(description="Model files that are not served, and why.")
