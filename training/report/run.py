"""report.html of a finished run: what is asked of its model file and its folder.

runs/NAME-seed1/   last.keras, first_kernel.npy, split.json, history.json   read where they are
                   report.html                                               written
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from app.classifier import Classifier
from training.answers import answers
from training.evaluate import measure
from training.networks import load
from training.report.kernels import Kernels
from training.report.page import page
from training.robustness import robustness
from training.run import epochs


def write_report(
    run: Path,
    content: bytes,
    files: Sequence[bytes],
    truth: NDArray[np.int64],
    measured_on: str,
    names: Sequence[str] | None = None,
    temperature: float = 1.0,
) -> Path:
    """Write `run`/report.html of the model file `content`; returns its path.

    `files` are the encoded pictures it is judged by, `truth` their classes N, `names` their file
    names. What the card does not say of itself is measured on them: metrics, robustness; then
    `temperature` is what the logits of `content` are divided by. Raises ValueError if the card's
    accuracy is another than that of these pictures.
    """
    classifier = Classifier(content)
    card = classifier.card
    probabilities = answers(classifier, files)
    metrics = card.metrics or measure(
        probabilities, truth, card.labels, measured_on, temperature=temperature
    )
    accuracy = float((probabilities.argmax(axis=1) == truth).mean())
    if metrics.accuracy != accuracy:
        raise ValueError(
            f"{card.name}: its card says {metrics.accuracy}, these {len(files):,} pictures give "
            f"{accuracy}. A report needs the pictures that it was measured on."
        )
    card = card.model_copy(
        update={
            "metrics": metrics,
            "robustness": card.robustness or robustness(classifier, files, truth),
            "history": card.history or epochs(run),
        }
    )
    trained, initial, split = run / "last.keras", run / "first_kernel.npy", run / "split.json"
    html = page(
        card,
        probabilities,
        truth,
        lambda number: files[number],
        len(content),
        names=names,
        before=np.load(initial) if initial.exists() else None,
        after=first_kernel(load(trained)) if trained.exists() else None,
        split=json.loads(split.read_text()) if split.exists() else None,
    )
    path = run / "report.html"
    path.write_text(html, encoding="utf-8")
    return path


def first_kernel(model: keras.Model) -> Kernels | None:
    """The kernel H×W×C×K of the first layer that convolves; None where none does."""
    for layer in model.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is not None and len(kernel.shape) == 4:
            return np.asarray(keras.ops.convert_to_numpy(kernel))
    return None
