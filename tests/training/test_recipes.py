from __future__ import annotations

from dataclasses import FrozenInstanceError
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from training import networks
from training.data import CLASSES, NAMES, load, shape
from training.pretrained.lite0_weights import PACKAGE
from training.recipes import RECIPES, Recipe

each_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


@each_recipe
def test_a_recipe_is_found_under_its_own_name(recipe: Recipe) -> None:
    assert RECIPES[recipe.name] is recipe


@each_recipe
def test_a_recipe_names_a_network_and_a_data_set_that_exist(recipe: Recipe) -> None:
    assert callable(getattr(networks, recipe.network))
    assert recipe.data in NAMES


@each_recipe
def test_a_recipe_has_three_different_seeds_or_one_where_each_takes_both_cores(
    recipe: Recipe,
) -> None:
    assert len(recipe.seeds) == (1 if recipe.network == "airbench" else 3)
    assert len(set(recipe.seeds)) == len(recipe.seeds)


@each_recipe
def test_no_recipe_uses_the_seed_that_recipes_are_chosen_with(recipe: Recipe) -> None:
    assert 0 not in recipe.seeds  # `try` judges with seed 0


@each_recipe
def test_a_recipe_cannot_be_changed(recipe: Recipe) -> None:
    with pytest.raises(FrozenInstanceError):
        recipe.epochs = 1  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        recipe.optimizer.warmup = 0.5  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        recipe.normalise.std = (1.0,)  # type: ignore[misc]


@pytest.mark.train
@each_recipe
def test_the_network_takes_the_pixels_of_the_data_and_answers_for_each_label(
    recipe: Recipe,
) -> None:
    from training.train import network

    if recipe.network == "pretrained" and find_spec(PACKAGE) is None:
        pytest.skip(f"{PACKAGE} is not installed")
    image, classes = shape(recipe.data, recipe.preprocess)
    model = network(recipe, image, classes)
    answer = np.asarray(model(recipe.normalise(np.zeros((2, *image), np.uint8))))
    assert answer.shape == (2, classes)
    assert np.allclose(answer.sum(axis=1), 1, atol=1e-5)


def test_of_every_data_set_of_a_name_the_number_of_classes_is_known() -> None:
    assert set(CLASSES) == set(NAMES)


@pytest.mark.parametrize("name", ["mnist", "cifar10", "fashion-mnist"])
def test_the_shapes_are_those_of_the_data(name: str, tmp_path: Path) -> None:
    image, classes = shape(name, None)
    pixels = np.zeros((20, *image), np.uint8).squeeze()
    truth = np.arange(20) % classes
    file = tmp_path / f"{name}.npz"
    np.savez(file, x_train=pixels, y_train=truth, x_test=pixels, y_test=truth)
    data = load(name, tmp_path)
    assert (data.x_train.shape[1:], len(data.labels)) == (image, classes)
