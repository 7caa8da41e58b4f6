"""A run folder: what was decided before a training, and what it left.

runs/NAME-seed1/   run.json            recipe, seed, data: what decides the weights
                   head.json           how good a pretrained network's new head is, by itself
                   history.json        what was measured after each epoch
                   first_kernel.npy    of the first convolution, before training
                   checkpoint-3.weights.h5   all that is needed to go on after epoch 3
                   best.keras          the weights of the epoch that judged best, where one judges
                   last.keras          the weights after the last epoch: what is exported
runs/features/     what pretrained networks say of pictures, for all runs with the same ones

Knows nothing of Keras.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from app.card import Epoch
from training.data import Data
from training.recipes import Recipe

_INDIFFERENT = {"description", "seeds"}  # what may change without changing the weights


class NoRun(ValueError):
    """A folder is not a run; the message says what is missing."""


class Diverged(RuntimeError):
    """The loss of a training is no number any more; the message says what to change."""


@dataclass(frozen=True)
class Run:
    """What decided the weights in a folder. `validation` training images were left out to judge."""

    folder: Path
    recipe: Recipe
    seed: int
    validation: int
    data_sha256: str

    @property
    def history(self) -> list[dict[str, float]]:
        """One row for each whole epoch: epoch, seconds since the start, loss, accuracy, …"""
        return _rows(self.folder)

    @property
    def measured(self) -> dict[str, float]:
        """What was measured last: after the last epoch, or without one of the head alone."""
        rows = self.history
        return rows[-1] if rows else self.head

    @property
    def head(self) -> dict[str, float]:
        """What was measured of a pretrained network's new head, before any other layer learnt."""
        measured: dict[str, float] = json.loads((self.folder / "head.json").read_text())
        return measured

    @property
    def finished(self) -> bool:
        """Whether all of its epochs are done and saved."""
        return self.last.exists() and len(self.history) == self.recipe.epochs

    @property
    def last(self) -> Path:
        """The weights after the last epoch that was done, once training has ended or stopped."""
        return self.folder / "last.keras"

    def is_like(self, other: Run) -> bool:
        """Whether recipe and data are the same, so that what holds of one holds of the other."""
        own, others = (replace(run.recipe, description="", seeds=()) for run in (self, other))
        return (own, self.data_sha256) == (others, other.data_sha256)

    def checkpoint(self, epoch: int) -> Path:
        """Where a run goes on after so many epochs."""
        return self.folder / f"checkpoint-{epoch}.weights.h5"


def begin(folder: Path, recipe: Recipe, data: Data, seed: int, validation: int) -> Run:
    """Claim a folder for a run. Raises FileExistsError if it holds one of other facts; NoRun."""
    run = Run(folder, recipe, seed, validation, data.sha256)
    path = folder / "run.json"
    facts = {
        "recipe": asdict(recipe),
        "seed": seed,
        "validation": validation,
        "data_sha256": data.sha256,
    }
    if path.exists():
        read(folder)
        there, asked = json.loads(path.read_text()), json.loads(json.dumps(facts))
        if different := _different(_decisive(there), _decisive(asked)):
            raise FileExistsError(
                f"{folder} holds a run of other facts ({different}). Ask for its own to go on with "
                "it. Move it away or remove it to start again."
            )
        return run
    folder.mkdir(parents=True, exist_ok=True)
    write(path, json.dumps(facts, indent=2))
    return run


def read(folder: Path) -> Run:
    """The run that a folder holds. Raises NoRun."""
    try:
        facts = json.loads((folder / "run.json").read_text())
        recipe = TypeAdapter(Recipe).validate_python(facts["recipe"])
        return Run(folder, recipe, facts["seed"], facts["validation"], facts["data_sha256"])
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise NoRun(f"{folder} is no run folder: it has no run.json.") from exc
    except (ValueError, KeyError, TypeError, ValidationError) as exc:
        raise NoRun(
            f"{folder}/run.json is not what this version writes ({type(exc).__name__}). "
            "Train again, or use the version that made it."
        ) from exc


def epochs(folder: Path) -> list[Epoch]:
    """The history in a run folder as a card has it, to six digits."""
    return [
        Epoch(**{name: float(f"{row[name]:.6g}") for name in Epoch.model_fields if name in row})
        for row in _rows(folder)
    ]


def run_folder(runs: Path, name: str, seed: int) -> Path:
    """Where the run of a recipe with a seed is kept."""
    return runs / f"{name}-seed{seed}"


def validation_folder(runs: Path, name: str) -> Path:
    """Where the run of a recipe is kept that leaves images out, to judge how sure others may be."""
    return runs / f"{name}-validation"


def write(path: Path, text: str) -> None:
    """Write a file at once: a run that is broken off never leaves half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


def _rows(folder: Path) -> list[dict[str, float]]:
    path = folder / "history.json"
    rows: list[dict[str, float]] = json.loads(path.read_text()) if path.exists() else []
    return rows


def _different(there: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """`epochs 3 there, 20 asked`, for each fact that differs; nothing where none does."""
    told = []
    for one, other in ((there, asked), (there["recipe"], asked["recipe"])):
        for name in sorted((one.keys() | other.keys()) - {"recipe"}):
            # What a recipe does not do was once no part of it, or is none any more.
            if (one.get(name) or None) != (other.get(name) or None):
                told.append(f"{name} {one.get(name)} there, {other.get(name)} asked")
    return "; ".join(told)


def _decisive(facts: Mapping[str, Any]) -> dict[str, Any]:
    recipe = {name: fact for name, fact in facts["recipe"].items() if name not in _INDIFFERENT}
    return dict(facts) | {"recipe": recipe}
