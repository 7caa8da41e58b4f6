from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from keras import layers
from keras.layers import Activation, BatchNormalization, Conv2D, Dense, Flatten, MaxPooling2D

from training import networks
from training.export import ExportError, to_onnx
from training.export.translate import VANISHING, translate
from training.normalise import Normalise

pytestmark = pytest.mark.train


def made_by(exported: Any) -> list[str]:
    return [output for node in exported.graph.node for output in node.output]


def weights_of(exported: Any) -> dict[str, Any]:
    return {w.name: onnx.numpy_helper.to_array(w) for w in exported.graph.initializer}


def answer(**options: Any) -> Any:
    return Dense(5, activation="softmax", **options)


# --- whole networks


@pytest.mark.parametrize("network", [networks.mnist_1conv, networks.mnist_2conv])
def test_the_lecture_networks_give_the_same_answers(
    assert_same_answers: Callable[..., Any], network: Callable[[], Any]
) -> None:
    exported = assert_same_answers(network(), Normalise((0.0,), (255.0,)))
    assert exported.graph.name == network().name


def test_a_network_with_everything_gives_the_same_answers(
    assert_same_answers: Callable[..., Any],
) -> None:
    model = keras.Sequential(
        [
            keras.Input((17, 14, 3)),
            layers.Rescaling(1 / 127.5, -1),
            layers.GaussianNoise(0.1),
            Conv2D(6, 3, padding="same", use_bias=False),
            BatchNormalization(),
            Activation("relu"),
            MaxPooling2D(2, padding="same"),
            Conv2D(8, 3, strides=2, padding="same", activation="silu"),
            layers.SpatialDropout2D(0.2),
            layers.AveragePooling2D(2, strides=1),
            BatchNormalization(),
            layers.LeakyReLU(0.1),
            Flatten(),
            Dense(12),
            BatchNormalization(),
            Activation("relu"),
            layers.Dropout(0.5),
            answer(),
        ]
    )
    assert_same_answers(model)


# --- pixels


@pytest.mark.parametrize(
    "normalise",
    [
        pytest.param(None, id="None"),
        pytest.param(Normalise((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)), id="by 255"),
        pytest.param(Normalise((120.0, 10.0, 240.0), (60.0, 25.0, 99.0)), id="per channel"),
        pytest.param(Normalise((0.0, 0.0, 50.0), (60.0, 60.0, 60.0)), id="one mean alone"),
    ],
)
def test_pixels_are_normalised_as_in_training(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    normalise: Normalise | None,
) -> None:
    assert_same_answers(classifier((6, 5, 3), Conv2D(4, 3, padding="same")), normalise)


def test_bytes_are_transposed_before_they_are_made_floats(
    classifier: Callable[..., Any], operators: Callable[..., list[str]]
) -> None:
    exported = to_onnx(classifier((6, 5, 1)), Normalise((9.0,), (50.0,)))
    assert operators(exported)[:4] == ["Transpose", "Cast", "Sub", "Mul"]


def test_a_mean_of_zero_leaves_no_node(
    classifier: Callable[..., Any], operators: Callable[..., list[str]]
) -> None:
    assert "Sub" not in operators(to_onnx(classifier((6, 5, 1)), Normalise((0.0,), (255.0,))))


@pytest.mark.parametrize(
    "normalise",
    [Normalise((0.0,), (255.0,)), Normalise((0.0,) * 3, (255.0,)), Normalise((0.0,), (255.0,) * 3)],
)
def test_a_normalisation_for_other_channels_is_refused(
    classifier: Callable[..., Any], normalise: Normalise
) -> None:
    with pytest.raises(ExportError, match="each of 3 channels"):
        to_onnx(classifier((6, 5, 3)), normalise)


# --- layers that only train


ARGUMENTS: dict[str, Any] = {  # of layers that need any
    "ActivityRegularization": {"l1": 0.1},
    "AlphaDropout": {"rate": 0.5},
    "Dropout": {"rate": 0.5},
    "GaussianDropout": {"rate": 0.5},
    "GaussianNoise": {"stddev": 1.0},
    "RandomBrightness": {"factor": 0.5},
    "RandomColorDegeneration": {"factor": 0.5},
    "RandomContrast": {"factor": 0.5},
    "RandomHue": {"factor": 0.5},
    "RandomPosterization": {"factor": 4},
    "RandomRotation": {"factor": 0.5},
    "RandomSaturation": {"factor": 0.5},
    "RandomSharpness": {"factor": 0.5},
    "RandomTranslation": {"height_factor": 0.5, "width_factor": 0.5},
    "RandomZoom": {"height_factor": 0.5},
    "SpatialDropout2D": {"rate": 0.5},
}


