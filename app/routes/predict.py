"""POST /predict: images in, predictions out.

The route is a plain ASGI endpoint: FastAPI documents it, but its per-request dependency machinery
does not run (10,800 → 18,000–21,000 constant answers a second on two cores).
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import FastAPI, Query
from fastapi.routing import APIRoute
from numpy.typing import NDArray
from starlette.types import Receive, Scope, Send

from app.batcher import Submitted
from app.errors import ConvoluError, InvalidParameter
from app.held_bodies import HeldBodies, Hold
from app.problems import documented, problem
from app.registry import Registry
from app.routes.images import ANSWER, ERRORS, query_values, request_body, wanted
from app.schemas import Answer, Answers
from app.settings import Settings
from app.uploads import read_uploads

logger = logging.getLogger("convolu")

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
    model = registry.get(name)
    scope["state"]["model"] = model.name
    model.batcher.check_room()  # before the body: what will be refused need not be held
    with Hold(bodies) as hold:
        uploads = await read_uploads(
            scope,
            receive,
            hold,
            settings.max_upload_bytes,
            settings.max_images_per_request,
            settings.max_form_parts,
        )
        model = registry.get(name)  # another version may serve since
        submitted = model.batcher.submit([upload.data for upload in uploads])
        scope["state"][ANSWER] = submitted.answered
        answers = await wanted(submitted.answered)
    labels = model.card.labels
    body: dict[str, Any] = {"model": model.name, "version": model.version}
    if len(uploads) == 1:
        if isinstance(answers[0], ConvoluError):
            raise answers[0]
        body["predictions"] = predictions(labels, answers[0], top_k)
    else:
        body["results"] = [
            {"filename": upload.filename, "error": _item_problem(answer)}
            if isinstance(answer, ConvoluError)
            else {"filename": upload.filename, "predictions": predictions(labels, answer, top_k)}
            for upload, answer in zip(uploads, answers, strict=True)
        ]
    # orjson writes a float32 as the shortest decimal that reads back as the same float32.
    content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(content)),
        (b"server-timing", server_timing(submitted)),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def server_timing(submitted: Submitted) -> bytes:
    """Where the time of a request went, in milliseconds (W3C Server Timing, 2)."""
    return b"queue;dur=%.2f, decode;dur=%.2f, network;dur=%.2f" % (
        submitted.queue_seconds * 1000,
        submitted.decode_seconds * 1000,
        submitted.network_seconds * 1000,
    )


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


def _item_problem(error: ConvoluError) -> dict[str, Any]:
    if error.status == 500:
        logger.error("an image in a batch failed", exc_info=error)
    return problem(error)


async def _documented(
    model: Annotated[
        str | None, Query(description="One of GET /models; without it the default model.")
    ] = None,
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


_TIME = r"\d+\.\d\d"
_SERVER_TIMING = {
    "Server-Timing": {
        "description": "Milliseconds until its turn came (`queue`), in decoding and preprocessing "
        "its images (`decode`) and in running the network on their batches (`network`).",
        "required": True,
        "schema": {
            "type": "string",
            "pattern": rf"^queue;dur={_TIME}, decode;dur={_TIME}, network;dur={_TIME}$",
        },
    }
}


def add_to(app: FastAPI, registry: Registry, settings: Settings, bodies: HeldBodies) -> APIRoute:
    """Document the route as FastAPI's own, then put the ASGI endpoint in its place."""
    responses = documented(*ERRORS)
    responses[200] = {"headers": responses[200]["headers"] | _SERVER_TIMING}
    app.router.add_api_route(
        "/predict",
        _documented,
        methods=["POST"],
        name="predict",
        summary="Classify images",
        tags=["predict"],
        responses=responses,
        openapi_extra={"requestBody": request_body(settings.max_images_per_request)},
    )
    route = app.router.routes[-1]
    assert isinstance(route, APIRoute)
    route.app = partial(predict, registry, settings, bodies)
    return route
