"""<image-classifier> in both languages, light and dark, narrow, under a strict policy; its size."""

from __future__ import annotations

import gzip
import re

import pytest
from playwright.sync_api import expect

from tests.conftest import SEVEN
from tests.web.conftest import Elsewhere, MakeTab, OpenExample, violations
from tests.web.element import choose, element, example
from tests.web.node import EMBED

MAX_BYTES = 15_000  # compressed, of the element and all that it imports
STRICT = "default-src 'none'; script-src {service}; connect-src {service}"


def test_it_works_under_a_policy_that_allows_the_service_alone(
    make_tab: MakeTab, elsewhere: Elsewhere, open_service: str
) -> None:
    page = make_tab(elsewhere.origin, open_service).page
    policy = STRICT.format(service=open_service)
    page.goto(elsewhere.put(example(open_service), Content_Security_Policy=policy))
    choose(page)
    expect(page.get_by_role("listitem")).to_have_count(3)
    expect(page.get_by_role("img", name="The image you chose")).to_be_visible()
    widths = page.locator("image-classifier").evaluate(
        "(e) => [...e.shadowRoot.querySelectorAll('[part=bar]')].map((bar) => bar.offsetWidth)"
    )
    assert widths[0] > 100 > 10 > widths[1]


@pytest.mark.parametrize(
    ("change", "locale", "text"),
    [
        (("<image-classifier", '<image-classifier lang="ko"'), "en-US", "이미지 선택"),
        (('<html lang="en">', '<html lang="ko-KR">'), "en-US", "이미지 선택"),
        (('<html lang="en">', "<html>"), "ko-KR", "이미지 선택"),
        (('<html lang="en">', '<html lang="de">'), "ko-KR", "Choose an image"),
    ],
    ids=["its own", "of the page", "of the browser", "one that is not there"],
)
def test_it_speaks_the_language_around_it(
    open_example: OpenExample, change: tuple[str, str], locale: str, text: str
) -> None:
    page = open_example(change, locale=locale).page
    expect(page.get_by_label(text)).to_be_attached()


def test_in_korean_too_everything_is_said(open_example: OpenExample) -> None:
    page = open_example(('<html lang="en">', '<html lang="ko">')).page
    page.get_by_label("이미지 선택").set_input_files(SEVEN)
    expect(page.get_by_role("status")).to_have_text("결과: 7, > 99.9 %. 둘째: 2, < 0.1 %.")
    element(page).evaluate("(e) => { e.lang = 'en'; }")
    expect(page.get_by_role("button", name="Clear")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("capture", ["", ' capture="environment"'], ids=["", "photo"])
def test_it_is_legible_and_fits_into_200_pixels(
    open_example: OpenExample, scheme: str, capture: str
) -> None:
    changes = (' capture="environment"', capture), ("<main>", '<main style="width: 200px">')
    viewport = {"width": 320, "height": 640}
    page = open_example(
        *changes, color_scheme=scheme, viewport=viewport, has_touch=True, is_mobile=True
    ).page
    assert violations(page) == []
    choose(page)
    expect(page.get_by_role("listitem")).to_have_count(3)
    assert violations(page) == []
    inside, outside = element(page).evaluate(
        """(e) => [e, ...e.shadowRoot.querySelectorAll("*")].reduce(([most, width], one) => (
          [Math.max(most, one.getBoundingClientRect().right), width]
        ), [0, e.getBoundingClientRect().right])"""
    )
    assert inside <= outside
    assert element(page).evaluate("(e) => e.offsetWidth") <= 200
    background = element(page).evaluate("(e) => getComputedStyle(e).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")


def test_a_page_can_change_its_looks(open_example: OpenExample) -> None:
    style = """<style>
      image-classifier { --ic-accent: rgb(1, 2, 3); --ic-background: rgb(4, 5, 6); }
      image-classifier::part(button) { letter-spacing: 3px; }
      image-classifier::part(row) { padding-left: 7px; }
    </style>"""
    page = open_example(("<main>", style + "<main>")).page
    choose(page)
    expect(page.get_by_role("listitem")).to_have_count(3)
    read = """(e) => {
      const of = (part) => getComputedStyle(e.shadowRoot.querySelector(`[part=${part}]`));
      const button = of("button");
      return [button.color, button.letterSpacing, getComputedStyle(e).backgroundColor,
        of("row").paddingLeft, ...["drop", "preview", "result", "bar", "error"].map((part) => (
          e.shadowRoot.querySelectorAll(`[part=${part}]`).length
        ))];
    }"""
    assert element(page).evaluate(read) == [
        "rgb(1, 2, 3)", "3px", "rgb(4, 5, 6)", "7px", 1, 1, 1, 3, 1,
    ]  # fmt: skip


def test_the_element_with_all_it_imports_is_small() -> None:
    needed, found = ["image-classifier.js"], set()
    while needed:
        name = needed.pop()
        found.add(name)
        imported = re.findall(r'from "\./([\w-]+\.js)"', (EMBED / name).read_text())
        needed += set(imported) - found
    assert sum(len(gzip.compress((EMBED / name).read_bytes())) for name in found) <= MAX_BYTES