def vanishing(name: str) -> Any:
    if name == "StochasticDepth":
        return keras.src.applications.convnext.StochasticDepth(0.5)
    return getattr(layers, name)(**ARGUMENTS.get(name, {}))


@pytest.mark.parametrize("name", sorted(VANISHING))
def test_a_layer_that_only_trains_leaves_no_node(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    operators: Callable[..., list[str]],
    name: str,
) -> None:
    chain = [vanishing(name), Conv2D(3, 3, activation="relu"), vanishing(name)]
    assert operators(assert_same_answers(classifier((6, 5, 3), *chain))) == [
        *("Transpose", "Cast", "Conv", "Relu", "Flatten", "Gemm", "Softmax")
    ]


def test_a_pipeline_of_them_leaves_no_node_either(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    operators: Callable[..., list[str]],
) -> None:
    inner = layers.Pipeline([layers.RandomFlip(), layers.Pipeline([layers.RandomZoom(0.2)])])
    assert operators(assert_same_answers(classifier((6, 5, 3), inner))) == [
        *("Transpose", "Cast", "Flatten", "Gemm", "Softmax")
    ]


def test_a_pipeline_that_does_more_is_refused(classifier: Callable[..., Any]) -> None:
    inner = layers.Pipeline([layers.RandomFlip(), layers.AutoContrast()])
    with pytest.raises(ExportError, match=r"\(Pipeline\) has no translation"):
        to_onnx(classifier((6, 5, 3), inner))


def test_dropout_around_softmax_changes_nothing(assert_same_answers: Callable[..., Any]) -> None:
    behind = [Dense(5), layers.Dropout(0.5), layers.Softmax(), layers.Dropout(0.5)]
    exported = assert_same_answers(
        keras.Sequential([keras.Input((4, 3, 2)), layers.Dropout(0.1), Flatten(), *behind])
    )
    assert made_by(exported)[-2:] == ["logits", "probabilities"]


# --- names


def test_tensors_are_named_after_their_layers() -> None:
    model = keras.Sequential(
        [
            keras.Input((6, 5, 3)),
            Conv2D(4, 3, activation="relu", name="conv1"),
            Conv2D(4, 2, name="conv2"),
            MaxPooling2D(2, name="pool1"),
            Flatten(name="flatten"),
            Dense(7, activation="tanh", name="dense1"),
            answer(name="dense2"),
        ]
    )
    exported = to_onnx(model)
    assert made_by(exported)[2:] == [
        *("conv1/pre", "conv1", "conv2", "pool1", "flatten"),
        *("dense1/pre", "dense1", "logits", "probabilities"),
    ]
    assert set(weights_of(exported)) == {
        f"{layer}/{weight}"
        for layer in ("conv1", "conv2", "dense1", "dense2")
        for weight in ("kernel", "bias")
    }
    assert [node.name for node in exported.graph.node] == made_by(exported)


@pytest.mark.parametrize(
    "last", [lambda: Activation("softmax", name="last"), lambda: layers.Softmax(name="last")]
)
def test_a_dense_before_a_softmax_layer_makes_the_logits(
    assert_same_answers: Callable[..., Any], last: Callable[[], Any]
) -> None:
    model = keras.Sequential([keras.Input((4, 3, 2)), Flatten(), Dense(5, name="dense"), last()])
    exported = assert_same_answers(model)
    assert made_by(exported)[-2:] == ["logits", "probabilities"]
    assert translate(model)[1]["dense"] == "logits"
    assert translate(model)[1]["last"] == "probabilities"


@pytest.mark.parametrize("behind", [lambda: Activation("linear"), lambda: Flatten()])
def test_a_layer_without_effect_behind_softmax_leaves_the_logits_their_name(
    assert_same_answers: Callable[..., Any], behind: Callable[[], Any]
) -> None:
    model = keras.Sequential(
        [keras.Input((4, 3, 2)), Flatten(), Dense(5), layers.Softmax(), behind()]
    )
    assert made_by(assert_same_answers(model))[-2:] == ["logits", "probabilities"]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("first", "logits"),
        ("logits", "last"),
        ("logits", "probabilities"),
        ("probabilities", "last"),
    ],
)
def test_a_dense_and_a_softmax_may_both_bear_any_name(
    assert_same_answers: Callable[..., Any], first: str, last: str
) -> None:
    model = keras.Sequential(
        [keras.Input((4, 3, 2)), Flatten(), Dense(5, name=first), layers.Softmax(name=last)]
    )
    assert made_by(assert_same_answers(model))[-2:] == ["logits", "probabilities"]


@pytest.mark.parametrize("name", ["logits", "probabilities"])
def test_the_last_layer_may_bear_the_name_of_an_output(
    assert_same_answers: Callable[..., Any], name: str
) -> None:
    model = keras.Sequential([keras.Input((4, 3, 2)), Flatten(), answer(name=name)])
    assert made_by(assert_same_answers(model))[-2:] == ["logits", "probabilities"]


