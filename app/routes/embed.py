"""POST /embed: images in, embeddings out: what the network's last layer reads of each."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from fastapi import FastAPI
from fastapi.routing import APIRoute
from numpy.typing import NDArray
from starlette.types import Receive, Scope, Send

from app.errors import NoEmbedding
from app.held_bodies import HeldBodies
from app.registry import Registry
from app.routes.batched import add_route, answered, respond
from app.routes.images import ERRORS, ModelName, query_values
from app.schemas import Embedded, EmbeddedMany
from app.settings import Settings


async def embed(
    registry: Registry,
    settings: Settings,
    bodies: HeldBodies,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """ASGI: read the images, have them embedded, answer.

    Raises ConvoluError, or ClientDisconnect if nobody waits for the answer any more.
    """
    name = query_values(scope["query_string"]).get("model") or None
    one = await answered(name, True, registry, settings, bodies, scope, receive)
    await respond(one, {"dim": one.model.embedding_dim}, _show, send)


def _show(embedding: NDArray[np.float32]) -> dict[str, Any]:
    return {"embedding": embedding}


async def _documented(model: ModelName = None) -> Embedded | EmbeddedMany:
    """Embed one image or many: vectors of alike images tend to point the same way.

    An embedding is what the last layer of the network reads: `dim` numbers, as the network computed
    them. Images are sent as to /predict. One image answers with `embedding`; many answer with
    `results`, in which a bad image spoils only itself. Only for models with an `embedding_dim`.
    """
    raise AssertionError("only read for the documentation")


def add_to(app: FastAPI, registry: Registry, settings: Settings, bodies: HeldBodies) -> APIRoute:
    """Add the route to the app."""
    max_images = settings.max_images_per_request
    endpoint = partial(embed, registry, settings, bodies)
    errors = (*ERRORS, NoEmbedding)
    return add_route(app, "/embed", "Embed images", _documented, errors, max_images, endpoint)
