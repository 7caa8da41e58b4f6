"""A Keras model as the calls it consists of, in the order in which they compute.

A call is one use of a layer, or of one of Keras' operations. Nested models are walked into; a layer
that is used twice is called twice. Knows nothing of ONNX.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from training.export.graph import ExportError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Edge:
    """What one call makes and others read."""

    number: int


@dataclass(frozen=True, eq=False)
class Call:
    """One use of a layer. `args` and `kwargs` are as in Keras, with edges where tensors were."""

    layer: Any  # a keras.Layer, or another keras.Operation
    name: str  # LAYER, MODEL/LAYER, and LAYER/2 for the second use
    first_name: str  # of the layer's first use: its weights are stored under it
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    reads: tuple[Edge, ...]
    makes: Edge
    shape: tuple[int, ...]  # of what it makes, without the batch
    is_shared: bool = False
    scaled_by: tuple[Call, ...] = ()  # calls behind it that go into its weights: see `folding`
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)  # of a layer before it: top, left, bottom, right
    is_absorbed: bool = False  # by the weights or the pads of another call

    @property
    def type(self) -> str:
        """The class, as the layer table shows it."""
        return type(self.layer).__name__

    @property
    def kind(self) -> str:
        """The key of its translation: the class, with `ops.` before an operation of keras.ops.

        A class of one's own has the key of none of Keras', whatever it is called.
        """
        module = type(self.layer).__module__
        if module.startswith("keras.src.ops."):
            return f"ops.{self.type}"
        return self.type if module.startswith("keras.src.") else f"{module}.{self.type}"

    def __str__(self) -> str:
        return f"layer '{self.name}' ({self.type})"


@dataclass(frozen=True)
class Walk:
    """The calls between the image and the answer."""

    image: Edge
    calls: list[Call]
    answer: Edge


def walk(model: keras.Model) -> Walk:
    """Every call of a model, nested ones included. Raises ExportError if it cannot be walked."""
    if not model.built or not [one for one in model.layers if type(one).__name__ != "InputLayer"]:
        raise ExportError(f"model '{model.name}' has no layers yet. Build it, or call it once.")
    function = _function(model)
    if function is None:
        raise ExportError(
            f"model '{model.name}' ({type(model).__name__}) computes by a call of its own. "
            "Write it as keras.Sequential or keras.Model(inputs, outputs)."
        )
    if len(function.outputs) != 1:
        raise ExportError(
            f"model '{model.name}' has {len(function.outputs)} outputs. Give it one, the softmax: "
            "keras.Model(model.inputs, model.outputs[0])."
        )
    input_shape(model)
    walker = _Walker()
    image = walker.edge()
    (answer,) = walker.walk(function, [image], "")
    shared = Counter(id(call.layer) for call in walker.calls)
    calls = [replace(call, is_shared=shared[id(call.layer)] > 1) for call in walker.calls]
    if not calls:
        raise ExportError(f"model '{model.name}' answers with its input. Give it layers.")
    return Walk(image, calls, answer)


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


class _Walker:
    """Collects calls; keeps count of the edges, and of the names that are in use."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._numbers = count()
        self._uses: Counter[tuple[str, int]] = Counter()  # of a layer within one model
        self._first_names: dict[int, str] = {}

    def edge(self) -> Edge:
        return Edge(next(self._numbers))

    def walk(self, function: Any, inputs: list[Edge], prefix: str) -> list[Edge]:
        """The calls of a Keras function of these inputs; returns its outputs."""
        edges = {id(tensor): edge for tensor, edge in zip(function.inputs, inputs, strict=True)}
        for node in _nodes(function):
            missing = any(id(tensor) not in edges for tensor in node.input_tensors)
            if node.is_input or missing:  # Keras too passes over what cannot be computed
                continue
            reads = [edges[id(tensor)] for tensor in node.input_tensors]
            made = self._call(node, reads, edges, prefix)
            edges |= {id(tensor): edge for tensor, edge in zip(node.outputs, made, strict=True)}
        return [edges[id(tensor)] for tensor in function.outputs]

    def _call(
        self, node: Any, reads: list[Edge], edges: dict[int, Edge], prefix: str
    ) -> list[Edge]:
        import keras

        layer = node.operation
        name = self._name(layer, prefix)
        inner = _function(layer)
        if inner is not None:
            _check(layer, name)
            _check_call(inner, node.arguments, name)
            return self.walk(inner, reads, f"{name}/")
        args, kwargs = node.arguments.convert(lambda one: edges.get(id(one), one))
        shape = tuple(node.outputs[0].shape)
        call = Call(
            layer,
            name,
            self._first_names.setdefault(id(layer), name),
            args,
            kwargs,
            tuple(reads),
            self.edge(),
            shape[1:],
        )
        _check(layer, name)
        batch = tuple(node.input_tensors[0].shape[:1])
        if len(node.outputs) != 1 or shape[:1] != batch or None in shape[1:]:
            raise ExportError(
                f"{call} gives {[tuple(one.shape) for one in node.outputs]}; only one tensor with "
                "the batch in front and all other sizes fixed has a translation."
            )
        dtype = keras.backend.standardize_dtype(node.outputs[0].dtype)
        if dtype not in ("float32", "float64"):
            raise ExportError(
                f"{call} computes in {dtype}, where the file computes in float32. Build the model "
                "in float32 and give it the weights of this one."
            )
        self.calls.append(call)
        return [call.makes]

    def _name(self, layer: Any, prefix: str) -> str:
        self._uses[prefix, id(layer)] += 1
        use = self._uses[prefix, id(layer)]
        return f"{prefix}{layer.name}" if use == 1 else f"{prefix}{layer.name}/{use}"


def _nodes(function: Any) -> Iterator[Any]:
    """In Keras' own order, that of `summary()`."""
    place = {id(operation): place for place, operation in enumerate(function.operations)}
    for depth in sorted(function._nodes_by_depth, reverse=True):
        yield from sorted(
            function._nodes_by_depth[depth], key=lambda node: place[id(node.operation)]
        )


def _function(layer: Any) -> Any:
    """The graph behind a Sequential or functional model; None for anything else."""
    import keras

    if isinstance(layer, keras.Sequential) and type(layer).call is keras.Sequential.call:
        return layer._functional
    functional = isinstance(layer, keras.Function) and type(layer).__module__.startswith("keras.")
    return layer if functional else None


def _check_call(function: Any, arguments: Any, name: str) -> None:
    """Refuse a dictionary for a list of inputs: Keras goes by names there, else by order."""
    named = arguments.args[0] if arguments.args else arguments.kwargs.get("inputs")
    if isinstance(named, dict):
        own = function._inputs_struct
        if not isinstance(own, dict) or own.keys() != named.keys():
            raise ExportError(
                f"model '{name}' has a list of inputs and is called with a dictionary. Call it "
                "with a list, in their order."
            )


def _check(layer: Any, name: str) -> None:
    """Refuse what any layer can have and no translation heeds."""
    what = f"layer '{name}' ({type(layer).__name__})"
    if getattr(layer, "data_format", None) == "channels_first":
        raise ExportError(f'{what} is channels_first. Use data_format="channels_last".')
    if getattr(layer, "quantization_mode", None):
        raise ExportError(f"{what} is quantised. Export the model before quantising it.")
