"""The page's arithmetic of shapes, against what ONNX Runtime computes."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.web.node import WEB, evaluate

SIDES = [
    (n, k, s, d, padding)
    for n, k, s, d, padding in itertools.product(
        (1, 5, 11, 28, 32), (1, 2, 3, 5), (1, 2, 3), (1, 2), ("valid", "same")
    )
    if padding == "same" or n >= d * (k - 1) + 1
]


def run(expression: str) -> Any:
    return evaluate(
        f'import * as it from "{(WEB / "inside" / "shapes.js").as_uri()}";'
        f"console.log(JSON.stringify({expression}));"
    )


def convolved(
    image: NDArray[np.float32], kernel: NDArray[np.float32], **attributes: Any
) -> NDArray[np.float32]:
    """What ONNX Runtime's Conv makes of an image 1 × channels × … ."""
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "kernel"], ["map"], **attributes)],
        "convolution",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image.shape)],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"image": image})
    return np.asarray(output)


@pytest.fixture(scope="module")
def sides() -> list[dict[str, int]]:
    """What the page says of each of SIDES."""
    asked = [dict(zip(("n", "k", "s", "d", "padding"), one, strict=True)) for one in SIDES]
    said: list[dict[str, int]] = run(f"{json.dumps(asked)}.map(it.side)")
    return said


def test_sizes_zeros_and_what_is_unused_are_those_of_onnx_runtime(
    sides: list[dict[str, int]],
) -> None:
    random = np.random.default_rng(5)
    for (n, k, s, d, padding), said in zip(SIDES, sides, strict=True):
        image = random.uniform(1, 2, (1, 1, n)).astype(np.float32)
        kernel = random.uniform(1, 2, (1, 1, k)).astype(np.float32)
        steps = {"strides": [s], "dilations": [d]}
        auto = {"valid": "VALID", "same": "SAME_UPPER"}[padding]
        # ONNX Runtime pads no dilated window by itself: a long one with holes of 0 is the same.
        spread = np.zeros((1, 1, d * (k - 1) + 1), np.float32)
        spread[..., ::d] = kernel
        expected = convolved(image, spread, auto_pad=auto, strides=[s])
        pads = [said["before"], said["after"]]
        assert said["output"] == expected.shape[2], (n, k, s, d, padding)
        found = convolved(image, kernel, pads=pads, **steps)
        # A window shorter than its step needs no zeros. Keras adds none; ONNX Runtime's SAME_UPPER
        # would then leave off numbers at the start.
        if padding == "valid" or d * (k - 1) + 1 >= s:
            assert np.allclose(found, expected, rtol=1e-5), said
        # The last numbers that are called unused are read by no window; the one before them is,
        # where no dilation or step leaves holes between the windows' numbers.
        unused = max(0, said["unused"] - said["after"])
        changed = image.copy()
        changed[..., n - unused :] = 9
        assert np.array_equal(convolved(changed, kernel, pads=pads, **steps), found), said
        if d == 1 and k >= s and unused < n:
            changed[..., n - unused - 1] = 9
            assert not np.array_equal(convolved(changed, kernel, pads=pads, **steps), found)


@pytest.mark.parametrize(
    ("side", "formula"),
    [
        ({"n": 28, "k": 3}, "⌊(28 − 3) / 1⌋ + 1 = 26"),
        ({"n": 11, "k": 2, "s": 2}, "⌊(11 − 2) / 2⌋ + 1 = 5"),
        ({"n": 32, "k": 3, "s": 2, "padding": "same"}, "⌊(32 + 1 − 3) / 2⌋ + 1 = 16"),
        ({"n": 224, "k": 3, "s": 2, "padding": [1, 1]}, "⌊(224 + 2 − 3) / 2⌋ + 1 = 112"),
        ({"n": 15, "k": 3, "d": 3}, "⌊(15 − 3·(3 − 1) − 1) / 1⌋ + 1 = 9"),
        ({"n": 3, "k": 3}, "⌊(3 − 3) / 1⌋ + 1 = 1"),
    ],
    ids=["lecture", "does not divide", "one-sided", "all round", "dilated", "one place"],
)
def test_the_formula_is_written_with_the_real_numbers(side: dict[str, Any], formula: str) -> None:
    assert run(f"it.sizeFormula(it.side({json.dumps(side)}))") == formula


def test_a_window_wider_than_the_input_has_no_place() -> None:
    said = run("it.side({ n: 2, k: 3 })")
    assert (said["output"], said["unused"]) == (0, 2)


