from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.card import Layer
from app.errors import InvalidParameter
from app.inside.explain import explain
from app.inside.feature_maps import MAX_MAP_BYTES, MAX_VALUES, maps_of
from app.inside.look import look
from app.inside.session import Inside
from app.preprocess import pixels_from
from tests.app.inside import nets
from tests.conftest import SEVEN

MODELS = Path(__file__).parents[3] / "models"

NETS: dict[str, tuple[bytes, bytes | None]] = {
    "mnist-1conv": ((MODELS / "mnist-1conv.onnx").read_bytes(), None),
    "mnist-2conv": ((MODELS / "mnist-2conv.onnx").read_bytes(), None),
    "gap": (nets.gap_net(), None),
    "foreign": (nets.foreign_net(), nets.FOREIGN_CARD),
    "residual": (nets.residual_net(), None),
}


def floats(array: dict[str, Any]) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(array["data"]), "<f4").reshape(array["shape"])


def opened(name: str) -> tuple[Any, Inside, NDArray[np.uint8]]:
    classifier, inside = nets.opened(*NETS[name])
    if classifier.card.preprocess.layout == "digit":
        return classifier, inside, pixels_from(SEVEN.read_bytes(), classifier.card.preprocess)
    return classifier, inside, nets.picture(classifier)


def layers_with_maps(name: str) -> list[str]:
    _, inside, _ = opened(name)
    return [one.name for one in inside.layers if len(one.facts.output_shape) == 3]


MAPPED = [(name, layer) for name in NETS for layer in layers_with_maps(name)]


@pytest.mark.parametrize("name", NETS)
def test_every_layer_is_told_of_as_its_tensor_is(name: str) -> None:
    classifier, inside, pixels = opened(name)
    answer = look(classifier, inside, pixels)
    for told, layer in zip(answer["layers"], inside.layers, strict=True):
        assert layer.tensor is not None
        tensor = inside.run(pixels, [layer.tensor])[layer.tensor]
        assert told["minimum"] == tensor.min()
        assert told["maximum"] == tensor.max()
        assert told["mean"] == pytest.approx(float(tensor.mean()), abs=1e-5)
        assert told["zeros"] == pytest.approx(float((tensor == 0).mean()))
        short = tensor.ndim == 2 and tensor.size <= 4096
        assert ("values" in told) == short
        assert np.array_equal(told.get("values", tensor[0]), tensor[0])
    assert (answer["probabilities"] == classifier.classify(pixels[None])[0]).all()
    assert answer["best"] == answer["logits"].argmax()
    assert list(answer) == ["layers", "logits", "probabilities", "best"]


@pytest.mark.parametrize(("name", "layer"), MAPPED)
def test_maps_are_the_tensor_within_a_step_of_256(name: str, layer: str) -> None:
    classifier, inside, pixels = opened(name)
    maps = look(classifier, inside, pixels, layer)["maps"]
    height, width, count = maps["shape"]
    chosen = next(one for one in inside.layers if one.name == layer)
    assert chosen.facts.output_shape == [height, width, count]
    assert chosen.tensor is not None
    tensor = inside.run(pixels, [chosen.tensor])[chosen.tensor][0]
    assert maps["channels"] == count
    assert np.allclose(maps["minima"], tensor.min(axis=(1, 2)))
    assert np.allclose(maps["maxima"], tensor.max(axis=(1, 2)))
    assert np.allclose(maps["means"], tensor.mean(axis=(1, 2)), atol=1e-5)
    assert np.allclose(maps["zeros"], (tensor == 0).mean(axis=(1, 2)))
    data = np.frombuffer(base64.b64decode(maps["data"]), np.uint8).reshape(count, height, width)
    minima, maxima = (np.array(maps[key])[:, None, None] for key in ("minima", "maxima"))
    step = (maxima - minima) / 255
    assert (np.abs(minima + data * step - tensor) <= step / 2 + 1e-5).all()


def strided(window: dict[str, Any], kernel: tuple[int, int], fill: float) -> NDArray[np.float64]:
    """Windows of the padded input: height × width × (places of the kernel) × channels."""
    top, left, bottom, right = window["pads"]
    stride_y, stride_x = window["strides"]
    dilation_y, dilation_x = window["dilation"]
    height, width = window["before"]["shape"]
    image = np.pad(
        floats(window["input"]).astype(np.float64),
        ((top, bottom + stride_y), (left, right + stride_x), (0, 0)),
        constant_values=fill,
    )
    views = [
        image[y * dilation_y :, x * dilation_x :][: height * stride_y : stride_y][
            :, : width * stride_x : stride_x
        ][:height, :width]
        for y in range(kernel[0])
        for x in range(kernel[1])
    ]
    return np.stack(views, axis=2)


