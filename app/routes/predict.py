"""POST /predict: images in, predictions out."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, Query
from fastapi.routing import APIRoute
from numpy.typing import NDArray
from starlette.types import Receive, Scope, Send

from app.errors import InvalidParameter
from app.held_bodies import HeldBodies
from app.registry import Registry
from app.routes.batched import add_route, answered, respond
from app.routes.images import ERRORS, ModelName, query_values
from app.schemas import Answer, Answers
from app.settings import Settings

ALL_UP_TO = 10  # classes: models with more answer with their first five
DEFAULT_TOP_K = 5
MAX_TOP_K_DIGITS = 9


async def predict(
    registry: Registry,
    settings: Settings,
    bodies: HeldBodies,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """ASGI: read the images, have them classified, answer.

    Raises ConvoluError, or ClientDisconnect if nobody waits for the answer any more.
    """
    name, top_k = parse_query(scope["query_string"])
    one = await answered(name, False, registry, settings, bodies, scope, receive)
    labels = one.model.card.labels

    def show(probabilities: NDArray[np.float32]) -> dict[str, Any]:
        return {"predictions": predictions(labels, probabilities, top_k)}

    await respond(one, {}, show, send)


def predictions(
    labels: list[str], probabilities: NDArray[np.float32], top_k: int | None
) -> list[dict[str, Any]]:
    """The `top_k` most probable labels, most probable first; without `top_k`, all up to ten."""
    if top_k is None:
        top_k = len(labels) if len(labels) <= ALL_UP_TO else DEFAULT_TOP_K
    order = (-probabilities).argsort(kind="stable")[:top_k]
    return [{"label": labels[index], "probability": probabilities[index]} for index in order]


def parse_query(query: bytes) -> tuple[str | None, int | None]:
    """`model` and `top_k` of a query string. Raises InvalidParameter."""
    values = query_values(query)
    name, text = values.get("model") or None, values.get("top_k")
    if text is None:
        return name, None
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_TOP_K_DIGITS and int(text) >= 1):
        raise InvalidParameter("top_k: expected a whole number of 1 or more, such as top_k=3.")
    return name, int(text)


async def _documented(
    model: ModelName = None,
    top_k: Annotated[
        int | None,
        Query(
            ge=1,
            le=10**MAX_TOP_K_DIGITS - 1,
            description="How many classes; without it all up to ten, else five.",
        ),
    ] = None,
) -> Answer | Answers:
    """Classify one image or many.

    Send a multipart field `file` (repeat it for many images), the raw bytes of one image, or JSON
    with base64. One image answers with `predictions`; many answer with `results`, in which a bad
    image spoils only itself. Formats: JPEG, PNG, WebP, GIF, BMP, AVIF.
    """
    raise AssertionError("only read for the documentation")


def add_to(app: FastAPI, registry: Registry, settings: Settings, bodies: HeldBodies) -> APIRoute:
    """Add the route to the app."""
    max_images = settings.max_images_per_request
    endpoint = partial(predict, registry, settings, bodies)
    return add_route(app, "/predict", "Classify images", _documented, ERRORS, max_images, endpoint)
