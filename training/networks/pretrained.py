"""A network that knows ImageNet, with new classes that it does not know yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def pretrained(
    image: tuple[int, ...], classes: int, backbone: str, weights: str | None = None
) -> keras.Model:
    """`backbone` and `weights` are a name and a file for `training.pretrained.backbone`.

    Raises WeightsError, and ValueError for an image of another shape than it was made for.
    """
    from training.pretrained.backbone import load_backbone

    loaded = load_backbone(backbone, None if weights is None else Path(weights))
    expected = loaded.network.input_shape[1:]
    if tuple(image) != expected:
        raise ValueError(f"{backbone} takes pictures of {expected}; received {tuple(image)}.")
    return loaded.with_classes(classes)
