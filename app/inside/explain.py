"""Why this answer: a map of the picture that says what spoke for a class, and how it was found.

The exact methods split the class's score before softmax among the cells of the last feature map;
they are offered only where their sum is the score. Knows nothing of HTTP.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.classifier import Classifier
from app.errors import InvalidParameter
from app.inside.feature_maps import encoded_floats
from app.inside.head import GLOBAL, Split, path_to_map, split, tensors_on
from app.inside.occlusion import occlusion
from app.inside.session import Inside
from app.preprocess import Pixels

METHODS = ("auto", "cam", "unroll", "occlusion")
_MAX_CHOICES = 400  # bytes of the choices that an error names


def explain(
    classifier: Classifier, inside: Inside, pixels: Pixels, label: str | None, method: str
) -> dict[str, Any]:
    """Explain the class `label`, without it the most probable one. Raises InvalidParameter."""
    began = time.perf_counter()
    probabilities = classifier.classify(pixels[None])[0]
    labels = classifier.card.labels
    if label is None:
        index = int(probabilities.argmax())
    elif label in labels:
        index = labels.index(label)
    else:
        raise InvalidParameter(f"class: the classes of this model are {choices(labels)}.")
    path = path_to_map(inside.network)
    exact = None
    if path is not None:
        tensors = inside.run(pixels, tensors_on(inside.network, path))
        exact = split(inside.network, path, tensors, index)
    methods = ["occlusion"]
    if path is not None and exact is not None:
        methods.insert(0, "cam" if any(node.op in GLOBAL for node in path) else "unroll")
    if method == "auto":
        method = methods[0]
    if method not in methods:
        raise InvalidParameter(f"method: this model allows {choices(['auto', *methods])}.")
    if exact is not None and method != "occlusion":
        found = _exact(inside, exact)
    else:
        values, passes = occlusion(classifier.classify, pixels, probabilities, index)
        found = _covered(values, pixels.shape) | {"passes": passes}
    return {
        "label": labels[index],
        "method": method,
        "methods": methods,
        "probability": float(probabilities[index]),
        **found,
        "milliseconds": (time.perf_counter() - began) * 1000,
    }


def _exact(inside: Inside, exact: Split) -> dict[str, Any]:
    parts = exact.parts.sum(axis=0)
    grid, side = inside.network.grids[exact.tensor], inside.network.side
    start, step = list(grid.start), list(grid.step)
    if any(step[i] * parts.shape[i] > 2 * side[i] for i in (0, 1)):
        # Where they lie was lost on the way, as in a shuffle through five dimensions.
        step = [side[i] / parts.shape[i] for i in (0, 1)]
        start = [one / 2 for one in step]
    layer = next((one.name for one in inside.layers if one.tensor == exact.tensor), None)
    return {
        "exact": True,
        "passes": 0,
        "logit": exact.logit,
        "rest": exact.rest,
        "layer": layer,
        "map": _map(parts, start, step),
    }


def _covered(values: NDArray[np.float32], shape: tuple[int, ...]) -> dict[str, Any]:
    step = [side / cells for side, cells in zip(shape[:2], values.shape, strict=True)]
    return {
        "exact": False,
        "logit": None,
        "rest": None,
        "layer": None,
        "map": _map(values, [one / 2 for one in step], step),
    }


def _map(values: NDArray[Any], start: list[float], step: list[float]) -> dict[str, Any]:
    return {
        "shape": list(values.shape),
        "data": encoded_floats(values),
        "start": start,
        "step": step,
    }


def choices(names: list[str]) -> str:
    """Names for an error's message: as many as fit, and how many there are besides."""
    told: list[str] = []
    for name in names:
        if sum(len(one.encode()) + 2 for one in [*told, name]) > _MAX_CHOICES:
            break
        told.append(name)
    more = len(names) - len(told)
    parts = [", ".join(told), f"{more} more" if more else ""]
    return " and ".join(part for part in parts if part)
