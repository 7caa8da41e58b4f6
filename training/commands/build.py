"""`convolu-train build`: recipes → model files."""

from __future__ import annotations

from pathlib import Path

from training.backend import choose_backend
from training.commands.options import (
    DataOption,
    Models,
    Names,
    ProgressOption,
    Runs,
    data_of,
    fail,
    recipe_named,
    talk,
)
from training.pretrained.lite0_weights import WeightsError
from training.progress import progress as progress_of
from training.run import Diverged, NoRun

IMAGENET = "imagenet-lite0"  # no recipe: nobody trains it here


def build(
    names: Names,
    data: DataOption = None,
    runs: Runs = Path("runs"),
    models: Models = Path("models"),
    progress: ProgressOption = "auto",
) -> None:
    """Train every seed of a recipe, measure each once on the test images, write the model file."""
    recipes = [name for name in names if name != IMAGENET]
    chosen = [recipe_named(name) for name in recipes]  # before Keras, which takes seconds
    choose_backend()
    if IMAGENET in names:
        with talk(progress):
            _build_imagenet(models)
    from training.build import Stopped
    from training.build import build as build_model

    for recipe in chosen:
        loaded = data_of(recipe, data, runs)
        try:
            card = build_model(recipe, loaded, runs, models, progress_of(progress))
        except (Diverged, NoRun, OSError, Stopped, WeightsError) as exc:
            fail(str(exc))
        assert card.metrics is not None
        seeds = card.metrics.seed_accuracies
        with talk(progress):
            print(
                f"{models / recipe.name}.onnx: {card.metrics.accuracy:.2%} of "
                f"{card.metrics.images:,} test images right; mean of seeds {', '.join(seeds)}: "
                f"{sum(seeds.values()) / len(seeds):.3%}"
            )


def _build_imagenet(models: Path) -> None:
    from training.pretrained.imagenet import build_imagenet

    try:
        card = build_imagenet(models)
    except WeightsError as exc:
        fail(str(exc))
    assert card.published is not None
    print(
        f"{models / IMAGENET}.onnx: {card.published.accuracy:.1%} as published, not measured here"
    )
