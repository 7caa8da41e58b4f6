from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from tests.training.data.pictures import write_files
from training.data.error import DataError
from training.data.tree import Picture, Skipped, read_tree


def folder_with(folder: Path, *files: str) -> Path:
    return write_files(folder, dict.fromkeys(files, b""))


def paths(folder: Path) -> list[str]:
    return [picture.path for picture in read_tree(folder).pictures]


def test_a_folder_for_each_class_gives_its_name_as_label(tmp_path: Path) -> None:
    folder_with(tmp_path, "cats/1.jpg", "dogs/1.png", "dogs/any name.webp")
    tree = read_tree(tmp_path)
    assert tree.labels == ("cats", "dogs")
    assert tree.parts == (None,)
    assert tree.pictures == [
        Picture("cats/1.jpg", "cats", None),
        Picture("dogs/1.png", "dogs", None),
        Picture("dogs/any name.webp", "dogs", None),
    ]
    assert tree.skipped == []


def test_labels_and_files_stand_in_natural_order(tmp_path: Path) -> None:
    folder_with(tmp_path, "10/a10.png", "10/a9.png", "9/1.png", "B/1.png", "a/1.png", "a1b/1.png")
    assert read_tree(tmp_path).labels == ("9", "10", "a", "a1b", "B")
    assert paths(tmp_path)[1:3] == ["10/a9.png", "10/a10.png"]


def test_pictures_at_any_depth_belong_to_their_class(tmp_path: Path) -> None:
    folder_with(tmp_path, "cats/2023/may/1.png", "cats/2.png", "dogs/1.png")
    assert paths(tmp_path) == ["cats/2.png", "cats/2023/may/1.png", "dogs/1.png"]


def test_what_systems_strew_about_is_left_out_in_silence(tmp_path: Path) -> None:
    strewn = (".DS_Store", "cats/.DS_Store", "cats/Thumbs.db", "cats/._1.png", "dogs/desktop.ini")
    folder_with(tmp_path, "cats/1.png", "dogs/1.png", *strewn, ".git/x", "__MACOSX/cats/1.png")
    tree = read_tree(tmp_path)
    assert [picture.path for picture in tree.pictures] == ["cats/1.png", "dogs/1.png"]
    assert tree.skipped == []


def test_what_lies_beside_the_classes_is_listed(tmp_path: Path) -> None:
    reason = "it lies outside of the classes' folders"
    folder_with(tmp_path / "plain", "cats/1.png", "dogs/1.png", "README.txt")
    assert read_tree(tmp_path / "plain").skipped == [Skipped("README.txt", reason)]
    folder_with(tmp_path / "parts", "train/a/1", "train/b/1", "train/loose.png", "notes.md")
    assert read_tree(tmp_path / "parts").skipped == [
        Skipped("notes.md", reason),
        Skipped("train/loose.png", reason),
    ]


@pytest.mark.parametrize("name", ["validation", "val", "valid", "Valid"])
def test_parts_are_told_by_their_names(tmp_path: Path, name: str) -> None:
    folder_with(tmp_path, *(f"{part}/{c}/1.png" for part in ("Test", "train", name) for c in "ab"))
    assert read_tree(tmp_path).pictures == [
        Picture("train/a/1.png", "a", "train"),
        Picture("train/b/1.png", "b", "train"),
        Picture(f"{name}/a/1.png", "a", "validation"),
        Picture(f"{name}/b/1.png", "b", "validation"),
        Picture("Test/a/1.png", "a", "test"),
        Picture("Test/b/1.png", "b", "test"),
    ]


def test_beside_train_alone_a_validation_folder_is_the_test(tmp_path: Path) -> None:
    folder_with(tmp_path, *(f"{part}/{c}/1.png" for part in ("train", "val") for c in "ab"))
    assert [picture.part for picture in read_tree(tmp_path).pictures] == ["train"] * 2 + [
        "test"
    ] * 2


def test_train_alone_is_no_split(tmp_path: Path) -> None:
    tree = read_tree(folder_with(tmp_path, "train/a/1.png", "train/b/1.png"))
    assert tree.parts == (None,)
    assert tree.pictures == [
        Picture("train/a/1.png", "a", None),
        Picture("train/b/1.png", "b", None),
    ]


def test_train_may_be_a_class_among_others(tmp_path: Path) -> None:
    folder_with(tmp_path, "car/1.png", "plane/1.png", "train/1.png", "train/steam/1.png")
    assert read_tree(tmp_path).labels == ("car", "plane", "train")


