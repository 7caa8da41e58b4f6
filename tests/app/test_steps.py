"""What was done to a picture: written down as it was, and never the reason for other pixels."""

from __future__ import annotations

import time
from typing import Any, Literal, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from app.decode import DecodeBudget, decode
from app.errors import ConvoluError
from app.preprocess import Preprocess, Resample, pixels_and_steps, pixels_from
from app.steps import Step, Steps
from tests.app.pictures import (
    AS_STORED,
    CHANNELS,
    GREY,
    LAYOUTS,
    as_in_production,
    chunk,
    corners,
    gradient,
    needs_avif,
    needs_webp,
    png,
    stored,
)
from tests.app.test_digit import page
from tests.conftest import SEVEN, encode

TARGET = Preprocess(32, 48)  # the size of `corners`
DIGIT = Preprocess(28, 28, 1, "digit")


def steps_of(data: bytes, preprocess: Preprocess = TARGET) -> dict[str, dict[str, Any]]:
    """Name → what it did, in order; the pixels must be those that a model gets."""
    pixels, steps = pixels_and_steps(data, preprocess)
    assert np.array_equal(pixels, pixels_from(data, preprocess))
    assert pixels.dtype == np.uint8
    assert all(step.milliseconds >= 0 for step in steps)
    return {step.name: step.did for step in steps}


def rgba() -> Image.Image:
    image = Image.fromarray(corners())
    image.putalpha(128)
    return image


def wide_grey() -> bytes:
    return encode(Image.fromarray(np.full((32, 48), 40_000, np.uint16)))


def transparent_rgb() -> bytes:
    rows = (b"\x00" + b"\x0a\x14\x1e" * 48) * 32
    return png(48, 32, 8, 2, rows, chunk(b"tRNS", b"\x00\x0a\x00\x14\x00\x1e"))


def animation(format_name: str) -> bytes:
    first, *others = (Image.fromarray(np.roll(corners(), by, 1)) for by in (0, 5, 10))
    return encode(first, format_name, save_all=True, append_images=others)


