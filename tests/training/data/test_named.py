from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.preprocess import Preprocess, pixels_from
from tests.conftest import encode
from tests.training.data.test_idx import idx, write_idx
from training.data import DataError, load
from training.data.idx import IDX_FILES
from training.data.named import fashion_mnist

ROOT = Path(__file__).parents[3]
REMEDY = "Point --data or CONVOLU_DATA at its folder."
LAYOUT = "an .npz with x_train, y_train, x_test and y_test, pictures as uint8 N×28×28"

Arrays = dict[str, NDArray[Any]]


def mnist_arrays(train: int = 30, test: int = 20) -> Arrays:
    """As Keras keeps them: uint8 pixels N×28×28 and uint8 labels; every class in turn."""
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (train, 28, 28), dtype=np.uint8),
        "y_train": (np.arange(train) % 10).astype(np.uint8),
        "x_test": rng.integers(0, 256, (test, 28, 28), dtype=np.uint8),
        "y_test": (np.arange(test)[::-1] % 10).astype(np.uint8),
    }


def write_mnist(folder: Path, arrays: Arrays | None = None, compressed: bool = True) -> Path:
    """Write mnist.npz into `folder`; returns its path."""
    path = folder / "mnist.npz"
    save = np.savez_compressed if compressed else np.savez
    save(path, allow_pickle=False, **(arrays or mnist_arrays()))
    return path


