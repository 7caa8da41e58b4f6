"""Where the time of one image goes, in µs: from a form's bytes to an answer's, in one thread.

    python -m benchmarks.stages

Each stage alone in a loop, so with warm caches; medians of rounds after a warm-up. Prints a table,
and one line of JSON at the end.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson

from app.classifier import Classifier
from app.decode import decode
from app.digit import WORKING_SIDE, digit_pixels
from app.multipart import parse_multipart
from app.preprocess import colour, orient, resize
from app.routes.predict import predictions
from benchmarks.load import form
from benchmarks.machine import machine
from benchmarks.networks import write_networks
from benchmarks.servers import WORKS, Work

ROUNDS = 100
WARM_UP = 10
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


def stages(work: Work, classifier: Classifier) -> dict[str, float]:
    """The time of each stage; `resize` is all that happens between the image and its pixels."""
    data = work.picture.read_bytes()
    headers, body = form(data)
    boundary = headers["Content-Type"].partition("boundary=")[2].encode()
    wanted = classifier.card.preprocess
    pixels = classifier.pixels_from(data)
    one, many = pixels[None], np.stack([pixels] * BATCH)
    probabilities = classifier.classify(one)[0]
    side = WORKING_SIDE if wanted.layout == "digit" else wanted.height
    image = decode(data, (side, side))

    def shrink() -> object:
        upright = colour(orient(image), wanted)
        if wanted.layout == "digit":
            return digit_pixels(np.asarray(upright), wanted.height, wanted.width)
        return np.asarray(resize(upright, wanted))

    def respond() -> bytes:
        answer = {"predictions": predictions(classifier.card.labels, probabilities, None)}
        return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)

    return {
        "parse": microseconds(lambda: parse_multipart(body, boundary, 1, 128)),
        "decode": microseconds(lambda: decode(data, (side, side))),
        "resize": microseconds(shrink),
        "stack": microseconds(lambda: np.stack([pixels] * BATCH)) / BATCH,
        f"run of {BATCH}": microseconds(lambda: classifier.classify(many)) / BATCH,
        "run of 1": microseconds(lambda: classifier.classify(one)),
        "respond": microseconds(respond),
    }


def main() -> None:
    """Measure each work of the service benchmark."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        write_networks(Path(folder))
        for work in WORKS.values():
            if work.images > 1:
                continue
            classifier = Classifier((Path(folder) / f"{work.network}.onnx").read_bytes())
            found = stages(work, classifier)
            if not rows:
                print(f"{'':12}" + "".join(f"{name:>11}" for name in found))
            print(f"{work.name:12}" + "".join(f"{value:11.1f}" for value in found.values()))
            rows.append({"work": work.name, **found})
    print(json.dumps({"benchmark": "stages", "machine": machine(), "microseconds": rows}))


if __name__ == "__main__":
    main()
