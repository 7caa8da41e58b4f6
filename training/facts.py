"""What a finished model file can still be told without training again: confusion and history.

Nothing that is in the file changes: to its bytes a piece of metadata is appended, which protobuf
reads as one message with them.
"""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import onnx

from app.card import Card
from app.classifier import Classifier
from training.data import Data
from training.evaluate import answers, confusion, png
from training.export.translate import to_onnx
from training.normalise import Normalise
from training.train import history


class NotTheSame(ValueError):
    """The data or the run at hand is not what the file was made from; the message says how."""


def add_confusion(content: bytes, data: Data) -> bytes:
    """A model file with the confusion of all test images, measured as `build` measures.

    A file that has it comes back as it is. Raises NotTheSame if the card is of other data, or has
    another accuracy than these answers.
    """
    classifier = Classifier(content)
    card = classifier.card
    if card.confusion is not None:
        return content
    if card.dataset is None or card.metrics is None or card.dataset.sha256 != data.sha256:
        raise NotTheSame(f"{card.name} was not measured on this data: {data.name}")
    given = answers(classifier, [png(pixels) for pixels in data.x_test])
    counts = confusion(given, data.y_test, len(data.labels))
    accuracy = float(np.trace(counts) / np.sum(counts))
    if accuracy != card.metrics.accuracy:
        raise NotTheSame(
            f"{card.name}: its card says {card.metrics.accuracy}, its answers give {accuracy}"
        )
    return _told(content, card.model_copy(update={"confusion": counts}), "confusion")


def add_history(content: bytes, run: Path) -> bytes:
    """A model file with the epochs of the run that made it; one that has them comes back as it is.

    Raises NotTheSame unless the weights in the run folder translate to the very graph of the file.
    """
    card = Classifier(content).card
    if card.history is not None:
        return content
    if card.recipe is None or not (run / "final.keras").exists():
        raise NotTheSame(f"{card.name}: there is no finished run in {run}")
    trained = keras.saving.load_model(run / "final.keras")
    scale = card.recipe["normalise"]
    graph = to_onnx(trained, Normalise(tuple(scale["mean"]), tuple(scale["std"]))).graph
    if graph.SerializeToString() != onnx.load_from_string(content).graph.SerializeToString():
        raise NotTheSame(f"{card.name}: the run in {run} has other weights")
    return _told(content, card.model_copy(update={"history": history(run)}), "history")


def _told(content: bytes, card: Card, fact: str) -> bytes:
    value = json.loads(card.to_metadata()[fact])
    entry = onnx.StringStringEntryProto(key=fact, value=json.dumps(value, separators=(",", ":")))
    return content + bytes(onnx.ModelProto(metadata_props=[entry]).SerializeToString())
