"""create_app: wires the rooms together, and nothing else.

uvicorn app.main:create_app --factory
"""

from __future__ import annotations

import asyncio
import gc
import logging
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app import __version__
from app.edge import Edge, document_keys
from app.held_bodies import HeldBodies
from app.jobs import Jobs
from app.keys import ApiKeys
from app.metrics import Metrics
from app.problems import handle_framework_errors
from app.registry import Registry
from app.request_log import RequestLog
from app.routes import embed, health, inside, metrics, models, pages, predict
from app.settings import Settings
from app.watch import repeating


def create_app(settings: Settings | None = None) -> ASGIApp:
    """The service as an ASGI app; without `settings` they come from the environment.

    Models are loaded and proven in its lifespan: it is ready when the lifespan has started.
    """
    # It warns of each malformed body; we answer those, and a log of them could be made to flood.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    # So does Pillow, of damaged metadata, in words that change with the numbers in the file.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    settings = settings or Settings()
    counts = Metrics()
    registry = Registry(settings, counts)
    jobs = Jobs(inside.MAX_WAITING)
    keys = None if settings.api_keys_file is None else ApiKeys(settings.api_keys_file)

    async def take_stock() -> None:
        counts.set_state(
            {model.name: model.batcher.waiting for model in registry.models}, len(registry.refused)
        )
        if keys is not None:
            keys.refresh()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        registry.load()
        # A full collection stops a worker for 33 ms; what is frozen it does not look at again.
        gc.collect()
        gc.freeze()
        await take_stock()
        async with repeating(settings.watch_seconds, registry.refresh, take_stock):
            yield
        gc.unfreeze()
        await asyncio.to_thread(jobs.close)
        registry.close()

    api = FastAPI(
        title="Convolu",
        summary="Image classification: the answer in production is the answer in training.",
        version=__version__,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # its redirects repeat whatever the client calls the host
        lifespan=lifespan,
    )
    api.state.registry = registry
    api.state.metrics = counts
    api.state.inside = settings.inside
    bodies = HeldBodies(settings.max_held_bytes)
    routes = [one.add_to(api, registry, settings, bodies) for one in (predict, embed)]
    if settings.inside:
        routes += inside.add_to(api, registry, settings, bodies, jobs)
    past_fastapi = {("POST", route.path): route for route in routes}
    api.include_router(models.router)
    api.include_router(health.router)
    if settings.metrics_port is None:
        api.include_router(metrics.router)
    pages.add_to(api)
    handle_framework_errors(api)
    if keys is not None:
        document_keys(api.openapi())  # FastAPI makes it once and keeps it

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        # FastAPI knows these routes and documents them, but its own layers are 60 µs of Python on
        # the way to them, where all the rest of a small request takes 200.
        route = None
        if scope["type"] == "http":
            route = past_fastapi.get((scope["method"], scope["path"]))
            # Starlette answers a range that makes no sense in plain text; RFC 9110, 14.2
            # lets a server send the whole file.
            if route is None:
                scope["headers"] = [item for item in scope["headers"] if item[0] != b"range"]
        if route is None:
            await api(scope, receive, send)
        else:
            scope["route"] = route
            await route.app(scope, receive, send)

    app: ASGIApp = Edge(dispatch, counts, RequestLog(), keys)
    if settings.cors_origins:
        app = CORSMiddleware(
            app,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["Retry-After", "Server-Timing", "X-Request-ID"],
        )
    return app
