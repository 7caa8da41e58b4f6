from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from tests.training.test_data import write_mnist
from training import networks
from training.data import LOADERS, load
from training.recipes import RECIPES, Recipe

each_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


@each_recipe
def test_a_recipe_is_found_under_its_own_name(recipe: Recipe) -> None:
    assert RECIPES[recipe.name] is recipe


@each_recipe
def test_a_recipe_names_a_network_and_a_data_set_that_exist(recipe: Recipe) -> None:
    assert callable(getattr(networks, recipe.network))
    assert recipe.data in LOADERS


@each_recipe
def test_a_recipe_has_three_different_seeds(recipe: Recipe) -> None:
    assert len(recipe.seeds) == 3
    assert len(set(recipe.seeds)) == 3


@each_recipe
def test_no_recipe_uses_the_seed_that_recipes_are_chosen_with(recipe: Recipe) -> None:
    assert 0 not in recipe.seeds  # `try` judges with seed 0


@each_recipe
def test_a_recipe_cannot_be_changed(recipe: Recipe) -> None:
    with pytest.raises(FrozenInstanceError):
        recipe.epochs = 1  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        recipe.distortion.shift_pixels = 9  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        recipe.normalise.std = (1.0,)  # type: ignore[misc]


def test_no_two_recipes_train_the_same_network() -> None:
    assert len({recipe.network for recipe in RECIPES.values()}) == len(RECIPES)


@pytest.mark.train
@each_recipe
def test_the_network_takes_the_pixels_of_the_data_and_answers_for_each_label(
    recipe: Recipe, tmp_path: Path
) -> None:
    write_mnist(tmp_path)
    data = load(recipe.data, tmp_path)
    model = getattr(networks, recipe.network)()
    answer = np.asarray(model(recipe.normalise(data.x_test)))
    assert answer.shape == (len(data.x_test), len(data.labels))
    assert np.allclose(answer.sum(axis=1), 1, atol=1e-5)
