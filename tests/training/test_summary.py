from __future__ import annotations

from app.card import Layer
from training.summary import summary

LAYERS = [
    Layer(
        name="conv1",
        type="Conv2D",
        tensor="conv1",
        output_shape=[5, 7, 1000],
        window=[3, 3],
        strides=[2, 1],
        dilation=[1, 1],
        padding="same",
        parameters=10_000,
        multiply_adds=315_000,
        receptive_field=[3, 3],
    ),
    Layer(
        name="pool1",
        type="MaxPooling2D",
        tensor="pool1",
        output_shape=[2, 3, 1000],
        window=[2, 2],
        strides=[2, 2],
        padding="valid",
        receptive_field=[5, 4],
    ),
    Layer(name="dropout1", type="Dropout", tensor=None, output_shape=[2, 3, 1000]),
]


def test_the_table_comes_first_and_then_how_each_number_came_about() -> None:
    assert summary("a-net", LAYERS, (9, 7, 1)).splitlines() == [
        "a-net, from an image of 9×7×1",
        "",
        "layer                                   output    parameters  multiply-adds  field",
        "conv1     Conv2D 3×3, stride 2×1, same  5×7×1000      10,000        315,000    3×3",
        "pool1     MaxPooling2D 2×2              2×3×1000           0              0    5×4",
        "dropout1  Dropout                       2×3×1000           0              0",
        "total                                                 10,000        315,000",
        "",
        "How the numbers come about:",
        "",
        "layer  number           formula",
        "conv1  output           (9 + 2·1 − 3)/2 + 1 = 5, (7 + 2·1 − 3)/1 + 1 = 7",
        "       parameters       (3·3·1 + 1)·1,000 = 10,000",
        "       multiply-adds    5·7·1,000·3·3·1 = 315,000",
        "       receptive field  1 + (3 − 1) = 3",
        "pool1  output           ⌊(5 − 2)/2⌋ + 1 = 2, ⌊(7 − 2)/2⌋ + 1 = 3",
        "       receptive field  3 + (2 − 1)·2 = 5; 3 + (2 − 1) = 4",
    ]


def test_a_dilated_kernel_and_a_pool_that_overlaps_say_so() -> None:
    overlapping = LAYERS[1].model_copy(update={"strides": [1, 1], "type": "AveragePooling2D"})
    dilated = LAYERS[0].model_copy(update={"dilation": [2, 2], "strides": [1, 1]})
    text = summary("a-net", [dilated, overlapping], (9, 7, 1))
    assert "Conv2D 3×3, dilation 2, same  " in text
    assert "AveragePooling2D 2×2, stride 1  " in text
