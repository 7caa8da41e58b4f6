"""How cost grows with work: connections, images per request, image size, workers, models loaded.

    python -m benchmarks.curves [--seconds 4] [--curves connections …]

One thing varies in each table, the rest stays: a digit through mnist-1conv, 16 connections, two
workers. Prints a table for each, and one line of JSON at the end.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from benchmarks.load import Post, drive, form, free_port, running, session_megabytes
from benchmarks.machine import machine
from benchmarks.networks import MODELS, write_networks
from benchmarks.servers import WORKS, convolu

WARM_UP_SECONDS = 2


@dataclass(frozen=True)
class Point:
    """One row: how the service is started, and what is sent to it."""

    label: str
    models: Path
    post: Post
    network: str = "mnist-1conv"
    workers: int = 2
    connections: int = 16
    images: int = 1  # in one request


def curves(folder: Path) -> dict[str, list[Point]]:
    """Every table's rows; `folder` holds the networks and gets what else is needed."""
    digit = WORKS["digit"].picture.read_bytes()
    base = Point("", MODELS, Post("/predict", *form(digit)))
    return {
        "connections": [
            replace(base, label=str(count), connections=count)
            for count in (1, 2, 4, 8, 16, 32, 64, 128, 256)
        ],
        "images per request": [
            replace(
                base,
                label=str(count),
                post=Post("/predict", *form(digit, count)),
                images=count,
                connections=4,  # with more, 64 images each would be more than may wait
            )
            for count in (1, 2, 4, 8, 16, 32, 64)
        ],
        "image size": [
            replace(
                base,
                label=label,
                models=folder,
                network="cifar10-simple",
                post=Post("/predict", *form(data)),
            )
            for label, data in photos()
        ],
        "workers": [replace(base, label=str(count), workers=count) for count in (1, 2)],
        "models loaded": [
            replace(base, label=str(count), models=copies(folder / f"copies-{count}", count))
            for count in (1, 2, 10, 25, 50)
        ],
    }


def photos() -> Iterator[tuple[str, bytes]]:
    """One photo as JPEG in many sizes, from 28 pixels wide to 24 megapixels."""
    photo = Image.open(WORKS["photo-12mp"].picture)
    for width in (28, 100, 250, 500, 1000, 2000, 4000, 5657):
        size = (width, round(width * photo.height / photo.width))
        file = io.BytesIO()
        photo.resize(size, Image.Resampling.LANCZOS).save(file, "JPEG", quality=85)
        pixels = size[0] * size[1]
        shown = f"{pixels / 1e6:.1f} MP" if pixels >= 1e5 else f"{size[0]}×{size[1]}"
        yield f"{shown}, {len(file.getvalue()) / 1000:.0f} KB", file.getvalue()


def copies(folder: Path, count: int) -> Path:
    """A folder with so many models: mnist-1conv, and mnist-2conv under other names."""
    folder.mkdir()
    shutil.copy(MODELS / "mnist-1conv.onnx", folder)
    for number in range(1, count):
        shutil.copy(MODELS / "mnist-2conv.onnx", folder / f"mnist-2conv-{number:02}.onnx")
    return folder


def measure(point: Point, seconds: int) -> dict[str, float]:
    """One row."""
    port = free_port()
    command = convolu(point.network, point.models, port, point.workers)
    with tempfile.TemporaryFile() as log, running(command, port, point.post, {}, log) as service:
        drive(port, point.post, point.connections, WARM_UP_SECONDS)
        load = drive(port, point.post, point.connections, seconds)
        return {
            "requests_per_second": load.requests_per_second,
            "images_per_second": load.requests_per_second * point.images,
            "p50_ms": load.p50_ms,
            "p99_ms": load.p99_ms,
            "megabytes": session_megabytes(service.pid),
            "ready_seconds": service.ready_seconds,
        }


def main() -> None:
    """Measure curve by curve."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=4, help="of each run of wrk")
    parser.add_argument("--curves", nargs="+", help="their names; default: all")
    options = parser.parse_args()
    results: dict[str, list[dict[str, object]]] = {}
    with tempfile.TemporaryDirectory() as name:
        write_networks(Path(name))
        for curve, points in curves(Path(name)).items():
            if options.curves and curve not in options.curves:
                continue
            print(
                f"\n{curve:22} {'requests/s':>10} {'images/s':>9} {'p50 ms':>8} {'p99 ms':>8} "
                f"{'MB':>6} {'ready s':>8}"
            )
            results[curve] = []
            for point in points:
                found = measure(point, options.seconds)
                results[curve].append({"at": point.label, **found})
                print(
                    f"{point.label:22} {found['requests_per_second']:10.0f} "
                    f"{found['images_per_second']:9.0f} {found['p50_ms']:8.2f} "
                    f"{found['p99_ms']:8.2f} {found['megabytes']:6.0f} "
                    f"{found['ready_seconds']:8.2f}"
                )
    print(json.dumps({"benchmark": "curves", "machine": machine(), "curves": results}))


if __name__ == "__main__":
    main()
