"""GET /healthz: the process lives. GET /readyz: it can answer, and which files it refused."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from app.errors import ConvoluError, NotReady
from app.problems import documented, problem_response
from app.registry import Registry
from app.schemas import Health, Readiness

PROBE_SECONDS = 3  # below the container's own limit for a health check, 5

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
    """200 if the default model has just answered a picture as it did in training, else 503.

    The picture is one of the model's proof, or a blank one; it goes ahead of all that waits. The
    body says which models serve and which files are refused, and why.
    """
    registry: Registry = request.app.state.registry
    models = [model.name for model in registry.models]
    fault = await _fault(registry)
    if fault is None:
        return Readiness(ready=True, models=models, refused=registry.refused)
    return problem_response(
        NotReady(fault),
        request.state.request_id,
        ready=False,
        models=models,
        refused=registry.refused,
    )


async def _fault(registry: Registry) -> str | None:
    """What keeps it from answering, in a sentence; None if nothing does."""
    if not registry.loaded:
        return "The models are being loaded."
    if registry.default is None:
        return "The default model is not in service: `refused` says why, or its file is missing."
    batcher = registry.default.batcher
    probed = batcher.probe(batcher.classifier.sample)
    if not (await asyncio.wait([probed], timeout=PROBE_SECONDS))[0]:
        return f"The default model has not answered a picture in {PROBE_SECONDS} seconds."
    (answer,) = probed.result()
    if isinstance(answer, ConvoluError):
        return f"The default model failed on a picture: {answer}"
    try:
        batcher.classifier.check_sample(answer)
    except ConvoluError as exc:
        return f"The default model answers otherwise than in training: {exc}"
    return None
