"""Numbers and sentences as people read them, on both sides of every limit."""

from __future__ import annotations

import json

import pytest

from tests.web.node import EMBED, evaluate


def run(expression: str) -> object:
    program = (
        f'import * as numbers from "{(EMBED / "numbers.js").as_uri()}";'
        f'import * as sentences from "{(EMBED / "sentences.js").as_uri()}";'
        f"console.log(JSON.stringify({expression}));"
    )
    said: object = evaluate(program)
    return said.replace("\u00a0", " ") if isinstance(said, str) else said


@pytest.mark.parametrize(
    ("share", "text"),
    [
        ("0", "0 %"),
        ("Number.MIN_VALUE", "< 0.1 %"),
        ("0.000499", "< 0.1 %"),
        ("0.0005", "0.1 %"),
        ("0.1234", "12.3 %"),
        ("0.5", "50.0 %"),
        ("0.99949", "99.9 %"),
        ("0.9995", "> 99.9 %"),
        ("1 - Number.EPSILON", "> 99.9 %"),
        ("1", "100 %"),
    ],
)
def test_a_percentage_claims_no_more_than_is_so(share: str, text: str) -> None:
    assert run(f"numbers.percent({share}, 'en')") == text
    assert run(f"numbers.percent({share}, 'ko')") == text


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("milliseconds(0.62, 'en')", "0.6 ms"),
        ("milliseconds(9.94, 'en')", "9.9 ms"),
        ("milliseconds(9.95, 'en')", "10 ms"),
        ("milliseconds(999.4, 'en')", "999 ms"),
        ("milliseconds(999.5, 'en')", "1 s"),
        ("milliseconds(1234, 'ko')", "1.2초"),
        ("thousands(121930, 'en')", "121,930"),
        ("thousands(121930, 'ko')", "121,930"),
    ],
)
def test_amounts_are_short_and_true(call: str, text: str) -> None:
    assert run(f"numbers.{call}") == text


@pytest.mark.parametrize(
    ("shares", "unsure"),
    [
        ([0.99, 0.01], False),
        ([0.51, 0.31], False),
        ([0.51, 0.32], True),
        ([0.5, 0.1], False),
        ([0.499, 0.1], True),
        ([0.61], False),
        ([0.59], True),
        ([1.0], False),
    ],
)
def test_close_or_weak_is_unsure(shares: list[float], unsure: bool) -> None:
    predictions = [{"label": "x", "probability": share} for share in shares]
    assert run(f"numbers.isUnsure({json.dumps(predictions)})") is unsure


SURE = '[{ label: "7", probability: 0.992 }, { label: "1", probability: 0.005 }]'
UNSURE = '[{ label: "4", probability: 0.41 }, { label: "9", probability: 0.38 }]'


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (f"headline({SURE}, 'en')", "7: 99.2 %"),
        (f"headline({UNSURE}, 'en')", "Not sure: 4 (41.0 %) or 9 (38.0 %)"),
        (f"headline({UNSURE}.slice(0, 1), 'en')", "Not sure: perhaps 4 (41.0 %)"),
        (f"spoken({SURE}, 'en')", "Result: 7, 99.2 %. Second: 1, 0.5 %."),
        (f"spoken({SURE}.slice(0, 1), 'ko')", "결과: 7, 99.2 %."),
        (f"spoken({UNSURE}, 'ko')", "확실하지 않습니다. 첫째: 4, 41.0 %. 둘째: 9, 38.0 %."),
    ],
)
def test_an_answer_is_said_in_one_sentence(call: str, text: str) -> None:
    assert run(f"sentences.{call}") == text


@pytest.mark.parametrize(
    ("file", "beginning"),
    [
        ('{ name: "a.HEIC", type: "" }', "This is a HEIC photo"),
        ('{ name: "a", type: "image/heif" }', "This is a HEIC photo"),
        ('{ name: "a.txt", type: "text/plain" }', "This is not an image"),
        ("undefined", "This is not an image"),
    ],
    ids=["by its name", "by its type", "another file", "no file"],
)
def test_a_heic_photo_has_a_sentence_of_its_own(file: str, beginning: str) -> None:
    error = "{ code: 'unsupported_image' }"
    said = run(f"sentences.errorSentence({error}, {{ file: {file}, locale: 'en' }})")
    assert str(said).startswith(beginning)


def test_an_error_unknown_here_is_told_in_the_words_of_the_service() -> None:
    error = "Object.assign(new Error('New. Do this.'), { code: 'brand_new' })"
    assert run(f"sentences.errorSentence({error})") == "New. Do this."
