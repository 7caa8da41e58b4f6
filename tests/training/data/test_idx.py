from __future__ import annotations

import gzip
import struct
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.data.error import DataError
from training.data.idx import IDX_FILES, MAX_BYTES, has_idx, read_idx, read_idx_folder

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)


def idx(values: NDArray[np.uint8], mark: bytes = b"\0\0\x08") -> bytes:
    header = mark + bytes([values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.tobytes()


def write_idx(
    folder: Path, packed: bool = False, changes: Mapping[str, bytes | None] | None = None
) -> Path:
    """Twelve training and three test pictures of 4×5 in ten classes, in four files."""
    folder.mkdir(parents=True, exist_ok=True)
    contents: dict[str, bytes | None] = {
        "x_train": idx(np.repeat(PIXELS, 4, axis=0)),
        "y_train": idx((np.arange(12) % 10).astype(np.uint8)),
        "x_test": idx(PIXELS),
        "y_test": idx(np.array([7, 8, 9], np.uint8)),
    }
    for key, content in (contents | dict(changes or {})).items():
        if content is not None:
            name = IDX_FILES[key] + (".gz" if packed else "")
            (folder / name).write_bytes(gzip.compress(content) if packed else content)
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_pixels_and_labels_come_out_as_they_went_in(tmp_path: Path, packed: bool) -> None:
    arrays = read_idx_folder(write_idx(tmp_path, packed), "tiny", (4, 5), 10)
    assert np.array_equal(arrays["x_train"], np.repeat(PIXELS, 4, axis=0))
    assert np.array_equal(arrays["y_train"], np.arange(12) % 10)
    assert np.array_equal(arrays["x_test"], PIXELS)
    assert np.array_equal(arrays["y_test"], [7, 8, 9])


def test_a_folder_has_idx_files_as_soon_as_it_has_one(tmp_path: Path) -> None:
    assert not has_idx(tmp_path)
    assert not has_idx(tmp_path / "nowhere")
    (tmp_path / (IDX_FILES["y_test"] + ".gz")).touch()
    assert has_idx(tmp_path)


WHOLE = idx(PIXELS)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "it begins with", id="empty"),
        pytest.param(WHOLE[:3], "it begins with", id="ends within its mark"),
        pytest.param(WHOLE[:9], "it ends within its header", id="ends within its header"),
        pytest.param(WHOLE[:-1], "59 of the 60 bytes", id="a byte too short"),
        pytest.param(WHOLE + b"\0", "more than the 60 bytes", id="a byte too long"),
        pytest.param(b"\1" + WHOLE[1:], "it begins with", id="not zero at first"),
        pytest.param(idx(PIXELS, b"\0\0\x0d"), "it begins with 00000d03", id="floats"),
        pytest.param(idx(PIXELS.reshape(3, 20)), "it begins with 00000802", id="flat"),
        pytest.param(idx(PIXELS.reshape(3, 5, 4)), r"pictures of \[5, 4\]", id="another size"),
        pytest.param(
            b"\0\0\x08\x03" + struct.pack(">3I", 2**32 - 1, 4, 5), "at most", id="announces 86 GB"
        ),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(60), "it begins with 89504e47", id="a picture"),
    ],
)
def test_what_is_not_idx_of_that_shape_is_refused(
    tmp_path: Path, content: bytes, says: str
) -> None:
    with pytest.raises(DataError, match=says) as refused:
        read_idx_folder(write_idx(tmp_path, changes={"x_test": content}), "tiny", (4, 5), 10)
    assert str(tmp_path / IDX_FILES["x_test"]) in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"no gzip", id="no gzip"),
        pytest.param(gzip.compress(WHOLE)[:-9], id="cut short"),
        pytest.param(gzip.compress(WHOLE)[:-8] + bytes(8), id="wrong checksum"),
        pytest.param(b"\x1f\x8b\x08" + b"\xff" * 60, id="damaged"),
    ],
)
def test_gzip_that_cannot_be_unpacked_is_refused(tmp_path: Path, content: bytes) -> None:
    write_idx(tmp_path, packed=True)
    path = tmp_path / (IDX_FILES["x_test"] + ".gz")
    path.write_bytes(content)
    with pytest.raises(DataError) as refused:
        read_idx_folder(tmp_path, "tiny", (4, 5), 10)
    assert str(path) in str(refused.value)


def test_no_more_is_unpacked_than_the_header_announces(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(WHOLE)
        for _ in range(64):
            file.write(bytes(2**20))
    tracemalloc.start()
    with pytest.raises(ValueError, match="more than the 60 bytes"):
        read_idx(path, (4, 5))
    most_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most_bytes < 2**20


def test_as_many_bytes_as_are_allowed_are_read_and_one_more_is_not(tmp_path: Path) -> None:
    for n, says in ((MAX_BYTES, "0 of the"), (MAX_BYTES + 1, "at most")):
        (tmp_path / "labels").write_bytes(b"\0\0\x08\x01" + struct.pack(">I", n))
        with pytest.raises(ValueError, match=says):
            read_idx(tmp_path / "labels", ())


@pytest.mark.parametrize("key", list(IDX_FILES))
def test_a_file_that_is_missing_is_named(tmp_path: Path, key: str) -> None:
    write_idx(tmp_path, changes={key: None})
    with pytest.raises(DataError, match="it is not there") as refused:
        read_idx_folder(tmp_path, "tiny", (4, 5), 10)
    assert str(refused.value).startswith(str(tmp_path / IDX_FILES[key]))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"y_test": idx(np.array([1, 2], np.uint8))}, "for 2 labels", id="too few"),
        pytest.param(
            {"y_test": idx(np.array([1, 2, 10], np.uint8))}, "from 1 to 10, for 10", id="too high"
        ),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, bytes], says: str
) -> None:
    with pytest.raises(DataError, match=says):
        read_idx_folder(write_idx(tmp_path, changes=changes), "tiny", (4, 5), 10)