@pytest.mark.parametrize("name", ["logits", "probabilities", "embedding"])
def test_a_hidden_layer_that_bears_the_name_of_an_output_gives_it_up(
    assert_same_answers: Callable[..., Any], name: str
) -> None:
    hidden = Conv2D(4, 3, activation="relu", name=name)
    pooling = layers.GlobalMaxPooling2D()
    model = keras.Sequential([keras.Input((6, 5, 3)), hidden, pooling, answer()])
    exported = assert_same_answers(model)
    assert made_by(exported)[2:] == [
        *(f"{name}/pre", f"{name}/layer", f"{pooling.name}/map"),
        *("embedding", "logits", "probabilities"),
    ]
    assert translate(model)[1][name] == f"{name}/layer"


def test_a_hidden_layer_that_bears_the_name_of_the_input_is_refused(
    classifier: Callable[..., Any],
) -> None:
    with pytest.raises(ExportError, match="layer 'image'"):
        to_onnx(classifier((6, 5, 3), Conv2D(4, 3, activation="relu", name="image")))


def test_translate_tells_the_tensor_of_every_layer() -> None:
    model = keras.Sequential(
        [
            keras.Input((6, 5, 3)),
            layers.GaussianNoise(0.1, name="noise"),
            Conv2D(4, 3, name="conv1"),
            BatchNormalization(name="norm1"),
            Activation("relu", name="relu1"),
            Activation("linear", name="linear1"),
            BatchNormalization(name="norm2"),
            Flatten(name="flatten"),
            layers.Dropout(0.5, name="dropout"),
            answer(name="dense"),
        ]
    )
    exported, tensors = translate(model)
    assert tensors == {
        "noise": None,
        "conv1": "conv1",
        "norm1": None,
        "relu1": "relu1",
        "linear1": None,
        "norm2": "norm2",
        "flatten": "flatten",
        "dropout": None,
        "dense": "probabilities",
    }
    assert {name for name in tensors.values() if name} <= set(made_by(exported))


# --- models as they come


def test_a_functional_chain_exports_as_a_sequential_does(
    assert_same_answers: Callable[..., Any],
) -> None:
    def chain() -> list[Any]:
        return [
            Conv2D(4, 3, padding="same", name="conv1"),
            BatchNormalization(name="norm1"),
            Activation("relu", name="relu1"),
            layers.Dropout(0.5, name="dropout"),
            Flatten(name="flatten"),
            answer(name="dense"),
        ]

    sequential = keras.Sequential([keras.Input((6, 5, 3)), *chain()], name="same")
    exported = assert_same_answers(sequential)
    image = value = keras.Input((6, 5, 3))
    for layer in chain():
        value = layer(value)
    functional = keras.Model(image, value, name="same")
    functional.set_weights(sequential.get_weights())
    assert to_onnx(functional) == exported
    assert_same_answers(functional)


def test_a_functional_view_of_a_sequential_exports_as_it_does(
    classifier: Callable[..., Any], assert_same_answers: Callable[..., Any]
) -> None:
    sequential = classifier((6, 5, 3), Conv2D(4, 3, activation="relu"))
    exported = assert_same_answers(sequential)
    view = keras.Model(sequential.inputs[0], sequential.outputs[0], name=sequential.name)
    assert to_onnx(view) == exported


@pytest.mark.parametrize("functional", [False, True])
def test_a_saved_and_loaded_model_exports_as_before(
    classifier: Callable[..., Any],
    assert_same_answers: Callable[..., Any],
    tmp_path: Path,
    functional: bool,
) -> None:
    model = classifier((6, 5, 3), Conv2D(4, 3, activation="relu"), BatchNormalization())
    if functional:
        model = keras.Model(model.inputs[0], model.outputs[0])
    exported = assert_same_answers(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert to_onnx(loaded) == exported
    assert_same_answers(loaded)
    assert to_onnx(loaded) == exported  # it has been called since


def test_a_model_built_by_its_first_batch_exports(assert_same_answers: Callable[..., Any]) -> None:
    model = keras.Sequential([Conv2D(4, 3), Flatten(), answer()])
    model(np.zeros((7, 6, 5, 3), np.float32))
    assert_same_answers(model)


def test_export_leaves_the_model_as_it_was(
    classifier: Callable[..., Any], randomise: Callable[..., None]
) -> None:
    model = classifier((6, 5, 3), Conv2D(4, 3), BatchNormalization())
    randomise(model)
    before = model.get_weights()
    first, second = to_onnx(model), to_onnx(model)
    assert first == second
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


# --- models that are refused


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        pytest.param(
            lambda: layers.Conv2DTranspose(4, 3, name="odd"), "Conv2DTranspose", id="transposed"
        ),
        pytest.param(lambda: layers.Lambda(lambda x: x, name="odd"), "Lambda", id="Lambda"),
        pytest.param(lambda: layers.Solarization(name="odd"), "Solarization", id="Solarization"),
        pytest.param(
            lambda: layers.ConvLSTM1D(4, 3, name="odd", return_sequences=True),
            "ConvLSTM1D",
            id="ConvLSTM1D",
        ),
    ],
)
def test_an_unknown_layer_is_refused_by_name_class_and_remedy(
    classifier: Callable[..., Any], layer: Callable[[], Any], kind: str
) -> None:
    with pytest.raises(ExportError) as refused:
        to_onnx(classifier((6, 5, 3), layer()))
    message = str(refused.value)
    assert f"layer 'odd' ({kind}) has no translation" in message
    assert "docs/export.md" in message


