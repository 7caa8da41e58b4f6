"""Paths, methods and ranges that a scanner tries: nothing is there, and nothing comes back."""

from __future__ import annotations

import pytest

from tests.abuse.conftest import MARKER, Service, check_refusal
from tests.abuse.wire import ask
from tests.conftest import RED

PATHS = [
    *("/gone", f"/{MARKER}", "//", "//predict", "/predict/", "/PREDICT", "/.env", "/.git/config"),
    *("/%00", "/predict%00", "/%2e%2e/", "/..%2f..%2fetc/passwd", "/%c0%ae%c0%ae/", "/\\..\\"),
    *("/web/", "/web/..", "/web/../main.py", "/web/..%2fmain.py", "/web/%2e%2e/main.py"),
    *("/web//etc/passwd", "/web/%2fetc%2fpasswd", "/web/..%5cmain.py", "/web/main.js%00.txt"),
    *(
        "/web/" + "a" * 5000,
        "/web/" + "a/" * 500,
        "/docs/assets/..%2f..%2f__init__.py",
        "/%0d%0aX:1",
    ),
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:30])
def test_there_is_nothing_at_any_other_path(service: Service, path: str) -> None:
    check_refusal(ask(service.port, path=path, method="GET"), 404, "not_found")


@pytest.mark.parametrize(
    "name", ["..%2f..%2fetc%2fpasswd", "%00", "mosaic.onnx", MARKER, "a" * 5000, "%0d%0a", "%1b[2J"]
)
def test_there_is_no_model_of_any_other_name(service: Service, name: str) -> None:
    answer = ask(service.port, path=f"/models/{name}", method="GET")
    assert answer.status_code == 404
    check_refusal(answer, 404, answer.json()["code"])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "PURGE"])
def test_predict_takes_nothing_but_post(service: Service, method: str) -> None:
    answer = ask(service.port, headers=[("Cookie", MARKER)], method=method)
    check_refusal(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/", "/healthz", "/models", "/web/main.js", "/metrics"])
def test_what_is_read_cannot_be_written(service: Service, path: str) -> None:
    for method in ("POST", "PUT", "DELETE"):
        check_refusal(ask(service.port, b"a", path=path, method=method), 405, "method_not_allowed")
    assert ask(service.port, path=path, method="HEAD").status_code in {200, 405}


@pytest.mark.parametrize(
    "ranges",
    [
        ",".join(f"{at}-{at}" for at in range(1000)),
        ",".join(["0-"] * 1000),
        "-" + "9" * 5000,
        "5-1",
        MARKER,
        "0-0",
    ],
    ids=[
        "1,000 bytes",
        "1,000 times all",
        "a number of 5 KB",
        "backwards",
        "no number",
        "one byte",
    ],
)
def test_a_file_is_sent_whole_whatever_range_is_asked_for(service: Service, ranges: str) -> None:
    for path in ("/", "/web/main.js"):
        whole = ask(service.port, path=path, method="GET")
        asked = ask(service.port, headers=[("Range", f"bytes={ranges}")], path=path, method="GET")
        assert asked.status_code == 200
        assert asked.content == whole.content


def test_a_scanner_adds_nothing_to_what_is_counted(service: Service) -> None:
    def scan(number: int) -> None:
        ask(service.port, path=f"/{MARKER}-{number}", method="GET")
        ask(service.port, path=f"/models/{MARKER}-{number}", method="GET")
        ask(service.port, RED, path=f"/predict?model={MARKER}-{number}")

    def series() -> int:
        return ask(service.port, path="/metrics", method="GET").text.count("\nconvolu_")

    scan(0)
    series()
    before = series()
    for number in range(1, 100):
        scan(number)
    assert series() == before
