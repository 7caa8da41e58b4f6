"""What is said of a trained network on its card, but for what is measured."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras

from app import __version__
from app.card import Card, Dataset
from training.data import FOLDER, Data
from training.recipes import Recipe
from training.run import Run, epochs

# What a recipe says of epochs: where a new head was all that learnt, none of it was done.
_OF_EPOCHS = {
    "batch_size",
    "optimizer",
    "augmentation",
    "label_smoothing",
    "dtype",
}


def card_of(run: Run, data: Data) -> Card:
    """The card of a run, without metrics, layers and proof."""
    recipe, done = run.recipe, len(run.history)
    not_done = set() if done else _OF_EPOCHS
    if run.seed not in recipe.seeds:  # a trial beside those that were fixed beforehand
        not_done = not_done | {"seeds"}
    facts = asdict(recipe) | _public(recipe, data) | {"epochs": done}
    ours = not recipe.data.startswith(FOLDER)  # a network of one's own pictures is one's own
    return Card(
        name=recipe.name,
        description=recipe.description,
        license="Apache-2.0" if ours else "",
        author="The Convolu authors" if ours else "",
        labels=list(data.labels),
        preprocess=data.preprocess,
        dataset=Dataset(name=data.name, sha256=data.sha256),
        recipe=_done({name: fact for name, fact in facts.items() if name not in not_done})
        | {"seed": run.seed},
        history=epochs(run.folder),
        made_with=made_with(),
    )


def _public(recipe: Recipe, data: Data) -> dict[str, object]:
    """Where pictures and weights lie is nobody's business but their owner's."""
    options = dict(recipe.network_options)
    if "weights" in options:
        options["weights"] = Path(str(options["weights"])).name
    return {"data": data.name, "network_options": options}


def _done(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a recipe does; what it leaves at None, 0, False or empty it does not do."""
    said = {
        name: _done(fact) if isinstance(fact, Mapping) else fact for name, fact in facts.items()
    }
    return {name: fact for name, fact in said.items() if fact}


def made_with() -> dict[str, str]:
    """Versions, the commit where this is a checkout, and the date."""
    backend = keras.backend.backend()
    versions = {"keras": keras.__version__, "convolu": __version__, "onnx": version("onnx")}
    versions[backend] = import_module(backend).__version__
    ours = Path(__file__).resolve().parents[1]
    with suppress(OSError, subprocess.CalledProcessError):  # no git, or not in a checkout
        checkout, commit = subprocess.run(
            ["git", "rev-parse", "--show-toplevel", "--short=12", "HEAD"],
            cwd=ours,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        if Path(checkout).resolve() == ours:  # not that of a project whose .venv this lies in
            versions["commit"] = commit
    return versions | {"date": datetime.now(UTC).date().isoformat()}