def test_a_subclass_of_a_known_layer_is_refused(classifier: Callable[..., Any]) -> None:
    class Twice(Conv2D):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return 2 * super().call(inputs)

    with pytest.raises(ExportError, match=r"'odd' \(Twice\)"):
        to_onnx(classifier((6, 5, 3), Twice(4, 3, name="odd")))


def test_a_layer_of_ones_own_that_is_called_as_one_of_keras_is_refused(
    classifier: Callable[..., Any],
) -> None:
    own = type("Conv2D", (Conv2D,), {"__module__": "mine"})
    with pytest.raises(ExportError, match=r"'odd' \(Conv2D\) has no translation"):
        to_onnx(classifier((6, 5, 3), own(4, 3, name="odd")))


def test_an_operation_behind_the_last_layer_is_refused() -> None:
    image = keras.Input((6, 5, 3))
    model = keras.Model(image, keras.ops.flip(answer()(Flatten()(image)), axis=-1))
    with pytest.raises(ExportError):
        to_onnx(model)


def test_a_second_output_is_refused() -> None:
    image = keras.Input((6, 5, 3))
    hidden = Flatten()(image)
    model = keras.Model(image, [hidden, answer()(hidden)])
    with pytest.raises(ExportError):
        to_onnx(model)


def test_a_second_input_is_refused() -> None:
    images = [keras.Input((6, 5, 3)), keras.Input((6, 5, 3))]
    model = keras.Model(images, answer()(Flatten()(layers.Add(name="both")(images))))
    with pytest.raises(ExportError):
        to_onnx(model)


@pytest.mark.parametrize(
    "last",
    [
        pytest.param(lambda: [Flatten(), Dense(5, name="last")], id="linear"),
        pytest.param(lambda: [Flatten(), Dense(5, "sigmoid", name="last")], id="sigmoid"),
        pytest.param(lambda: [Flatten(), answer(), Activation("relu", name="last")], id="relu"),
        pytest.param(lambda: [Flatten(name="last")], id="Flatten"),
        pytest.param(lambda: [Conv2D(5, 1, activation="softmax", name="last")], id="per pixel"),
    ],
)
def test_a_model_that_does_not_end_in_softmax_is_refused(last: Callable[[], list[Any]]) -> None:
    model = keras.Sequential([keras.Input((6, 5, 3)), *last()])
    with pytest.raises(ExportError, match=r"'last'.*softmax"):
        to_onnx(model)


@pytest.mark.parametrize("shape", [(None, None, 3), (None, 8, 3), (8, None, 3)])
def test_an_input_of_unknown_size_is_refused(shape: tuple[int | None, ...]) -> None:
    pooling = layers.GlobalAveragePooling2D()
    model = keras.Sequential([keras.Input(shape), Conv2D(4, 3), pooling, answer()])
    with pytest.raises(ExportError, match=r"fixed height × width × channels.*Input\("):
        to_onnx(model)


def test_an_input_that_is_no_image_is_refused() -> None:
    with pytest.raises(ExportError, match="height × width × channels"):
        to_onnx(keras.Sequential([keras.Input((12,)), answer()]))


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(lambda: keras.Sequential([Flatten(), answer()], name="new"), id="no input"),
        pytest.param(lambda: keras.Sequential(name="new"), id="no layers"),
        pytest.param(lambda: keras.Sequential([keras.Input((4, 4, 1))], name="new"), id="input"),
    ],
)
def test_a_model_that_is_not_built_is_refused(model: Callable[[], Any]) -> None:
    with pytest.raises(ExportError, match="'new' has no layers yet"):
        to_onnx(model())


def test_a_model_with_its_own_call_is_refused() -> None:
    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.flatten = Flatten()
            self.dense = answer()

        def call(self, image: Any) -> Any:
            return self.dense(self.flatten(image))

    model = Own()
    model(np.zeros((1, 4, 4, 1), np.float32))
    with pytest.raises(ExportError):
        to_onnx(model)
