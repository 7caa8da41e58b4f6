"""What tests of <image-classifier> share: the page of docs/frontend.md, and what a person does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

from tests.conftest import SEVEN

DOCS = (Path(__file__).parents[2] / "docs" / "frontend.md").read_text()
EXAMPLE = re.search(r"^```html\n(<!doctype.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
RECORD = """
for (const type of ["start", "result", "error", "abort"]) {
  addEventListener(`classify-${type}`, ({ detail }) => (window.told ??= []).push({
    type, file: detail.file?.name, code: detail.error?.code,
    label: detail.answer?.predictions[0].label,
  }));
}
"""


def example(service: str) -> str:
    assert EXAMPLE
    return EXAMPLE[1].replace("http://127.0.0.1:8000", service)


def element(page: Page) -> Locator:
    return page.locator("image-classifier")


def choose(page: Page, file: Path | dict[str, Any] = SEVEN) -> None:
    page.get_by_label("Choose an image").set_input_files(file)  # type: ignore[arg-type]


def rows(page: Page) -> list[str]:
    return [" ".join(text.split()) for text in page.get_by_role("listitem").all_inner_texts()]


def told(page: Page) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = page.evaluate("() => window.told ?? []")
    return events


def picture(name: str, data: bytes, kind: str = "image/png") -> dict[str, Any]:
    return {"name": name, "mimeType": kind, "buffer": data}
