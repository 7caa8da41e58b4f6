"""Named, frozen recipes: all that is needed to train a network again, but the data.

A recipe was chosen on a part of the training data that it did not train on (`--holdout`), before
the test data was looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.augment import Distortion
from training.normalise import Normalise


@dataclass(frozen=True)
class Recipe:
    """How one network is trained. `seeds` are fixed beforehand; the first one's model ships."""

    name: str
    description: str
    data: str  # a name in training.data
    network: str  # a function in training.networks
    epochs: int
    batch_size: int
    learning_rate: float  # of AdamW at its peak: linear warm-up, then a cosine to 0
    warmup: float  # share of all steps
    weight_decay: float  # decoupled; of kernels, not of biases
    label_smoothing: float
    normalise: Normalise
    distortion: Distortion
    dtype: str = "float32"  # what the layers compute in while training; weights are float32
    seeds: tuple[int, ...] = (1, 2, 3)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="mnist-1conv",
            description="Handwritten digits 0-9: the lecture's network with one convolution.",
            data="mnist",
            network="mnist_1conv",
            epochs=60,
            batch_size=128,
            learning_rate=2e-3,
            warmup=0.05,
            weight_decay=1e-4,
            label_smoothing=0.0,
            normalise=Normalise((0.0,), (255.0,)),
            distortion=Distortion(
                rotation_degrees=9, shear_degrees=6, scale=0.08, shift_pixels=1, elastic_pixels=1.0
            ),
            dtype="mixed_bfloat16",
        ),
        Recipe(
            name="mnist-2conv",
            description="Handwritten digits 0-9: the lecture's network with two convolutions.",
            data="mnist",
            network="mnist_2conv",
            epochs=80,
            batch_size=128,
            learning_rate=3e-3,
            warmup=0.05,
            weight_decay=1e-4,
            label_smoothing=0.0,
            normalise=Normalise((0.0,), (255.0,)),
            distortion=Distortion(
                rotation_degrees=9, shear_degrees=6, scale=0.08, shift_pixels=1, elastic_pixels=1.2
            ),
            dtype="mixed_bfloat16",
        ),
    )
}
