"""What is counted, for Prometheus, and the page of it that GET /metrics answers with.

Several workers count into files of one folder (prometheus-client's multiprocess mode), and any of
them adds all up when it is asked. prometheus-client chooses that mode when it is imported:
`app.serve` names the folder before it starts a worker. Knows nothing of HTTP.
"""

from __future__ import annotations

import os
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client's own name for it

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_IMAGES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The counters of one process. Label values come from closed sets, never from a request."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "convolu_requests_total",
            "Requests answered.",
            ["route", "model", "status"],
            registry=self._registry,
        )
        self._request_seconds = Histogram(
            "convolu_request_duration_seconds",
            "From the request's headers to the end of its answer.",
            ["route", "model"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._queue_seconds = Histogram(
            "convolu_queue_duration_seconds",
            "How long the first image of a batch waited for its turn.",
            ["model"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._batch_images = Histogram(
            "convolu_batch_size_images",
            "Images in one run of a model.",
            ["model"],
            buckets=_IMAGES,
            registry=self._registry,
        )
        # Looking a label up costs as much as counting.
        self._of_request = lru_cache(
            lambda route, model, status: (
                self._requests.labels(route, model, status),
                self._request_seconds.labels(route, model),
            )
        )
        self._of_batch = lru_cache(
            lambda model: (self._batch_images.labels(model), self._queue_seconds.labels(model))
        )

    def count_request(self, route: str, model: str, status: int, seconds: float) -> None:
        """A request was answered; `model` is "" where none was asked."""
        requests, request_seconds = self._of_request(route, model, status)
        requests.inc()
        request_seconds.observe(seconds)

    def count_batch(self, model: str, images: int, waited_seconds: float) -> None:
        """A model ran on so many images, the first of which had waited so long."""
        batch_images, queue_seconds = self._of_batch(model)
        batch_images.observe(images)
        queue_seconds.observe(waited_seconds)

    def page(self) -> bytes:
        """All of it in Prometheus' text format, version 0.0.4, over all workers."""
        if FOLDER_VARIABLE not in os.environ:
            return generate_latest(self._registry)
        everything = CollectorRegistry()
        MultiProcessCollector(everything)  # type: ignore[no-untyped-call]
        return generate_latest(everything)
