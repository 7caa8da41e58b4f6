"""Where the time of one image goes: decode, prepare, run, respond; in process, one thread.

    python -m benchmarks.stages

Medians of rounds after a warm-up. Prints a table, and one line of JSON at the end.
"""

from __future__ import annotations

import io
import json
import platform
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import orjson
from PIL import Image

from app.classifier import Classifier
from app.preprocess import decode
from app.routes.predict import predictions

ROUNDS = 200
WARM_UP = 20
BATCH = 16


def microseconds(work: Callable[[], object]) -> float:
    """The median time of one call."""
    times = []
    for number in range(WARM_UP + ROUNDS):
        started = time.perf_counter_ns()
        work()
        if number >= WARM_UP:
            times.append((time.perf_counter_ns() - started) / 1000)
    return statistics.median(times)


def pictures() -> dict[str, bytes]:
    """A 254-byte digit, and the same large on a page as PNG and as JPEG."""
    small = Path("docs/images/seven.png").read_bytes()
    page = Image.new("L", (400, 300), 255)
    digit = Image.open(io.BytesIO(small)).resize((140, 140), Image.Resampling.BICUBIC)
    page.paste(digit.point([255 - level for level in range(256)]), (180, 90))
    files = {"28x28 PNG": small}
    for name in ("PNG", "JPEG"):
        file = io.BytesIO()
        page.save(file, name)
        files[f"400x300 {name}"] = file.getvalue()
    return files


def main() -> None:
    """Measure each model on each picture."""
    rows = []
    columns = ("decode", "to pixels", "run 1", f"run {BATCH}, each", "respond")
    print(f"{'model':14} {'picture':13}" + "".join(f"{name:>14}" for name in columns) + "  (µs)")
    for path in sorted(Path("models").glob("*.onnx")):
        classifier = Classifier(path.read_bytes())
        for picture, data in pictures().items():
            pixels = classifier.pixels_from(data)
            one, many = pixels[None], np.stack([pixels] * BATCH)
            probabilities = classifier.classify(one)[0]

            def respond(probabilities=probabilities, labels=classifier.card.labels) -> bytes:  # type: ignore[no-untyped-def]
                body = {"model": "", "predictions": predictions(labels, probabilities, None)}
                return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)

            times = (
                microseconds(lambda data=data: decode(data)),  # type: ignore[misc]
                microseconds(lambda data=data, classifier=classifier: classifier.pixels_from(data)),  # type: ignore[misc]
                microseconds(lambda one=one, classifier=classifier: classifier.classify(one)),  # type: ignore[misc]
                microseconds(lambda many=many, classifier=classifier: classifier.classify(many))  # type: ignore[misc]
                / BATCH,
                microseconds(respond),
            )
            print(f"{path.stem:14} {picture:13}" + "".join(f"{value:14.1f}" for value in times))
            rows.append(
                {"model": path.stem, "picture": picture} | dict(zip(columns, times, strict=True))
            )
    made_on = {
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "onnxruntime": version("onnxruntime"),
        "pillow": version("pillow"),
        "rounds": ROUNDS,
    }
    print(json.dumps({"benchmark": "stages", "made_on": made_on, "microseconds": rows}))


if __name__ == "__main__":
    main()
