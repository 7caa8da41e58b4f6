"""GET /healthz: the process lives. GET /readyz: it can answer, and which files it refused."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.errors import NotReady
from app.problems import documented, problem_response
from app.registry import Registry
from app.schemas import Health, Readiness

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Does the process live?", responses=documented())
async def healthz() -> Health:
    """The process lives and its event loop turns."""
    return Health(status="ok")


@router.get(
    "/readyz",
    summary="Can it answer?",
    response_model=Readiness,
    responses=documented(NotReady),
)
async def readyz(request: Request) -> Readiness | Response:
    """200 once the first load is done and as long as the default model serves, else 503.

    Either way the body says which models serve and which files are refused, and why.
    """
    registry: Registry = request.app.state.registry
    models = [model.name for model in registry.models]
    if registry.loaded and registry.default is not None:
        return Readiness(ready=True, models=models, refused=registry.refused)
    reason = NotReady(
        "The models are being loaded."
        if not registry.loaded
        else "The default model is not in service; `refused` says why, unless its file is missing."
    )
    return problem_response(
        reason, request.state.request_id, ready=False, models=models, refused=registry.refused
    )
