"""What /predict and /embed have in common: images in, run in batches, each answered for itself.

The routes are plain ASGI endpoints: FastAPI documents them, but its per-request dependency
machinery does not run (10,800 → 18,000–21,000 constant answers a second on two cores).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import orjson
from fastapi import FastAPI
from fastapi.routing import APIRoute
from numpy.typing import NDArray
from starlette.types import ASGIApp, Receive, Scope, Send

from app.answers import Answer
from app.batcher import Submitted
from app.errors import ConvoluError, NoEmbedding
from app.held_bodies import HeldBodies, Hold
from app.multipart import Upload
from app.problems import documented, problem
from app.registry import Model, Registry
from app.routes.images import ANSWER, request_body, wanted
from app.settings import Settings
from app.uploads import read_uploads

logger = logging.getLogger("convolu")

Show = Callable[[NDArray[np.float32]], dict[str, Any]]  # what an image's row becomes in the JSON


class Answered(NamedTuple):
    """A request's images, and what became of each."""

    model: Model
    uploads: list[Upload]
    answers: list[Answer]
    submitted: Submitted


async def answered(
    name: str | None,
    embed: bool,
    registry: Registry,
    settings: Settings,
    bodies: HeldBodies,
    scope: Scope,
    receive: Receive,
) -> Answered:
    """Read the images and have the model of that name classify or embed them.

    Raises ConvoluError, or ClientDisconnect if nobody waits for the answer any more.
    """
    model = _model(name, embed, registry, scope)
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
        model = _model(name, embed, registry, scope)  # another version may serve since
        submitted = model.batcher.submit([upload.data for upload in uploads], embed)
        scope["state"][ANSWER] = submitted.answered
        return Answered(model, uploads, await wanted(submitted.answered), submitted)


def _model(name: str | None, embed: bool, registry: Registry, scope: Scope) -> Model:
    model = registry.get(name)
    scope["state"]["model"] = model.name
    if embed and model.embedding_dim is None:
        raise NoEmbedding(
            "This model has no embedding: export a network that ends in global pooling, or take "
            "a model that has an `embedding_dim` in GET /models."
        )
    return model


async def respond(one: Answered, facts: dict[str, Any], show: Show, send: Send) -> None:
    """One image answers for the request; of many each has its own result, or its own error."""
    body = {"model": one.model.name, "version": one.model.version} | facts
    if len(one.uploads) == 1:
        (answer,) = one.answers
        if isinstance(answer, ConvoluError):
            raise answer
        body |= show(answer)
    else:
        body["results"] = [
            {"filename": upload.filename}
            | ({"error": _problem(answer)} if isinstance(answer, ConvoluError) else show(answer))
            for upload, answer in zip(one.uploads, one.answers, strict=True)
        ]
    # orjson writes a float32 as the shortest decimal that reads back as the same float32.
    content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(content)),
        (b"server-timing", server_timing(one.submitted)),
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


def _problem(error: ConvoluError) -> dict[str, Any]:
    if error.status == 500:
        logger.error("an image in a batch failed", exc_info=error)
    return problem(error)


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


def add_route(
    app: FastAPI,
    path: str,
    summary: str,
    documentation: Callable[..., Awaitable[Any]],
    errors: Iterable[type[ConvoluError]],
    max_images: int,
    endpoint: ASGIApp,
) -> APIRoute:
    """Document the route as FastAPI's own, then put the ASGI endpoint in its place."""
    responses = documented(*errors)
    responses[200] = {"headers": responses[200]["headers"] | _SERVER_TIMING}
    app.router.add_api_route(
        path,
        documentation,
        methods=["POST"],
        name=path[1:],
        summary=summary,
        tags=["predict"],
        responses=responses,
        openapi_extra={"requestBody": request_body(max_images)},
    )
    route = app.router.routes[-1]
    assert isinstance(route, APIRoute)
    route.app = endpoint
    return route
