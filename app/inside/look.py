"""One image on its way through a network: every layer, the maps of one, the window of a channel.

Knows nothing of HTTP.
"""

from __future__ import annotations

from typing import Any

from app.classifier import Classifier
from app.errors import InvalidParameter
from app.inside.explain import choices
from app.inside.feature_maps import channels_first, is_map, kernel_tensor, layer_facts, maps_of
from app.inside.head import Split, path_to, split, tensors_on
from app.inside.layer_table import InsideLayer
from app.inside.session import Inside, Tensor
from app.inside.window import tensors_of_window, window_data
from app.preprocess import Pixels

MAX_VALUES_IN_ALL = 65_536  # of all vectors in one answer: about a megabyte of JSON


def look(
    classifier: Classifier,
    inside: Inside,
    pixels: Pixels,
    layer_name: str | None = None,
    channel: int | None = None,
) -> dict[str, Any]:
    """Every layer for one image; with `layer_name` its maps too, with `channel` what made it.

    Raises InvalidParameter.
    """
    layer = None if layer_name is None else _chosen(inside, layer_name)
    if channel is not None:
        _check_channel(layer, channel)
    network = inside.network
    names = [one.tensor for one in inside.layers if one.tensor is not None]
    if network.logits is not None:
        names.append(network.logits)
    kernels = None if layer is None else kernel_tensor(network, layer)
    for_window = [] if layer is None or channel is None else tensors_of_window(network, layer)
    path = None
    if layer is not None and layer.tensor is not None:
        path = path_to(network, layer.tensor)
    for_parts = tensors_on(network, path) if path else []
    tensors = inside.run(pixels, [*names, *([kernels] if kernels else []), *for_window, *for_parts])
    probabilities = classifier.classify(pixels[None])[0]
    best = int(probabilities.argmax())
    told = [layer_facts(one, tensors[one.tensor] if one.tensor else None) for one in inside.layers]
    _within(MAX_VALUES_IN_ALL, told)
    answer: dict[str, Any] = {
        "layers": told,
        "logits": None if network.logits is None else tensors[network.logits][0],
        "probabilities": probabilities,
        "best": best,
    }
    if layer is not None:
        parts = split(network, path, tensors, best) if path else None
        answer["maps"] = _maps(inside, layer, tensors, kernels, parts)
    if layer is not None and channel is not None:
        answer["window"] = window_data(network, layer, channel, tensors) if for_window else None
    return answer


def _within(numbers: int, told: list[dict[str, Any]]) -> None:
    """Leave out the values of vectors that are too many for one answer, the first ones first."""
    for facts in reversed(told):  # the last ones are the road to the answer
        numbers -= len(facts.get("values", ()))
        if numbers < 0:
            facts.pop("values", None)


def _chosen(inside: Inside, name: str) -> InsideLayer:
    for layer in inside.layers:
        if layer.name == name:
            return layer
    names = [layer.name for layer in inside.layers]
    raise InvalidParameter(f"layer: the layers of this model are {choices(names)}.")


def _check_channel(layer: InsideLayer | None, channel: int) -> None:
    if layer is None:
        raise InvalidParameter("channel: it needs a layer too, such as layer=conv1&channel=0.")
    shape = layer.facts.output_shape
    if len(shape) != 3:
        raise InvalidParameter("channel: this layer has no channels.")
    if channel >= shape[2]:
        raise InvalidParameter(f"channel: this layer has channels 0 to {shape[2] - 1}.")


def _maps(
    inside: Inside,
    layer: InsideLayer,
    tensors: dict[str, Tensor],
    kernels: str | None,
    parts: Split | None,
) -> dict[str, Any] | None:
    if layer.tensor is None or not is_map(tensors[layer.tensor]):
        return None
    maps = channels_first(inside.network, layer.tensor, tensors[layer.tensor])
    contributions = None if parts is None else parts.parts.sum(axis=(1, 2)).tolist()
    return maps_of(layer.name, maps, contributions, tensors[kernels] if kernels else None)
