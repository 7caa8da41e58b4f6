from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from starlette.testclient import TestClient

from tests.conftest import MakeClient

WEB = Path(__file__).parents[3] / "app" / "web"
FILES = sorted(path.relative_to(WEB).as_posix() for path in WEB.rglob("*") if path.is_file())
ASKED = {"/models", "/openapi.json"}  # links to what needs a key, where there are keys


STRICT = {
    "default-src": "'self'",
    "img-src": "'self' blob: data:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
SWAGGER_STYLES = {"style-src": "'self' 'unsafe-inline'"}


@pytest.mark.parametrize(
    ("page", "more", "camera"), [("/", {}, "(self)"), ("/docs", SWAGGER_STYLES, "()")]
)
def test_a_page_may_do_no_more_than_it_must(
    client: TestClient, page: str, more: dict[str, str], camera: str
) -> None:
    headers = client.get(page).headers
    directives = headers["content-security-policy"].split("; ")
    assert dict(one.split(" ", 1) for one in directives) == STRICT | more
    devices = dict(one.split("=", 1) for one in headers["permissions-policy"].split(", "))
    assert devices.pop("camera") == camera
    assert {"geolocation", "microphone", "display-capture", "usb"} <= set(devices)
    assert set(devices.values()) == {"()"}
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "file",
    [f"/web/{name}" for name in FILES]
    + [f"/{name}" for name in FILES if name.startswith("embed/")]
    + ["/docs/assets/swagger-ui.css", "/docs/assets/swagger-ui-bundle.js"],
)
def test_a_file_of_the_pages_is_what_it_says_and_is_asked_for_again_only_by_its_etag(
    client: TestClient, file: str
) -> None:
    response = client.get(file)
    kinds = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    kinds["ts"] = "text/vnd.trolltech.linguist"  # by Python's own table; only editors read it
    expected = kinds.get(file.rpartition(".")[2], "text/html")
    assert response.headers["content-type"].partition(";")[0] == expected
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-cache"
    again = client.get(file, headers={"if-none-match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_files_of_the_page_come_compressed_to_who_reads_that(client: TestClient) -> None:
    plain = client.get("/web/main.js", headers={"accept-encoding": "identity"})
    packed = client.get("/web/main.js", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content == (WEB / "main.js").read_bytes()


@pytest.mark.parametrize("page", ["/", "/docs"])
@pytest.mark.parametrize("needs_key", [False, True])
def test_a_page_loads_everything_from_this_server_and_has_no_inline_script(
    make_client: MakeClient, tmp_path: Path, page: str, needs_key: bool
) -> None:
    (tmp_path / "keys").touch()
    client = make_client(**{"api_keys_file": tmp_path / "keys"} if needs_key else {})
    response = client.get(page)
    assert response.status_code == 200
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", response.text, re.DOTALL)
    assert scripts
    assert not [body for _, body in scripts if body.strip()]
    found = re.findall(r'(?:src|href)="([^#"][^"]*)"', response.text)
    links = [urljoin(page, link) for link in found]
    for link in links:  # it grows by what the scripts import
        assert link.startswith("/"), link
        loaded = client.get(link)
        assert loaded.status_code == (401 if needs_key and link in ASKED else 200), link
        if link.startswith("/web/") and link.endswith(".js"):
            imports = re.findall(r'^(?:im|ex)port .* from "([^"]+)";', loaded.text, re.MULTILINE)
            links += {urljoin(link, one) for one in imports} - set(links)
    assert {"/web/key.js", "/web/key.css"} <= set(links)


def test_a_script_keeps_no_key_beyond_its_tab_and_asks_for_nothing_past_the_key() -> None:
    for path in WEB.rglob("*.js"):
        if path.parent.name == "embed":  # it has a key only from the page it is in
            continue
        text = path.read_text()
        if path.name == "main.js":  # it keeps the reader's language
            text = re.sub(r"localStorage\.[gs]etItem\(LANGUAGE\b", "", text)
        if path.name == "snippets.js":  # it shows what others run elsewhere
            text = re.sub(r"JavaScript: `import.*?\n  \};", "", text, flags=re.DOTALL)
        assert not re.search(r"localStorage|document\.cookie|indexedDB|console\.", text), path
        assert path.name == "key.js" or "fetch(" not in text, path


def test_no_file_of_the_pages_names_another_host() -> None:
    for name in FILES:
        hosts = set(re.findall(r"https?://([\w.-]+)", (WEB / name).read_text()))
        assert hosts <= {"www.w3.org"}, name  # SVG's namespace, which nobody fetches


def test_the_docs_page_shows_this_services_own_document(client: TestClient) -> None:
    assert '"/openapi.json"' in client.get("/web/docs.js").text
    assert client.get("/openapi.json").json()["info"]["title"] == "Convolu"


# --- What other pages load ---

ORIGIN = "https://elsewhere.example"
ANY_ORIGIN = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}


@pytest.mark.parametrize("needs_key", [False, True])
def test_a_page_of_any_origin_may_load_what_is_to_be_embedded(
    make_client: MakeClient, tmp_path: Path, needs_key: bool
) -> None:
    (tmp_path / "keys").touch()
    client = make_client(**{"api_keys_file": tmp_path / "keys"} if needs_key else {})
    response = client.get("/embed/client.js", headers={"origin": ORIGIN})
    assert response.status_code == 200
    assert response.headers.items() >= ANY_ORIGIN.items()
    condition = {"origin": ORIGIN, "if-none-match": response.headers["etag"]}
    again = client.get("/embed/client.js", headers=condition)
    assert again.status_code == 304
    assert again.headers.items() >= ANY_ORIGIN.items()


@pytest.mark.parametrize("origin", [ORIGIN, "http://localhost:5173"])
def test_what_is_to_be_embedded_is_open_also_where_the_service_is_not(
    make_client: MakeClient, origin: str
) -> None:
    client = make_client(cors_origins="http://localhost:5173")
    allowed = client.get("/embed/client.js", headers={"origin": origin}).headers
    assert allowed.get_list("access-control-allow-origin") in (["*"], [origin])
    assert allowed["cross-origin-resource-policy"] == "cross-origin"
    assert client.get("/models", headers={"origin": ORIGIN}).headers.keys().isdisjoint(ANY_ORIGIN)


@pytest.mark.parametrize("path", ["/", "/docs", "/web/key.js", "/models", "/embed/none.js"])
def test_nothing_else_is_open_to_other_origins(client: TestClient, path: str) -> None:
    headers = client.get(path, headers={"origin": ORIGIN}).headers
    assert headers.keys().isdisjoint(ANY_ORIGIN)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/embed/../key.js", 404),
        ("/embed/..%2Fkey.js", 404),
        ("/embed/", 404),
        ("/embed", 405),  # POST /embed is another thing
    ],
)
def test_only_files_of_the_folder_are_embedded(client: TestClient, path: str, status: int) -> None:
    response = client.get(path, follow_redirects=False)
    assert response.headers.keys().isdisjoint(ANY_ORIGIN)
    assert response.status_code == status
