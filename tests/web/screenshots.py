"""The pictures in docs/pictures: each view in light and dark, as `make screenshots` takes them."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from tests.web.conftest import live_service

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
WINDOW: ViewportSize = {"width": 1200, "height": 860}
COLOURS = 256  # of a palette: half the bytes, and nobody sees it


def main() -> None:
    """Open every view with a picture in it and take it."""
    FOLDER.mkdir(exist_ok=True)
    with live_service() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for scheme in ("light", "dark"):
            page = browser.new_page(color_scheme=scheme, viewport=WINDOW, locale="en-GB")
            page.goto(url)
            page.get_by_role("button", name="Sample 11").click()
            expect(page.locator(".seen")).to_be_visible()
            take(page, f"classify-{scheme}")
            for view, ready in (
                ("inside/conv1/3", "figure canvas"),
                ("why", ".sum"),
                ("model", ".view.model .card"),
            ):
                page.goto(f"{url}/#/{view}")
                expect(page.locator(ready).first).to_be_visible()
                take(page, f"{view.partition('/')[0]}-{scheme}")
        browser.close()


def take(page: Page, name: str) -> None:
    """What the window shows, when nothing in it moves or is awaited any more."""
    page.mouse.move(0, 0)  # what is under it would be told of
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
