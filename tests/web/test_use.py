"""The view Use it: what it prints runs exactly as printed, and says what to do when it does not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.keys import new_key
from tests.app.pooled import pooled_model
from tests.conftest import SEVEN
from tests.web.conftest import Elsewhere, MakeTab, live_service, violations

ROOT = Path(__file__).parents[2]
ODD = 'my "7", it\'s; $HOME `a` é.png'  # all that a shell, curl or a string may trip over


@dataclass(frozen=True)
class Keyed:
    """A service that asks for a key."""

    url: str
    key: str


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    key, line = new_key("page")
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(line)
    with live_service(CONVOLU_API_KEYS_FILE=str(file)) as url:
        yield Keyed(url, key)


def opened(page: Page, url: str, query: str = "") -> Page:
    page.goto(f"{url}/#/use{query}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Use it")
    return page


def call_card(page: Page) -> str:
    """The code of the tab that is chosen."""
    return page.get_by_role("region", name="Call it").locator("pre").inner_text()


def chosen(page: Page, language: str) -> str:
    page.get_by_role("tab", name=language).click()
    return call_card(page)


def run(language: str, code: str, folder: Path, **variables: str) -> str:
    commands = {
        "curl": ["sh", "-c", code],
        "Python": [sys.executable, "-"],
        "JavaScript": [shutil.which("node") or "", "--input-type=module", "-"],
    }
    if not commands[language][0]:
        pytest.skip("node (Debian package nodejs) is not here to run the JavaScript call")
    return subprocess.run(
        commands[language],
        input=None if language == "curl" else code,
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def first_label(language: str, output: str) -> str:
    if language == "curl":
        label: str = json.loads(output)["predictions"][0]["label"]
        return label
    return output.split()[0]


LANGUAGES = ["curl", "Python", "JavaScript"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_call_runs_as_printed_with_the_sample_that_the_page_offers(
    service: str, make_tab: MakeTab, tmp_path: Path, language: str
) -> None:
    page = opened(make_tab(service).page, service, "?model=mnist-1conv")
    with page.expect_download() as download:
        page.get_by_role("link", name="Save sample-1.png").click()
    download.value.save_as(tmp_path / download.value.suggested_filename)
    code = chosen(page, language)
    assert "mnist-1conv" in code
    output = run(language, code, tmp_path)
    assert first_label(language, output) == "0"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_call_runs_as_printed_whatever_the_file_is_called(
    service: str, make_tab: MakeTab, tmp_path: Path, language: str
) -> None:
    (tmp_path / ODD).write_bytes(SEVEN.read_bytes())
    page = make_tab(service).page
    page.goto(service)
    page.set_input_files("input[type=file] >> nth=0", tmp_path / ODD)
    expect(page.locator(".headline strong")).to_have_text("7")
    page.evaluate("location.hash = '#/use'")
    expect(page.get_by_role("heading", level=1)).to_have_text("Use it")
    code = chosen(page, language)
    assert first_label(language, run(language, code, tmp_path)) == "7"


@pytest.mark.parametrize("language", LANGUAGES)
def test_with_a_key_a_call_reads_it_from_a_variable_and_never_shows_it(
    keyed: Keyed, make_tab: MakeTab, tmp_path: Path, language: str
) -> None:
    page = make_tab(keyed.url).page
    page.add_init_script(f"sessionStorage.setItem('convolu-key', {json.dumps(keyed.key)})")
    opened(page, keyed.url)
    expect(page.get_by_text("CONVOLU_KEY first")).to_be_visible()
    (tmp_path / "sample-1.png").write_bytes(SEVEN.read_bytes())
    code = chosen(page, language)
    assert first_label(language, run(language, code, tmp_path, CONVOLU_KEY=keyed.key)) == "7"
    assert keyed.key not in page.content()


@pytest.mark.parametrize("language", ["Python", "JavaScript"])
def test_a_refused_call_ends_with_what_the_service_says(
    service: str, make_tab: MakeTab, tmp_path: Path, language: str
) -> None:
    page = opened(make_tab(service).page, service)
    (tmp_path / "sample-1.png").write_text("no picture")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run(language, chosen(page, language), tmp_path)
    assert "AVIF" in failed.value.stderr


def test_tabs_are_moved_through_by_arrows_and_the_choice_is_kept(
    service: str, make_tab: MakeTab
) -> None:
    page = opened(make_tab(service).page, service)
    page.get_by_role("tab", name="curl").focus()
    for key, name in [
        ("ArrowRight", "Python"),
        ("End", "JavaScript"),
        ("ArrowRight", "curl"),
        ("ArrowLeft", "JavaScript"),
        ("Home", "curl"),
        ("ArrowRight", "Python"),
    ]:
        page.keyboard.press(key)
        expect(page.get_by_role("tab", name=name)).to_be_focused()
        expect(page.get_by_role("tab", selected=True)).to_have_text(name)
    page.keyboard.press("Tab")  # over the button to the code, each one stop
    page.keyboard.press("Tab")
    expect(page.get_by_role("tabpanel", name="Python")).to_be_focused()
    page.evaluate("location.hash = '#/model'")
    expect(page.get_by_role("heading", name="What it is")).to_be_visible()
    page.evaluate("location.hash = '#/use'")
    expect(page.get_by_role("tab", selected=True)).to_have_text("Python")


def test_copy_copies_and_says_so(service: str, make_tab: MakeTab) -> None:
    page = make_tab(service, permissions=["clipboard-read", "clipboard-write"]).page
    opened(page, service)
    copy = page.get_by_role("region", name="Call it").get_by_role("button")
    copy.click()
    expect(copy).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == call_card(page)
    expect(copy).to_have_text("Copy")


def test_where_the_clipboard_is_closed_the_code_is_selected(
    service: str, make_tab: MakeTab
) -> None:
    page = make_tab(service).page
    page.add_init_script("delete Navigator.prototype.clipboard")
    opened(page, service)
    copy = page.get_by_role("region", name="Call it").get_by_role("button")
    copy.click()
    expect(copy).to_have_text("Selected: press Ctrl+C or ⌘C")
    assert page.evaluate("`${getSelection()}`").strip() == call_card(page)


def test_trying_it_shows_status_headers_and_json(service: str, make_tab: MakeTab) -> None:
    page = opened(make_tab(service).page, service)
    tried = page.get_by_role("region", name="Try it")
    with page.expect_response("**/predict?*") as sent:
        tried.get_by_role("button", name="Send sample-1.png").click()
    expect(tried.locator("strong")).to_have_text("HTTP 200")
    headers = sent.value.headers
    for name in ("X-Request-ID", "Server-Timing"):
        expect(tried.locator(".headers")).to_contain_text(f"{name}{headers[name.lower()]}")
    assert json.loads(tried.locator("pre").inner_text()) == sent.value.json()
    expect(tried.get_by_role("status")).to_contain_text("HTTP 200 after")
    assert violations(page) == []


def test_trying_what_is_no_picture_shows_what_an_error_looks_like(
    service: str, make_tab: MakeTab
) -> None:
    tab = make_tab(service)
    page = opened(tab.page, service)
    tried = page.get_by_role("region", name="Try it")
    tried.get_by_role("button", name="Send what is no picture").click()
    expect(tried.locator("strong")).to_have_text("HTTP 415")
    assert json.loads(tried.locator("pre").inner_text())["code"] == "unsupported_image"
    tab.expect_fault("415")
    assert violations(page) == []


def test_every_error_of_the_api_is_in_the_table(service: str, make_tab: MakeTab) -> None:
    page = opened(make_tab(service).page, service)
    section = (ROOT / "docs" / "api.md").read_text().partition("## Errors")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([\d, ]+) \| (.+?) \|", section, re.MULTILINE)
    documented = {
        (code, status)
        for statuses, codes in rows
        for code, status in zip(
            re.findall(r"`(\w+)`", codes), re.findall(r"\d+", statuses) * 2, strict=False
        )
    }
    shown = page.get_by_role("table", name="All errors and what to do").locator("tbody tr")
    listed = {
        (code, status)
        for status, code in zip(
            shown.locator("td:first-child").all_text_contents(),
            shown.locator("th").all_text_contents(),
            strict=True,
        )
    }
    assert listed == documented


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose default model has an embedding, and another one with another."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "pooled.onnx").write_bytes(pooled_model())
    (folder / "other.onnx").write_bytes(pooled_model(dim=7))
    with live_service("--models", str(folder), "--default-model", "pooled") as url:
        yield url


@pytest.mark.parametrize(("query", "dim"), [("", 5), ("?model=other", 7)])
def test_the_call_for_an_embedding_runs_as_printed_where_a_network_has_one(
    pooled: str, make_tab: MakeTab, tmp_path: Path, query: str, dim: int
) -> None:
    page = opened(make_tab(pooled).page, pooled, query)
    card = page.get_by_role("region", name="Find alike pictures")
    expect(card).to_contain_text(f"a vector of {dim} numbers")
    (tmp_path / "picture.png").write_bytes(SEVEN.read_bytes())
    answer = json.loads(run("curl", card.locator("pre").inner_text(), tmp_path))
    assert len(answer["embedding"]) == answer["dim"] == dim
    assert violations(page) == []


def test_a_network_without_an_embedding_offers_none(service: str, make_tab: MakeTab) -> None:
    page = opened(make_tab(service).page, service)
    expect(page.get_by_role("heading", name="Put it on a page")).to_be_visible()
    expect(page.get_by_role("region", name="Find alike pictures")).to_have_count(0)


@pytest.mark.parametrize("name", ["HTML", "HTML, with the client"])
def test_what_is_for_other_pages_works_on_one(
    open_service: str, elsewhere: Elsewhere, make_tab: MakeTab, name: str
) -> None:
    page = opened(make_tab(open_service).page, open_service)
    html = page.get_by_role("region", name=name, exact=True).locator("pre").inner_text()
    other = make_tab(elsewhere.origin, open_service).page
    other.goto(elsewhere.put(f"<!doctype html><title>T</title><body>{html}"))
    other.set_input_files("input[type=file] >> nth=0", SEVEN)
    expect(other.get_by_text(re.compile("7: (99|>|0.99)")).first).to_be_visible()


def test_the_container_is_started_as_the_readme_says(service: str, make_tab: MakeTab) -> None:
    page = opened(make_tab(service).page, service)
    printed = page.get_by_role("region", name="Docker", exact=True).locator("pre").inner_text()
    assert printed in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_narrow_window_and_speaks_korean(
    service: str, make_tab: MakeTab, scheme: str
) -> None:
    page = make_tab(
        service, locale="ko-KR", viewport={"width": 320, "height": 640}, color_scheme=scheme
    ).page
    page.goto(f"{service}/#/use")
    expect(page.get_by_role("heading", level=1)).to_have_text("활용하기")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert violations(page) == []
    page.evaluate("document.querySelectorAll('code').forEach((one) => one.remove())")
    for line in page.locator("main").inner_text().splitlines():
        assert re.search("[가-힣]", line) or not re.search("[a-z]+ [a-z]+", line), line
