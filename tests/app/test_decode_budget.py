"""What decoding may take at once: estimated, held until the pixels are there, given back always."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from app.classifier import Classifier
from app.decode import (
    BYTES_PER_PIXEL,
    MAX_PIXELS,
    MEGAPIXEL,
    MIB,
    UNCOUNTED_BYTES,
    DecodeBudget,
    load,
    open_image,
)
from app.errors import ImageTooLarge, InvalidImage
from app.preprocess import Preprocess, pixels_from
from app.settings import Settings
from tests.app.pictures import needs_avif, needs_webp, png
from tests.conftest import MakeClient, check_problem, colour_model, encode

ROOT = Path(__file__).parents[2]
SIDE = 2400
THUMBNAIL = Preprocess(32, 32)


def large(mode: str, format_name: str, /, side: int = SIDE, **options: Any) -> bytes:
    """A picture that lies on its side, so that it is turned, coloured and scaled."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    small = np.random.default_rng(0).integers(0, 256, (side // 8, side // 8, 4), np.uint8)
    image = Image.fromarray(small).resize((side, side), Image.Resampling.NEAREST).convert(mode)
    more = {} if format_name in {"GIF", "BMP"} else {"exif": exif}
    return encode(image, format_name, **more, **options)


def test_an_image_within_the_budget_holds_it_only_while_it_is_made() -> None:
    budget = DecodeBudget(25_000_000, 512 * MIB)
    data = large("RGBA", "PNG", compress_level=1)
    pixels = pixels_from(data, THUMBNAIL, budget)
    assert np.array_equal(pixels, pixels_from(data, THUMBNAIL))
    assert budget.bytes_in_use == 0
    assert budget.most_bytes_in_use == open_image(data)[1] > SIDE * SIDE * 8


@pytest.mark.parametrize("kind", MAX_PIXELS)
def test_the_default_budget_has_room_for_the_largest_image_of_each_kind(kind: str) -> None:
    largest = BYTES_PER_PIXEL[kind] * MAX_PIXELS[kind]
    coefficients = 2 * 4 * MAX_PIXELS[kind] if kind == "progressive JPEG" else 0
    assert largest + coefficients < Settings().max_decode_bytes
    assert BYTES_PER_PIXEL[kind] * MEGAPIXEL < UNCOUNTED_BYTES < 32 * MIB


def test_an_image_that_alone_takes_more_than_the_budget_is_refused() -> None:
    data = large("RGBA", "PNG", compress_level=1)
    needed = open_image(data)[1]
    assert pixels_from(data, THUMBNAIL, DecodeBudget(25_000_000, needed)).shape == (32, 32, 3)
    budget = DecodeBudget(25_000_000, needed - 1)
    rule = f"at most {(needed - 1) // MIB} MiB .* takes up to {-(-needed // MIB)}. Scale the image"
    with pytest.raises(ImageTooLarge, match=rule):
        pixels_from(data, THUMBNAIL, budget)
    assert budget.most_bytes_in_use == 0


def test_small_images_neither_count_nor_wait() -> None:
    budget = DecodeBudget(25_000_000, 32 * MIB)
    with budget.hold(32 * MIB):
        for format_name in ("JPEG", "PNG", "GIF", "BMP"):
            data = encode(Image.new("RGB", (1000, 1000)), format_name)
            assert pixels_from(data, THUMBNAIL, budget).shape == (32, 32, 3)
        photo = encode(Image.new("RGB", (4000, 3000)), "JPEG")  # decoded at an eighth
        assert pixels_from(photo, THUMBNAIL, budget).shape == (32, 32, 3)
        with budget.hold(UNCOUNTED_BYTES - 1):
            assert budget.bytes_in_use == 32 * MIB


