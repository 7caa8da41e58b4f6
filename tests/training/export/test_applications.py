"""Whole networks of keras.applications; all families: `python -m benchmarks.export`."""

from __future__ import annotations

import keras
import numpy as np
import onnxruntime
import pytest

from benchmarks.applications import application, pictures
from training.export import to_onnx

pytestmark = pytest.mark.train

# One for each kind of block: layer scale between norms, squeeze and excite with silu, inverted
# residuals with hard functions written out, residuals behind padded pooling.
NODES = {
    "ConvNeXtTiny": 205,
    "EfficientNetB0": 275,
    "MobileNetV3Small": 145,
    "ResNet50": 125,
}


@pytest.mark.parametrize("name", NODES)
def test_a_network_gives_the_same_answers_alone_and_in_a_batch(name: str) -> None:
    side = 48
    model = application(name, side, classes=5)
    batch = pictures(3, side)
    expected = keras.ops.convert_to_numpy(model(batch.astype(np.float32), training=False))
    assert np.ptp(expected, axis=0).max() > 0.02  # else any graph would pass
    exported = to_onnx(model)
    assert len(exported.graph.node) == NODES[name]
    session = onnxruntime.InferenceSession(exported.SerializeToString())
    for count in (1, 3):
        (answers,) = session.run(["probabilities"], {"image": batch[:count]})
        np.testing.assert_allclose(answers, expected[:count], rtol=0, atol=1e-4)