@pytest.mark.parametrize(
    ("layer", "reads", "formula"),
    [
        (("Conv2D", [3, 3], [26, 26, 32], 320), [28, 28, 1], "(3·3·1 + 1)·32"),
        (("Conv2D", [3, 3], [11, 11, 64], 18496), [13, 13, 32], "(3·3·32 + 1)·64"),
        (("Conv2D", [1, 1], [7, 7, 8], 128), [7, 7, 16], "1·1·16·8"),
        (("DepthwiseConv2D", [3, 3], [9, 9, 32], 320), [9, 9, 32], "(3·3·1 + 1)·32"),
        (("Conv2D", [3, 3], [9, 9, 8], 8 * 3 * 3 * 4), [9, 9, 16], "3·3·4·8"),
        (("Dense", None, [64], 102464), [1600], "(1600 + 1)·64"),
        (("Dense", None, [64], 102400), [1600], "1600·64"),
        (("BatchNormalization", None, [9, 9, 8], 32), [9, 9, 8], "4·8"),
        (("Dense", None, [64], 102465), [1600], None),
        (("MaxPooling2D", [2, 2], [5, 5, 8], 0), [10, 10, 8], None),
    ],
    ids=[
        "lecture", "deeper", "no bias", "depthwise", "in groups", "dense", "dense, no bias",
        "normalisation", "unexplained", "none",
    ],
)  # fmt: skip
def test_weights_are_explained_where_the_numbers_agree(
    layer: tuple[str, list[int] | None, list[int], int], reads: list[int], formula: str | None
) -> None:
    facts = dict(zip(("type", "window", "shape", "parameters"), layer, strict=True))
    asked = f"it.weightsFormula({json.dumps(facts)}, {json.dumps(reads)})"
    assert run(asked) == formula


def test_a_size_that_the_arithmetic_does_not_give_is_not_explained() -> None:
    facts = {"window": [2, 2], "strides": [2, 2], "shape": [6, 6, 8], "pads": [0, 0, 0, 0]}
    rounded_up = f"it.sides({json.dumps(facts)}, [11, 11, 8])"
    assert run(rounded_up) is None


def js(array: NDArray[np.float32]) -> dict[str, Any]:
    return {"shape": list(array.shape), "values": array.ravel().tolist()}


def test_the_sum_under_every_window_is_the_convolution() -> None:
    random = np.random.default_rng(6)
    image = random.standard_normal((1, 2, 7, 9)).astype(np.float32)
    kernel = random.standard_normal((1, 2, 3, 2)).astype(np.float32)
    geometry = {"strides": [2, 3], "dilations": [1, 2], "pads": [1, 2, 1, 0]}
    expected = convolved(image, kernel, **geometry)[0, 0]
    view = {
        "kind": "convolution",
        "input": js(image[0].transpose(1, 2, 0)),
        "kernel": js(kernel[0].transpose(1, 2, 0)),
        "bias": 0.5,
        "strides": [2, 3],
        "dilation": [1, 2],
        "pads": geometry["pads"],
        "before": js(expected),
    }
    rows, columns = expected.shape
    asked = (
        f"Array.from({{ length: {rows * columns} }}, (_, place) => it.windowAt({json.dumps(view)},"
        f" Math.floor(place / {columns}), place % {columns}, 1, [3, 2]))"
    )
    found = run(asked)
    totals = [one["total"] for one in found]
    assert totals == pytest.approx((expected + 0.5).ravel().tolist(), abs=1e-5)
    top_left = found[0]["cells"]
    assert [cell["inside"] for cell in top_left] == [False, False, False, True, False, True]
    assert all(len(one["perChannel"]) == 2 for one in found)


@pytest.mark.parametrize(
    ("kind", "before", "total", "counted"),
    [("max", -1.0, -1.0, 1), ("average", -1.0, -1.0, 1), ("average", -0.25, -0.25, 4)],
    ids=["max", "average of what is there", "average with added zeros"],
)
def test_added_zeros_count_in_a_pool_only_where_the_file_counts_them(
    kind: str, before: float, total: float, counted: int
) -> None:
    view = {
        "kind": kind,
        "input": {"shape": [1, 1, 1], "values": [-1]},
        "kernel": None,
        "bias": None,
        "strides": [1, 1],
        "dilation": [1, 1],
        "pads": [1, 1, 0, 0],
        "before": {"shape": [1, 1], "values": [before]},
    }
    found = run(f"it.windowAt({json.dumps(view)}, 0, 0, 0, [2, 2])")
    assert (found["total"], found["counted"]) == (total, counted)