def test_a_progressive_jpeg_counts_at_full_size() -> None:
    size = (4000, 3000)
    plain, progressive = (
        open_image(encode(Image.new("RGB", size), "JPEG", progressive=whether), (32, 32))[1]
        for whether in (False, True)
    )
    assert progressive - plain == 2 * 3 * 4000 * 3000
    assert plain < UNCOUNTED_BYTES < progressive


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_damaged_image_gives_back_what_it_held(share: float) -> None:
    budget = DecodeBudget(25_000_000, 512 * MIB)
    data = large("RGBA", "PNG", compress_level=1)
    with pytest.raises(InvalidImage):
        pixels_from(data[: int(len(data) * share)], THUMBNAIL, budget)
    assert budget.bytes_in_use == 0
    assert budget.most_bytes_in_use > UNCOUNTED_BYTES


def test_who_waits_goes_on_when_there_is_room() -> None:
    budget, order = DecodeBudget(25_000_000, 100 * MIB), []

    def wait() -> None:
        with budget.hold(60 * MIB):
            order.append("taken")

    with budget.hold(60 * MIB):
        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()
        until_somebody_waits(budget)
        order.append("given back")
    waiting.join(10)
    assert order == ["given back", "taken"]
    assert budget.most_bytes_in_use == 60 * MIB