PICTURES = {
    "RGB": encode(corners()),
    "JPEG": encode(gradient(), "JPEG"),
    "a large JPEG": encode(gradient(600, 800), "JPEG"),
    "a turned JPEG": stored(6, "JPEG", gradient(600, 800)),
    "alpha": encode(rgba()),
    "16 bits": wide_grey(),
    "CMYK": encode(Image.fromarray(corners()).convert("CMYK"), "JPEG"),
    "a palette": encode(Image.fromarray(corners()).convert("P")),
    "a transparent colour": transparent_rgb(),
    "GIF": encode(corners(), "GIF"),
    "BMP": encode(corners(), "BMP"),
    "an animation": animation("GIF"),
    "a digit": SEVEN.read_bytes(),
    "a page": encode(page("seven", 200)),
    "one pixel": encode(np.full((1, 1), 9, np.uint8)),
    "a row": encode(np.full((1, 500), 9, np.uint8)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("data", PICTURES.values(), ids=PICTURES)
def test_the_pixels_are_those_of_the_model_for_every_picture_and_layout(
    data: bytes, layout: Literal["squash", "crop", "pad", "digit"]
) -> None:
    for channels in (1,) if layout == "digit" else CHANNELS:
        steps = steps_of(data, Preprocess(28, 28, channels, layout))
        assert next(iter(steps)) == "decode"
        order = ["decode", "orient", "colour", "digit", "resize"]
        assert sorted(steps, key=order.index) == list(steps)
        assert ("digit" in steps) == (layout == "digit")


@settings(max_examples=150)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    target=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    orientation=st.integers(1, 8),
    format_name=st.sampled_from(["PNG", "JPEG"]),
    layout=st.sampled_from(LAYOUTS),
    channels=st.sampled_from(CHANNELS),
    resample=st.sampled_from(get_args(Resample)),
)
def test_the_pixels_are_those_of_the_model_whatever_the_sizes(
    size: tuple[int, int],
    target: tuple[int, int],
    orientation: int,
    format_name: str,
    layout: Literal["squash", "crop", "pad", "digit"],
    channels: Literal[1, 3],
    resample: Resample,
) -> None:
    channels = 1 if layout == "digit" else channels
    preprocess = Preprocess(*target, channels, layout, resample)
    steps = steps_of(stored(orientation, format_name, gradient(*size)), preprocess)
    assert ("orient" in steps) == (orientation > 1)
    assert ("resize" in steps) == (layout != "digit" and size != target)


@pytest.mark.parametrize("data", [b"", b"no image", encode(corners())[:100]])
def test_what_is_no_picture_is_the_same_error(data: bytes) -> None:
    with pytest.raises(ConvoluError) as wanted:
        pixels_from(data, TARGET)
    with pytest.raises(ConvoluError) as got:
        pixels_and_steps(data, TARGET)
    assert (type(got.value), str(got.value)) == (type(wanted.value), str(wanted.value))


def test_a_picture_that_fits_is_only_decoded() -> None:
    data = encode(corners())
    for layout in ("squash", "crop", "pad"):
        assert steps_of(data, Preprocess(32, 48, layout=layout)) == {
            "decode": {"format": "PNG", "stored": [48, 32], "size": [48, 32], "bytes": len(data)}
        }


@pytest.mark.parametrize(
    ("format_name", "frames"),
    [
        ("GIF", 3),
        ("PNG", 3),
        pytest.param("WEBP", 3, marks=needs_webp),
        pytest.param("AVIF", 3, marks=needs_avif),
        ("MPO", None),  # a phone's JPEG: its further pictures are never read
    ],
)
def test_decoding_tells_how_many_frames_were_left_aside(
    format_name: str, frames: int | None
) -> None:
    assert steps_of(animation(format_name))["decode"].get("frames") == frames


@as_in_production
def test_a_picture_that_is_broken_behind_its_first_frame_is_no_error_here_either() -> None:
    data, readable = animation("GIF"), 0
    for cut in range(1, len(data)):
        try:
            pixels_from(data[:-cut], TARGET)
        except ConvoluError:
            break
        assert "decode" in steps_of(data[:-cut])
        readable += 1
    assert readable > 150  # more than the third frame is gone


def test_the_shortcut_for_large_jpegs_shows_in_the_size() -> None:
    decoded = steps_of(encode(gradient(600, 800), "JPEG"))["decode"]
    assert (decoded["stored"], decoded["size"]) == ([800, 600], [100, 75])  # 1/8 covers 48 × 48
    in_full = steps_of(encode(gradient(600, 800), "PNG"))["decode"]
    assert (in_full["stored"], in_full["size"]) == ([800, 600], [800, 600])


@pytest.mark.parametrize("orientation", AS_STORED)
def test_what_is_told_of_the_orientation_brings_the_picture_upright(orientation: int) -> None:
    data = stored(orientation, "PNG", corners())
    steps = steps_of(data)
    assert ("orient" in steps) == (orientation != 1)
    if orientation != 1:
        did = steps["orient"]
        assert did["exif"] == orientation
        as_it_lies = np.asarray(decode(data))
        mirrored = np.fliplr(as_it_lies) if did["mirrored"] else as_it_lies
        assert np.array_equal(np.rot90(mirrored, -did["degrees_clockwise"] // 90), corners())


@pytest.mark.parametrize(
    ("data", "channels", "did"),
    [
        (encode(rgba()), 3, {"from": "RGBA", "to": "RGB", "background": [1, 2, 3]}),
        (encode(rgba()), 1, {"from": "RGBA", "to": "L", "background": [1, 2, 3]}),
        (transparent_rgb(), 3, {"from": "RGB", "to": "RGB", "background": [1, 2, 3]}),
        (wide_grey(), 3, {"from": "I;16", "to": "RGB", "background": None}),
        (PICTURES["CMYK"], 3, {"from": "CMYK", "to": "RGB", "background": None}),
        (PICTURES["a palette"], 3, {"from": "P", "to": "RGB", "background": None}),
        (encode(corners()), 1, {"from": "RGB", "to": "L", "background": None}),
        (encode(corners()), 3, None),
        (encode(corners()[..., 0]), 1, None),
    ],
)
def test_a_change_of_colour_is_told_and_the_background_only_where_it_shows(
    data: bytes, channels: Literal[1, 3], did: dict[str, Any] | None
) -> None:
    assert steps_of(data, Preprocess(32, 48, channels, background=(1, 2, 3))).get("colour") == did


@pytest.mark.parametrize(
    ("layout", "box", "distortion"),
    [
        ("squash", [0, 0, 60, 30], 2),
        ("crop", [15, 0, 45, 30], 1),
        ("pad", [0, 0, 60, 30], 1),
    ],
)
def test_a_change_of_size_tells_what_part_is_used_and_how_it_is_bent(
    layout: Literal["squash", "crop", "pad"], box: list[float], distortion: float
) -> None:
    did = {
        "layout": layout,
        "filter": "hamming",
        "from": [60, 30],
        "to": [20, 20],
        "box": box,
        "distortion": distortion,
    }
    data = encode(np.full((30, 60, 3), GREY, np.uint8))
    assert steps_of(data, Preprocess(20, 20, 3, layout, "hamming"))["resize"] == did
    turned = encode(np.full((60, 30, 3), GREY, np.uint8))
    did |= {"from": [30, 60], "box": [box[at] for at in (1, 0, 3, 2)]}
    assert steps_of(turned, Preprocess(20, 20, 3, layout, "hamming"))["resize"] == did


def test_a_size_of_the_same_proportions_is_not_bent() -> None:
    assert steps_of(encode(gradient(64, 96)))["resize"]["distortion"] == 1


NOTHING = {"untouched": False, "ink": None, "inverted": False, "box": None}


def marked(side: int, ink: int, paper: int) -> bytes:
    """A bar of 20 × 40 pixels, its corner at 30, 20."""
    picture = np.full((side, side), paper, np.uint8)
    picture[20:60, 30:50] = ink
    return encode(picture)


@pytest.mark.parametrize(
    ("data", "did"),
    [
        (SEVEN.read_bytes(), NOTHING | {"untouched": True, "of": [28, 28]}),
        (encode(np.full((90, 60), 200, np.uint8)), NOTHING | {"of": [60, 90]}),
        (
            marked(100, 20, 240),
            NOTHING | {"ink": "dark", "inverted": True, "box": [30, 20, 50, 60], "of": [100, 100]},
        ),
        (
            marked(100, 240, 20),
            NOTHING
            | {"ink": "light", "inverted": False, "box": [30, 20, 50, 60], "of": [100, 100]},
        ),
        (
            # From 800 pixels to the 400 in which ink is looked for.
            marked(800, 20, 240),
            NOTHING | {"ink": "dark", "inverted": True, "box": [15, 10, 25, 30], "of": [400, 400]},
        ),
    ],
    ids=["MNIST's own", "blank", "dark ink", "light ink", "a large page"],
)
def test_a_digit_tells_where_its_ink_is(data: bytes, did: dict[str, Any]) -> None:
    assert steps_of(data, DIGIT)["digit"] == did


def test_the_steps_last_as_long_as_the_whole() -> None:
    data = stored(6, "JPEG", gradient(600, 800))
    began = time.perf_counter()
    _, steps = pixels_and_steps(data, TARGET)
    seconds = time.perf_counter() - began
    assert [step.name for step in steps] == ["decode", "orient", "resize"]
    assert 0 < sum(step.milliseconds for step in steps) <= seconds * 1000


def test_a_step_lasts_until_the_next_begins() -> None:
    steps = Steps()
    steps.begin("first", {})
    until = time.perf_counter() + 0.005
    while time.perf_counter() < until:
        pass
    found: dict[str, Any] = {}
    steps.begin("second", found)
    found["late"] = True
    first, second = steps.end()
    assert first.milliseconds >= 5
    assert second == Step("second", {"late": True}, second.milliseconds)


def test_the_limits_of_a_budget_hold_as_for_the_model() -> None:
    budget = DecodeBudget(max_pixels=48 * 32, max_bytes=10**9)
    assert pixels_and_steps(encode(corners()), TARGET, budget)[1]
    with pytest.raises(ConvoluError, match="At most 1536 pixels"):
        pixels_and_steps(encode(gradient(33, 48)), TARGET, budget)
    too_many_for_any_png = png(6000, 5000, 8, 2, b"")
    with pytest.raises(ConvoluError, match="At most 1536 pixels"):
        pixels_and_steps(too_many_for_any_png, TARGET, budget)
