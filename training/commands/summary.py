"""`convolu-train summary`: the layer table of a recipe, before any training, or of a model file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.card import Layer
from app.classifier import Classifier
from app.errors import ModelRefused
from training.backend import choose_backend
from training.commands.options import (
    HeadOption,
    PaddingOption,
    PoolingOption,
    StridesOption,
    fail,
    varied,
)
from training.recipes import Recipe
from training.summary import summary as text
from training.variants import Variant


def summary(
    name: Annotated[str, typer.Argument(help="A recipe, or a model file: NAME.onnx.")],
    strides: StridesOption = None,
    padding: PaddingOption = None,
    pooling: PoolingOption = None,
    head: HeadOption = None,
) -> None:
    """Print each layer's shape, parameters, multiply-adds, receptive field, and their formulas."""
    variant = Variant(strides, padding, pooling, head)
    if not name.endswith(".onnx"):
        recipe = varied(name, variant)
        print(text(recipe.name, *_of_recipe(recipe)))
    elif variant.changes:
        fail(f"{name} is finished: only recipes have variants.")
    else:
        print(text(name, *_of_file(Path(name))))


def _of_recipe(recipe: Recipe) -> tuple[list[Layer], tuple[int, int, int]]:
    choose_backend()
    from training import networks
    from training.data import shape
    from training.export.layer_table import layer_table
    from training.export.translate import translate
    from training.pretrained.lite0_weights import WeightsError
    from training.train import network

    try:
        model = network(recipe, *shape(recipe.data, recipe.preprocess))
    except (networks.EmptyFeatureMap, WeightsError) as exc:
        fail(str(exc))
    return layer_table(model, translate(model)[1]), model.input_shape[1:]


def _of_file(path: Path) -> tuple[list[Layer], tuple[int, int, int]]:
    beside = path.with_suffix(".json")
    try:
        card_json = beside.read_bytes() if beside.exists() else None
        card = Classifier(path.read_bytes(), card_json).card
    except (OSError, ModelRefused) as exc:
        fail(f"{path}: {exc}")
    if not card.layers:
        fail(f"{path}: its card has no layer table, as files from elsewhere have none.")
    preprocess = card.preprocess
    return card.layers, (preprocess.height, preprocess.width, preprocess.channels)