def test_who_comes_later_does_not_overtake_who_waits() -> None:
    budget, order = DecodeBudget(25_000_000, 100 * MIB), []

    def take(needed_bytes: int) -> None:
        with budget.hold(needed_bytes):
            order.append(needed_bytes // MIB)

    large, small = (
        threading.Thread(target=take, args=(size * MIB,), daemon=True) for size in (100, 30)
    )
    with budget.hold(60 * MIB):
        large.start()
        until_somebody_waits(budget)
        small.start()  # there is room for it
        small.join(0.1)
        assert order == []
    large.join(10)
    small.join(10)
    assert order == [100, 30]


def until_somebody_waits(budget: DecodeBudget) -> None:
    deadline = time.monotonic() + 10
    while not budget._turn.locked():
        assert time.monotonic() < deadline


def test_threads_together_never_hold_more_than_the_budget() -> None:
    data = large("RGBA", "PNG", compress_level=1)
    needed = open_image(data)[1]
    budget = DecodeBudget(25_000_000, 2 * needed + 1)
    answers: list[object] = []
    threads = [
        threading.Thread(target=lambda: answers.append(pixels_from(data, THUMBNAIL, budget)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(answers) == 6
    assert budget.bytes_in_use == 0
    assert budget.most_bytes_in_use == 2 * needed


# Decodes one file in several threads; says how much memory the process had before, and at most.
CHILD = """
import json, re, sys, threading
from pathlib import Path
from PIL import Image
from app.decode import DecodeBudget
from app.preprocess import Preprocess, pixels_from

def memory(name):
    return 1024 * int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

file, threads, max_bytes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
data, budget = file.read_bytes(), DecodeBudget(50_000_000, max_bytes)
preprocess = Preprocess(300, 300)
pixels_from(file.with_suffix(".small").read_bytes(), preprocess)
def work():
    for _ in range(2):
        pixels_from(data, preprocess, budget)
before = memory("VmRSS")
running = [threading.Thread(target=work) for _ in range(threads)]
for thread in running: thread.start()
for thread in running: thread.join()
print(json.dumps([memory("VmHWM") - before, budget.most_bytes_in_use, budget.bytes_in_use]))
"""


def memory_of_decoding(folder: Path, data: bytes, threads: int, max_bytes: int) -> list[int]:
    file = folder / "picture"
    file.write_bytes(data)
    file.with_suffix(".small").write_bytes(encode(Image.new("RGB", (8, 8))))
    command = [sys.executable, "-c", CHILD, str(file), str(threads), str(max_bytes)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    numbers: list[int] = json.loads(done.stdout)
    return numbers


@pytest.mark.parametrize(
    ("mode", "format_name", "options"),
    [
        ("CMYK", "JPEG", {}),
        ("RGB", "JPEG", {"progressive": True, "subsampling": 0}),
        ("CMYK", "JPEG", {"progressive": True}),
        ("RGBA", "PNG", {"compress_level": 1}),
        ("LA", "PNG", {"compress_level": 1}),
        ("P", "PNG", {"compress_level": 1, "transparency": 3}),
        ("I;16", "PNG", {"compress_level": 1, "transparency": 3}),
        ("RGB", "BMP", {}),
        ("P", "GIF", {"transparency": 3}),
        pytest.param(
            "RGBA", "WEBP", {"lossless": True, "quality": 0, "method": 0}, marks=needs_webp
        ),
        pytest.param("RGB", "WEBP", {"method": 0}, marks=needs_webp),
        pytest.param("RGBA", "AVIF", {"speed": 10}, marks=needs_avif),
        pytest.param("RGB", "AVIF", {"speed": 10, "subsampling": "4:4:4"}, marks=needs_avif),
    ],
)
def test_no_image_takes_more_memory_than_was_estimated(
    mode: str, format_name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    if mode == "I;16":
        levels = np.random.default_rng(0).integers(0, 65536, (SIDE, SIDE)).astype(np.uint16)
        data = encode(Image.fromarray(levels), **options)
    else:
        data = large(mode, format_name, **options)
    peak, held, left = memory_of_decoding(tmp_path, data, 1, 512 * MIB)
    needed = open_image(data, (300, 300))[1]
    assert held in {0, needed}
    assert left == 0
    assert peak < needed + 4 * MIB  # what Python itself takes


@needs_webp
def test_no_animation_takes_more_memory_than_was_estimated(tmp_path: Path) -> None:
    frame = Image.new("RGBA", (2000, 2000), (1, 2, 3, 4))
    data = large("RGBA", "WEBP", 2000, save_all=True, append_images=[frame], method=0)
    peak, held, _ = memory_of_decoding(tmp_path, data, 1, 512 * MIB)
    assert held == open_image(data)[1]
    assert peak < held + 4 * MIB


def test_many_threads_that_decode_at_once_keep_the_process_within_the_budget(
    tmp_path: Path,
) -> None:
    data = large("RGBA", "PNG", 3000, compress_level=1)
    needed = open_image(data)[1]
    budget = 2 * needed + MIB
    peak, held, left = memory_of_decoding(tmp_path, data, 6, budget)
    assert (held, left) == (2 * needed, 0)
    assert peak < budget  # without one: all six at once, three times as much


@needs_avif
def test_an_avif_is_decoded_on_the_thread_that_asked() -> None:
    data = encode(Image.new("RGB", (640, 480)), "AVIF", speed=10)
    image, _ = open_image(data)
    threads_before = len(os.listdir("/proc/self/task"))
    load(image)
    assert len(os.listdir("/proc/self/task")) == threads_before


def test_a_long_column_counts_by_its_rows() -> None:
    data = encode(Image.new("1", (1, 1_000_000), 1))
    assert open_image(data)[1] > 64_000_000
    budget = DecodeBudget(25_000_000, 512 * MIB)
    assert pixels_from(data, Preprocess(224, 224, resample="lanczos"), budget).min() == 255
    assert budget.most_bytes_in_use == open_image(data)[1]


def test_a_classifier_takes_from_the_budget_that_it_is_given() -> None:
    budget = DecodeBudget(25_000_000, 512 * MIB)
    classifier = Classifier(colour_model(), decode_budget=budget)
    data = large("RGBA", "PNG", compress_level=1)
    assert np.array_equal(classifier.pixels_from(data), pixels_from(data, Preprocess(4, 4)))
    assert budget.most_bytes_in_use > UNCOUNTED_BYTES


def test_the_settings_limit_pixels_and_memory_of_the_service(make_client: MakeClient) -> None:
    picture = png(3000, 2000, 1, 0, bytes(2000 * 376))
    assert make_client().post("/predict", content=picture).status_code == 200
    for changes, rule in (
        (
            {"max_pixels": 5_999_999},
            "At most 5999999 pixels are decoded for PNG; received 3000×2000.",
        ),
        ({"max_decode_bytes": 32 * MIB}, "Decoding may take at most 32 MiB of memory"),
    ):
        response = make_client(**changes).post("/predict", content=picture)
        check_problem(response, 422)
        assert response.json()["code"] == "image_too_large"
        assert rule in response.json()["detail"]
    client = make_client(max_pixels=6_000_000, max_decode_bytes=64 * MIB)
    assert client.post("/predict", content=picture).status_code == 200
