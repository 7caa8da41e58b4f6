from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

WEB = Path(__file__).parents[3] / "app" / "web"


@pytest.mark.parametrize("page", ["/", "/docs"])
def test_a_page_loads_everything_from_this_server_and_has_no_inline_script(
    client: TestClient, page: str
) -> None:
    response = client.get(page)
    assert response.status_code == 200
    assert "script-src" not in response.headers["content-security-policy"]
    assert "default-src 'self'" in response.headers["content-security-policy"]
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", response.text, re.DOTALL)
    assert scripts
    assert not [body for _, body in scripts if body.strip()]
    for link in re.findall(r'(?:src|href)="([^"]+)"', response.text):
        assert link.startswith("/"), link
        assert client.get(link).status_code == 200, link


def test_no_file_of_the_pages_names_another_host() -> None:
    for path in WEB.iterdir():
        hosts = set(re.findall(r"https?://([\w.-]+)", path.read_text()))
        assert hosts <= {"www.w3.org"}, path  # SVG's namespace, which nobody fetches


def test_the_docs_page_shows_this_services_own_document(client: TestClient) -> None:
    assert '"/openapi.json"' in client.get("/web/docs.js").text
    assert client.get("/openapi.json").json()["info"]["title"] == "Convolu"