@pytest.mark.parametrize(
    ("files", "says"),
    [
        pytest.param((), "holds 0 folders and 0 files", id="empty"),
        pytest.param(("1.png", "2.png"), "holds 0 folders and 2 files", id="loose pictures"),
        pytest.param(("cats/1.png",), "holds 1 folders", id="one class"),
        pytest.param(("set/a/1", "set/b/1"), "If the classes lie in .*/set, name", id="one deeper"),
        pytest.param(
            ("train/1.png", "test/1.png"), "train holds 0 folders and 1", id="loose parts"
        ),
        pytest.param(("train/a/1", "train/b/1", "test/a/1"), "holds 1 folders", id="test of one"),
        pytest.param(
            ("train/a/1", "train/b/1", "test/a/1", "test/c/1"), "b, c is not in all", id="others"
        ),
        pytest.param(("test/a/1", "test/b/1"), "holds test. Expected train", id="no train"),
        pytest.param(
            ("train/a/1", "train/b/1", "val/a/1", "valid/a/1"), "holds train, val, valid", id="two"
        ),
        pytest.param(
            ("train/a/1", "train/b/1", "test/a/1", "old/1"), "beside them old", id="ambiguous"
        ),
        pytest.param(("Cats/1", "cats/1"), "'Cats' and 'cats' .* only in case", id="case"),
        pytest.param(("straße/1", "STRASSE/1"), "only in case", id="case of ß"),
        pytest.param(
            (
                f"{unicodedata.normalize('NFC', 'café')}/1",
                f"{unicodedata.normalize('NFD', 'café')}/1",
            ),
            "how a letter is encoded",
            id="composed and decomposed",
        ),
        pytest.param(("a\nb/1", "c/1"), r"'a\\nb' .* control characters", id="line break"),
        pytest.param((os.fsdecode(b"\xff") + "/1", "c/1"), "not UTF-8", id="not UTF-8"),
    ],
)
def test_a_folder_that_gives_no_clear_classes_is_refused(
    tmp_path: Path, files: tuple[str, ...], says: str
) -> None:
    with pytest.raises(DataError, match=says):
        read_tree(folder_with(tmp_path, *files))


def test_the_message_draws_the_layout_that_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        read_tree(folder_with(tmp_path, "cat1.png", "dog1.png"))
    drawn = str(refused.value).splitlines()
    assert drawn[1:3] == [f"    {tmp_path}/cats/any-name.jpg", f"    {tmp_path}/dogs/any-name.png"]
    assert f"{tmp_path}/train and {tmp_path}/test" in drawn[3]


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "nowhere"):
        with pytest.raises(DataError, match="cannot be read as a folder") as refused:
            read_tree(place)
        assert str(place) in str(refused.value)


def test_a_decomposed_name_gives_the_composed_label(tmp_path: Path) -> None:
    folder_with(tmp_path, unicodedata.normalize("NFD", "café/1.png"), "tea/1.png")
    tree = read_tree(tmp_path)
    assert tree.labels == ("café", "tea")
    assert (tmp_path / tree.pictures[0].path).exists()


def test_links_are_followed(tmp_path: Path) -> None:
    folder_with(tmp_path / "store", "x/1.png", "2.png")
    folder_with(tmp_path / "set", "dogs/1.png")
    (tmp_path / "set/cats").symlink_to(tmp_path / "store/x")
    (tmp_path / "set/dogs/2.png").symlink_to(tmp_path / "store/2.png")
    assert paths(tmp_path / "set") == ["cats/1.png", "dogs/1.png", "dogs/2.png"]


def test_links_that_lead_round_are_not_followed_and_listed(tmp_path: Path) -> None:
    folder_with(tmp_path, "cats/1.png", "cats/in/2.png", "dogs/1.png")
    (tmp_path / "cats/in/up").symlink_to(tmp_path / "cats")
    (tmp_path / "cats/all").symlink_to(tmp_path)
    tree = read_tree(tmp_path)
    assert paths(tmp_path) == ["cats/1.png", "cats/in/2.png", "dogs/1.png"]
    reason = "it is a link to a folder that it lies in"
    assert tree.skipped == [Skipped("cats/all", reason), Skipped("cats/in/up", reason)]


def test_what_is_no_file_is_listed_and_not_opened(tmp_path: Path) -> None:
    folder_with(tmp_path, "cats/1.png", "dogs/1.png")
    os.mkfifo(tmp_path / "cats/pipe.png")
    (tmp_path / "cats/gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "cats/self.png").symlink_to(tmp_path / "cats/self.png")
    reason = "it is a link to nothing, or no file"
    assert read_tree(tmp_path).skipped == [
        Skipped(f"cats/{name}.png", reason) for name in ("gone", "pipe", "self")
    ]


def test_a_file_whose_name_is_not_utf8_is_listed_by_a_name_that_is(tmp_path: Path) -> None:
    folder_with(tmp_path, "cats/1.png", "dogs/1.png")
    (tmp_path / "cats" / os.fsdecode(b"\xe9.png")).touch()
    assert read_tree(tmp_path).skipped == [Skipped(r"cats/\udce9.png", "its name is not UTF-8")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root opens every folder")
def test_a_folder_that_cannot_be_opened_is_listed(tmp_path: Path) -> None:
    folder_with(tmp_path, "cats/1.png", "cats/closed/2.png", "dogs/1.png")
    (tmp_path / "cats/closed").chmod(0)
    skipped = read_tree(tmp_path).skipped
    (tmp_path / "cats/closed").chmod(0o700)
    assert skipped == [Skipped("cats/closed", "it cannot be opened: Permission denied")]
