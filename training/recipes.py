"""Named, frozen recipes: all that is needed to train a network again, but the data.

A recipe was chosen on a part of the training data that it did not train on, by `convolu-train fit`,
before the test data was looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.preprocess import Preprocess
from training.augment import Distortion
from training.normalise import Normalise
from training.optimizer import Optimizer
from training.photo import PhotoChange

NetworkOption = str | bool | int | float | tuple[int, ...] | tuple[float, ...]


@dataclass(frozen=True)
class Recipe:
    """How one network is trained. `seeds` are fixed beforehand; the first one's model ships.

    With one seed alone, what ships is the run that leaves `validation` images out: where each takes
    hours, a second one that differs by those images is not worth its time.
    """

    name: str
    description: str
    data: str  # a name in training.data, or folder:PATH
    network: str  # a function in training.networks
    epochs: int
    batch_size: int
    optimizer: Optimizer
    normalise: Normalise
    preprocess: Preprocess | None = None  # as what pictures are read; None: as their data set says
    augmentation: Distortion | PhotoChange | None = None
    flip: bool = False  # each image is mirrored every other epoch
    label_smoothing: float = 0.0
    balanced: bool = False  # where classes are uneven, each weighs the same
    head_first: bool = False  # of a pretrained network: training.transfer begins
    whiten: bool = False  # the first convolution starts as training.whitening says
    dtype: str = "float32"  # what the layers compute in while training; weights are float32
    network_options: Mapping[str, NetworkOption] = field(default_factory=dict)
    variant: dict[str, str | int] = field(default_factory=dict)  # what differs from the lecture
    validation: int = 5000  # images that one run leaves out, to judge how sure the others may be
    seeds: tuple[int, ...] = (1, 2, 3)


DIGIT = Normalise((0.0,), (255.0,))
CIFAR10 = Normalise((125.3, 123.0, 113.9), (63.0, 62.1, 66.7))  # of the training images
PHOTO = Normalise((124.0, 116.0, 104.0), (58.0, 57.0, 57.0))  # about what photos are
LITE0 = Normalise((127.0,) * 3, (128.0,) * 3)  # what Google trained EfficientNet-Lite0 on

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
            optimizer=Optimizer("adamw", 2e-3, warmup=0.05, weight_decay=1e-4),
            normalise=DIGIT,
            augmentation=Distortion(
                rotation_degrees=9,
                shear_degrees=6,
                scale=0.08,
                shift_pixels=1,
                elastic_pixels=1.0,
                stroke=0.6,
                untouched=0.25,
            ),
            dtype="mixed_bfloat16",
        ),
        Recipe(
            name="mnist-2conv",
            description="Handwritten digits 0-9: the lecture's network with two convolutions.",
            data="mnist",
            network="mnist_2conv",
            validation=10000,
            epochs=60,
            batch_size=128,
            optimizer=Optimizer("muon", 3e-3, warmup=0.05, weight_decay=0.05, average=0.999),
            normalise=DIGIT,
            augmentation=Distortion(
                rotation_degrees=13,
                shear_degrees=10,
                scale=0.13,
                shift_pixels=1.5,
                elastic_pixels=1.7,
                stroke=0.6,
                untouched=0.25,
            ),
            label_smoothing=0.05,
            dtype="mixed_bfloat16",
        ),
        Recipe(
            name="cifar10-simple",
            description="Small photos of ten things: the lecture's network with one convolution.",
            data="cifar10",
            network="cifar10_simple",
            network_options={"dropout": (0.1, 0.3)},  # it underfits what is shifted and mirrored
            epochs=50,
            batch_size=256,
            optimizer=Optimizer("adamw", 2e-3, warmup=0.05, weight_decay=2e-2, average=0.999),
            normalise=CIFAR10,
            augmentation=PhotoChange(shift_pixels=3),
            flip=True,
            label_smoothing=0.1,
            whiten=True,
            dtype="mixed_bfloat16",
        ),
        Recipe(
            name="cifar10",
            description="Small photos of ten things: a deep network.",
            data="cifar10",
            validation=1000,
            network="airbench",
            network_options={"mirrored": True, "shifted": True},
            epochs=24,
            batch_size=500,
            optimizer=Optimizer(
                "muon",
                0.1,
                warmup=0.0,
                weight_decay=0.0,
                average=0.998,
                momentum=0.6,
                adamw_learning_rate=3e-3,
                fixed_norm=True,
            ),
            normalise=CIFAR10,
            augmentation=PhotoChange(shift_pixels=4, cutout_pixels=8),
            flip=True,
            label_smoothing=0.2,
            whiten=True,
            dtype="mixed_bfloat16",
            seeds=(1,),  # an hour and a half on two cores
        ),
        Recipe(
            name="cifar10-quick",
            description="Small photos of ten things: a deep network, trained in half an hour.",
            data="cifar10",
            validation=1000,
            network="airbench",
            network_options={"widths": (64, 256, 256), "mirrored": True, "shifted": True},
            epochs=16,
            batch_size=500,
            optimizer=Optimizer(
                "muon",
                0.12,
                warmup=0.0,
                weight_decay=0.0,
                average=0.998,
                momentum=0.6,
                adamw_learning_rate=3e-3,
                fixed_norm=True,
            ),
            normalise=CIFAR10,
            augmentation=PhotoChange(shift_pixels=2),
            flip=True,
            label_smoothing=0.2,
            whiten=True,
            dtype="mixed_bfloat16",
            seeds=(1,),  # half an hour on two cores
        ),
        Recipe(
            name="fashion-mnist",
            description="Articles of clothing in ten classes: a small deep network.",
            data="fashion-mnist",
            network="deep_small",
            network_options={"stem": 8, "widths": (32, 64, 128), "mirrored": True},
            epochs=40,
            batch_size=256,
            optimizer=Optimizer("muon", 3e-3, warmup=0.1, weight_decay=5e-2, average=0.998),
            normalise=Normalise((73.0,), (90.0,)),
            augmentation=PhotoChange(shift_pixels=2, cutout_pixels=8),
            flip=True,
            label_smoothing=0.1,
            whiten=True,
            dtype="mixed_bfloat16",
        ),
        Recipe(
            name="cats-dogs-simple",
            description="Photos of cats and dogs: the lecture's network, on 2,000 photos.",
            data="cats-dogs",
            network="cats_dogs",
            validation=500,
            epochs=60,
            batch_size=32,
            optimizer=Optimizer("adamw", 1e-3, warmup=0.05, weight_decay=1e-2),
            normalise=Normalise((0.0,) * 3, (255.0,) * 3),
            flip=True,
            dtype="mixed_bfloat16",
        ),
        Recipe(
            name="cats-dogs",
            description="Photos of cats and dogs: a deep network, from scratch on 2,000 photos.",
            data="cats-dogs",
            validation=500,
            network="deep_photo",
            network_options={"widths": (32, 64, 128, 256)},
            epochs=150,
            batch_size=32,
            optimizer=Optimizer("muon", 2e-3, warmup=0.05, weight_decay=1e-1),
            normalise=PHOTO,
            augmentation=PhotoChange(
                crop_side=128,
                crop_area=0.35,
                brightness=0.3,
                contrast=0.3,
                saturation=0.3,
                cutout_pixels=32,
            ),
            flip=True,
            label_smoothing=0.1,
            dtype="mixed_bfloat16",
        ),
        Recipe(
            name="cats-dogs-lite0",
            description="Photos of cats and dogs: EfficientNet-Lite0, which knows ImageNet.",
            data="cats-dogs",
            network="pretrained",
            network_options={"backbone": "lite0"},
            head_first=True,
            preprocess=Preprocess(224, 224, layout="crop", resample="bicubic"),
            epochs=0,  # the head alone
            batch_size=32,
            optimizer=Optimizer("adamw", 1e-4, warmup=0.1, weight_decay=1e-4),
            normalise=LITE0,
            flip=True,
            validation=500,
        ),
    )
}
