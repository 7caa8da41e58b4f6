"""What a client writes cannot forge a line of the log, nor come into it at all."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.abuse.conftest import LOG_KEYS, MARKER, check_log, running_service
from tests.abuse.form_rows import FILENAMES
from tests.abuse.pictures import HOSTILE_TEXT, picture, with_exif
from tests.abuse.test_transport import NO_HTTP
from tests.abuse.wire import Connection, ask, form, request
from tests.conftest import RED

FORGED = '{"time":"2026-01-01","request_id":"forged","method":"GET","route":"/","status":200}'
NASTY = {
    "JSON": FORGED,
    "line ends": f"{MARKER}\r\n{FORGED}\n",
    "ANSI": f"\x1b[2J\x1b[31m{MARKER}",
    "NUL": f"{MARKER}\x00{MARKER}",
    "10 KB": MARKER * 1000,
    "a lookup": f"${{jndi:ldap://127.0.0.1/{MARKER}}}",
}
SOUND = "a-sound.id_7"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(autouse=True)
def _unharmed() -> None:
    """Not here: the service must have ended, so that its log is complete."""


def attack(port: int) -> int:
    """Every nasty text in every place that has one; how many requests were complete."""
    complete = 0
    for text in NASTY.values():
        quoted = "".join(f"%{byte:02x}" for byte in text[:1500].encode())
        single = text.replace("\r", " ").replace("\n", " ")
        for path in (f"/{quoted}", f"/predict?model={quoted}", f"/models/{quoted}?{quoted}"):
            ask(port, RED, path=path)
            complete += 1
        ask(port, *form(RED, filename=text[:3000]))
        ask(port, *form(RED, b"", filename=text[:3000]))
        ask(port, with_exif(text))
        ask(port, single.encode(), [("Content-Type", "application/json")])
        complete += 4
        for name in ("User-Agent", "X-Request-ID", "Referer", "Cookie", "X-Forwarded-For", MARKER):
            with Connection(port) as connection:
                connection.send(request(RED, [(name, single)]))
                answer = connection.answer()
            complete += answer is not None and answer.status_code == 200
    for name in FILENAMES.values():
        ask(port, *form(RED, picture("PNG"), filename=name))
        complete += 1
    for data in NO_HTTP.values():
        with Connection(port) as connection:
            connection.send(data)
            connection.answer()
    return complete


def test_every_line_of_the_log_is_one_request_and_none_says_what_the_client_said(
    folder: Path,
) -> None:
    sound = [("X-Request-ID", SOUND), ("User-Agent", HOSTILE_TEXT.split("\r")[0])]
    with running_service(folder) as service:
        complete = attack(service.port)
        assert ask(service.port, RED, sound).status_code == 200
    check_log(service)
    lines = [json.loads(line) for line in service.lines]
    assert len(lines) >= complete + 1
    for line in lines:
        assert list(line) == LOG_KEYS
        assert line["route"] in {"/predict", "/models/{name}", "other"}
        assert line["model"] in {"", "mosaic"}
        assert line["request_id"].isascii()
        assert len(line["request_id"]) <= 64
    assert [line["status"] for line in lines if line["request_id"] == SOUND] == [200]
    assert "forged" not in [line["request_id"] for line in lines]
    everything = "".join(service.lines) + service.errors()
    assert "jndi" not in everything
    assert "\x1b" not in everything
    assert RED[:8].decode("latin-1") not in everything
    assert base64.b64encode(RED).decode()[:20] not in everything
