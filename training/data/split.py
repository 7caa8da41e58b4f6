"""What is known of a folder of pictures: split.json in a run folder, and the same in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from app.preprocess import Preprocess
from training.data.tree import Part, Skipped

EXAMPLES = 3


@dataclass(frozen=True)
class File:
    """One picture that was read; the checksum is of its file."""

    path: str
    label: str
    part: Part
    sha256: str


@dataclass(frozen=True)
class Split:
    """The parts of a folder of pictures; all other paths are below `folder`, with /.

    `files` are in the order of the arrays: train, validation, test. `seed` and `test_share` are
    None where the folder came in parts. Each of `duplicates` are pictures with equal pixels,
    `conflicts` those of them that lie in several classes; `across` are pairs of a picture that is
    trained on and one of the test that are equal or nearly so.
    """

    folder: str
    labels: tuple[str, ...]
    preprocess: Preprocess
    seed: int | None
    test_share: float | None
    files: tuple[File, ...]
    skipped: tuple[Skipped, ...]
    duplicates: tuple[tuple[str, ...], ...]
    conflicts: tuple[tuple[str, ...], ...]
    across: tuple[tuple[str, str], ...]


def write_split(split: Split, run_folder: Path) -> None:
    """Write `run_folder`/split.json."""
    text = TypeAdapter(Split).dump_json(split, indent=1)
    (run_folder / "split.json").write_bytes(text)


def findings(split: Split) -> list[str]:
    """What a person should know before training, a sentence each; all of it is in split.json."""
    return [
        sentence.format(n=f"{len(cases):,}") + _examples(cases)
        for cases, sentence in (
            (
                [f"{skip.path} ({skip.reason.rstrip('.')})" for skip in split.skipped],
                "Left out, because they cannot be read as pictures or lie elsewhere: {n}",
            ),
            (
                [" = ".join(group) for group in split.duplicates],
                "Pictures that are there more than once: {n}",
            ),
            (
                [" = ".join(group) for group in split.conflicts],
                "Pictures that lie in several classes, of which one must be wrong: {n}",
            ),
            (
                [f"{test} is {train}" for train, test in split.across],
                "Test pictures that are nearly the same as one that is trained on, so that what is "
                "measured will be too good: {n}",
            ),
        )
        if cases
    ]


def _examples(cases: Sequence[str]) -> str:
    more = "" if len(cases) <= EXAMPLES else "; …"
    return ": " + "; ".join(cases[:EXAMPLES]) + more + "."