@pytest.mark.parametrize(("name", "layer"), MAPPED)
def test_the_window_computes_the_very_numbers_of_the_layer(name: str, layer: str) -> None:
    classifier, inside, pixels = opened(name)
    chosen = next(one for one in inside.layers if one.name == layer)
    for channel in range(chosen.facts.output_shape[2]):
        window = look(classifier, inside, pixels, layer, channel)["window"]
        if chosen.window is None:
            assert window is None
            return
        before, after = floats(window["before"]), floats(window["after"])
        if window["kind"] == "convolution":
            kernel = floats(window["kernel"])
            products = strided(window, kernel.shape[:2], 0) * kernel.reshape(-1, kernel.shape[2])
            found = products.sum(axis=(2, 3)) + window["bias"]
        elif window["kind"] == "max":
            found = strided(window, chosen.window.size, -np.inf).max(axis=(2, 3))
        else:
            found = strided(window, chosen.window.size, 0).mean(axis=(2, 3))
        assert np.allclose(found, before, atol=1e-4)
        expected = {
            None: before,
            "relu": np.maximum(before, 0),
            "clip": before.clip(0, 1),
            "leaky_relu": np.where(before > 0, before, before * np.float32(0.1)),
        }[window["activation"]]
        assert np.allclose(after, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["mnist-1conv", "mnist-2conv", "gap", "foreign"])
def test_what_the_channels_contribute_adds_up_to_the_score_but_for_the_biases(name: str) -> None:
    classifier, inside, pixels = opened(name)
    for layer in layers_with_maps(name):
        assert look(classifier, inside, pixels, layer)["maps"]["contributions"] is not None
    exact = explain(classifier, inside, pixels, None, "auto")
    parts = look(classifier, inside, pixels, exact["layer"])["maps"]["contributions"]
    assert sum(parts) + exact["rest"] == pytest.approx(exact["logit"], abs=1e-3)


def test_before_a_branch_no_channel_has_a_part_of_its_own() -> None:
    classifier, inside, pixels = opened("residual")
    assert look(classifier, inside, pixels, "r")["maps"]["contributions"] is not None
    for layer in ("c1", "c2"):
        assert look(classifier, inside, pixels, layer)["maps"]["contributions"] is None


def test_small_kernels_are_sent_whole_and_large_ones_not() -> None:
    classifier, inside, pixels = opened("mnist-2conv")
    kernels = look(classifier, inside, pixels, "conv1")["maps"]["kernels"]
    assert kernels["shape"] == [32, 3, 3, 1]
    weights = inside.run(pixels, ["conv1/kernel"])["conv1/kernel"]
    assert (floats(kernels) == weights.transpose(0, 2, 3, 1)).all()
    assert look(classifier, inside, pixels, "pool1")["maps"]["kernels"] is None


@pytest.mark.parametrize(
    ("layer", "channel", "message"),
    [
        ("nowhere", None, "layer: the layers of this model are conv1, pool1, flatten, .*dense2"),
        ("conv1", 32, "channel: this layer has channels 0 to 31"),
        ("dense1", 0, "channel: this layer has no channels"),
        (None, 0, "channel: it needs a layer"),
    ],
)
def test_what_is_not_there_cannot_be_looked_at(
    layer: str | None, channel: int | None, message: str
) -> None:
    classifier, inside, pixels = opened("mnist-1conv")
    with pytest.raises(InvalidParameter, match=message):
        look(classifier, inside, pixels, layer, channel)


def test_the_last_channel_is_there() -> None:
    classifier, inside, pixels = opened("mnist-1conv")
    assert look(classifier, inside, pixels, "conv1", 31)["window"]["channel"] == 31


def test_a_vector_has_no_maps() -> None:
    classifier, inside, pixels = opened("mnist-1conv")
    assert look(classifier, inside, pixels, "dense1")["maps"] is None


def test_a_layer_that_leaves_no_tensor_is_listed_without_numbers() -> None:
    card = nets.card_of(*nets.SIDES)
    layers = [Layer(name="dropout", type="Dropout", tensor=None, output_shape=[12, 10, 3])]
    classifier, _ = nets.opened(nets.gap_net())
    inside = Inside(nets.gap_net(), card.model_copy(update={"layers": layers}))
    answer = look(classifier, inside, nets.picture(classifier), "dropout", 0)
    assert answer["layers"][0]["minimum"] is None
    assert (answer["maps"], answer["window"]) == (None, None)


def test_maps_are_bounded_by_their_bytes_and_by_their_number() -> None:
    side = 1024
    maps = np.zeros((5, side, side), np.float32)
    found = maps_of("layer", maps, None, None)
    assert found is not None
    assert found["channels"] == 4 == MAX_MAP_BYTES // side**2
    assert len(found["minima"]) == 5
    assert maps_of("layer", np.zeros((MAX_VALUES, 1, 1), np.float32), None, None) is not None
    assert maps_of("layer", np.zeros((MAX_VALUES + 1, 1, 1), np.float32), None, None) is None


def test_a_map_of_one_value_and_one_of_no_numbers_have_bytes_too() -> None:
    maps = np.stack([np.full((2, 2), 7, np.float32), np.full((2, 2), np.nan, np.float32)])
    found = maps_of("layer", maps, None, None)
    assert found is not None
    assert base64.b64decode(found["data"]) == b"\0" * 8
    assert found["minima"][0] == found["maxima"][0] == 7
