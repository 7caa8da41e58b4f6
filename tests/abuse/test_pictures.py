"""Hostile pictures over HTTP: each gets its answer, in time, and spoils nothing else."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.abuse.conftest import MARKER, Service, check_refusal
from tests.abuse.picture_rows import PICTURES, Row
from tests.abuse.pictures import picture
from tests.abuse.wire import ask, form
from tests.app.pictures import gradient, stored
from tests.conftest import encode

RAW = [("Content-Type", "application/octet-stream")]
NEAR = 0.3  # how far a lossy copy may be; 0.12 is the most that was seen, upside down it is 10
MODELS = ["mosaic", "colours", "digits"]
PEACEFUL = [picture("JPEG"), picture("PNG"), encode(gradient()[::-1]), picture("WEBP")]


def probabilities(service: Service, data: bytes, model: str = "mosaic") -> dict[str, float]:
    answer = ask(service.port, data, RAW, f"/predict?model={model}")
    assert answer.status_code == 200, answer.text
    return {item["label"]: item["probability"] for item in answer.json()["predictions"]}


def distance(left: dict[str, float], right: dict[str, float]) -> float:
    """How far two answers are apart: the largest quotient of a class's probabilities, its log."""
    assert left.keys() == right.keys()
    return max(abs(math.log(left[label] / right[label])) for label in left)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("row", PICTURES, ids=lambda row: row.name)
def test_every_picture_is_answered_in_time(service: Service, row: Row, model: str) -> None:
    data = row.make()
    began = time.perf_counter()
    answer = ask(service.port, data, RAW, f"/predict?model={model}")
    seconds = time.perf_counter() - began
    if row.code is None:
        assert answer.status_code == 200, answer.text
        values = [item["probability"] for item in answer.json()["predictions"]]
        assert all(map(math.isfinite, values))
        assert sum(values) == pytest.approx(1, abs=1e-5)
        assert MARKER.encode() not in answer.content
    else:
        check_refusal(answer, 415 if row.code == "unsupported_image" else 422, row.code)
    assert seconds < row.bound_seconds


@pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_name_and_a_type_that_lie_are_not_believed(service: Service, name: str) -> None:
    body, headers = form(b"%PDF-1.7", filename=f"a.{name.lower()}")
    check_refusal(ask(service.port, body, headers), 415, "unsupported_image")
    lying = [("Content-Type", f"image/{name.lower()}")]
    check_refusal(ask(service.port, b"<svg/>", lying), 415, "unsupported_image")
    assert ask(service.port, picture("BMP"), lying).status_code == 200


# --- What a picture means ---


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["JPEG", "WEBP", "PNG"])
def test_a_picture_means_the_same_whichever_way_the_camera_was_held(
    service: Service, format_name: str, orientation: int
) -> None:
    options = {"quality": 98} if format_name == "JPEG" else {}
    if format_name == "WEBP":
        options = {"lossless": True}
    data = stored(orientation, format_name, gradient(), **options)
    upright = probabilities(service, encode(gradient()))
    assert distance(probabilities(service, data), upright) <= (NEAR if format_name == "JPEG" else 0)
    turned = probabilities(service, encode(gradient()[::-1]))
    assert distance(turned, upright) > 20 * NEAR  # the model does see it


GREY = Image.fromarray(gradient()).convert("L")
FLAT = Image.fromarray(gradient()).quantize(32)
HALF = Image.merge("RGBA", [*Image.fromarray(gradient()).split(), GREY])
ON_WHITE = Image.alpha_composite(Image.new("RGBA", HALF.size, "white"), HALF).convert("RGB")
DEEP = Image.fromarray(np.asarray(GREY).astype(np.uint16) * 257)
LOSSY = {"CMYK", "progressive", "WebP", "AVIF"}
TWINS = {
    "16-bit grey": (encode(DEEP), GREY),
    "grey": (encode(GREY), GREY.convert("RGB")),
    "grey with alpha": (encode(GREY.convert("LA")), GREY),
    "palette": (encode(FLAT), FLAT.convert("RGB")),
    "palette as GIF": (encode(FLAT, "GIF"), FLAT.convert("RGB")),
    "palette as BMP": (encode(FLAT, "BMP"), FLAT.convert("RGB")),
    "alpha": (encode(HALF), ON_WHITE),
    "alpha as WebP": (encode(HALF, "WEBP", lossless=True), ON_WHITE),
    "one bit": (encode(GREY.convert("1")), GREY.convert("1").convert("RGB")),
    "CMYK": (
        encode(Image.fromarray(gradient()).convert("CMYK"), "JPEG", quality=98),
        Image.fromarray(gradient()),
    ),
    "progressive": (
        picture("JPEG", progressive=True, quality=98),
        Image.fromarray(gradient()),
    ),
    "WebP": (picture("WEBP", quality=98), Image.fromarray(gradient())),
    "AVIF": (picture("AVIF", quality=95), Image.fromarray(gradient())),
    "GIF of two": (
        encode(FLAT, "GIF", save_all=True, append_images=[GREY.quantize(8)]),
        FLAT.convert("RGB"),
    ),
    "APNG of two": (
        encode(Image.fromarray(gradient()), save_all=True, append_images=[ON_WHITE]),
        Image.fromarray(gradient()),
    ),
}


@pytest.mark.parametrize("kind", TWINS)
def test_a_picture_means_the_same_in_every_form(service: Service, kind: str) -> None:
    data, plain = TWINS[kind]
    difference = distance(probabilities(service, data), probabilities(service, encode(plain)))
    assert difference <= (NEAR if kind in LOSSY else 0)


def test_the_same_bytes_get_the_same_answer_as_form_raw_and_torso_ten_times(
    service: Service,
) -> None:
    data = picture("JPEG")
    answers = [ask(service.port, data, RAW).content for _ in range(10)]
    answers += [ask(service.port, *form(data)).content for _ in range(10)]
    assert len(set(answers)) == 1
    torso = [ask(service.port, data[: len(data) // 2], RAW).json() for _ in range(10)]
    assert len({answer["detail"] for answer in torso}) == 1


# --- Neighbours ---


def results(service: Service, *files: bytes) -> list[dict[str, Any]]:
    answer = ask(service.port, *form(*files))
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


SMALL = [row for row in PICTURES if row.bound_seconds <= 2 and row.code is not None]


def test_a_poisoned_picture_never_changes_its_neighbours(service: Service) -> None:
    alone = [ask(service.port, data, RAW).json()["predictions"] for data in PEACEFUL]
    for row in SMALL:
        first, poisoned, *others = results(service, PEACEFUL[0], row.make(), *PEACEFUL[1:])
        assert poisoned["error"]["code"] == row.code, row.name
        assert [one["predictions"] for one in (first, *others)] == alone, row.name


def test_twenty_at_once_get_the_answers_of_one_alone(service: Service) -> None:
    mixed = [*PEACEFUL, *(row.make() for row in SMALL)]

    def outcome(data: bytes) -> tuple[int, object]:
        answer = ask(service.port, data, RAW)
        return answer.status_code, answer.json().get("predictions")

    alone = [outcome(data) for data in mixed]
    order = np.random.default_rng(3).permutation(len(mixed) * 5) % len(mixed)
    with ThreadPoolExecutor(20) as pool:
        together = list(pool.map(outcome, [mixed[place] for place in order]))
    assert together == [alone[place] for place in order]
