"""Hostile requests over HTTP, well formed as HTTP: forms, JSON, raw bodies, parameters, names."""

from __future__ import annotations

import time

import pytest

from tests.abuse.conftest import MARKER, Service, check_refusal
from tests.abuse.form_rows import DISPOSITION, FILENAMES, REQUESTS, Row
from tests.abuse.wire import ask, form, parts
from tests.conftest import RED


@pytest.mark.parametrize("row", REQUESTS, ids=lambda row: row.name)
def test_every_request_is_answered_in_time(service: Service, row: Row) -> None:
    began = time.perf_counter()
    answer = ask(service.port, row.body, row.headers, row.path)
    seconds = time.perf_counter() - began
    status, code = row.answer
    if code is None:
        assert answer.status_code == status, answer.text
        assert MARKER.encode() not in answer.content
    else:
        check_refusal(answer, status, code)
    assert seconds < row.bound_seconds


@pytest.mark.parametrize("kind", FILENAMES)
def test_a_file_name_is_never_more_than_text(service: Service, kind: str) -> None:
    name = FILENAMES[kind]
    one = ask(service.port, *form(RED, filename=name))
    assert one.status_code == 200
    assert MARKER not in one.text
    many = ask(service.port, *form(RED, b"", filename=name))
    assert many.status_code == 200
    assert many.headers["content-type"] == "application/json"
    good, empty = many.json()["results"]
    assert good["filename"] == empty["filename"] == (name[:255] or None)
    assert good["predictions"] == one.json()["predictions"]
    assert set(empty["error"]) == {"type", "title", "status", "detail", "code"}
    assert MARKER not in str(empty["error"])
    assert service.temporary_files() == []


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        (b"; filename=\"a.png\"; filename*=UTF-8''evil.exe", "a.png"),
        (b"; filename*=UTF-8''evil.exe; filename=\"a.png\"", "a.png"),
        (b'; filename="C:\\\\windows\\\\a.png"', "a.png"),
    ],
    ids=["coded after", "coded before", "with its folders"],
)
def test_of_a_plain_and_a_coded_file_name_the_plain_one_counts(
    service: Service, disposition: bytes, expected: str
) -> None:
    many = ask(service.port, *parts(*[(DISPOSITION + disposition, RED)] * 2))
    assert [one["filename"] for one in many.json()["results"]] == [expected] * 2


def test_a_name_with_a_line_end_in_it_breaks_no_header(service: Service) -> None:
    answer = ask(service.port, *form(RED, filename=f"a\r\nX-{MARKER}: 1\r\n\r\n"))
    assert MARKER not in str(answer.headers)
    assert MARKER not in answer.text
