from __future__ import annotations

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.assign import assign_parts
from training.data.error import DataError


def checksum(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def assigned(sizes: dict[str, int], seed: int = 1, share: float = 0.2) -> dict[str, list[str]]:
    """The parts of so many different pictures of each class."""
    labels = [label for label, size in sizes.items() for _ in range(size)]
    checksums = [checksum(number) for number in range(len(labels))]
    parts = assign_parts(labels, checksums, checksums, seed, share)
    assert len(parts) == len(labels)
    return {
        label: [part for part, other in zip(parts, labels, strict=True) if other == label]
        for label in sizes
    }


sizes = st.dictionaries(st.sampled_from("abcde"), st.integers(2, 60), min_size=2)
shares = st.floats(0.01, 0.99)


@given(sizes, st.integers(0, 5), shares)
def test_every_class_has_its_share_in_the_test_within_one(
    sizes: dict[str, int], seed: int, share: float
) -> None:
    for label, parts in assigned(sizes, seed, share).items():
        counts = Counter(parts)
        assert counts["train"] + counts["test"] == sizes[label]
        assert abs(counts["test"] - share * sizes[label]) <= 1
        assert counts["test"] >= 1
        assert counts["train"] >= 1


pictures = st.lists(  # class and look of each: those that look the same are duplicates
    st.tuples(st.sampled_from("ab"), st.integers(0, 12)), min_size=1, max_size=40
).map(lambda some: [("a", 90), ("a", 91), ("b", 92), ("b", 93), *some])


@given(pictures, st.integers(0, 5), st.randoms())
def test_the_order_of_the_files_changes_nothing(
    pictures: list[tuple[str, int]], seed: int, random: object
) -> None:
    rows = list(enumerate(pictures))
    one = parts_of(rows, seed)
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert parts_of(rows, seed) == one


def parts_of(rows: list[tuple[int, tuple[str, int]]], seed: int) -> dict[int, str]:
    parts = assign_parts(
        [label for _, (label, _) in rows],
        [checksum(number) for number, _ in rows],
        [look for _, (_, look) in rows],
        seed,
    )
    return {number: part for (number, _), part in zip(rows, parts, strict=True)}


@given(pictures, st.integers(0, 5))
def test_pictures_that_look_the_same_are_in_one_part_and_never_tested_by_in_two_classes(
    pictures: list[tuple[str, int]], seed: int
) -> None:
    parts = parts_of(list(enumerate(pictures)), seed)
    for look in {look for _, look in pictures}:
        same = [number for number, (_, other) in enumerate(pictures) if other == look]
        assert len({parts[number] for number in same}) == 1
        if len({pictures[number][0] for number in same}) == 2:
            assert parts[same[0]] == "train"
    for label in "ab":
        found = {parts[number] for number, (other, _) in enumerate(pictures) if other == label}
        assert found == {"train", "test"}


@given(sizes, st.integers(0, 5))
def test_one_more_picture_moves_at_most_one_other(sizes: dict[str, int], seed: int) -> None:
    labels = [label for label, size in sizes.items() for _ in range(size)]
    checksums = [checksum(number) for number in range(len(labels) + 1)]
    before = assign_parts(labels, checksums[:-1], checksums[:-1], seed)
    after = assign_parts([*labels, labels[0]], checksums, checksums, seed)
    assert sum(old != new for old, new in zip(before, after, strict=False)) <= 1


def test_where_every_group_is_too_large_for_the_test_the_smallest_is_it() -> None:
    checksums = [checksum(number) for number in range(11)]
    parts = assign_parts(["a"] * 9 + ["b"] * 2, checksums, [1] * 4 + [2] * 5 + [3, 4])
    assert parts[:9] == ["test"] * 4 + ["train"] * 5


def test_another_seed_gives_another_split() -> None:
    assert assigned({"a": 50, "b": 50}, seed=1) != assigned({"a": 50, "b": 50}, seed=2)


def test_a_split_stays_what_it_was_in_all_versions() -> None:
    assert [
        place for place, part in enumerate(assigned({"a": 20, "b": 2})["a"]) if part == "test"
    ] == [5, 12, 18, 19]


@pytest.mark.parametrize(
    ("labels", "groups", "says"),
    [
        pytest.param("aab", [1, 2, 3], "'b' has 1 pictures", id="a class of one"),
        pytest.param("aabbb", [1, 2, 3, 3, 3], "'b' has 1 pictures", id="three times the same"),
        pytest.param("aabb", [1, 2, 1, 2], "'a' has 0 pictures", id="the same as another class"),
    ],
)
def test_a_class_that_cannot_be_split_is_refused(labels: str, groups: list[int], says: str) -> None:
    checksums = [checksum(number) for number in range(len(labels))]
    with pytest.raises(DataError, match=says):
        assign_parts(list(labels), checksums, groups)


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5])
def test_a_share_that_leaves_a_part_empty_is_refused(share: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        assigned({"a": 5, "b": 5}, share=share)
