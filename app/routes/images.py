"""What the routes that take images have in common: their bodies, their errors, their waiting."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qs

from fastapi import Query
from starlette.requests import ClientDisconnect

from app.errors import (
    BadBase64,
    BadJson,
    BadMultipart,
    BodyTooLarge,
    ConvoluError,
    EmptyBody,
    ImageTooLarge,
    InvalidImage,
    InvalidParameter,
    NoFile,
    NotReady,
    Overloaded,
    RequestTimeout,
    TooManyImages,
    UnknownModel,
    UnsupportedImage,
    UnsupportedMediaType,
)
from app.schemas import Base64Image

ANSWER = "answer"  # in a request's state: the future to cancel when its client leaves

ERRORS: tuple[type[ConvoluError], ...] = (
    EmptyBody,
    NoFile,
    BadMultipart,
    BadJson,
    BadBase64,
    UnknownModel,
    RequestTimeout,
    BodyTooLarge,
    TooManyImages,
    UnsupportedImage,
    UnsupportedMediaType,
    InvalidImage,
    ImageTooLarge,
    InvalidParameter,
    Overloaded,
    NotReady,
)
_FILE = {"type": "string", "format": "binary"}
_BODY = {"schema": _FILE | {"minLength": 1}}

MAX_QUERY_FIELDS = 20

Result = TypeVar("Result")
ModelName = Annotated[
    str | None, Query(description="One of GET /models; without it the default model.")
]


def query_values(query: bytes) -> dict[str, str]:
    """The last value of each parameter of a query string. Raises InvalidParameter."""
    if not query:
        return {}
    try:
        values = parse_qs(
            query.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS
        )
    except ValueError as exc:
        raise InvalidParameter(
            f"query: at most {MAX_QUERY_FIELDS} parameters; /docs names those there are."
        ) from exc
    return {name: one[-1] for name, one in values.items()}


async def wanted(answer: asyncio.Future[Result]) -> Result:
    """Wait for an answer. Raises ClientDisconnect if it was cancelled because nobody waits."""
    try:
        return await answer
    except asyncio.CancelledError:
        if answer.cancelled() and not _is_cancelled():
            raise ClientDisconnect from None
        raise


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def request_body(max_images: int) -> dict[str, Any]:
    """For the OpenAPI document: how images may be sent."""
    images = {"type": "array", "items": _FILE, "minItems": 1, "maxItems": max_images}
    form = {"type": "object", "required": ["file"], "properties": {"file": images}}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": form},
            "image/*": _BODY,
            "application/octet-stream": _BODY,
            "application/json": {"schema": Base64Image.model_json_schema()},
        },
    }
