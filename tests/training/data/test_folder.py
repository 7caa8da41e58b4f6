from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from app.preprocess import Preprocess, pixels_from
from tests.conftest import encode, plain
from tests.training.data.pictures import classes, noise, write_files
from training.data.dataset import Data
from training.data.error import DataError
from training.data.folder import load_folder

SIZE = Preprocess(8, 8)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Ten cats and five dogs, in no parts."""
    files = classes("cats", each=10) | classes("dogs", each=5, first=100)
    return write_files(tmp_path / "pets", files)


def loaded(folder: Path, **options: object) -> Data:
    return load_folder(folder, SIZE, folder.parent / "cache", **options)  # type: ignore[arg-type]


def part_of(data: Data) -> dict[str, str]:
    assert data.split is not None
    return {file.path: file.part for file in data.split.files}


def test_four_fifths_of_every_class_are_trained_on_and_the_rest_is_the_test(pets: Path) -> None:
    data = loaded(pets)
    assert data.name == "pets"
    assert data.labels == ("cats", "dogs")
    assert np.bincount(data.y_train).tolist() == [8, 4]
    assert np.bincount(data.y_test).tolist() == [2, 1]
    assert data.validation_images == 0


def test_pixels_and_labels_are_those_of_the_files_as_the_service_reads_them(pets: Path) -> None:
    data = loaded(pets)
    assert data.split is not None
    pixels = np.concatenate([data.x_train, data.x_test])
    truth = np.concatenate([data.y_train, data.y_test])
    assert len(data.split.files) == 15
    for file, one, label in zip(data.split.files, pixels, truth, strict=True):
        assert np.array_equal(one, pixels_from((pets / file.path).read_bytes(), SIZE))
        assert data.labels[label] == file.label == file.path.partition("/")[0]


def test_test_images_are_the_files_of_the_test_pixels(pets: Path) -> None:
    data = loaded(pets)
    for image, pixels in zip(data.test_images, data.x_test, strict=True):
        assert np.array_equal(pixels_from(image, SIZE), pixels)


def test_pixels_are_mapped_and_a_choice_of_them_is_a_copy(pets: Path) -> None:
    data = loaded(pets)
    assert isinstance(data.x_train, np.memmap)
    assert isinstance(data.x_test, np.memmap)
    some = data.x_train[[3, 1]]
    some[:] = 0
    assert data.x_train[[3, 1]].any()


def test_parts_that_are_given_are_kept(tmp_path: Path) -> None:
    files = {
        f"{part}/{path}": content
        for place, part in enumerate(("train", "val", "test"))
        for path, content in classes("a", "b", each=3, first=100 * place).items()
    }
    data = loaded(write_files(tmp_path / "set", files))
    assert data.split is not None
    assert data.split.seed is None
    assert data.split.test_share is None
    assert (len(data.x_train), data.validation_images, len(data.x_test)) == (12, 6, 6)
    names = {"train": "train", "val": "validation", "test": "test"}
    assert all(names[path.split("/")[0]] == part for path, part in part_of(data).items())
    assert [file.part for file in data.split.files[6:12]] == ["validation"] * 6


def test_the_same_pictures_in_other_places_are_split_and_read_the_same(
    pets: Path, tmp_path: Path
) -> None:
    renamed = {
        f"{label}/x{name}": (pets / label / name).read_bytes()
        for label in ("dogs", "cats")
        for name in sorted(os.listdir(pets / label), reverse=True)
    }
    one, other = loaded(pets), loaded(write_files(tmp_path / "again", renamed))
    moved = {path.replace("/", "/x"): part for path, part in part_of(one).items()}
    assert part_of(other) == moved
    larger = load_folder(pets, Preprocess(9, 9), tmp_path / "cache")
    assert part_of(larger) == part_of(one)


def test_another_seed_or_share_splits_anew(pets: Path) -> None:
    one = part_of(loaded(pets, seed=1))
    assert one == part_of(loaded(pets, seed=1))
    assert one != part_of(loaded(pets, seed=2))
    assert len(loaded(pets, seed=1, test_share=0.5).x_test) == 7


def test_what_is_no_picture_is_left_out_and_listed(pets: Path) -> None:
    write_files(pets, {"cats/notes.txt": b"two cats", "dogs/cut.png": noise(1)[:-40]})
    data = loaded(pets)
    assert data.split is not None
    assert len(data.split.files) == 15
    assert {skip.path for skip in data.split.skipped} == {"cats/notes.txt", "dogs/cut.png"}
    again = loaded(pets)
    assert again.split == data.split


def test_a_class_of_broken_pictures_is_refused_with_the_first_reason(pets: Path) -> None:
    write_files(pets, {"birds/1.png": b"no picture"})
    with pytest.raises(DataError, match=r"'birds' of .* has no picture that can") as refused:
        loaded(pets)
    assert "birds/1.png, Expected JPEG" in str(refused.value)


def test_a_class_that_only_one_part_can_show_is_refused(tmp_path: Path) -> None:
    files = classes("train/a", "train/b", "test/a", each=2) | {"test/b/1.png": b""}
    with pytest.raises(DataError, match=r"'b' of .* has no picture in test that can be read"):
        loaded(write_files(tmp_path / "set", files))


def test_a_test_folder_without_any_picture_is_refused(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "set", classes("train/a", "train/b", each=2))
    for label in "ab":
        (folder / "test" / label).mkdir(parents=True)
    with pytest.raises(DataError, match=r"'a' of .* has no picture in test"):
        loaded(folder)


def test_validation_may_lack_a_class(tmp_path: Path) -> None:
    files = classes("train/a", "train/b", "test/a", "test/b", "val/a", each=2)
    folder = write_files(tmp_path / "set", files)
    (folder / "val/b").mkdir()
    assert loaded(folder).validation_images == 2


def test_train_alone_is_split(tmp_path: Path) -> None:
    data = loaded(write_files(tmp_path / "set", classes("train/a", "train/b", each=5)))
    assert (len(data.x_train), len(data.x_test)) == (8, 2)


def test_where_no_file_at_all_can_be_read_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'a' of .* has no picture that can be read"):
        loaded(write_files(tmp_path / "set", {"a/1.png": b"", "b/1.png": b""}))


def test_equal_pictures_are_listed_and_stay_on_one_side(pets: Path) -> None:
    twins = [f"cats/twin{number}.bmp" for number in range(4)]
    image = np.random.default_rng(700).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    write_files(pets, {twin: encode(image, "BMP") for twin in twins[:3]})
    write_files(pets, {twins[3]: encode(image)})
    for seed in range(8):
        data = loaded(pets, seed=seed)
        assert data.split is not None
        assert len({part_of(data)[twin] for twin in twins}) == 1
        assert [set(group) for group in data.split.duplicates] == [set(twins)]
        assert data.split.conflicts == data.split.across == ()


def test_a_picture_in_two_classes_is_a_conflict_and_never_tested_by(pets: Path) -> None:
    write_files(pets, {"cats/both.png": noise(500), "dogs/both.png": noise(500)})
    for seed in range(8):
        data = loaded(pets, seed=seed)
        assert data.split is not None
        assert data.split.conflicts == (("cats/both.png", "dogs/both.png"),)
        assert part_of(data)["cats/both.png"] == part_of(data)["dogs/both.png"] == "train"


def test_test_pictures_that_are_trained_on_are_listed(tmp_path: Path) -> None:
    lighter = np.random.default_rng(0).integers(0, 200, (8, 8, 3), dtype=np.uint8)
    files = classes("train/a", "train/b", "test/a", "test/b", each=3) | {
        "train/a/equal.png": noise(900),
        "test/a/equal.png": noise(900),
        "train/b/near.png": encode(lighter),
        "test/b/near.png": encode(lighter + 40),
        "train/a/white.png": plain((255, 255, 255)),
        "test/a/white.png": plain((255, 255, 255)),
    }
    data = loaded(write_files(tmp_path / "set", files))
    assert data.split is not None
    assert set(data.split.across) == {
        (f"train/{name}.png", f"test/{name}.png") for name in ("a/equal", "b/near", "a/white")
    }


def cache_of(folder: Path) -> Path:
    (shelf,) = (folder.parent / "cache").iterdir()
    return shelf


def mark_cached_pixels(folder: Path) -> None:
    """Make the first cached picture one that its file is not."""
    (path,) = cache_of(folder).glob("*.npy")
    pixels = np.load(path, mmap_mode="r+")
    pixels[0] = 7
    pixels.flush()


def marked(data: Data) -> int:
    return int((np.concatenate([data.x_train, data.x_test]) == 7).all(axis=(1, 2, 3)).sum())


def test_a_second_start_reads_no_picture(pets: Path) -> None:
    loaded(pets)
    mark_cached_pixels(pets)
    told: list[tuple[int, int]] = []
    data = loaded(pets, progress=lambda *counts: told.append(counts))
    assert told == []
    assert marked(data) == 1


def test_of_a_folder_that_grew_only_what_is_new_is_decoded(pets: Path) -> None:
    loaded(pets)
    mark_cached_pixels(pets)
    write_files(pets, {"cats/new.png": noise(77)})
    data = loaded(pets)
    assert marked(data) == 1
    assert "cats/new.png" in part_of(data)
    assert len(list(cache_of(pets).glob("*.npy"))) == 1


def test_pixels_that_another_version_made_are_made_again(pets: Path) -> None:
    loaded(pets)
    mark_cached_pixels(pets)
    index = cache_of(pets) / "index.json"
    index.write_text(index.read_text().replace('"made_by":"Convolu', '"made_by":"Old Convolu'))
    write_files(pets, {"cats/new.png": noise(77)})
    assert marked(loaded(pets)) == 0


def test_a_file_that_changed_is_noticed_though_its_size_and_time_are_the_same(pets: Path) -> None:
    before = loaded(pets)
    path = pets / "cats/3.png"
    times, size = os.stat(path), len(path.read_bytes())
    pixels = np.random.default_rng(3).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    pixels[0, 0] = 255 - pixels[0, 0]
    path.write_bytes(encode(pixels).ljust(size, b"\0")[:size])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert len(path.read_bytes()) == size
    assert loaded(pets).sha256 != before.sha256


def test_a_file_that_went_is_gone(pets: Path) -> None:
    loaded(pets)
    (pets / "cats/3.png").unlink()
    assert "cats/3.png" not in part_of(loaded(pets))


def test_a_damaged_cache_is_made_anew(pets: Path) -> None:
    before = loaded(pets).sha256
    (path,) = cache_of(pets).glob("*.npy")
    path.write_bytes(path.read_bytes()[:-5])
    assert loaded(pets).sha256 == before


def test_a_cache_that_cannot_be_written_is_an_error_with_the_place(pets: Path) -> None:
    (pets.parent / "file").touch()
    with pytest.raises(DataError, match=r"cannot be kept in .*file") as refused:
        load_folder(pets, SIZE, pets.parent / "file")
    assert "192 bytes a picture" in str(refused.value)
