"""Which pictures are trained on and which are tested by, where nobody has split them.

A picture's place follows from the seed and its file's content: not from names or order, nor from
the size that it is trained at; and from what else is there only at the border.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Sequence

from training.data.error import DataError
from training.data.tree import Part

SPLIT_SEED = 2026
TEST_SHARE = 0.2


def assign_parts(
    labels: Sequence[str],
    checksums: Sequence[str],
    groups: Sequence[Hashable],
    seed: int = SPLIT_SEED,
    test_share: float = TEST_SHARE,
) -> list[Part]:
    """The part of each picture, from its label, its file's checksum and its group.

    Pictures of one group stay together. Of each class `test_share` is for the test, at least one
    picture and never all; a group that lies in several classes is none to measure by, and is
    trained on. Raises DataError if a class has only one picture, or group, to give.
    """
    if not 0 < test_share < 1:
        raise DataError(f"The share of test images lies between 0 and 1; received {test_share}.")
    members: dict[Hashable, list[int]] = defaultdict(list)
    for index, name in enumerate(groups):
        members[name].append(index)
    of_class: dict[str, list[list[int]]] = defaultdict(list)
    for together in members.values():
        for label in sorted({labels[index] for index in together}):
            of_class[label].append(together)

    parts: list[Part] = ["train"] * len(labels)
    for label, candidates in of_class.items():
        pure = [group for group in candidates if len({labels[index] for index in group}) == 1]
        if len(pure) < 2:
            raise DataError(
                f"The class {label!r} has {len(pure)} pictures that differ from each other and "
                "from those of all other classes. It needs at least two: one to train on, one to "
                "test by. Add pictures to it."
            )
        pure.sort(key=lambda group: _place(seed, min(checksums[index] for index in group)))
        count = sum(map(len, pure))
        wanted = min(round(test_share * count), count - 1)
        chosen: list[int] = []
        for group in pure:
            if len(chosen) + len(group) <= wanted:
                chosen += group
        for index in chosen or min(pure, key=len):  # none fits: the smallest, if it be too large
            parts[index] = "test"
    return parts


def _place(seed: int, checksum: str) -> bytes:
    return hashlib.sha256(f"{seed} {checksum}".encode()).digest()
