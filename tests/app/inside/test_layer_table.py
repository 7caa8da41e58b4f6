from __future__ import annotations

from pathlib import Path

import pytest

from app.card import Layer
from app.inside.session import Inside
from tests.app.inside import nets
from tests.conftest import colour_card, colour_model

MODELS = sorted((Path(__file__).parents[3] / "models").glob("*.onnx"))
LECTURE = [path for path in MODELS if path.stem in ("mnist-1conv", "mnist-2conv")]  # plain chains


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_the_layers_are_those_of_the_card(path: Path) -> None:
    classifier, inside = nets.opened(path.read_bytes())
    assert [one.facts for one in inside.layers] == classifier.card.layers


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_without_a_card_the_graph_tells_as_many_multiply_adds(path: Path) -> None:
    classifier, inside = nets.opened(path.read_bytes())
    bare = Inside(path.read_bytes(), classifier.card.model_copy(update={"layers": []}))
    assert sum(one.facts.multiply_adds for one in bare.layers) == sum(
        one.facts.multiply_adds for one in inside.layers
    )


@pytest.mark.parametrize("path", LECTURE, ids=lambda path: path.stem)
def test_in_a_chain_each_layer_reads_the_one_before(path: Path) -> None:
    _, inside = nets.opened(path.read_bytes())
    assert inside.layers[0].inputs == ["image"]
    names = [one.name for one in inside.layers]
    assert [one.inputs for one in inside.layers[1:]] == [[name] for name in names[:-1]]
    assert [one.pads for one in inside.layers[:2]] == [[0, 0, 0, 0]] * 2


@pytest.mark.parametrize("path", LECTURE, ids=lambda path: path.stem)
def test_without_a_card_the_same_table_is_made_from_the_graph(path: Path) -> None:
    classifier, inside = nets.opened(path.read_bytes())
    bare = Inside(path.read_bytes(), classifier.card.model_copy(update={"layers": []}))
    for made, known in zip(bare.layers, inside.layers, strict=True):
        assert made.facts == known.facts.model_copy(update={"name": known.tensor})
        assert (made.pads, made.before, made.window) == (known.pads, known.before, known.window)


def row(inside: Inside, name: str) -> Layer:
    return next(one.facts for one in inside.layers if one.name == name)


def test_a_foreign_file_has_its_layers_from_its_graph() -> None:
    _, inside = nets.opened(nets.foreign_net(), nets.FOREIGN_CARD)
    assert [(one.name, one.facts.type, one.facts.activation) for one in inside.layers] == [
        ("relu6", "Conv2D", "clip"),
        ("leaky", "DepthwiseConv2D", "leaky_relu"),
        ("p2", "AveragePooling2D", None),
        ("r3", "Conv2D", "relu"),
        ("p3", "MaxPooling2D", None),
        ("gap", "GlobalAveragePooling2D", None),
        ("output", "Dense", None),
    ]
    first, depthwise, pool = (row(inside, name) for name in ("relu6", "leaky", "p2"))
    assert first.output_shape == [12, 10, 6]
    assert (first.window, first.dilation, first.padding) == ([3, 3], [2, 1], "same")
    assert first.parameters == 6 * 3 * 9 + 6
    assert first.multiply_adds == 12 * 10 * 6 * 3 * 9
    assert first.receptive_field == [5, 3]
    assert depthwise.multiply_adds == 12 * 10 * 6 * 9
    assert depthwise.receptive_field == [7, 5]
    assert (pool.output_shape, pool.strides, pool.parameters) == ([6, 5, 6], [2, 2], 0)
    assert row(inside, "r3").multiply_adds == 6 * 5 * 4 * 3
    assert row(inside, "output").parameters == 4 * 3 + 3  # with the bias that Add brings
    assert row(inside, "output").receptive_field == [12, 10]


def test_normalising_and_casts_are_no_layers_and_weights_in_float16_count() -> None:
    _, inside = nets.opened(nets.gap_net())
    found = {one.name: one for one in inside.layers}
    assert list(found) == ["c1", "r1", "p1", "r2", "gap", "flat", "probabilities"]
    assert found["c1"].inputs == ["image"]
    assert (found["r1"].facts.type, found["r1"].facts.activation) == ("BatchNormalization", "relu")
    assert found["r1"].facts.parameters == 4 * 6
    assert found["r2"].facts.parameters == 5 * 6 * 9 + 5
    assert found["r2"].facts.multiply_adds == 6 * 5 * 5 * 6 * 9


def test_where_branches_meet_the_layer_reads_both() -> None:
    _, inside = nets.opened(nets.residual_net())
    found = {one.name: one for one in inside.layers}
    assert found["r"].facts.type == "Add"
    assert found["r"].inputs == ["c1", "c2"]
    assert found["c2"].inputs == ["c1"]


@pytest.mark.parametrize("tensor", [None, "nowhere", "image", "scale", "axes"])
def test_a_card_that_names_no_tensor_of_the_graph_is_believed_in_nothing(
    tensor: str | None,
) -> None:
    layer = Layer(name="made up", type="Conv2D", tensor=tensor, output_shape=[99, 99, 9])
    card = colour_card(layers=[layer])
    _, inside = nets.opened(colour_model(card))
    (found,) = inside.layers
    assert (found.tensor, found.node, found.window, found.inputs) == (None, None, None, [])


def test_a_shape_is_that_of_the_graph_whatever_the_card_says() -> None:
    layer = Layer(name="mean", type="Conv2D", tensor="mean", output_shape=[99, 99, 9])
    _, inside = nets.opened(colour_model(colour_card(layers=[layer, layer])))
    assert [one.facts.output_shape for one in inside.layers] == [[3], [3]]
