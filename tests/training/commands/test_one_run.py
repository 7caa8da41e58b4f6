from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.test_train import TINY, bars
from training.commands.one_run import one_run, with_options
from training.progress import Progress
from training.recipes import RECIPES
from training.train import train

pytestmark = pytest.mark.train


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


def test_a_run_that_was_interrupted_in_its_last_epoch_is_finished(tmp_path: Path) -> None:
    class Impatient(Progress):
        def epoch(self, number: int, row: Mapping[str, float]) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    recipe = replace(TINY, epochs=1, validation=10)
    run = one_run(train, recipe, bars(64), 0, tmp_path / "run", False, Impatient())
    assert run.finished


def test_options_reach_the_recipe_and_its_optimizer() -> None:
    recipe = with_options(RECIPES["cifar10"], {"epochs": 3, "learning_rate": 0.5, "flip": True})
    assert (recipe.epochs, recipe.optimizer.learning_rate) == (3, 0.5)
    assert recipe.network_options["mirrored"]
