from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from keras import layers
from keras.layers import (
    Activation,
    CenterCrop,
    Conv2D,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePooling2D,
    LayerNormalization,
    MaxPooling2D,
    Permute,
    Reshape,
    Resizing,
    SeparableConv2D,
    UpSampling2D,
    ZeroPadding2D,
)

from training.export import ExportError, to_onnx
from training.normalise import Normalise

pytestmark = pytest.mark.train

NORMALISE = Normalise((100.0,) * 3, (60.0,) * 3)
PAD = ((1, 2), (3, 0))


@pytest.mark.parametrize(
    "chain",
    [
        pytest.param(lambda: [ZeroPadding2D(PAD)], id="ZeroPadding2D"),
        pytest.param(lambda: [ZeroPadding2D(2)], id="ZeroPadding2D on all sides"),
        pytest.param(lambda: [Cropping2D(((1, 0), (2, 1)))], id="Cropping2D"),
        pytest.param(lambda: [CenterCrop(3, 2)], id="CenterCrop"),
        pytest.param(lambda: [UpSampling2D((2, 3))], id="UpSampling2D"),
        pytest.param(
            lambda: [UpSampling2D((3, 2), interpolation="bilinear")], id="UpSampling2D bilinear"
        ),
        pytest.param(lambda: [Resizing(9, 4)], id="Resizing"),
        pytest.param(lambda: [Resizing(4, 7, interpolation="nearest")], id="Resizing nearest"),
        pytest.param(lambda: [Resizing(3, 5, interpolation="nearest")], id="Resizing to half"),
        pytest.param(lambda: [Permute((2, 1, 3))], id="Permute, width first"),
        pytest.param(lambda: [Permute((3, 1, 2)), Conv2D(3, 2)], id="Permute, channels first"),
        pytest.param(lambda: [Reshape((5, 6, 4)), Conv2D(3, 2)], id="Reshape to a map"),
        pytest.param(lambda: [Reshape((4, 3, -1)), Conv2D(3, 2)], id="Reshape to other channels"),
        pytest.param(lambda: [Reshape((30, 4)), LayerNormalization()], id="Reshape to a table"),
        pytest.param(lambda: [Reshape((30, 4)), Permute((2, 1))], id="Permute of a table"),
        pytest.param(lambda: [Reshape((30, 4)), Reshape((5, 6, 4))], id="Reshape and back"),
        pytest.param(lambda: [Reshape((120,)), Dense(7, "tanh")], id="Reshape to a vector"),
        pytest.param(lambda: [Flatten(), Reshape((6, 5, 4)), Conv2D(3, 2)], id="Flatten and back"),
        pytest.param(lambda: [Flatten(), Activation("softmax")], id="softmax of a flattened map"),
        pytest.param(lambda: [Flatten(), LayerNormalization()], id="norm of a flattened map"),
        pytest.param(
            lambda: [GlobalAveragePooling2D(), Reshape((1, 1, 4)), Conv2D(3, 1)], id="to a pixel"
        ),
        pytest.param(
            lambda: [Flatten(), Reshape((1, 1, 120)), Conv2D(3, 1)], id="a map to one pixel"
        ),
        pytest.param(
            lambda: [Flatten(), Reshape((1, 1, 120)), Flatten()], id="a map to one pixel and back"
        ),
        pytest.param(
            lambda: [GlobalAveragePooling2D(), Reshape((2, 2, 1)), Conv2D(3, 2)], id="one channel"
        ),
        pytest.param(
            lambda: [GlobalAveragePooling2D(keepdims=True), Reshape((4,))], id="from a pixel"
        ),
        pytest.param(
            lambda: [LayerNormalization(), Flatten()], id="Flatten of a map as Keras lays it"
        ),
    ],
)
def test_numbers_go_where_they_go_in_keras(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    chain: Callable[[], list[Any]],
) -> None:
    before = Conv2D(4, 3, padding="same", activation="tanh")
    assert_same_answers(classifier((6, 5, 3), before, *chain()), NORMALISE)


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(lambda: Conv2D(3, 3, strides=2), id="Conv2D"),
        pytest.param(lambda: DepthwiseConv2D(3, strides=2), id="DepthwiseConv2D"),
        pytest.param(lambda: SeparableConv2D(3, 3), id="SeparableConv2D"),
    ],
)
def test_zeros_before_a_convolution_become_its_own(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    operators: Callable[..., list[str]],
    layer: Callable[[], Any],
) -> None:
    exported = assert_same_answers(classifier((6, 5, 3), ZeroPadding2D(PAD), layer()), NORMALISE)
    assert "Pad" not in operators(exported)


