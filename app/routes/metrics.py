"""GET /metrics: what was counted, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from app.metrics import Metrics
from app.problems import documented

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    summary="Counters for Prometheus",
    response_class=PlainTextResponse,
    responses=documented(),
)
def metrics(request: Request) -> Response:
    """Requests, their durations, waiting times and batch sizes, over all workers."""
    counted: Metrics = request.app.state.metrics
    return Response(counted.page(), media_type=CONTENT_TYPE_PLAIN_0_0_4)
