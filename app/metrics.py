"""What is counted, for Prometheus, and the page of it that GET /metrics answers with.

Several workers count into files of one folder (prometheus-client's multiprocess mode), and any of
them adds all up when it is asked. prometheus-client chooses that mode when it is imported:
`app.serve` names the folder before it starts a worker. Knows nothing of HTTP.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from app.errors import ConvoluError
from app.memory import resident_bytes

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client's own name for it

_FILE_BYTES = 1 << 16  # what prometheus-client begins with

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_IMAGES = (1, 2, 4, 8, 16, 32, 64)
_CONFIDENCES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)


class Metrics:
    """The counters of one process. Label values come from closed sets, never from a request."""

    def __init__(self) -> None:
        if FOLDER_VARIABLE in os.environ:
            _lay_out_files(Path(os.environ[FOLDER_VARIABLE]))
        self._registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"convolu_{name}", text, labels, registry=self._registry)

        def histogram(name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(
                f"convolu_{name}", text, labels, buckets=buckets, registry=self._registry
            )

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            # Summed over the workers that live.
            return Gauge(
                f"convolu_{name}",
                text,
                labels,
                registry=self._registry,
                multiprocess_mode="livesum",
            )

        self._requests = counter("requests_total", "Requests answered.", "route", "model", "status")
        self._request_seconds = histogram(
            "request_duration_seconds",
            "From the request's headers to the end of its answer.",
            _SECONDS,
            "route",
            "model",
        )
        self._shed = counter("shed_total", "Requests refused with 503 overloaded.", "limit")
        self._queue_seconds = histogram(
            "queue_duration_seconds",
            "How long the first image of a batch waited for its turn.",
            _SECONDS,
            "model",
        )
        self._batch_images = histogram(
            "batch_size_images", "Images in one run of a model.", _IMAGES, "model"
        )
        self._failures = counter(
            "image_failures_total", "Images that could not be classified.", "model", "code"
        )
        self._predicted = counter(
            "predictions_total", "Images by their most probable class.", "model", "label"
        )
        self._confidence = histogram(
            "confidence", "Probability of the most probable class.", _CONFIDENCES, "model"
        )
        self._queue_images = gauge("queue_images", "Images waiting for their turn.", "model")
        self._model_workers = gauge(
            "model_workers", "Workers in which a version serves.", "model", "version"
        )
        self._refused = gauge("refused_models", "Model files refused, added up over the workers.")
        self._workers = gauge("workers", "Workers that live.")
        self._memory = gauge("resident_memory_bytes", "Memory of all workers in RAM.")
        # Looking a label up costs as much as counting.
        self._of_request = lru_cache(
            lambda route, model, status: (
                self._requests.labels(route, model, status),
                self._request_seconds.labels(route, model),
            )
        )
        self._of_batch = lru_cache(
            lambda model: (
                self._batch_images.labels(model),
                self._queue_seconds.labels(model),
                self._confidence.labels(model),
            )
        )
        self._of_label = lru_cache(maxsize=4096)(self._predicted.labels)

    def count_request(self, route: str, model: str, status: int, seconds: float) -> None:
        """A request was answered; `model` is "" where none was asked."""
        requests, request_seconds = self._of_request(route, model, status)
        requests.inc()
        request_seconds.observe(seconds)

    def count_shed(self, limit: str) -> None:
        """A request was refused because that limit was met."""
        self._shed.labels(limit).inc()

    def count_batch(
        self,
        model: str,
        labels: Sequence[str],
        waited_seconds: float,
        images: int,
        answers: Sequence[NDArray[np.float32] | ConvoluError],
    ) -> None:
        """A model has answered a batch, whose first image had waited so long.

        `answers` are probabilities and errors; embeddings are among the `images` alone.
        """
        batch_images, queue_seconds, confidence = self._of_batch(model)
        batch_images.observe(images)
        queue_seconds.observe(waited_seconds)
        for answer in answers:
            if isinstance(answer, ConvoluError):
                self._failures.labels(model, answer.code).inc()
            else:
                best = int(answer.argmax())
                self._of_label(model, labels[best]).inc()
                confidence.observe(float(answer[best]))

    def set_version(self, model: str, version: str | None, before: str | None) -> None:
        """Another version of a model serves in this process now; None: none does."""
        if before is not None:
            self._model_workers.labels(model, before).set(0)
        if version is not None:
            self._model_workers.labels(model, version).set(1)

    def set_state(self, waiting: Mapping[str, int], refused: int) -> None:
        """How this process is just now: images that wait, by model, and model files refused."""
        for model, images in waiting.items():
            self._queue_images.labels(model).set(images)
        self._refused.set(refused)
        self._workers.set(1)
        self._memory.set(resident_bytes())

    def page(self) -> bytes:
        """All of it in Prometheus' text format, version 0.0.4, over all workers."""
        return generate_latest(everything() if FOLDER_VARIABLE in os.environ else self._registry)


class _AllWorkers(MultiProcessCollector):
    """prometheus-client's, which also bears a worker that ends while its files are read."""

    def collect(self) -> Iterable[Metric]:
        while True:
            with suppress(FileNotFoundError):  # its counts are in the file for all that ended now
                return cast("Iterable[Metric]", super().collect())  # type: ignore[no-untyped-call]


def everything() -> CollectorRegistry:
    """What all workers have counted, for a process that need not be one of them."""
    registry = CollectorRegistry()
    _AllWorkers(registry)  # type: ignore[no-untyped-call]
    return registry


def _lay_out_files(folder: Path) -> None:
    """This process's files, whole before anyone can see them.

    prometheus-client makes each at the first count, and for a moment it is empty: whoever made the
    page just then failed on it. One of zeros is as good as a new one.
    """
    for kind in ("counter", "histogram", "gauge_livesum"):
        new = folder / f"{kind}_{os.getpid()}.new"
        new.write_bytes(bytes(_FILE_BYTES))
        new.replace(new.with_suffix(".db"))


def forget_worker(pid: int | None) -> None:
    """A worker has ended: its gauges go; what it counted moves to one file for all that ended.

    Else every restart would leave files behind, and the memory that they lie in is bounded.
    """
    mark_process_dead(pid)  # type: ignore[no-untyped-call]
    folder = Path(os.environ[FOLDER_VARIABLE])
    for kind in ("counter", "histogram"):
        ended = folder / f"{kind}_{pid}.db"
        if not ended.exists():
            continue
        total = folder / f"{kind}_ended.db"
        merged = folder / "merged"  # no .db: nobody reads it yet
        merged.write_bytes(total.read_bytes() if total.exists() else b"")
        sums = MmapedDict(str(merged))  # type: ignore[no-untyped-call]
        for key, value, timestamp, _ in MmapedDict.read_all_values_from_file(str(ended)):  # type: ignore[no-untyped-call]
            before, _ = sums.read_value(key)  # type: ignore[no-untyped-call]
            sums.write_value(key, before + value, timestamp)  # type: ignore[no-untyped-call]
        sums.close()  # type: ignore[no-untyped-call]
        # The sum first: a page made between the two counts too much for a moment, never too little.
        merged.replace(total)
        ended.unlink()
