"""How sure is it, and how sure may it be: one temperature, fitted on images held out.

Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks" (ICML 2017): logits
divided by one number change how sure a network says it is, and no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from app.classifier import Probabilities
from training.evaluate import calibration_error, logits, tempered

if TYPE_CHECKING:
    import keras

COLDEST, HOTTEST = 0.1, 10.0
# The wrong answers say how sure it may be. Simulated: with 4 wrong of 100 the temperature scatters
# by half, with 40 of 1,000 by 6 %.
FEWEST_WRONG = 10

_KEEPS_THE_SCALE = {"Dropout", "Flatten", "Softmax"}  # what may follow the last Dense


@dataclass(frozen=True)
class Calibration:
    """What to divide the logits by, 1 for nothing, and what that did to the calibration error."""

    temperature: float
    error_before: float
    error_after: float


def calibrate(probabilities: Probabilities, truth: NDArray[np.int64]) -> Calibration:
    """Fit a temperature on probabilities N×K of images that were not trained on, and their classes.

    It is 1 unless it lowers the calibration error of these images, and where fewer than
    FEWEST_WRONG answers are wrong. The same input gives the same temperature.
    """
    before = calibration_error(probabilities, truth)
    nothing = Calibration(1.0, before, before)
    if (probabilities.argmax(axis=1) != truth).sum() < FEWEST_WRONG:
        return nothing
    temperature = _most_likely(probabilities, truth)
    after = calibration_error(tempered(probabilities, temperature), truth)
    return Calibration(temperature, before, after) if after < before else nothing


def _most_likely(probabilities: Probabilities, truth: NDArray[np.int64]) -> float:
    """The temperature with the least cross-entropy, which has no second valley (in 1/T: convex)."""

    untempered = logits(probabilities)

    def cross_entropy(log_temperature: float) -> float:
        logarithms = log_softmax(untempered / np.exp(log_temperature), axis=1)
        return float(-logarithms[np.arange(len(truth)), truth].mean())

    bounds = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(cross_entropy, bounds=bounds, method="bounded").x))


def fold(model: keras.Model, temperature: float) -> None:
    """Divide the logits of a model by `temperature`, in the kernel and bias of its last Dense.

    With 1 it stays as it is, whatever it ends in. Raises ValueError if what lies between that layer
    and the output does more than scale.
    """
    if temperature == 1:
        return
    for layer in reversed(model.layers):
        kind = type(layer).__name__
        activation = getattr(getattr(layer, "activation", None), "__name__", None)
        if kind == "Dense" and activation in ("softmax", "linear"):
            layer.set_weights([weight / np.float32(temperature) for weight in layer.get_weights()])
            return
        if not (kind in _KEEPS_THE_SCALE or _is_softmax_or_scale(layer, kind, activation)):
            break
    raise ValueError(
        f"{model.name}: a temperature cannot be folded in past the {kind} layer {layer.name!r}; "
        "a network should end in Dense, at most a Rescaling without offset, and softmax"
    )


def _is_softmax_or_scale(layer: Any, kind: str, activation: str | None) -> bool:
    if kind == "Activation":
        return activation in ("softmax", "linear")
    return kind == "Rescaling" and not np.any(layer.offset)