def test_zeros_before_same_padding_stay(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    operators: Callable[..., list[str]],
) -> None:
    chain = [ZeroPadding2D(PAD), Conv2D(3, 3, strides=2, padding="same")]
    assert "Pad" in operators(assert_same_answers(classifier((6, 5, 3), *chain), NORMALISE))


@pytest.mark.parametrize(
    ("before", "is_folded"),
    [
        pytest.param(lambda: [Activation("relu")], True, id="relu"),
        pytest.param(lambda: [layers.ReLU(max_value=0.5)], True, id="ReLU"),
        pytest.param(lambda: [Conv2D(3, 1, activation="relu6")], True, id="in a convolution"),
        pytest.param(lambda: [layers.ReLU(negative_slope=0.1)], False, id="leaky ReLU"),
        pytest.param(lambda: [Activation("tanh")], False, id="tanh"),
        pytest.param(lambda: [], False, id="pixels"),
    ],
)
def test_zeros_before_max_pooling_become_its_own_where_nothing_is_below_zero(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    operators: Callable[..., list[str]],
    before: Callable[[], list[Any]],
    is_folded: bool,
) -> None:
    chain = [*before(), ZeroPadding2D(1), MaxPooling2D(3, strides=2)]
    exported = assert_same_answers(classifier((6, 5, 3), *chain), NORMALISE)
    assert ("Pad" not in operators(exported)) is is_folded


@pytest.mark.parametrize(("zeros", "is_folded"), [(1, True), (2, False), (((0, 1), (0, 2)), False)])
def test_zeros_as_wide_as_the_window_of_max_pooling_stay(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    operators: Callable[..., list[str]],
    zeros: Any,
    is_folded: bool,
) -> None:
    chain = [Activation("relu"), ZeroPadding2D(zeros), MaxPooling2D(2)]
    exported = assert_same_answers(classifier((6, 5, 3), *chain), NORMALISE)
    assert ("Pad" not in operators(exported)) is is_folded


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: UpSampling2D(2, interpolation="bicubic", name="odd"), "bilinear, nearest"),
        (lambda: Resizing(4, 4, interpolation="lanczos3", name="odd"), "bilinear, nearest"),
        (lambda: Resizing(4, 4, crop_to_aspect_ratio=True, name="odd"), "crops, pads"),
        (lambda: CenterCrop(9, 3, name="odd"), "Resizing"),
        (lambda: ZeroPadding2D(data_format="channels_first", name="odd"), "channels_last"),
    ],
)
def test_what_has_no_translation_is_refused(
    classifier: Callable[..., Any], layer: Callable[[], Any], message: str
) -> None:
    with pytest.raises(ExportError, match=f"'odd'.*{message}"):
        to_onnx(classifier((6, 5, 3), layer()))


@pytest.mark.parametrize(("before", "after"), [(40, 12), (40, 6), (28, 23), (14, 23), (42, 11)])
def test_the_nearest_pixel_is_the_one_that_keras_takes_between_two(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    before: int,
    after: int,
) -> None:
    layer = Resizing(after, before, interpolation="nearest")
    assert_same_answers(classifier((before, after, 3), layer), NORMALISE)
