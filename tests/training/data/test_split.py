from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from app.preprocess import Preprocess
from training.data.split import File, Split, findings, write_split
from training.data.tree import Skipped

QUIET = Split(
    folder="pets",
    labels=("cats", "dogs"),
    preprocess=Preprocess(8, 8),
    seed=2026,
    test_share=0.2,
    files=(File("cats/1.png", "cats", "train", "ab12"), File("dogs/é.png", "dogs", "test", "cd34")),
    skipped=(),
    duplicates=(),
    conflicts=(),
    across=(),
)


def test_split_json_says_all_that_is_known(tmp_path: Path) -> None:
    split = replace(QUIET, skipped=(Skipped("a.txt", "no picture"),), across=(("x", "y"),))
    write_split(split, tmp_path)
    told = json.loads((tmp_path / "split.json").read_text("utf-8"))
    assert told == {
        "folder": "pets",
        "labels": ["cats", "dogs"],
        "preprocess": {
            "height": 8,
            "width": 8,
            "channels": 3,
            "layout": "squash",
            "resample": "bilinear",
            "background": [255, 255, 255],
        },
        "seed": 2026,
        "test_share": 0.2,
        "files": [
            {"path": "cats/1.png", "label": "cats", "part": "train", "sha256": "ab12"},
            {"path": "dogs/é.png", "label": "dogs", "part": "test", "sha256": "cd34"},
        ],
        "skipped": [{"path": "a.txt", "reason": "no picture"}],
        "duplicates": [],
        "conflicts": [],
        "across": [["x", "y"]],
    }


def test_where_nothing_was_found_nothing_is_said() -> None:
    assert findings(QUIET) == []


def test_every_finding_is_a_sentence_with_its_number_and_the_first_cases() -> None:
    split = replace(
        QUIET,
        skipped=tuple(Skipped(f"{number}.txt", "no picture.") for number in range(1200)),
        duplicates=(("a", "b", "c"), ("d", "e")),
        conflicts=(("d", "e"),),
        across=(("train/1", "test/2"),),
    )
    skipped, duplicates, conflicts, across = findings(split)
    assert skipped.startswith("Left out")
    assert skipped.endswith("1,200: 0.txt (no picture); 1.txt (no picture); 2.txt (no picture); ….")
    assert duplicates == "Pictures that are there more than once: 2: a = b = c; d = e."
    assert conflicts.endswith("wrong: 1: d = e.")
    assert across.endswith("too good: 1: test/2 is train/1.")
