from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest

from app.preprocess import Preprocess, pixels_from
from tests.conftest import encode
from tests.training.data.pictures import noise, write_files
from training.data import rows
from training.data.rows import MAX_FILE_BYTES, Row, stamp_of, write_rows
from training.data.tree import Skipped

SIZE = Preprocess(8, 8)


def written(
    folder: Path, known: dict[tuple[str, rows.Stamp], tuple[Row, np.ndarray]] | None = None
) -> tuple[np.ndarray, list[Row], list[Skipped]]:
    file = io.BytesIO()
    paths = sorted(path.name for path in folder.iterdir())
    found, skipped = write_rows(folder, paths, SIZE, file, known or {}, None)
    pixels = np.frombuffer(file.getvalue(), np.uint8).reshape(-1, 8, 8, 3)
    return pixels, found, skipped


def test_rows_are_what_the_service_sees_in_the_order_of_the_files(tmp_path: Path) -> None:
    files = {f"{number:03}.png": noise(number, side=20) for number in range(rows.AT_ONCE + 5)}
    pixels, found, skipped = written(write_files(tmp_path, files))
    assert skipped == []
    assert [row.path for row in found] == list(files)
    for row, one, data in zip(found, pixels, files.values(), strict=True):
        assert np.array_equal(one, pixels_from(data, SIZE))
        assert row.sha256 == hashlib.sha256(data).hexdigest()


def test_hashes_of_pixels_are_equal_where_pixels_are(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    write_files(
        tmp_path, {"a.png": encode(image), "b.bmp": encode(image, "BMP"), "c.png": noise(1)}
    )
    first, second, third = written(tmp_path)[1]
    assert first.pixels_hash == second.pixels_hash != third.pixels_hash
    assert first.sha256 != second.sha256


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.png", b"", "has no bytes"),
        ("notes.txt", b"no picture", "Expected JPEG, PNG, WebP, GIF, BMP or AVIF"),
        ("cut.png", noise(1)[:-40], "cannot be decoded to the end"),
        ("scan.tif", b"II*\0" + bytes(40), "Expected JPEG"),
    ],
)
def test_what_cannot_be_read_is_skipped_with_the_reason(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    write_files(tmp_path, {"0.png": noise(0), name: content, "z.png": noise(2)})
    pixels, found, (skip,) = written(tmp_path)
    assert [row.path for row in found] == ["0.png", "z.png"]
    assert np.array_equal(pixels[1], pixels_from(noise(2), SIZE))
    assert skip.path == name
    assert says in skip.reason


def test_a_file_that_is_gone_or_closed_is_skipped(tmp_path: Path) -> None:
    file = io.BytesIO()
    found, skipped = write_rows(tmp_path, ["gone.png"], SIZE, file, {}, None)
    assert found == []
    assert skipped == [Skipped("gone.png", "it cannot be opened: No such file or directory")]


@pytest.mark.parametrize(("more", "read"), [(0, False), (1, True)])
def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path, more: int, read: bool) -> None:
    with (tmp_path / "film.png").open("wb") as film:  # sparse: takes no room
        film.truncate(MAX_FILE_BYTES + more)
    ((skip,)) = written(tmp_path)[2]
    assert (skip.reason == "it has more than 128 MiB") == read


def test_a_broken_picture_that_pillow_only_warns_of_is_read(tmp_path: Path) -> None:
    image = encode(np.zeros((8, 8, 3), np.uint8), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x05\1")
    write_files(tmp_path, {"odd.jpg": image})
    assert len(written(tmp_path)[1]) == 1


def test_what_is_known_is_not_decoded(tmp_path: Path) -> None:
    write_files(tmp_path, {"0.png": b"no picture", "1.png": noise(1)})
    known_row = Row("0.png", stamp_of(tmp_path / "0.png"), "sha", "hash")
    known = {("0.png", known_row.stamp): (known_row, np.full((8, 8, 3), 7, np.uint8))}
    pixels, found, skipped = written(tmp_path, known)
    assert found[0] is known_row
    assert (pixels[0] == 7).all()
    assert skipped == []


def test_a_file_has_another_stamp_after_any_change(tmp_path: Path) -> None:
    path = tmp_path / "1.png"
    path.write_bytes(b"one")
    before, times = stamp_of(path), os.stat(path)
    for _ in range(100_000):  # the clock of a file system may tick every 4 ms only
        path.write_bytes(b"two")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        if stamp_of(path) != before:
            break
    assert stamp_of(path)[:2] == before[:2]
    assert stamp_of(path) != before


def test_progress_is_told_at_the_start_after_each_lot_and_at_the_end(tmp_path: Path) -> None:
    paths = [f"{number}.png" for number in range(rows.AT_ONCE + 1)]
    told: list[tuple[int, int]] = []
    write_rows(tmp_path, paths, SIZE, io.BytesIO(), {}, lambda *counts: told.append(counts))
    total = rows.AT_ONCE + 1
    assert told == [(0, total), (rows.AT_ONCE, total), (total, total)]
