"""report.html as a browser shows it, from a file, with the network cut."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.training.report.test_page import report
from tests.web.conftest import violations

pytestmark = pytest.mark.train

LABELS = ["airplane", "cat", "dog with a name that is long", "4"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report(LABELS), encoding="utf-8")
    return path


def opened(browser: Browser, file: Path, faults: list[str], **options: object) -> Page:
    page = browser.new_page(**options)  # type: ignore[arg-type]
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith(("data:", f"file://{file}"))
            else faults.append(request.url)
        ),
    )
    page.goto(f"file://{file}")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_it_is_accessible_and_fits_in_light_and_dark_on_phone_and_desk(
    browser: Browser, file: Path, scheme: str, width: int
) -> None:
    faults: list[str] = []
    page = opened(
        browser, file, faults, color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    for lid in page.locator("summary").all():
        lid.click()
    page.locator("table.matrix a").first.click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert faults == []
    page.close()


def test_a_number_of_the_matrix_opens_its_pictures_by_keyboard_and_without_script(
    browser: Browser, file: Path
) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"file://{file}")
    expect(page.locator(".pair:visible")).to_have_count(0)
    link = page.get_by_role("link", name="cat taken for dog with a name that is long")
    link.focus()
    page.keyboard.press("Enter")
    shown = page.get_by_role("region", name="cat taken for dog with a name that is long")
    expect(shown).to_be_visible()
    expect(page.locator(".pair:visible")).to_have_count(1)
    expect(shown.get_by_role("img").first).to_be_in_viewport()
    count = int((link.text_content() or "").replace(",", ""))
    expect(shown.get_by_role("img")).to_have_count(min(count, 25))
    shown.get_by_role("link", name="Back to all confusions").click()
    expect(page.locator(".pair:visible")).to_have_count(0)
    page.close()


def test_a_picture_is_painted_from_its_place_on_the_sheet(browser: Browser, file: Path) -> None:
    """Random pixels: what is painted has many levels, what is not has one."""
    page = browser.new_page()
    page.goto(f"file://{file}")
    shot = page.locator("#mistakes .picture").last.screenshot()
    levels = np.asarray(Image.open(BytesIO(shot)).convert("L"))
    assert len(np.unique(levels)) > 30
    page.close()


def test_it_prints_with_its_pictures_and_without_what_only_a_screen_needs(
    browser: Browser, file: Path
) -> None:
    page = browser.new_page()
    page.goto(f"file://{file}")
    page.emulate_media(media="print")
    expect(page.get_by_role("navigation")).to_be_hidden()
    expect(page.locator("#mistakes .picture").first).to_be_visible()
    assert len(page.pdf()) > 50_000
    page.close()
