"""create_app: wires the rooms together, and nothing else.

uvicorn app.main:create_app --factory
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from app import __version__
from app.problems import ProblemMiddleware, handle_framework_errors
from app.registry import Registry
from app.routes import health, models, pages, predict
from app.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI app; without `settings` they come from the environment.

    Models are loaded and proven in its lifespan: it is ready when the lifespan has started.
    """
    # It warns of each malformed body; we answer those, and a log of them could be made to flood.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    settings = settings or Settings()
    registry = Registry(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        registry.load()
        yield
        registry.close()

    app = FastAPI(
        title="Convolu",
        summary="Image classification: the answer in production is the answer in training.",
        version=__version__,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.registry = registry
    predict.add_to(app)
    app.include_router(models.router)
    app.include_router(health.router)
    pages.add_to(app)
    handle_framework_errors(app)
    app.add_middleware(ProblemMiddleware)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Content-Type", "X-Request-ID"],
            expose_headers=["Retry-After", "X-Request-ID"],
        )
    return app
