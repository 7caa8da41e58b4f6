"""POST /seen, /inside and /explain: what a network saw, what it made of it, and why.

One image each, and one request at a time on a thread of its own: nobody who classifies waits for
somebody who looks.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Literal

import orjson
from fastapi import FastAPI, Query
from fastapi.routing import APIRoute
from PIL import Image
from starlette.types import Receive, Scope, Send

from app.errors import InvalidParameter, OpaqueModel, Overloaded
from app.held_bodies import HeldBodies, Hold
from app.inside.explain import METHODS, explain
from app.inside.look import look
from app.inside.session import Insides
from app.jobs import Jobs
from app.problems import documented
from app.registry import Model, Registry
from app.routes.images import ANSWER, ERRORS, ModelName, query_values, request_body, wanted
from app.schemas import Explanation, Looked, Seen
from app.settings import Settings
from app.uploads import read_uploads

MAX_WAITING = 8  # requests, beside the one under way
MAX_CHANNEL_DIGITS = 6

Query_ = dict[str, str]  # the last value of each parameter
Look = Callable[[Model, bytes, Query_], dict[str, Any]]  # on the jobs' thread


async def answer(
    look_at: Look,
    check: Callable[[Query_], None],
    registry: Registry,
    settings: Settings,
    bodies: HeldBodies,
    jobs: Jobs,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """ASGI: read one image, have it looked at when its turn comes, answer.

    Raises ConvoluError, or ClientDisconnect if nobody waits for the answer any more.
    """
    query = query_values(scope["query_string"])
    check(query)
    name = query.get("model") or None
    model = registry.get(name)
    scope["state"]["model"] = model.name
    jobs.check_room()  # before the body: what will be refused need not be held
    with Hold(bodies) as hold:
        (upload,) = await read_uploads(
            scope, receive, hold, settings.max_upload_bytes, 1, settings.max_form_parts
        )
        model = registry.get(name)  # another version may serve since
        done = jobs.submit(partial(_answered, look_at, model, upload.data, query))
        scope["state"][ANSWER] = done
        content = await wanted(done)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(content)),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _answered(look_at: Look, model: Model, data: bytes, query: Query_) -> bytes:
    try:
        found = look_at(model, data, query)
    except MemoryError as exc:
        raise Overloaded(
            "There is no memory left to look at this image. Send the request again after the "
            "seconds that Retry-After says.",
            "memory",
        ) from exc
    content = {"model": model.name, "version": model.version} | found
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def seen(model: Model, data: bytes, _: Query_) -> dict[str, Any]:
    """The very pixels that the network gets, and what was done to the image on its way there."""
    pixels, steps = model.batcher.classifier.pixels_and_steps(data)
    height, width, channels = pixels.shape
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(file, "PNG")
    return {
        "width": width,
        "height": height,
        "channels": channels,
        "png": base64.b64encode(file.getvalue()).decode(),
        "steps": steps,  # orjson writes dataclasses
    }


def inside(insides: Insides, model: Model, data: bytes, query: Query_) -> dict[str, Any]:
    """Every layer; the maps of `layer`; how `channel` came about."""
    classifier = model.batcher.classifier
    pixels = classifier.pixels_from(data)
    opened = insides.get(model.name, model.version, model.card)
    channel = query.get("channel")
    return look(
        classifier, opened, pixels, query.get("layer"), None if channel is None else int(channel)
    )


def explained(insides: Insides, model: Model, data: bytes, query: Query_) -> dict[str, Any]:
    """Why `class`, by `method`."""
    classifier = model.batcher.classifier
    pixels = classifier.pixels_from(data)
    opened = insides.get(model.name, model.version, model.card)
    return explain(classifier, opened, pixels, query.get("class"), query.get("method", "auto"))


def _check_nothing(_: Query_) -> None:
    """Only `model`, which the registry knows."""


def _check_channel(query: Query_) -> None:
    text = query.get("channel")
    if text is None:
        return
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_CHANNEL_DIGITS):
        raise InvalidParameter("channel: expected a whole number of 0 or more, such as channel=3.")
    if "layer" not in query:
        raise InvalidParameter("channel: it needs a layer too, such as layer=conv1&channel=0.")


def _check_method(query: Query_) -> None:
    if query.get("method", "auto") not in METHODS:
        raise InvalidParameter(f"method: expected one of {', '.join(METHODS)}.")


async def _documented_seen(model: ModelName = None) -> Seen:
    """See an image as the network does.

    The very pixels after preprocessing, as a PNG, and each step that changed something on the way.
    One image, sent as to /predict.
    """
    raise AssertionError("only read for the documentation")


async def _documented_inside(
    model: ModelName = None,
    layer: Annotated[str | None, Query(description="A layer's name: its maps too.")] = None,
    channel: Annotated[
        int | None,
        Query(
            ge=0,
            le=10**MAX_CHANNEL_DIGITS - 1,
            description="With `layer`: what this channel was computed from, too.",
        ),
    ] = None,
) -> Looked:
    """Look inside the network while it reads an image.

    Every layer's shape and what it put out; with `layer` its feature maps; with `channel` the
    input, kernel and bias from which that map can be computed again. One image, sent as to
    /predict.
    """
    raise AssertionError("only read for the documentation")


async def _documented_explain(
    model: ModelName = None,
    label: Annotated[
        str | None,
        Query(alias="class", description="A label; without it the most probable one."),
    ] = None,
    method: Annotated[
        Literal["auto", "cam", "unroll", "occlusion"],
        Query(description="`auto`: an exact one if this network has one, else `occlusion`."),
    ] = "auto",
) -> Explanation:
    """Explain an answer: which parts of the image spoke for a class, and which against it.

    One image, sent as to /predict.
    """
    raise AssertionError("only read for the documentation")


def add_to(
    app: FastAPI, registry: Registry, settings: Settings, bodies: HeldBodies, jobs: Jobs
) -> list[APIRoute]:
    """Document the routes as FastAPI's own, then put ASGI endpoints in their places."""
    insides = Insides(settings.models, settings.max_model_bytes)
    rows: list[tuple[str, Callable[..., Awaitable[Any]], str, Look, Callable[[Query_], None]]] = [
        ("/seen", _documented_seen, "See as the network does", seen, _check_nothing),
        (
            "/inside",
            _documented_inside,
            "Look inside",
            partial(inside, insides),
            _check_channel,
        ),
        (
            "/explain",
            _documented_explain,
            "Explain an answer",
            partial(explained, insides),
            _check_method,
        ),
    ]
    routes = []
    for path, documentation, summary, look_at, check in rows:
        errors = ERRORS if path == "/seen" else (*ERRORS, OpaqueModel)
        app.router.add_api_route(
            path,
            documentation,
            methods=["POST"],
            name=path[1:],
            summary=summary,
            tags=["inside"],
            responses=documented(*errors),
            openapi_extra={"requestBody": request_body(1)},
        )
        route = app.router.routes[-1]
        assert isinstance(route, APIRoute)
        route.app = partial(answer, look_at, check, registry, settings, bodies, jobs)
        routes.append(route)
    return routes
