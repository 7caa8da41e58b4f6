"""A Keras model as a plain chain of layers from one picture to one answer, or why it is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.export.graph import ExportError

if TYPE_CHECKING:
    import keras


def chain(model: keras.Model) -> list[Any]:
    """The layers in order, without the input. Raises ExportError if they are not one chain."""
    layers = [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]
    if not layers or not model.built:
        raise ExportError(f"model '{model.name}' has no layers yet. Build it, or call it once.")
    if not hasattr(model, "inputs"):
        raise ExportError(
            f"model '{model.name}' ({type(model).__name__}) computes by a call of its own. "
            "Write it as keras.Sequential or keras.Model(inputs, outputs)."
        )
    for layer in layers:
        _check(layer)
    # A Sequential is a chain by itself; one that was loaded has several inputs to each layer.
    if type(model).__name__ != "Sequential":
        _check_order(model, layers)
    return layers


def input_shape(model: keras.Model) -> tuple[int, int, int]:
    """(height, width, channels) of the pictures. Raises ExportError unless all three are fixed."""
    shape = tuple(model.inputs[0].shape[1:])
    if len(model.inputs) != 1 or len(shape) != 3 or None in shape:
        raise ExportError(
            f"model '{model.name}' takes {shape}; expected one input of fixed height × width × "
            "channels. Give it Input((height, width, channels))."
        )
    height, width, channels = shape
    return height, width, channels


def _check(layer: Any) -> None:
    """Refuse what any layer can have and no translation heeds."""
    what = f"layer '{layer.name}' ({type(layer).__name__})"
    if getattr(layer, "data_format", None) == "channels_first":
        raise ExportError(f'{what} is channels_first. Use data_format="channels_last".')
    if getattr(layer, "quantization_mode", None):
        raise ExportError(f"{what} is quantised. Export the model before quantising it.")


def _check_order(model: keras.Model, layers: list[Any]) -> None:
    """Each layer follows the one before it, and the last one gives the only output."""
    expected = model.inputs[0]
    for layer in layers:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        if len(inputs) != 1 or inputs[0] is not expected:
            raise ExportError(
                f"layer '{layer.name}' ({type(layer).__name__}) does not follow the layer before "
                "it. Only a plain chain of layers has a translation so far."
            )
        expected = layer.output
    if len(model.outputs) != 1 or model.outputs[0] is not expected:
        last = layers[-1]
        raise ExportError(
            f"model '{model.name}' answers with something else than the output of its last layer, "
            f"'{last.name}' ({type(last).__name__}). Give it that one output, and use each layer "
            "once."
        )
