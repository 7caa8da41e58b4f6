"""What decides how weights are moved; `training.optimizers` makes a Keras optimizer of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Optimizer:
    """What decides how weights are moved.

    `muon` is Jordan's optimizer (2024): the momentum of a convolution's kernel, as a matrix of
    (height · width · channels in) × channels out, is made orthogonal before it is taken off. It is
    scaled as in Moonlight (arXiv 2502.16982), so that learning rate and weight decay mean what they
    mean to AdamW, which moves all other weights.

    With `fixed_norm` it is not scaled; the kernel is, before each step, to norm √(channels out), as
    Jordan has it for CIFAR-10 (airbench94_muon, 2024). So the learning rate is the share of a
    kernel that a step replaces (where a kernel sees at least as many numbers as there are channels
    out), and weight decay changes nothing of it. Only for kernels before a batch normalisation,
    which does not see their size.
    """

    kind: Literal["adamw", "muon"]
    learning_rate: float  # at its peak: linear warm-up, then a cosine to 0
    warmup: float  # share of all steps
    weight_decay: float  # decoupled; of kernels, not of biases
    average: float = 0.0  # momentum of the weights' mean over the steps, less in a short training
    momentum: float | None = None  # of muon; None: Keras' own, 0.95
    fixed_norm: bool = False  # of the kernels that muon moves
    adamw_learning_rate: float | None = None  # of what muon leaves to AdamW; None: the same
