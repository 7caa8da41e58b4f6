"""Are digits on paper read as well as MNIST's own? 1,000 test digits, turned into pictures.

    python -m benchmarks.digits --data FOLDER_WITH_mnist.npz

Each becomes a PNG of 200 to 400 pixels, dark on light, off-centre with margins, and goes through
the service's own path. Prints a table, and one line of JSON at the end.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.classifier import Classifier

COUNT = 1_000
SEED = 20261124


def on_paper(digit: NDArray[np.uint8], rng: np.random.Generator, rough: bool = False) -> bytes:
    """A 28×28 digit → PNG of a larger picture of it, dark ink on light paper, anywhere on the page.

    `rough` adds what a camera does: a shadow across the page, grey paper, faded ink, grain.
    """
    height, width = (int(side) for side in rng.integers(200, 401, 2))
    side = int(rng.integers(100, int(0.85 * min(height, width))))
    top, left = int(rng.integers(0, height - side)), int(rng.integers(0, width - side))
    ink = Image.new("L", (width, height), 0)
    ink.paste(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC), (left, top))
    page = 255 - np.asarray(ink).astype(np.float32)
    if rough:
        page = 60 + page * 0.6  # faded ink on grey paper
        page -= np.linspace(0, rng.uniform(0, 50), width)[None, :]  # a shadow
        page += rng.normal(0, 5, page.shape)  # grain
    file = io.BytesIO()
    Image.fromarray(np.rint(page.clip(0, 255)).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def share_right(
    classifier: Classifier, digits: NDArray[np.uint8], truth: NDArray[np.int64], rough: bool
) -> tuple[float, float]:
    """The share that is read right, and the milliseconds that a picture takes."""
    rng = np.random.default_rng(SEED)
    files = [on_paper(digit, rng, rough) for digit in digits]
    started = time.perf_counter()
    pixels = np.stack([classifier.pixels_from(data) for data in files])
    answer = classifier.classify(pixels).argmax(axis=1)
    milliseconds = (time.perf_counter() - started) * 1000 / len(files)
    return float((answer == truth).mean()), milliseconds


def main() -> None:
    """Measure every MNIST model on clean and on rough pages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with mnist.npz")
    parser.add_argument("--models", type=Path, default=Path("models"))
    options = parser.parse_args()
    with np.load(options.data / "mnist.npz") as archive:
        chosen = np.random.default_rng(SEED).permutation(len(archive["x_test"]))[:COUNT]
        digits, truth = archive["x_test"][chosen], archive["y_test"][chosen].astype(np.int64)
    results = []
    print(f"{'model':14} {'page':6} {'right':>7} {'ms per picture':>15}")
    for path in sorted(options.models.glob("mnist-*.onnx")):
        classifier = Classifier(path.read_bytes())
        for page, rough in (("clean", False), ("rough", True)):
            right, milliseconds = share_right(classifier, digits, truth, rough)
            results.append(
                {"model": path.stem, "page": page, "right": right, "milliseconds": milliseconds}
            )
            print(f"{path.stem:14} {page:6} {right:7.2%} {milliseconds:15.2f}")
    print(json.dumps({"benchmark": "digits", "pictures": COUNT, "results": results}))


if __name__ == "__main__":
    main()
