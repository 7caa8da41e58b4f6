"""The view Why this answer as a person meets it, with the networks that come along."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.web.conftest import MakeTab, live_service, violations


def explained(page: Page, service: str, label: str, method: str = "auto") -> dict[str, Any]:
    """What the service says of the first sample."""
    sample = page.request.get(f"{service}/models/mnist-2conv/samples/1").body()
    answer: dict[str, Any] = page.request.post(
        f"{service}/explain?class={label}&method={method}",
        multipart={"file": {"name": "a.png", "mimeType": "image/png", "buffer": sample}},
    ).json()
    return answer


def value_in(text: str) -> float:
    found = re.search(r"[:=] ([+−]?[\d.]+)", text)
    assert found, text
    return float(found[1].replace("−", "-"))


def opened(page: Page, url: str) -> Page:
    page.goto(url)
    expect(page.get_by_role("grid")).to_be_visible()
    return page


def test_the_best_class_of_the_first_sample_is_explained_unasked(
    service: str, make_tab: MakeTab
) -> None:
    page = opened(make_tab(service).page, f"{service}/#/why")
    expect(page.get_by_role("heading", level=1)).to_have_text("Why this answer")
    expect(page.get_by_text("Sample 1, as the network saw it.")).to_be_visible()
    expect(page.get_by_role("radio", name=re.compile("^0"))).to_be_checked()
    expect(page.get_by_role("grid", name="Map of the class 0")).to_be_visible()
    expect(page.get_by_text("not where the object is")).to_be_visible()
    assert violations(page) == []


def test_the_map_of_an_exact_method_is_seen_to_add_up_to_the_score(
    service: str, make_tab: MakeTab
) -> None:
    page = opened(make_tab(service).page, f"{service}/#/why")
    answer = explained(page, service, "0")
    assert answer["exact"]
    sums = page.get_by_role("table", name="How the score of 0 adds up").locator("td")
    shown = [float(text.replace("−", "-")) for text in sums.all_text_contents()]
    values = np.frombuffer(b64decode(answer["map"]["data"]), np.float32)
    assert shown == pytest.approx([values.sum(), answer["rest"], answer["logit"]], abs=0.006)
    expect(page.get_by_text("the same.")).to_be_visible()
    expect(page.get_by_text("It took no further run of the network")).to_be_visible()


def test_a_map_that_does_not_add_up_is_not_called_exact(service: str, make_tab: MakeTab) -> None:
    page = make_tab(service).page
    answer = explained(page, service, "0") | {"logit": 1.0}
    page.route("**/explain?*", lambda route: route.fulfill(json=answer))
    opened(page, f"{service}/#/why")
    expect(page.get_by_text("Do not trust this map.")).to_be_visible()


def test_why_not_another_class(service: str, make_tab: MakeTab) -> None:
    page = opened(make_tab(service).page, f"{service}/#/why")
    page.get_by_role("radio", name=re.compile("^1")).check()
    expect(page.get_by_role("grid", name="Map of the class 1")).to_be_visible()
    expect(page).to_have_url(f"{service}/#/why/1")
    page.reload()
    expect(page.get_by_role("radio", name=re.compile("^1"))).to_be_checked()


def test_two_classes_lie_beside_each_other_on_one_scale(service: str, make_tab: MakeTab) -> None:
    page = opened(make_tab(service).page, f"{service}/#/why")
    page.get_by_label("Compare it with").select_option("6")
    expect(page.get_by_role("grid")).to_have_count(2)
    maps = [explained(page, service, label)["map"]["data"] for label in "06"]
    most = max(np.abs(np.frombuffer(b64decode(one), np.float32)).max() for one in maps)
    shown = page.locator(".legend span").last.text_content() or ""
    assert float(shown.rpartition("+")[2]) == pytest.approx(most, rel=0.01)
    assert violations(page) == []


def test_covering_parts_says_what_it_cost_and_that_it_does_not_add_up(
    service: str, make_tab: MakeTab
) -> None:
    page = opened(make_tab(service).page, f"{service}/#/why")
    passes = explained(page, service, "0", "occlusion")["passes"]
    page.get_by_role("radio", name="Covering parts").check()
    expect(page.get_by_text(f"It took {passes} more runs of the network")).to_be_visible()
    expect(page.get_by_text("does not add up: the cells are no parts")).to_be_visible()
    expect(page.get_by_role("table", name="How the score")).to_have_count(0)
    expect(page).to_have_url(f"{service}/#/why/0/occlusion")
    assert violations(page) == []


def test_the_value_of_a_cell_is_text_by_keyboard_and_by_pointer(
    service: str, make_tab: MakeTab
) -> None:
    page = opened(make_tab(service).page, f"{service}/#/why")
    answer = explained(page, service, "0")
    rows, columns = answer["map"]["shape"]
    values = np.frombuffer(b64decode(answer["map"]["data"]), np.float32).reshape(rows, columns)
    readout = page.locator(".readout")
    stops = page.locator("[role=gridcell][tabindex='0']")
    expect(stops).to_have_count(1)
    page.get_by_role("gridcell").first.focus()
    for key, row, column in [
        ("ArrowRight", 0, 1),
        ("ArrowDown", 1, 1),
        ("End", 1, columns - 1),
        ("ArrowRight", 1, columns - 1),  # the border holds
        ("Control+End", rows - 1, columns - 1),
        ("ArrowDown", rows - 1, columns - 1),
        ("ArrowUp", rows - 2, columns - 1),
        ("Home", rows - 2, 0),
        ("ArrowLeft", rows - 2, 0),
        ("Control+Home", 0, 0),
        ("ArrowUp", 0, 0),
    ]:
        page.keyboard.press(key)
        expect(readout).to_contain_text(f"Row {row + 1}, column {column + 1}:")
        text = readout.text_content() or ""
        assert value_in(text) == pytest.approx(float(values[row, column]), rel=0.006)
        name = page.evaluate("document.activeElement.ariaLabel")
        assert name == text  # what is seen is what is heard
    expect(stops).to_have_count(1)
    page.get_by_role("gridcell").nth(columns * 4 + 6).hover()
    expect(readout).to_contain_text("Row 5, column 7:")


def test_a_cell_lies_over_the_pixels_that_it_is_of(service: str, make_tab: MakeTab) -> None:
    page = opened(make_tab(service).page, f"{service}/#/why")
    answer = explained(page, service, "0")["map"]
    picture = page.locator(".heat > img").bounding_box()
    cell = page.get_by_role("gridcell").nth(answer["shape"][1] * 2 + 3).bounding_box()
    assert picture
    assert cell
    scale = picture["width"] / 28
    centre = [
        (cell["y"] + cell["height"] / 2 - picture["y"]) / scale,
        (cell["x"] + cell["width"] / 2 - picture["x"]) / scale,
    ]
    expected = [answer["start"][axis] + (2, 3)[axis] * answer["step"][axis] for axis in (0, 1)]
    assert centre == pytest.approx(expected, abs=0.1)
    assert cell["height"] / scale == pytest.approx(answer["step"][0], abs=0.05)


def test_picture_and_map_are_shown_alone_or_one_over_the_other(
    service: str, make_tab: MakeTab
) -> None:
    page = opened(make_tab(service).page, f"{service}/#/why")
    picture, drawn = page.locator(".heat > img"), page.locator(".heat > canvas")
    slider = page.get_by_role("slider", name="Strength of the map")
    expect(drawn).to_have_css("opacity", "0.75")
    slider.focus()
    page.keyboard.press("Home")
    expect(drawn).to_have_css("opacity", "0")
    page.get_by_role("radio", name="Map").check()
    expect(picture).to_be_hidden()
    expect(drawn).to_have_css("opacity", "1")
    expect(slider).to_be_disabled()
    page.get_by_role("radio", name="Picture").check()
    expect(picture).to_be_visible()
    expect(drawn).to_be_hidden()


def test_the_map_is_a_table_too(service: str, make_tab: MakeTab) -> None:
    page = opened(make_tab(service).page, f"{service}/#/why")
    page.get_by_text("The map of 0 as a table").click()
    rows, columns = explained(page, service, "0")["map"]["shape"]
    cells = page.get_by_role("table", name="The map of 0 as a table").get_by_role("cell")
    expect(cells).to_have_count(rows * columns + 1)  # the corner
    assert violations(page) == []


def test_it_fits_a_narrow_window_and_speaks_korean(service: str, make_tab: MakeTab) -> None:
    page = make_tab(
        service, locale="ko-KR", viewport={"width": 320, "height": 640}, color_scheme="dark"
    ).page
    opened(page, f"{service}/#/why")
    page.get_by_label("함께 비교할 클래스").select_option("6")
    expect(page.get_by_role("grid")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    text = page.locator("main").inner_text()
    assert re.findall(r"[A-Za-z]{4,}", text) in ([], ["conv"], ["Zhou"])
    assert violations(page) == []


def test_a_fault_says_what_to_do(service: str, make_tab: MakeTab) -> None:
    tab = make_tab(service)
    problem = {"code": "internal", "title": "T", "detail": "D.", "request_id": "r-1"}
    tab.page.route(
        "**/explain?*",
        lambda route: route.fulfill(status=500, json=problem),
    )
    tab.page.goto(f"{service}/#/why")
    expect(tab.page.get_by_role("alert")).to_contain_text("r-1")
    tab.expect_fault("500")


def test_where_looking_inside_is_off_the_view_says_so(make_tab: MakeTab) -> None:
    with live_service(CONVOLU_INSIDE="0") as url:
        page = make_tab(url).page
        page.goto(f"{url}/#/why")
        expect(page.get_by_text("does not look inside")).to_be_visible()


def test_the_address_may_be_changed_on_the_view_itself(service: str, make_tab: MakeTab) -> None:
    tab = make_tab(service)
    page = tab.page
    page.goto(f"{service}/#/why/3")
    expect(page.get_by_role("radio", name="3")).to_be_checked()
    page.evaluate("location.hash = '#/why/5'")
    expect(page.get_by_role("radio", name="5")).to_be_checked()
    page.evaluate("location.hash = '#/why/5/cam'")  # which a network with Flatten does not allow
    expect(page.get_by_text("How this was found")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_role("navigation").get_by_role("link", name="Why this answer").click()
    expect(page.get_by_text("How this was found")).to_be_visible()
    tab.expect_fault("status of 422")
