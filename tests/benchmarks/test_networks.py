"""The rivals must be given the same network, or the comparison means nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from app.classifier import Classifier
from benchmarks.networks import write_networks


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("networks")
    write_networks(folder)
    return folder


@pytest.mark.parametrize("name", ["mnist-1conv", "mnist-2conv", "cifar10-simple", "mobilenetv2"])
def test_rivals_serve_the_same_network(networks: Path, name: str) -> None:
    classifier = Classifier((networks / f"{name}.onnx").read_bytes())
    wanted = classifier.card.preprocess
    shape = (3, wanted.height, wanted.width, wanted.channels)
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    session = onnxruntime.InferenceSession(
        networks / "plain" / f"{name}.onnx", providers=["CPUExecutionProvider"]
    )
    (theirs,) = session.run(None, {session.get_inputs()[0].name: pixels / np.float32(255)})
    ours = classifier.classify(pixels)
    assert np.abs(ours - theirs).max() < 1e-5
    assert np.isfinite(ours).all()
