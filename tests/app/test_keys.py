"""Who may call: the file of keys, and every way to come with a wrong key or with none."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.errors import Unauthorized
from app.keys import ApiKeys, new_key, parse_keys
from tests.app.test_connection import connect, response_of
from tests.app.test_edge import log_lines
from tests.app.test_serve import announced_url, log_read_aside, started
from tests.conftest import RED, MakeClient, check_problem, colour_model

KEY = "c29tZSBieXRlcyB0aGF0IG5v-Ym9keV9ndWVzc2VzIQ"
OTHER = "YW5vdGhlciBrZXkgdGhhdCBi_ZWxvbmdzIHRvIGJhdGN"
ORIGIN = "https://page.example"
DEADLINE_SECONDS = 10  # for a busy machine; a change is seen within milliseconds


def line(name: str, key: str) -> str:
    return f"{name} {hashlib.sha256(key.encode()).hexdigest()}\n"


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(line("frontend", KEY) + line("batch", OTHER))
    return path


@pytest.fixture
def keyed(make_client: MakeClient, keys_file: Path) -> TestClient:
    """A client of a service that asks for a key; it brings none of itself."""
    return make_client(api_keys_file=keys_file, cors_origins=ORIGIN)


def name_of(keys: ApiKeys, key: str) -> str:
    return keys.name_of([(b"host", b"x"), (b"x-api-key", key.encode())])


# The file


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(line("frontend", KEY), id="one line"),
        pytest.param(f"# ours\n\n  {line('frontend', KEY)}  # Anna\n", id="comments and blanks"),
        pytest.param(line("frontend", KEY).replace(" ", "\t "), id="a tab"),
        pytest.param(line("frontend", KEY).strip(), id="no end of line"),
        pytest.param(line("frontend", KEY).replace("\n", " # Anna\r\n"), id="as Windows writes it"),
        pytest.param("frontend " + line("x", KEY)[2:].upper(), id="upper-case hex"),
    ],
)
def test_a_line_is_a_name_and_a_hash(text: str) -> None:
    assert parse_keys(text) == {"frontend": hashlib.sha256(KEY.encode()).digest()}


def test_a_file_of_comments_has_no_keys() -> None:
    assert parse_keys("# none yet\n\n") == {}


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param("frontend", id="no hash"),
        pytest.param(f"frontend {KEY}", id="the key itself"),
        pytest.param(f"frontend {'a' * 63}", id="a digit short"),
        pytest.param(f"frontend {'a' * 65}", id="a digit long"),
        pytest.param(f"frontend {'g' * 64}", id="not hex"),
        pytest.param(f"frontend {'٣' * 64}", id="digits of another script"),
        pytest.param(f"front end {'a' * 64}", id="a space in the name"),
        pytest.param(f'"name" {"a" * 64}', id="a sign in the name"),
        pytest.param(f"{'n' * 65} {'a' * 64}", id="a long name"),
        pytest.param("a" * 64, id="no name"),
        pytest.param(f"batch {'a' * 64}", id="a name twice"),
    ],
)
def test_a_bad_line_is_named_and_never_repeated(bad: str) -> None:
    with pytest.raises(ValueError, match=r"^line 3 of the key file ") as caught:
        parse_keys(f"# ours\n{line('batch', OTHER)}{bad}\n")
    assert not {word for word in bad.split() if len(word) > 9} & set(str(caught.value).split())


def test_a_name_may_have_64_characters() -> None:
    assert list(parse_keys(line("n" * 64, KEY))) == ["n" * 64]


def test_a_new_key_is_valid_with_its_line_and_no_two_are_alike(tmp_path: Path) -> None:
    made = {name: new_key(name) for name in ("a", "b", "c.d_e-f")}
    (tmp_path / "keys").write_text("\n".join(text for _, text in made.values()))
    keys = ApiKeys(tmp_path / "keys")
    assert {name: name_of(keys, key) for name, (key, _) in made.items()} == {n: n for n in made}
    for key, text in made.values():
        assert len(key) == 43  # 256 bits in base64
        assert key not in text


@pytest.mark.parametrize("name", ["", " a", "front end", "ä", "n" * 65, "a\nb", "#", "a#b"])
def test_a_name_that_no_line_could_have_gets_no_key(name: str) -> None:
    with pytest.raises(ValueError, match="key file"):
        new_key(name)


def test_a_file_as_a_windows_editor_saves_it_is_read(tmp_path: Path) -> None:
    latin_1 = "# für Anna\n".encode("latin-1")
    (tmp_path / "keys").write_bytes(b"\xef\xbb\xbf" + line("a", KEY).encode() + latin_1)
    assert name_of(ApiKeys(tmp_path / "keys"), KEY) == "a"


# The file changes


def test_a_changed_file_takes_effect(keys_file: Path) -> None:
    keys = ApiKeys(keys_file)
    keys_file.write_text(line("batch", OTHER))
    assert name_of(keys, KEY) == "frontend"  # until it is looked at
    keys.refresh()
    assert name_of(keys, OTHER) == "batch"
    with pytest.raises(Unauthorized):
        name_of(keys, KEY)


def test_a_file_put_in_the_old_ones_place_takes_effect_whatever_its_date(
    keys_file: Path, tmp_path: Path
) -> None:
    keys = ApiKeys(keys_file)
    new = tmp_path / "new"
    new.write_text(line("backends", KEY) + line("batch", OTHER))  # as long as the old one
    stat = keys_file.stat()
    os.utime(new, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    new.replace(keys_file)
    keys.refresh()
    assert name_of(keys, KEY) == "backends"


def test_an_emptied_file_locks_everybody_out(keys_file: Path) -> None:
    keys = ApiKeys(keys_file)
    keys_file.write_text("")
    keys.refresh()
    for key in (KEY, OTHER, ""):
        with pytest.raises(Unauthorized):
            name_of(keys, key)


def garble(path: Path) -> None:
    path.write_text(line("new", KEY) + "nonsense\n")


@pytest.mark.parametrize("spoil", [garble, Path.unlink])
def test_a_broken_file_leaves_the_old_keys_and_is_said_once(
    keys_file: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    keys = ApiKeys(keys_file)
    for expected in (1, 2):  # mended in between, it is said again
        spoil(keys_file)
        for _ in range(3):
            keys.refresh()
        assert name_of(keys, KEY) == "frontend"
        assert len(caplog.records) == expected
        assert caplog.records[-1].levelno == logging.ERROR
        assert caplog.records[-1].message.startswith("the API keys stay as they were: ")
        keys_file.write_text(line("frontend", KEY) + line(f"mended-{expected}", OTHER))
        keys.refresh()
        assert name_of(keys, OTHER) == f"mended-{expected}"


@pytest.mark.parametrize(
    ("content", "error"), [(None, OSError), (b"nonsense\n", ValueError), (b"\xff\n", ValueError)]
)
def test_a_bad_file_is_an_error_at_the_start(
    tmp_path: Path, content: bytes | None, error: type[Exception]
) -> None:
    if content is not None:
        (tmp_path / "keys").write_bytes(content)
    with pytest.raises(error):
        ApiKeys(tmp_path / "keys")


def test_a_running_service_follows_its_file(make_client: MakeClient, keys_file: Path) -> None:
    client = make_client(api_keys_file=keys_file, watch_seconds=0.001)
    headers = {"x-api-key": KEY}
    assert client.get("/models", headers=headers).status_code == 200
    keys_file.write_text(line("batch", OTHER))
    deadline = time.monotonic() + DEADLINE_SECONDS
    while client.get("/models", headers=headers).status_code != 401:
        assert time.monotonic() < deadline
    assert client.get("/models", headers={"x-api-key": OTHER}).status_code == 200


# The request


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"authorization": f"Bearer {KEY}"}, id="bearer"),
        pytest.param({"authorization": f"bearer {KEY}"}, id="bearer in small letters"),
        pytest.param({"authorization": f"Bearer   {KEY}"}, id="more spaces"),
        pytest.param({"x-api-key": KEY}, id="a header of its own"),
        pytest.param({"authorization": "Basic eDp5", "x-api-key": KEY}, id="beside a proxy's"),
    ],
)
def test_a_key_may_come_in_either_header(keyed: TestClient, headers: dict[str, str]) -> None:
    assert keyed.post("/predict", content=RED, headers=headers).status_code == 200
    assert keyed.get("/models", headers=headers).status_code == 200


BEARER = b"authorization"
OWN = b"x-api-key"
VALID = KEY.encode()
REFUSED = {
    "none": [],
    "the last byte another": [(BEARER, b"Bearer " + VALID[:-1] + b"R")],
    "a byte short": [(BEARER, b"Bearer " + VALID[:-1])],
    "a byte long": [(BEARER, b"Bearer " + VALID + b"Q")],
    "in capitals": [(OWN, VALID.upper())],
    "its hash": [(OWN, hashlib.sha256(VALID).hexdigest().encode())],
    "its name": [(OWN, b"frontend")],
    "empty": [(OWN, b"")],
    "empty bearer": [(BEARER, b"Bearer ")],
    "no scheme": [(BEARER, VALID)],
    "another scheme": [(BEARER, b"Basic " + VALID)],
    "quoted": [(BEARER, b'Bearer "' + VALID + b'"')],
    "not ASCII": [(OWN, b"\xff\xfe\x80" + VALID)],
    "not ASCII bearer": [(BEARER, b"Bearer \xc3\xa4\xff")],
    "1 KB": [(OWN, b"x" * 1024)],
    "the key in 1 KB": [(OWN, VALID + b" " + b"x" * 1024)],
    "twice": [(OWN, VALID), (OWN, VALID)],
    "in both headers": [(BEARER, b"Bearer " + VALID), (OWN, VALID)],
    "a wrong one beside": [(BEARER, b"Bearer " + VALID), (OWN, b"wrong")],
    "two in one": [(BEARER, b"Bearer " + VALID + b", Bearer " + OTHER.encode())],
    "a cookie": [(b"cookie", b"x-api-key=" + VALID)],
    "a referrer": [(b"referer", b"http://x/?api_key=" + VALID)],
}


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
def test_anything_but_one_valid_key_is_refused(
    keyed: TestClient, headers: list[tuple[bytes, bytes]]
) -> None:
    for response in (
        keyed.post("/predict", content=RED, headers=headers),
        keyed.get("/models", headers=headers),
    ):
        check_problem(response, 401)
        assert response.json()["code"] == "unauthorized"
        assert response.headers["www-authenticate"] == "Bearer"
        assert KEY not in response.text
        assert "xxx" not in response.text


@pytest.mark.parametrize("name", ["api_key", "key", "access_token", "token", "x-api-key"])
def test_a_key_in_the_url_opens_nothing(keyed: TestClient, name: str) -> None:
    check_problem(keyed.post(f"/predict?{name}={KEY}", content=RED), 401)


def test_every_route_but_the_probes_and_the_pages_needs_a_key(keyed: TestClient) -> None:
    document = keyed.get("/openapi.json", headers={"x-api-key": KEY}).json()
    described = {
        (method, path.replace("{name}", "colours"))
        for path, operations in document["paths"].items()
        for method in operations
    }
    probes = {("get", "/healthz"), ("get", "/readyz")}
    assert probes < described
    hidden = {("get", path) for path in ("/openapi.json", "/nothing", "/web", "/docs/", "/redoc")}
    for method, path in (described | hidden) - probes:
        check_problem(keyed.request(method, path), 401)
    for method in ("get", "put", "delete", "patch", "options", "head"):
        assert keyed.request(method, "/predict").status_code == 401, method
    for _, path in probes:
        assert keyed.get(path).status_code == 200, path


@pytest.mark.parametrize(
    "path",
    [
        "/models/",
        "/docs/models",
        "/docs/../models",
        "/docs/assets/../../models",
        "/healthz/../models",
        "/healthz%2f..%2fmodels",
        "/web/../models",
        "/web/..%2fmodels",
        "/web/%2e%2e/models",
    ],
)
def test_no_detour_leads_past_the_key(keyed: TestClient, path: str) -> None:
    assert keyed.get(path).status_code in {401, 404}


def test_below_another_app_the_same_is_open_and_nothing_else(keyed: TestClient) -> None:
    for root in ("/x", "/web"):
        outer = TestClient(Starlette(routes=[Mount(root, app=keyed.app)]))
        assert outer.get(f"{root}/healthz").status_code == 200
        check_problem(outer.get(f"{root}/models"), 401)
        check_problem(outer.post(f"{root}/predict", content=RED), 401)
        assert outer.get(f"{root}/models", headers={"x-api-key": KEY}).status_code == 200


def test_a_page_of_an_allowed_origin_can_bring_a_key_and_read_that_it_is_missing(
    keyed: TestClient,
) -> None:
    refused = keyed.post("/predict", content=RED, headers={"origin": ORIGIN})
    check_problem(refused, 401)
    assert refused.headers["access-control-allow-origin"] == ORIGIN
    for header in ("authorization", "x-api-key"):
        preflight = keyed.options(
            "/predict",
            headers={
                "origin": ORIGIN,
                "access-control-request-method": "POST",
                "access-control-request-headers": header,
            },
        )
        assert preflight.status_code == 200
        assert header in preflight.headers["access-control-allow-headers"].lower()
    elsewhere = keyed.get("/models", headers={"origin": "https://other.example"})
    assert "access-control-allow-origin" not in elsewhere.headers


def test_the_log_has_the_name_of_the_key_and_never_the_key(
    keyed: TestClient, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    keyed.post("/predict", content=RED, headers={"authorization": f"Bearer {KEY}"})
    keyed.get("/models", headers={"x-api-key": OTHER})
    keyed.get("/models", headers={"x-api-key": KEY + "x"})
    keyed.get(f"/models?key={KEY}")
    keyed.get("/healthz")
    captured = capfd.readouterr()
    lines = [json.loads(text) for text in captured.out.splitlines()]
    assert [one.get("key") for one in lines] == ["frontend", "batch", None, None, None]
    assert [one["status"] for one in lines] == [200, 200, 401, 401, 200]
    for key in (KEY, OTHER):
        assert key not in captured.out + captured.err + caplog.text


def test_without_keys_set_one_that_is_brought_is_neither_looked_at_nor_logged(
    client: TestClient, capfd: pytest.CaptureFixture[str]
) -> None:
    for headers in REFUSED.values():
        assert client.get("/models", headers=headers).status_code == 200
    assert not [one for one in log_lines(capfd) if "key" in one]


# Over a real socket


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("keyed")
    (folder / "colours.onnx").write_bytes(colour_model())
    (folder / "keys").write_text(line("frontend", KEY))
    arguments = ("--port", "0", "--workers", "1", "--models", str(folder))
    with started(*arguments, CONVOLU_API_KEYS_FILE=str(folder / "keys")) as process:
        port = int(announced_url(process).rpartition(":")[2])
        with log_read_aside(process):
            yield port


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("Content-Length: 5242880\r\n", id="5 MB announced"),
        pytest.param("Content-Length: 5242880\r\nExpect: 100-continue\r\n", id="and asked first"),
        pytest.param("Transfer-Encoding: chunked\r\n", id="of unknown length"),
    ],
)
def test_a_request_without_a_key_is_refused_before_its_body_comes(port: int, more: str) -> None:
    with connect(port) as client:
        client.sendall(f"POST /predict HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode())
        assert response_of(client).startswith("HTTP/1.1 401 ")


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
def test_as_bytes_on_the_wire_it_is_refused_too(
    port: int, headers: list[tuple[bytes, bytes]]
) -> None:
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    with connect(port) as client:
        client.sendall(b"GET /models HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n")
        assert response_of(client).startswith("HTTP/1.1 401 ")
        client.sendall(b"GET /models HTTP/1.1\r\nHost: x\r\nX-API-Key: " + VALID + b"\r\n\r\n")
        assert response_of(client).startswith("HTTP/1.1 200 ")  # on the same connection


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/web/../models", 404),
        ("/docs/assets/%2e%2e/%2e%2e/models", 404),
        ("//models", 401),
        ("/./models", 401),
        ("http://x/models", 401),
        ("http://x/web/../models", 404),
        ("/models#/web/", 401),
        ("/models?/web/", 401),
        ("/models;/web/", 401),
        ("/web%00/../models", 401),
    ],
)
def test_no_detour_on_the_wire_leads_past_the_key(port: int, target: str, status: int) -> None:
    with connect(port) as client:
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert response_of(client).startswith(f"HTTP/1.1 {status} ")
