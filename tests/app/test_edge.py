"""Around every request: id, errors, log line, count."""

from __future__ import annotations

import json
import re

import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from app.edge import Edge
from app.errors import Overloaded
from app.metrics import Metrics
from app.request_log import RequestLog
from tests.conftest import RED, check_problem


async def crash(scope: Scope, receive: Receive, send: Send) -> None:
    raise ZeroDivisionError("secret")


async def busy(scope: Scope, receive: Receive, send: Send) -> None:
    raise Overloaded("Send the request again.", "queue_size")


async def leave(scope: Scope, receive: Receive, send: Send) -> None:
    raise ClientDisconnect


def around(app: ASGIApp) -> TestClient:
    return TestClient(Edge(app, Metrics(), RequestLog()))


def log_lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_a_fault_tells_the_client_nothing_and_the_log_everything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    response = around(crash).get("/", headers={"x-request-id": "my-request.1"})
    check_problem(response, 500)
    assert "secret" not in response.text
    assert "ZeroDivision" not in response.text
    assert response.json()["request_id"] == "my-request.1"
    assert "request my-request.1 failed" in caplog.text
    assert "ZeroDivisionError: secret" in caplog.text


def test_a_busy_service_says_when_to_come_again() -> None:
    response = around(busy).get("/")
    check_problem(response, 503)
    assert response.headers["retry-after"] == "1"


@pytest.mark.parametrize("brought", ["a b", "x" * 65, "<script>", "", "ä", "a\tb"])
def test_a_request_id_that_could_forge_a_log_line_is_replaced(
    client: TestClient, brought: str
) -> None:
    response = client.get("/healthz", headers=[(b"x-request-id", brought.encode())])
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


def test_a_client_that_leaves_is_no_fault(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError):  # the test client misses the response that nobody sent
        around(leave).get("/")
    assert caplog.text == ""
    assert [line["status"] for line in log_lines(capfd)] == [499]


def test_a_fault_after_the_answer_began_is_raised_on() -> None:
    async def half() -> object:
        yield b"half"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        around(StreamingResponse(half())).get("/")  # type: ignore[arg-type]


def test_every_request_is_one_line_of_json(
    client: TestClient, capfd: pytest.CaptureFixture[str]
) -> None:
    client.post("/predict", content=RED, headers={"x-request-id": "seven"})
    client.post("/predict?model=none", content=RED)
    client.get("/models/colours")
    client.get("/secret/path%0D%0A?password=1")
    first, unknown, card, nothing = log_lines(capfd)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", str(first.pop("time")))
    assert float(str(first.pop("ms"))) > 0
    assert first == {
        "request_id": "seven",
        "method": "POST",
        "route": "/predict",
        "model": "colours",
        "status": 200,
        "bytes": len(RED),
    }
    assert (unknown["route"], unknown["model"], unknown["status"]) == ("/predict", "", 404)
    assert (card["route"], card["status"]) == ("/models/{name}", 200)
    assert (nothing["route"], nothing["status"]) == ("other", 404)
    assert "secret" not in str(nothing)


def test_a_body_that_comes_in_chunks_has_no_length_in_the_log(
    client: TestClient, capfd: pytest.CaptureFixture[str]
) -> None:
    client.post("/predict", content=iter([RED]))
    assert [line["bytes"] for line in log_lines(capfd)] == [None]