def content(**arrays: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()


def damaged(data: bytes, by: bytes) -> bytes:
    """Other bytes in the middle of the first array; the zip's directory at the end stays whole."""
    return data[:300] + by * 40 + data[340:]


def test_pixels_and_labels_come_out_of_the_file_as_they_went_in(tmp_path: Path) -> None:
    arrays = mnist_arrays()
    write_mnist(tmp_path, arrays)
    data = load("mnist", tmp_path)
    for pixels, name in ((data.x_train, "x_train"), (data.x_test, "x_test")):
        assert pixels.dtype == np.uint8
        assert np.array_equal(pixels, arrays[name][..., None])
    for truth, name in ((data.y_train, "y_train"), (data.y_test, "y_test")):
        assert truth.dtype == np.int64
        assert np.array_equal(truth, arrays[name])
    assert data.x_train.shape == (30, 28, 28, 1)
    assert data.x_test.shape == (20, 28, 28, 1)


def test_the_labels_are_the_ten_digits_in_order(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    assert load("mnist", tmp_path).labels == tuple("0123456789")


def test_the_pixels_are_what_preprocessing_gives_for_the_same_picture_as_a_file(
    tmp_path: Path,
) -> None:
    arrays = mnist_arrays()
    arrays["x_test"][:, [0, -1], :] = arrays["x_test"][:, :, [0, -1]] = 0  # a dark border
    write_mnist(tmp_path, arrays)
    data = load("mnist", tmp_path)
    assert data.preprocess == Preprocess(28, 28, channels=1, layout="digit")
    for pixels in data.x_test:
        assert np.array_equal(pixels_from(encode(pixels[..., 0]), data.preprocess), pixels)


def test_the_checksum_is_that_of_all_pixels_and_labels(tmp_path: Path) -> None:
    arrays = mnist_arrays()
    write_mnist(tmp_path, arrays)
    expected = hashlib.sha256()
    for name in ("x_train", "y_train", "x_test", "y_test"):
        array = arrays[name] if name.startswith("x") else arrays[name].astype("<i8")
        expected.update(array.tobytes())
    assert load("mnist", tmp_path).sha256 == expected.hexdigest()


def test_the_checksum_is_the_same_however_the_file_stores_the_arrays(tmp_path: Path) -> None:
    arrays = mnist_arrays()
    checksums = set()
    for stored, compressed in (
        (arrays, True),
        (arrays, False),
        ({name: np.asfortranarray(array) for name, array in arrays.items()}, True),
        (arrays | {"y_train": arrays["y_train"].astype(np.int32)}, True),
    ):
        write_mnist(tmp_path, stored, compressed)
        checksums.add(load("mnist", tmp_path).sha256)
    assert len(checksums) == 1


@pytest.mark.parametrize("name", ["x_train", "y_train", "x_test", "y_test"])
def test_one_other_pixel_or_label_gives_another_checksum(tmp_path: Path, name: str) -> None:
    arrays = mnist_arrays()
    write_mnist(tmp_path, arrays)
    before = load("mnist", tmp_path).sha256
    arrays[name].flat[-1] ^= 1
    write_mnist(tmp_path, arrays)
    assert load("mnist", tmp_path).sha256 != before


def assert_refused(folder: Path) -> None:
    with pytest.raises(DataError) as refused:
        load("mnist", folder)
    message = str(refused.value)
    assert str(folder / "mnist.npz") in message
    assert LAYOUT in message
    assert REMEDY in message
    assert "\n" not in message


def test_a_missing_file_is_named_with_the_layout_and_the_remedy(tmp_path: Path) -> None:
    assert_refused(tmp_path)


def test_a_missing_folder_is_named_with_the_layout_and_the_remedy(tmp_path: Path) -> None:
    assert_refused(tmp_path / "nowhere")


def test_a_folder_that_is_a_file_is_named_with_the_layout_and_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert_refused(file)


WHOLE = content(**mnist_arrays())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(WHOLE[: len(WHOLE) // 2], id="truncated"),
        pytest.param(WHOLE[:-10], id="truncated at the very end"),
        pytest.param(b"", id="empty"),
        pytest.param(damaged(WHOLE, b"\0"), id="damaged, so that the checksum is wrong"),
        pytest.param(damaged(WHOLE, b"\xff"), id="damaged, so that it cannot be decompressed"),
        pytest.param(b"label,pixel0,pixel1\n5,0,0\n", id="text"),
        pytest.param(encode(np.zeros((4, 4), np.uint8)), id="a picture"),
        pytest.param(content(images=np.zeros(3), labels=np.zeros(3)), id="other keys"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_layout_and_the_remedy(
    tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "mnist.npz").write_bytes(data)
    assert_refused(tmp_path)


def test_a_lone_array_is_named_with_the_layout_and_the_remedy(tmp_path: Path) -> None:
    with (tmp_path / "mnist.npz").open("wb") as file:
        np.save(file, np.zeros((3, 28, 28), np.uint8))
    assert_refused(tmp_path)


@pytest.mark.parametrize("name", ["x_train", "y_train", "x_test", "y_test"])
def test_a_file_that_lacks_one_array_says_which(tmp_path: Path, name: str) -> None:
    arrays = mnist_arrays()
    del arrays[name]
    write_mnist(tmp_path, arrays)
    assert_refused(tmp_path)
    with pytest.raises(DataError, match=f"{name} is not a file in the archive"):
        load("mnist", tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"x_train": np.zeros((30, 784), np.uint8)}, id="flat pictures"),
        pytest.param({"x_test": np.zeros((20, 28, 28), np.float32)}, id="pixels that are floats"),
        pytest.param({"y_train": np.zeros(29, np.uint8)}, id="fewer labels than pictures"),
    ],
)
def test_arrays_that_are_not_laid_out_as_mnist_are_refused(tmp_path: Path, changes: Arrays) -> None:
    write_mnist(tmp_path, mnist_arrays() | changes)
    assert_refused(tmp_path)


@pytest.mark.train
def test_without_a_folder_the_arrays_are_those_that_keras_downloads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import keras

    arrays = mnist_arrays()
    train, test = (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: (train, test))
    write_mnist(tmp_path, arrays)
    assert load("mnist", None).sha256 == load("mnist", tmp_path).sha256


@pytest.mark.train
def test_without_a_folder_and_without_internet_the_message_says_what_to_do(tmp_path: Path) -> None:
    program = """
from training.backend import choose_backend
from training.data import DataError, load

choose_backend()
try:
    load("mnist", None)
except DataError as exc:
    print("refused:", exc)
"""
    closed = "http://127.0.0.1:9"  # the discard port; nothing listens there
    nowhere = {"https_proxy": closed, "HTTPS_PROXY": closed, "KERAS_HOME": str(tmp_path / "keras")}
    outside = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=outside | nowhere,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    refused = run.stdout.splitlines()[-1]
    assert refused.startswith("refused: mnist cannot be downloaded (")
    assert refused.endswith(
        "Without Internet, put mnist.npz into a folder and name the folder with --data or "
        "CONVOLU_DATA."
    )


def cifar_arrays() -> Arrays:
    """As Keras keeps them: labels N×1."""
    rng = np.random.default_rng(1)
    return {
        "x_train": rng.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8),
        "y_train": (np.arange(20) % 10).astype(np.uint8)[:, None],
        "x_test": rng.integers(0, 256, (10, 32, 32, 3), dtype=np.uint8),
        "y_test": np.arange(10).astype(np.uint8)[:, None],
    }


@pytest.mark.parametrize("columns", [True, False])
def test_cifar10_is_read_with_labels_in_a_column_or_in_a_row(tmp_path: Path, columns: bool) -> None:
    arrays = cifar_arrays()
    if not columns:
        arrays |= {name: arrays[name][:, 0] for name in ("y_train", "y_test")}
    (tmp_path / "cifar10.npz").write_bytes(content(**arrays))
    data = load("cifar10", tmp_path)
    assert np.array_equal(data.x_train, arrays["x_train"])
    assert data.y_train.shape == (20,)
    assert data.y_test.tolist() == list(range(10))
    assert data.labels == (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    assert data.y_train.dtype == np.int64


def test_the_pixels_of_cifar10_are_what_preprocessing_gives_for_them_as_files(
    tmp_path: Path,
) -> None:
    (tmp_path / "cifar10.npz").write_bytes(content(**cifar_arrays()))
    data = load("cifar10", tmp_path)
    for image, pixels in zip(data.test_images, data.x_test, strict=True):
        assert np.array_equal(pixels_from(image, data.preprocess), pixels)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"y_test": np.full(10, 10)}, "from 10 to 10, for 10 classes", id="too high"),
        pytest.param({"y_test": np.full(10, -1)}, "from -1 to -1, for 10 classes", id="negative"),
        pytest.param({"y_test": np.zeros(10)}, "y_test is float64", id="no integers"),
        pytest.param({"y_test": np.zeros((10, 2), int)}, r"y_test is int64 \(10, 2\)", id="pairs"),
        pytest.param(
            {"x_test": np.zeros((0, 32, 32, 3), np.uint8), "y_test": np.zeros(0, int)},
            "x_test holds no picture",
            id="none",
        ),
    ],
)
def test_labels_that_are_none_are_refused(tmp_path: Path, changes: Arrays, says: str) -> None:
    (tmp_path / "cifar10.npz").write_bytes(content(**(cifar_arrays() | changes)))
    with pytest.raises(DataError, match=says):
        load("cifar10", tmp_path)


