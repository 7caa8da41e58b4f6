"""How weights are moved: AdamW, or Muon for convolutions; the rate climbs, then falls to 0.

Knows nothing of data or networks.
"""

from __future__ import annotations

from math import prod
from typing import Any

import keras

from training.optimizer import Optimizer

AVERAGED = 0.125  # of a training, at most: its first steps are no part of what it ends in


def build(optimizer: Optimizer, steps: int) -> keras.Optimizer:
    """A Keras optimizer for so many steps."""
    warmup_steps = round(optimizer.warmup * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=steps - warmup_steps,
        warmup_target=optimizer.learning_rate,
        warmup_steps=warmup_steps,
    )
    options: dict[str, Any] = {"weight_decay": optimizer.weight_decay}
    if optimizer.average:
        momentum = min(optimizer.average, 1 - 1 / max(1, AVERAGED * steps))
        options |= {"use_ema": True, "ema_momentum": momentum}
    if optimizer.kind == "muon":
        options |= {"adam_weight_decay": optimizer.weight_decay}
        if optimizer.momentum is not None:
            options |= {"momentum": optimizer.momentum}
        if optimizer.adamw_learning_rate is not None:
            share = optimizer.adamw_learning_rate / optimizer.learning_rate
            options |= {"adam_lr_ratio": share}
        built = KernelMuon(schedule, fixed_norm=optimizer.fixed_norm, **options)
    else:
        built = keras.optimizers.AdamW(schedule, **options)
    built.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    return built


@keras.saving.register_keras_serializable(package="convolu")
class KernelMuon(keras.optimizers.Muon):  # type: ignore[misc]
    """Keras' Muon, which is for matrices alone, for the kernels of convolutions alone."""

    def __init__(self, *arguments: Any, fixed_norm: bool = False, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fixed_norm = fixed_norm

    def get_config(self) -> dict[str, Any]:
        """With `fixed_norm`."""
        return {**super().get_config(), "fixed_norm": self.fixed_norm}

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) != 4

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        """As Keras' own, but on the matrix that a kernel is."""
        ops = keras.ops
        self.assign(m, ops.add(gradient, ops.multiply(m, self.momentum)))
        direction = ops.add(gradient, ops.multiply(m, self.momentum)) if self.nesterov else m
        matrix = ops.reshape(direction, (prod(variable.shape[:-1]), variable.shape[-1]))
        update = lr * self.zeropower_via_newtonschulz5(matrix, self.ns_steps)
        if not self.fixed_norm:
            self.assign_sub(variable, ops.reshape(self.lr_adjust(update), variable.shape))
            return
        kernel = ops.convert_to_tensor(variable)
        scale = variable.shape[-1] ** 0.5 / (ops.norm(ops.reshape(kernel, (-1,))) + 1e-7)
        self.assign(variable, kernel * scale - ops.reshape(update, variable.shape))
