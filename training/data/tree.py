"""A folder of pictures → which file lies in which class and part. No file is opened here.

A folder per class, whose name is the label, with pictures at any depth below; or such folders
within train, test and validation. Nothing is left out in silence but what systems strew about.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from training.data.error import DataError

Part = Literal["train", "validation", "test"]

PARTS: dict[str, Part] = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
STREWN = {"thumbs.db", "desktop.ini", "__macosx"}  # and all that is hidden, as .DS_Store

LAYOUT = """ Expected a folder for each class, whose name is the label:
    {0}/cats/any-name.jpg
    {0}/dogs/any-name.png
or such folders in {0}/train and {0}/test."""


@dataclass(frozen=True)
class Picture:
    """A file that should be a picture; `path` is below the data set's folder, with /."""

    path: str
    label: str
    part: Part | None  # None where the folder is not split yet


@dataclass(frozen=True)
class Skipped:
    """A file or folder that was left out, and why."""

    path: str
    reason: str


@dataclass
class Tree:
    """What was found: labels in natural order, pictures by part, class and name in that order.

    `parts` are those that the folder has, (None,) where it is not split.
    """

    labels: tuple[str, ...] = ()
    parts: tuple[Part | None, ...] = ()
    pictures: list[Picture] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def read_tree(folder: Path) -> Tree:
    """Find all files that should be pictures.

    Raises DataError if the folder is not laid out as described, or labels are too much alike.
    """
    parts = _parts(folder)
    tree = Tree(parts=tuple(parts))
    for place in dict.fromkeys([folder, *parts.values()]):
        tree.skipped += [
            Skipped(_below(folder, path), "it lies outside of the classes' folders")
            for path in _folders_and_files(place)[1]
        ]
    for part, place in parts.items():
        labels = _labels(folder, place)
        if tree.labels and set(labels) != set(tree.labels):
            odd = ", ".join(sorted(set(labels) ^ set(tree.labels)))
            raise DataError(
                f"The parts of {folder} have different classes: {odd} is not in all of them. Give "
                "train, test and validation the same folders."
            )
        tree.labels = tree.labels or tuple(labels)
        for label, class_folder in labels.items():
            for path, reason in _files(class_folder, {_identity(folder), _identity(place)}):
                if reason is None:
                    tree.pictures.append(Picture(_below(folder, path), label, part))
                else:
                    tree.skipped.append(Skipped(_below(folder, path), reason))
    return tree


def _parts(folder: Path) -> dict[Part | None, Path]:
    """Which folder holds which part, in the order train, validation, test; else {None: folder}."""
    folders, _ = _folders_and_files(folder)
    named = [(part, path) for path in folders if (part := PARTS.get(path.name.casefold()))]
    others = [path.name for path in folders if path.name.casefold() not in PARTS]
    if others and sum(bool(_folders_and_files(path)[0]) for _, path in named) > 1:
        raise DataError(
            f"{folder} holds folders that are named as parts and hold folders, and beside them "
            f"{', '.join(others)}. Move what is no part away, or name the folder of one part."
        )
    if others or not named:  # train may be a class too, beside plane and car
        return {None: folder}
    parts = dict(named)
    if len(parts) < len(named) or "train" not in parts:
        raise DataError(
            f"{folder} holds {', '.join(path.name for path in folders)}. Expected train, and with "
            "it at most one test and one validation (or valid, or val)."
        )
    if "test" not in parts and "validation" in parts:  # the one part that was kept from training
        parts["test"] = parts.pop("validation")
    if parts.keys() == {"train"}:
        return {None: parts["train"]}
    return {part: parts[part] for part in ("train", "validation", "test") if part in parts}


def _labels(folder: Path, place: Path) -> dict[str, Path]:
    """The folders of the classes in `place`, by label."""
    classes, loose = _folders_and_files(place)
    if len(classes) < 2:
        inner = [path for one in classes for path in _folders_and_files(one)[0]]
        raise DataError(
            f"A classifier needs at least two classes; {place} holds {len(classes)} folders and "
            f"{len(loose)} files beside them."
            + (f" If the classes lie in {classes[0]}, name that." if len(inner) > 1 else "")
            + LAYOUT.format(folder)
        )
    labels: dict[str, Path] = {}
    alike: dict[str, Path] = {}
    for path in classes:
        label = unicodedata.normalize("NFC", path.name)  # macOS writes é as two characters
        if any(unicodedata.category(char) in ("Cc", "Cs") for char in label):
            raise DataError(
                f"The folder {path.name!r} in {place} cannot give a label: its name has control "
                "characters, or is not UTF-8. Rename it."
            )
        other = alike.setdefault(label.casefold(), path)
        if other is not path:
            raise DataError(
                f"The folders {other.name!r} and {path.name!r} in {place} give labels that differ "
                "only in case, or in how a letter is encoded. Merge or rename them."
            )
        labels[label] = path
    return labels


def _files(folder: Path, above: Set[tuple[int, int]]) -> Iterator[tuple[Path, str | None]]:
    """Every file at any depth, with the reason if it cannot be a picture; links are followed."""
    try:
        here, entries = _identity(folder), _entries(folder)
    except OSError as exc:
        yield folder, f"it cannot be opened: {exc.strerror}"
        return
    if here in above:
        yield folder, "it is a link to a folder that it lies in"
        return
    for path in entries:
        if path.name != path.name.encode(errors="replace").decode():
            yield path, "its name is not UTF-8"
        elif os.path.isdir(path):
            yield from _files(path, above | {here})
        else:
            yield path, None if os.path.isfile(path) else "it is a link to nothing, or no file"


def _identity(folder: Path) -> tuple[int, int]:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino


def _folders_and_files(place: Path) -> tuple[list[Path], list[Path]]:
    try:
        entries = _entries(place)
    except OSError as exc:
        raise DataError(
            f"{place} cannot be read as a folder: {exc.strerror}." + LAYOUT.format(place)
        ) from exc
    folders = [path for path in entries if os.path.isdir(path)]
    return folders, [path for path in entries if path not in set(folders)]


def _entries(folder: Path) -> list[Path]:
    paths = [folder / name for name in os.listdir(folder)]
    kept = (p for p in paths if not p.name.startswith(".") and p.name.casefold() not in STREWN)
    return sorted(kept, key=lambda path: _natural(path.name))


def _natural(name: str) -> tuple[list[str | int], str]:
    """Sorts class2 before class10. Text and numbers alternate, so that like meets like."""
    pieces = re.split(r"([0-9]+)", name.casefold())
    return [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)], name


def _below(folder: Path, path: Path) -> str:
    name = path.relative_to(folder).as_posix()
    return name.encode(errors="backslashreplace").decode()  # where it is not UTF-8
