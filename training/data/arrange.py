"""The rows of a folder → their parts, their order, and what is among them twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.preprocess import Preprocess
from training.data.assign import assign_parts
from training.data.duplicates import seen_in_training
from training.data.error import DataError
from training.data.rows import Row
from training.data.split import File, Split
from training.data.tree import Part, Picture, Tree

ORDER: tuple[Part, ...] = ("train", "validation", "test")


def arrange(
    folder: Path,
    tree: Tree,
    rows: Sequence[Row],
    pixels: NDArray[np.uint8],
    preprocess: Preprocess,
    seed: int,
    test_share: float,
) -> tuple[Split, list[int]]:
    """Split the rows unless the folder is, and look for what is in it twice.

    Returns the order in which the rows then stand, too. Raises DataError.
    """
    by_path = {picture.path: picture for picture in tree.pictures}
    pictures = [by_path[row.path] for row in rows]
    labels = [picture.label for picture in pictures]
    hashes = [row.pixels_hash for row in rows]
    _check_classes(folder, tree, pictures)
    given = [picture.part for picture in pictures if picture.part is not None]
    parts = given or assign_parts(labels, [row.sha256 for row in rows], hashes, seed, test_share)
    order = [row for part in ORDER for row in range(len(rows)) if parts[row] == part]

    equal: dict[str, list[int]] = defaultdict(list)
    for row in order:
        equal[hashes[row]].append(row)
    testing = [row for row in order if parts[row] == "test"]
    training = [row for row in order if parts[row] != "test"]
    across = seen_in_training(pixels, training, testing)
    for row in testing:  # equal ones too where they are of one colour
        first = equal[hashes[row]][0]
        if parts[first] != "test":
            across[row] = first

    groups = [group for group in equal.values() if len(group) > 1]
    named = [tuple(rows[row].path for row in group) for group in groups]
    split = Split(
        folder=str(folder.resolve()),
        labels=tree.labels,
        preprocess=preprocess,
        seed=None if given else seed,
        test_share=None if given else test_share,
        files=tuple(File(rows[i].path, labels[i], parts[i], rows[i].sha256) for i in order),
        skipped=tuple(tree.skipped),
        duplicates=tuple(named),
        conflicts=tuple(
            paths
            for paths, group in zip(named, groups, strict=True)
            if len({labels[row] for row in group}) > 1
        ),
        across=tuple((rows[across[row]].path, rows[row].path) for row in testing if row in across),
    )
    return split, order


def _check_classes(folder: Path, tree: Tree, readable: Sequence[Picture]) -> None:
    """Is there a picture of every class, to train on and, where that is given, to test by?"""
    there = {(picture.part, picture.label) for picture in readable}
    for part, label in product(tree.parts, tree.labels):
        if (part, label) not in there and part != "validation":
            where = "" if part is None else f" in {part}"
            first = "".join(f", the first: {skip.path}, {skip.reason}" for skip in tree.skipped[:1])
            raise DataError(
                f"The class {label!r} of {folder} has no picture{where} that can be read. Put "
                "pictures into its folder, or take the folder away. Skipped were "
                f"{len(tree.skipped)} files{first}"
            )