@pytest.mark.train
def test_cifar10_without_a_folder_is_what_keras_downloads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import keras

    arrays = cifar_arrays()
    train, test = (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: (train, test))
    (tmp_path / "cifar10.npz").write_bytes(content(**arrays))
    assert load("cifar10", None).sha256 == load("cifar10", tmp_path).sha256


def fashion_idx(folder: Path, first: int = 9) -> Path:
    """Fashion-MNIST as IDX; every label and pixel is told by `first`, so that sources differ."""
    labels = np.array([first, *range(9)], np.uint8)
    pixels = np.full((10, 28, 28), first, np.uint8)
    return write_idx(
        folder,
        changes={
            "x_train": idx(pixels),
            "y_train": idx(labels),
            "x_test": idx(pixels),
            "y_test": idx(labels),
        },
    )


def test_fashion_mnist_has_its_labels_and_is_padded_with_black(tmp_path: Path) -> None:
    data = fashion_mnist(None, system=fashion_idx(tmp_path))
    assert data.labels[data.y_train[0]] == "Ankle boot"
    assert data.labels[0] == "T-shirt/top"
    assert len(set(data.labels)) == 10
    assert data.x_train.shape == (10, 28, 28, 1)
    tall = pixels_from(encode(np.full((56, 28), 255, np.uint8)), data.preprocess)
    assert tall[:, :7].max() == 0
    assert tall[:, 7:21].min() == 255


def test_fashion_mnist_comes_from_the_first_place_that_has_it(tmp_path: Path) -> None:
    system, own, folder = tmp_path / "system", tmp_path / "own", tmp_path / "own/fashion-mnist"
    own.mkdir()
    assert fashion_mnist(own, system=fashion_idx(system, 1)).y_train[0] == 1
    assert fashion_mnist(own, system=fashion_idx(own, 2)).y_train[0] == 2
    fashion_idx(folder, 3)
    assert fashion_mnist(own, system).y_train[0] == 3
    arrays = mnist_arrays() | {"y_train": np.arange(4, 34).astype(np.uint8) % 10}
    (own / "fashion-mnist.npz").write_bytes(content(**arrays))
    assert fashion_mnist(own, system).y_train[0] == 4
    assert fashion_mnist(None, system).y_train[0] == 1


def test_mnist_under_the_names_of_fashion_mnist_is_refused(tmp_path: Path) -> None:
    fashion_idx(tmp_path)
    (tmp_path / IDX_FILES["y_train"]).write_bytes(
        idx(np.array([5, 0, 4, 1, 9, 2, 1, 3, 1, 4], np.uint8))
    )
    with pytest.raises(DataError, match="MNIST's digits") as refused:
        fashion_mnist(tmp_path, system=tmp_path / "nowhere")
    assert str(tmp_path / "fashion-mnist") in str(refused.value)


def test_a_folder_without_fashion_mnist_says_what_it_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        fashion_mnist(tmp_path, system=tmp_path / "nowhere")
    for word in (str(tmp_path), "fashion-mnist.npz", *IDX_FILES.values(), "dataset-fashion-mnist"):
        assert word in str(refused.value)
