from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from app.preprocess import Preprocess
from tests.conftest import encode, plain
from training.report.pictures import COLUMNS, SIDE, Pictures, thumbnail

pytestmark = pytest.mark.train

RGB, GREY = Preprocess(8, 8), Preprocess(8, 8, channels=1)


def sheet_of(pictures: Pictures) -> Image.Image:
    found = re.search(r"data:image/webp;base64,([\w+/=]+)", pictures.style())
    assert found
    return Image.open(io.BytesIO(base64.b64decode(found[1]))).convert("RGBA")


def place(shown: str) -> tuple[int, int]:
    found = re.search(r"--row:(\d+);--column:(\d+)", shown)
    assert found
    return int(found[1]), int(found[2])


def test_each_picture_lies_where_its_place_says() -> None:
    rng = np.random.default_rng(1)
    colours = [(int(r), int(g), int(b)) for r, g, b in rng.integers(0, 256, (COLUMNS + 3, 3))]
    pictures = Pictures(lambda number: plain(colours[number], (8, 8)), RGB)
    order = list(rng.permutation(len(colours)))
    places = {number: place(pictures.show(int(number), "a colour")) for number in order}
    sheet = sheet_of(pictures)
    assert sheet.size == (8 * COLUMNS, 8 * 2)
    for number, (row, column) in places.items():
        tile = np.asarray(sheet.crop((8 * column, 8 * row, 8 * column + 8, 8 * row + 8)))
        assert np.abs(tile[4, 4, :3].astype(int) - colours[number]).max() < 40  # WebP is lossy
    assert f"--rows:2;--columns:{COLUMNS}" in pictures.style()


def test_a_picture_shown_again_is_read_and_stored_once() -> None:
    read: list[int] = []

    def data(number: int) -> bytes:
        read.append(number)
        return plain((9, 9, 9))

    pictures = Pictures(data, RGB)
    assert pictures.show(7, "one") == pictures.show(7, "one")
    assert place(pictures.show(3, "other")) == (0, 1)
    assert read == [7, 3]


def test_without_pictures_there_is_no_sheet() -> None:
    assert Pictures(lambda number: b"", RGB).style() == ""


def test_small_pictures_stay_as_they_are_and_show_their_pixels() -> None:
    assert thumbnail(plain((1, 2, 3), (28, 20)), RGB).size == (28, 20)
    pictures = Pictures(lambda number: plain((1, 2, 3), (28, 20)), RGB)
    pictures.show(0, "small")
    assert "image-rendering:pixelated" in pictures.style()


def test_large_pictures_keep_their_proportions_and_are_smoothed() -> None:
    assert thumbnail(plain((1, 2, 3), (400, 100)), RGB).size == (SIDE, SIDE // 4)
    pictures = Pictures(lambda number: plain((1, 2, 3), (400, 100)), RGB)
    pictures.show(0, "large")
    assert "image-rendering:auto" in pictures.style()


@pytest.mark.parametrize(("preprocess", "mode"), [(RGB, "RGB"), (GREY, "L")])
def test_a_thumbnail_has_the_colours_that_the_model_sees(preprocess: Preprocess, mode: str) -> None:
    assert thumbnail(plain((200, 10, 10)), preprocess).mode == mode


def test_a_photo_taken_upright_stays_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by 90 degrees clockwise
    data = encode(Image.new("RGB", (40, 20)), "JPEG", exif=exif)
    assert thumbnail(data, RGB).size == (20, 40)


def test_what_is_said_of_a_picture_is_escaped() -> None:
    shown = Pictures(lambda number: plain((1, 1, 1)), RGB).show(0, '"><script>')
    assert 'aria-label="&quot;&gt;&lt;script&gt;"' in shown
