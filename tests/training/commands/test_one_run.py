from __future__ import annotations

import pytest

from training.commands.one_run import with_options
from training.recipes import RECIPES


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_what_is_not_to_be_mirrored_is_not_answered_by_its_mirror_image(name: str) -> None:
    recipe = with_options(RECIPES[name], {"flip": False})
    assert (recipe.flip, recipe.network_options["mirrored"]) == (False, False)
    assert recipe.network_options == {**RECIPES[name].network_options, "mirrored": False}


@pytest.mark.parametrize("name", ["cifar10-simple", "cats-dogs"])
def test_a_network_with_one_view_keeps_its_options(name: str) -> None:
    recipe = with_options(RECIPES[name], {"flip": False})
    assert not recipe.flip
    assert recipe.network_options == RECIPES[name].network_options


def test_options_reach_the_recipe_and_its_optimizer() -> None:
    recipe = with_options(RECIPES["cifar10"], {"epochs": 3, "learning_rate": 0.5, "flip": True})
    assert (recipe.epochs, recipe.optimizer.learning_rate) == (3, 0.5)
    assert recipe.network_options["mirrored"]
