from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.preprocess import Preprocess
from training.data.cache import Index, read_cache, write_cache
from training.data.rows import Row
from training.data.split import File, Split

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
SPLIT = Split(
    folder="pets",
    labels=("a", "b"),
    preprocess=Preprocess(4, 5),
    seed=1,
    test_share=0.2,
    files=tuple(File(f"{n}.png", "a", "train", "sha") for n in range(3)),
    skipped=(),
    duplicates=(("0.png", "1.png"),),
    conflicts=(),
    across=(("0.png", "2.png"),),
)
INDEX = Index("key1", "me", tuple(Row(f"{n}.png", (1, 2, 3), "sha", "h") for n in range(3)), SPLIT)


def test_what_is_kept_comes_back_in_the_order_asked_for_and_mapped(tmp_path: Path) -> None:
    written = write_cache(tmp_path, INDEX, PIXELS, [2, 0, 1])
    for cached in (written, read_cache(tmp_path)):
        assert cached is not None
        assert cached.index == INDEX
        assert isinstance(cached.pixels, np.memmap)
        assert np.array_equal(cached.pixels, PIXELS[[2, 0, 1]])


def test_nothing_is_left_beside_the_last_that_was_kept(tmp_path: Path) -> None:
    write_cache(tmp_path, INDEX, PIXELS, [0, 1, 2])
    write_cache(tmp_path, replace(INDEX, key="key2"), PIXELS, [2, 1, 0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.json", "key2.npy"]


def test_pixels_stay_readable_for_who_has_them_when_others_are_kept(tmp_path: Path) -> None:
    before = write_cache(tmp_path, INDEX, PIXELS, [0, 1, 2])
    write_cache(tmp_path, replace(INDEX, key="key2"), PIXELS, [2, 1, 0])
    assert np.array_equal(before.pixels, PIXELS)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda folder: (folder / "index.json").unlink(), id="no index"),
        pytest.param(lambda folder: cut(folder / "index.json"), id="index cut short"),
        pytest.param(lambda folder: (folder / "index.json").write_text("{}"), id="other JSON"),
        pytest.param(lambda folder: (folder / "key1.npy").unlink(), id="no pixels"),
        pytest.param(lambda folder: cut(folder / "key1.npy"), id="pixels cut short"),
        pytest.param(lambda folder: (folder / "key1.npy").write_bytes(b""), id="empty"),
        pytest.param(lambda folder: np.save(folder / "key1.npy", PIXELS[:2]), id="fewer pixels"),
        pytest.param(
            lambda folder: np.save(folder / "key1.npy", PIXELS.astype(np.int8)), id="another dtype"
        ),
    ],
)
def test_what_is_not_whole_counts_as_nothing(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    write_cache(tmp_path, INDEX, PIXELS, [0, 1, 2])
    damage(tmp_path)
    assert read_cache(tmp_path) is None


def test_an_empty_folder_or_none_holds_nothing(tmp_path: Path) -> None:
    assert read_cache(tmp_path) is None
    assert read_cache(tmp_path / "nowhere") is None
