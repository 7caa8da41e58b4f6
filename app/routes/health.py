"""GET /healthz: the process lives. GET /readyz: it can answer, and which files it refused."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.errors import NotReady
from app.problems import documented
from app.registry import Registry
from app.schemas import Health, Readiness

router = APIRouter(tags=["health"])


@router.get("/healthz", responses=documented())
async def healthz() -> Health:
    """The process lives and its event loop turns."""
    return Health(status="ok")


@router.get(
    "/readyz",
    responses=documented() | {NotReady.status: {"model": Readiness, "description": "Not ready"}},
)
async def readyz(request: Request, response: Response) -> Readiness:
    """200 once the first load is done and as long as the default model serves, else 503."""
    registry: Registry = request.app.state.registry
    ready = registry.loaded and registry.default is not None
    if not ready:
        response.status_code = NotReady.status
    names = [model.name for model in registry.models]
    return Readiness(ready=ready, models=names, refused=registry.refused)
