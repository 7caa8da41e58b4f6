"""A model's inside session: its file loaded again, with every tensor among its outputs.

Never the session that serves: more outputs keep ONNX Runtime from fusing nodes. Made on first use
and kept for the last models that were asked for. Belongs on one thread; knows nothing of HTTP.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app import memory
from app.card import Card
from app.classifier import normalised, open_session
from app.errors import ModelRefused, NotReady, OpaqueModel
from app.inside.geometry import Shape
from app.inside.graph import Graph, read_graph, with_outputs
from app.inside.layer_table import InsideLayer, layer_table
from app.inside.network import Network, data_input, network_of
from app.preprocess import Pixels

KEPT = 2  # sessions: one for each of two models that are compared
MAX_NUMBERS = 64 * 1024 * 1024  # of all layers' tensors together for one image: 256 MiB

_NO_NUMBERS = {"tensor(bool)", "tensor(string)"}

Tensor = NDArray[np.float32]


class Inside:
    """One version of one model, to be looked into. Raises OpaqueModel or ModelRefused."""

    def __init__(self, model: bytes, card: Card) -> None:
        self.card = card
        graph = read_graph(model)
        if not data_input(graph) or not graph.outputs:
            raise OpaqueModel("Its graph has no input or no output.")
        self._session = open_session(with_outputs(model, _hidden(graph)))
        output = "probabilities" if "probabilities" in graph.outputs else graph.outputs[0]
        preprocess, normalise = card.preprocess, card.normalise
        self.network: Network = network_of(
            graph,
            self._shapes(data_input(graph)),
            output,
            (preprocess.height, preprocess.width),
            channels_last=normalise is None or normalise.layout == "NHWC",
            is_softmax=card.output == "probabilities",
        )
        self.layers: list[InsideLayer] = layer_table(self.network, card.layers)
        shapes = self.network.shapes
        self.layers = [
            one if one.tensor in shapes else replace(one, tensor=None) for one in self.layers
        ]
        numbers = sum(prod(shapes.get(one.tensor, ())) for one in self.layers if one.tensor)
        if numbers > MAX_NUMBERS:
            raise OpaqueModel(
                f"Its layers have {numbers} numbers for one image; at most {MAX_NUMBERS} are shown."
            )

        self._try()

    def run(self, pixels: Pixels, names: Iterable[str]) -> dict[str, Tensor]:
        """The tensors of these names for one image, each once, weights too; batch included."""
        feed = {self.network.image: normalised(pixels[None], self.card.normalise)}
        wanted = [name for name in dict.fromkeys(names) if name not in feed]
        found = self._session.run(wanted, feed) if wanted else []
        return feed | dict(zip(wanted, found, strict=True))

    def _try(self) -> None:
        """Run it once, on a blank: its memory is seen to suffice before anybody waits for it."""
        preprocess = self.card.preprocess
        blank = np.zeros((preprocess.height, preprocess.width, preprocess.channels), np.uint8)
        try:
            self.run(blank, [one.tensor for one in self.layers if one.tensor is not None])
        except MemoryError:
            raise
        except Exception as exc:  # ONNX Runtime's exceptions share no base of their own
            raise OpaqueModel("It does not run with all tensors as outputs.") from exc

    def _shapes(self, image: str) -> dict[str, Shape]:
        """Of every tensor, for one image; what the graph does not tell is tried with a blank."""
        preprocess = self.card.preprocess
        blank = np.zeros((preprocess.height, preprocess.width, preprocess.channels), np.uint8)
        feed = {image: normalised(blank[None], self.card.normalise)}
        shapes: dict[str, Shape] = {image: feed[image].shape}
        unknown = []
        batch = self._session.get_inputs()[0].shape[0]
        for one in self._session.get_outputs():
            if one.type in _NO_NUMBERS or not one.type.startswith("tensor("):
                continue
            first, *others = one.shape or [1]
            # A free first size is the batch only where it is the input's: tokens may be folded in.
            if all(isinstance(size, int) for size in others) and (
                isinstance(first, int) or first == batch
            ):
                shapes[one.name] = (first if isinstance(first, int) else 1, *others)
            else:
                unknown.append(one.name)
        if unknown:
            try:
                found = self._session.run(unknown, feed)
            except MemoryError:
                raise
            except Exception as exc:  # ONNX Runtime's exceptions share no base of their own
                raise OpaqueModel("It does not run with all tensors as outputs.") from exc
            shapes |= {name: np.shape(one) for name, one in zip(unknown, found, strict=True)}
        return shapes


class Insides:
    """The inside sessions of the models in a folder, at most two at a time."""

    def __init__(self, folder: Path, max_model_bytes: int) -> None:
        self._folder = folder
        self._max_model_bytes = max_model_bytes
        self._kept: OrderedDict[str, tuple[str, Inside]] = OrderedDict()  # name → version, inside

    def get(self, name: str, version: str, card: Card) -> Inside:
        """The inside of the model in service under this name and version.

        Raises NotReady if its file is another by now, or there is no memory to load it again;
        OpaqueModel if it cannot be looked into.
        """
        known_version, inside = self._kept.pop(name, (None, None))
        # A card beside the file may change while the file, whose hash is the version, does not.
        if inside is None or known_version != version or inside.card != card:
            del inside
            while len(self._kept) >= KEPT:
                self._kept.popitem(last=False)
            memory.give_back()
            inside = self._open(name, version, card)
        self._kept[name] = (version, inside)
        return inside

    def _open(self, name: str, version: str, card: Card) -> Inside:
        try:
            model = (self._folder / f"{name}.onnx").read_bytes()
            if hashlib.sha256(model).hexdigest()[:12] != version:
                raise NotReady("The model's file has just changed. Send the request again.")
            with memory.at_most(self._max_model_bytes):
                return Inside(model, card)
        except OSError as exc:
            raise NotReady("The model's file is gone. Send the request again.") from exc
        except MemoryError as exc:
            raise NotReady("There is no memory left to look inside. Send it again.") from exc
        except ModelRefused as exc:
            raise OpaqueModel("ONNX Runtime does not load it with all tensors as outputs.") from exc


def _hidden(graph: Graph) -> list[str]:
    """Every tensor that is no output yet: of the nodes, and the weights."""
    made = [name for node in graph.nodes for name in node.outputs if name]
    known = {*graph.outputs, data_input(graph)}
    return [name for name in dict.fromkeys([*made, *graph.initialisers]) if name not in known]
