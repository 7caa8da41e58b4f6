"""The model file: graph, card and proof in one .onnx, with nothing beside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from onnx import helper

from app.card import Card, Proof, ProofImage
from app.preprocess import Preprocess, pixels_from
from training.export.half import rounded
from training.export.layer_table import layer_table
from training.export.translate import translate
from training.normalise import Normalise

if TYPE_CHECKING:
    import keras


def model_file(
    model: keras.Model,
    card: Card,
    proof_images: Sequence[bytes],
    normalise: Normalise | None,
    half: bool = False,
) -> bytes:
    """The content of a model file.

    `card` is what the caller knows; the layer table and the proof are added to it. The proof holds
    `proof_images` (encoded) with the probabilities that Keras, not ONNX, gives for them. With
    `half` large kernels are stored as float16, and Keras is asked with the same, rounded ones.
    Raises ExportError.
    """
    if half:
        model = rounded(model)
    graph, tensors = translate(model, normalise, half)
    card = card.model_copy(
        update={
            "layers": layer_table(model, tensors),
            "proof": _proof(model, card.preprocess, proof_images, normalise),
        }
    )
    helper.set_model_props(graph, card.to_metadata())
    return bytes(graph.SerializeToString())


def write(path: Path, content: bytes) -> None:
    """Write a file at once: a service that watches the folder never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


def _proof(
    model: keras.Model,
    preprocess: Preprocess,
    images: Sequence[bytes],
    normalise: Normalise | None,
) -> Proof:
    batch = np.stack([pixels_from(data, preprocess) for data in images])
    floats = batch.astype(np.float32) if normalise is None else normalise(batch)
    probabilities = np.asarray(model.predict_on_batch(floats), np.float32)
    return Proof(
        images=[
            ProofImage(data=base64.b64encode(data), probabilities=[float(p) for p in row])
            for data, row in zip(images, probabilities, strict=True)
        ]
    )
