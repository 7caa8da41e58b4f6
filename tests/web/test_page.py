"""The page's frame: its views and their addresses, its weight, what it asks for."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from playwright.sync_api import Request, expect

from app.keys import new_key
from tests.web.conftest import MakeTab, live_service, violations

MAX_GZIPPED_BYTES = 100_000
VIEWS = {
    "Classify": "What is in the picture?",
    "Inside the network": "Inside the network",
    "Why this answer": "Why this answer",
    "Model": "mnist-2conv",
    "Use it": "Use it",
}


def test_each_view_has_an_address_and_back_leads_back(service: str, make_tab: MakeTab) -> None:
    page = make_tab(service).page
    page.goto(service)
    addresses = []
    for name, title in VIEWS.items():
        page.get_by_role("navigation").get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(title)
        current = page.locator("nav a[aria-current=page]")
        expect(current).to_have_text(name)
        addresses.append(page.url)
    assert len(set(addresses)) == len(VIEWS)
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_contain_text("mnist-2conv")
    page.goto(addresses[2])
    expect(page.get_by_role("heading", level=1)).to_contain_text("Why this answer")


def test_the_model_is_chosen_in_the_page_and_stands_in_its_address(
    service: str, make_tab: MakeTab
) -> None:
    page = make_tab(service).page
    page.goto(service)
    page.get_by_label("Network").select_option("mnist-1conv")
    expect(page).to_have_url(re.compile(r"#/\?model=mnist-1conv$"))
    expect(page.locator("footer")).to_contain_text("mnist-1conv, version")
    with page.expect_response("**/predict*") as answered:
        page.get_by_role("button", name="Sample 5").click()
    assert answered.value.json()["model"] == "mnist-1conv"
    other = make_tab(service).page
    other.goto(page.url)
    expect(other.get_by_label("Network")).to_have_value("mnist-1conv")


def test_all_of_the_page_weighs_at_most_100_kb_gzipped(service: str, make_tab: MakeTab) -> None:
    page = make_tab(service).page
    files: dict[str, int] = {}

    def weigh(request: Request) -> None:
        response = request.response()
        assert response is not None
        path = response.url.removeprefix(service).partition("#")[0]
        of_the_page = path == "/" or path.startswith(("/web/", "/embed/"))
        if of_the_page and response.status == 200:  # 304: weighed already
            files[path] = len(gzip.compress(response.body(), mtime=0))

    page.on("requestfinished", weigh)
    page.goto(service)
    for name in VIEWS:
        page.get_by_role("navigation").get_by_role("link", name=name).click()
        expect(page.locator("nav a[aria-current=page]")).to_have_text(name)
    page.get_by_role("link", name="Classify").click()
    expect(page.locator(".tools")).to_be_visible()
    assert {"/", "/web/main.js", "/web/page.css", "/web/embed/client.js"} <= set(files)
    # By another address a module is another: it would speak another language.
    assert not [path for path in files if path.startswith("/embed/")]
    assert sum(files.values()) <= MAX_GZIPPED_BYTES, files


def test_where_looking_inside_is_off_the_rest_is_there(make_tab: MakeTab) -> None:
    with live_service(CONVOLU_INSIDE="0") as url:
        page = make_tab(url).page
        page.goto(url)
        page.get_by_role("button", name="Sample 3").click()
        expect(page.locator(".headline strong")).to_have_text("2")
        links = page.get_by_role("navigation").get_by_role("link")
        expect(links).to_have_text(["Classify", "Model", "Use it"])
        expect(page.get_by_role("link", name="Look inside")).to_have_count(0)
        assert violations(page) == []


@pytest.mark.parametrize("locale", ["en-GB", "ko-KR"])
def test_where_keys_are_set_the_page_asks_for_one_and_all_goes_with_it(
    make_tab: MakeTab, tmp_path: Path, locale: str
) -> None:
    key, line = new_key("someone")
    (tmp_path / "keys").write_text(f"{line}\n")
    with live_service(CONVOLU_API_KEYS_FILE=str(tmp_path / "keys")) as url:
        tab = make_tab(url, locale=locale)
        page = tab.page
        page.goto(url)
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("textbox").fill(key)
        page.keyboard.press("Enter")
        page.locator(".samples button").nth(9).click()
        expect(page.locator(".headline strong")).to_have_text("9")
        image = page.locator(".samples img").first
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("image => image.naturalWidth") == 28  # a link would have sent no key
        expect(page.locator(".seen img")).to_be_visible()
        assert key not in page.content()
        tab.expect_fault("status of 401")


@pytest.mark.parametrize("hash_", ["#/constructor", "#/nothing/at/all", "#/%", "#/?model=none"])
def test_an_address_that_nothing_is_at_leads_to_the_first_view(
    service: str, make_tab: MakeTab, hash_: str
) -> None:
    page = make_tab(service).page
    page.goto(service + "/" + hash_)
    expect(page.get_by_role("heading", level=1)).to_have_text(VIEWS["Classify"])
    expect(page.get_by_label("Network")).to_have_value("mnist-2conv")


def test_an_address_without_a_model_leads_back_to_the_default(
    service: str, make_tab: MakeTab
) -> None:
    page = make_tab(service).page
    page.goto(f"{service}/#/model?model=mnist-1conv")
    expect(page.get_by_role("heading", level=1)).to_contain_text("mnist-1conv")
    page.evaluate("location.hash = '#/model'")
    expect(page.get_by_role("heading", level=1)).to_contain_text("mnist-2conv")
