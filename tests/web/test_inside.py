"""The view "Inside the network", as a person meets it."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from playwright.sync_api import Page, expect

from tests.conftest import plain
from tests.web.conftest import MakeTab, live_service, violations


def opened(make_tab: MakeTab, service: str, place: str, **options: object) -> Page:
    """The view at an address, all of it there."""
    page = make_tab(service, **options).page
    page.goto(f"{service}/#/inside{place}")
    expect(page.locator(".inside .body")).to_have_attribute("aria-busy", "false")
    there = ".detail .sum, .detail .vector-strip, .body > .note"
    expect(page.locator(there).first).to_be_visible()
    return page


def number(text: str) -> float:
    """What `figure` wrote: −0.0312, 1.2·10⁻⁷."""
    plain_text = text.replace("−", "-").replace("\u00a0%", "")
    digits, _, raised = plain_text.partition("·10")
    return float(f"{digits}e{raised.translate(str.maketrans('⁻⁰¹²³⁴⁵⁶⁷⁸⁹', '-0123456789')) or 0}")


def numbers(page: Page, caption: str) -> list[float]:
    """One of the tables under the window, cell by cell."""
    return [
        number(text)
        for text in page.get_by_role("table", name=caption).locator("td").all_inner_texts()
    ]


def test_every_layer_has_its_row_with_the_reasons_for_its_numbers(
    make_tab: MakeTab, service: str
) -> None:
    page = opened(make_tab, service, "")
    rows = page.locator(".layer-table tbody tr")
    expect(rows).to_have_count(7)
    for row, parts in {
        0: [
            "conv1",
            "3×3",
            "26×26×32",
            "⌊(28 − 3) / 1⌋ + 1 = 26",
            "(3·3·1 + 1)·32 = 320",
            "194,688",
        ],
        3: ["pool2", "2×2", "5×5×64", "⌊(11 − 2) / 2⌋ + 1 = 5", "10×10"],
        4: ["flatten", "1600", "5·5·64 = 1600"],
        5: ["dense1", "(1600 + 1)·64 = 102,464"],
    }.items():
        for part in parts:
            expect(rows.nth(row)).to_contain_text(part)
    expect(page.locator(".layer-table tfoot")).to_contain_text("121,930")
    expect(page.locator(".layer-table tfoot")).to_contain_text("2,528,000")
    sentence = page.get_by_text("the last row and column are unused")
    expect(sentence).to_be_hidden()
    rows.nth(3).locator("summary").first.click()
    expect(sentence).to_be_visible()


def test_the_table_is_copied_for_other_programs(make_tab: MakeTab, service: str) -> None:
    page = opened(make_tab, service, "", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as CSV").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    rows = list(csv.reader(page.evaluate("navigator.clipboard.readText()").splitlines()))
    assert [len(row) for row in rows] == [11] * 8
    assert rows[1][0] == "1"
    assert rows[1][5:10] == [
        "26×26×32", "⌊(28 − 3) / 1⌋ + 1 = 26", "320", "(3·3·1 + 1)·32 = 320", "194688",
    ]  # fmt: skip
    page.get_by_role("button", name="Copy as Markdown").click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.startsWith('|'))")
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert len(lines) == 9
    assert {line.count("|") for line in lines} == {12}


def test_a_number_of_the_output_is_the_sum_of_the_products_under_its_window(
    make_tab: MakeTab, service: str
) -> None:
    page = opened(make_tab, service, "/conv1/3")
    says = page.locator(".sum").inner_text()
    found = re.fullmatch(
        r"Row \d+, column \d+ of channel 3: "
        r"Σ of 9 products \+ bias (\S+) = (\S+), after ReLU (\S+)",
        says,
    )
    assert found, says
    values, weights, products = (
        numbers(page, name) for name in ("under the window", "kernel", "products")
    )
    assert len(values) == len(weights) == len(products) == 9
    for value, weight, product in zip(values, weights, products, strict=True):
        assert product == pytest.approx(value * weight, abs=0.01)
    bias, before, after = map(number, found.groups())
    assert before == pytest.approx(sum(products) + bias, abs=0.02)
    assert after == max(before, 0)


def test_arrow_keys_and_the_pointer_move_the_window(make_tab: MakeTab, service: str) -> None:
    page = opened(make_tab, service, "/conv1/3")
    output, says = page.get_by_role("application"), page.locator(".sum")
    output.focus()
    for key, place in {
        "PageUp": r"Row 0, column \d+",
        "Home": "Row 0, column 0 ",
        "ArrowLeft": "Row 0, column 0 ",
        "ArrowRight": "Row 0, column 1 ",
        "ArrowDown": "Row 1, column 1 ",
        "End": "Row 1, column 25 ",
        "PageDown": "Row 25, column 25 ",
    }.items():
        page.keyboard.press(key)
        expect(says).to_have_text(re.compile(place))
    box = output.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 10.5 / 26, box["y"] + box["height"] * 4.5 / 26)
    expect(says).to_contain_text("Row 4, column 10 ")


def test_the_window_slides_until_it_is_paused(make_tab: MakeTab, service: str) -> None:
    page = opened(make_tab, service, "/conv1/3")
    page.get_by_role("application").press("PageUp")
    page.get_by_role("application").press("Home")
    page.get_by_role("button", name="Slide the window").click()
    says = page.locator(".sum")
    expect(says).to_contain_text(re.compile("Row 0, column [5-9] "))
    page.get_by_role("button", name="Pause").click()
    stopped = says.inner_text()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(says).to_have_text(stopped)
    expect(page.get_by_role("button", name="Slide the window")).to_be_visible()


def test_who_wants_no_motion_gets_none(make_tab: MakeTab, service: str) -> None:
    page = opened(make_tab, service, "/conv1/3", reduced_motion="reduce")
    expect(page.get_by_role("application")).to_be_visible()
    expect(page.get_by_role("button", name="Slide the window")).to_be_hidden()


def test_of_many_input_channels_each_shows_its_part_of_the_sum(
    make_tab: MakeTab, service: str
) -> None:
    page = opened(make_tab, service, "/conv2/60")
    expect(page.locator(".sum")).to_contain_text("Σ of 9 × 32 = 288 products + bias ")
    chooser = page.get_by_label("Input channel shown")
    parts = [option.split(": sum ") for option in chooser.locator("option").all_inner_texts()]
    assert [int(channel) for channel, _ in parts] == list(range(32))
    found = re.search(r"bias (\S+) = (\S+),", page.locator(".sum").inner_text())
    assert found
    bias, before = map(number, found.groups())
    assert before == pytest.approx(bias + sum(number(part) for _, part in parts), abs=0.05)
    chooser.select_option("5")
    assert sum(numbers(page, "products")) == pytest.approx(number(parts[5][1]), abs=0.02)


def test_a_pool_takes_the_largest_or_the_average(make_tab: MakeTab, service: str) -> None:
    page = opened(make_tab, service, "/pool1/31")
    expect(page.locator(".sum")).to_contain_text("the largest of 4 numbers = ")
    found = re.search(r"= (\S+)$", page.locator(".sum").inner_text())
    assert found
    assert number(found[1]) == max(numbers(page, "under the window"))
    page.goto(f"{service}/#/inside/pool2/60")
    expect(page.locator(".sum")).to_contain_text(", the average")
    found = re.search(r": (\S+) / 4 = (\S+), the", page.locator(".sum").inner_text())
    assert found
    assert number(found[1]) == pytest.approx(sum(numbers(page, "under the window")), abs=0.02)


def test_maps_are_walked_by_keys_and_opened_with_enter(make_tab: MakeTab, service: str) -> None:
    page = opened(make_tab, service, "/conv1/0")
    cells = page.get_by_role("gridcell")
    expect(cells).to_have_count(32)
    expect(cells.nth(4)).to_have_accessible_name(
        re.compile(r"Channel 4, mean \S+, max \S+, \d+\s% zeros")
    )
    cells.nth(0).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    columns = page.get_by_role("row").first.get_by_role("gridcell").count()
    expect(cells.nth(columns + 1)).to_be_focused()
    page.keyboard.press("Home")
    expect(cells.nth(columns)).to_be_focused()
    page.keyboard.press("Control+End")
    expect(cells.nth(31)).to_be_focused()
    page.keyboard.press("Control+Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{service}/#/inside/conv1/1")
    expect(page.get_by_role("heading", name="conv1, channel 1")).to_be_focused()
    page.keyboard.press("Escape")
    expect(cells.nth(1)).to_be_focused()


def test_every_layer_and_channel_is_a_place_one_can_go_back_from(
    make_tab: MakeTab, service: str
) -> None:
    page = opened(make_tab, service, "")
    strip = page.get_by_role("navigation", name="Layers, from the picture to the answer")
    strip.get_by_role("link", name="conv2").click()
    expect(page).to_have_url(f"{service}/#/inside/conv2")
    expect(strip.get_by_role("link", name="conv2")).to_have_attribute("aria-current", "true")
    page.get_by_role("gridcell", name="Channel 7,").click()
    expect(page.get_by_role("heading", name="conv2, channel 7")).to_be_visible()
    page.get_by_role("gridcell", name="Channel 9,").click()
    expect(page.get_by_role("heading", name="conv2, channel 9")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="conv2, channel 7")).to_be_visible()
    page.go_back()
    page.go_back()
    expect(page.get_by_role("heading", name="conv1 Convolution")).to_be_visible()
    strip.get_by_role("link", name="dense1").click()
    expect(page.get_by_role("img", name=re.compile("dense1: 64 numbers")).first).to_be_visible()


def test_a_layer_that_is_not_there_is_said_to_be_missing(make_tab: MakeTab, service: str) -> None:
    page = opened(make_tab, service, "/conv9/2")
    expect(page.get_by_text("no layer “conv9”")).to_be_visible()
    expect(page.get_by_role("gridcell")).to_have_count(32)


def test_maps_are_put_in_order_of_strength(make_tab: MakeTab, service: str) -> None:
    page = opened(make_tab, service, "/conv2")
    page.get_by_role("combobox", name=re.compile("^Order")).select_option("strongest")
    names = [cell.get_attribute("aria-label") or "" for cell in page.get_by_role("gridcell").all()]
    largest = [number(found[1]) for name in names if (found := re.search(r"max (\S+),", name))]
    assert len(largest) == 64
    assert largest == sorted(largest, reverse=True)
    page.get_by_role("combobox", name=re.compile("^Colours")).select_option("layer")
    expect(page.locator(".maps-foot")).to_contain_text(f"{max(largest):g}")


def test_the_way_from_logits_to_shares_can_be_reckoned_again(
    make_tab: MakeTab, service: str
) -> None:
    page = opened(make_tab, service, "/dense2")
    rows = [
        [number(text) for text in row.locator("td.number").all_inner_texts()]
        for row in page.locator(".classes tbody tr").all()
    ]
    assert len(rows) == 10
    most = max(logit for logit, _, _ in rows)
    total = sum(power for _, power, _ in rows)
    for logit, power, percent in rows:
        assert power == pytest.approx(math.exp(logit - most), rel=0.1)
        assert percent / 100 == pytest.approx(power / total, rel=0.06)


@pytest.mark.parametrize(
    ("given", "formula", "sentence"),
    [
        ((28, 3, 1, 1, "valid"), "⌊(28 − 3) / 1⌋ + 1 = 26", "No zeros are added"),
        ((11, 2, 2, 1, "valid"), "⌊(11 − 2) / 2⌋ + 1 = 5", "Left unread at the end: 1."),
        ((32, 3, 2, 1, "same"), "⌊(32 + 1 − 3) / 2⌋ + 1 = 16", "Zeros added: 0 before, 1 after."),
        ((15, 3, 1, 3, "valid"), "⌊(15 − 3·(3 − 1) − 1) / 1⌋ + 1 = 9", "No zeros are added"),
        ((2, 3, 1, 1, "valid"), "0", "no place for it"),
        ((0, 3, 1, 1, "valid"), "", "Input n must be a whole number from 1 to 512."),
        ((513, 3, 1, 1, "valid"), "", "Input n must be a whole number from 1 to 512."),
        ((512, 32, 32, 1, "valid"), "⌊(512 − 32) / 32⌋ + 1 = 16", "Too wide to draw"),
    ],
    ids=["fits", "does not divide", "one-sided", "dilated", "too narrow", "none", "much", "wide"],
)
def test_the_playground_explains_any_window(
    make_tab: MakeTab, service: str, given: tuple[int, int, int, int, str], formula: str,
    sentence: str,
) -> None:  # fmt: skip
    page = opened(make_tab, service, "/dense1")
    play = page.get_by_role("region", name="Try a window")
    for name, value in zip(("Input n", "Window k", "Step s", "Dilation d"), given[:4], strict=True):
        play.get_by_label(name).fill(str(value))
    play.get_by_label("Border").select_option(given[4])
    says = play.get_by_role("status")
    expect(says).to_contain_text(sentence)
    expect(says).to_contain_text(formula)


BRANCHES = ["one", "two", "three"]


@pytest.fixture(scope="module")
def foreign_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with one colour network from elsewhere, with branches and one-sided zeros."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "branches.onnx").write_bytes(branching_model())
    card = {
        "labels": BRANCHES,
        "preprocess": {"height": 12, "width": 12, "channels": 3},
        "normalise": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "layout": "NCHW"},
        "output": "logits",
    }
    (folder / "branches.json").write_text(json.dumps(card))
    with live_service("--models", str(folder), "--default-model", "branches") as url:
        yield url


def branching_model() -> bytes:
    random = np.random.default_rng(3)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["stem"], strides=[2, 2], auto_pad="SAME_UPPER"),
        helper.make_node("Relu", ["stem"], ["stem/relu"]),
        helper.make_node("Conv", ["stem/relu", "w2"], ["left"]),
        helper.make_node("Conv", ["stem/relu", "w3"], ["right"], pads=[2] * 4, dilations=[2, 2]),
        helper.make_node("Concat", ["left", "right"], ["both"], axis=1),
        helper.make_node("GlobalAveragePool", ["both"], ["pool"]),
        helper.make_node("Flatten", ["pool"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w4"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "branches",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 12, 12])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 3])],
        [
            weights("w1", 8, 3, 3, 3),
            weights("w2", 4, 8, 1, 1),
            weights("w3", 4, 8, 3, 3),
            weights("w4", 8, 3),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def test_without_a_picture_it_says_what_to_do_and_the_playground_works(
    make_tab: MakeTab, foreign_service: str
) -> None:
    page = opened(make_tab, foreign_service, "")
    expect(page.get_by_text("There is no picture to follow")).to_be_visible()
    page.get_by_role("button", name="28 → 26").click()
    expect(page.get_by_text("⌊(28 − 3) / 1⌋ + 1 = 26")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("link", name="Choose or draw one under Classify").click()
    expect(page).to_have_url(f"{foreign_service}/#/")


def with_a_picture(make_tab: MakeTab, service: str, tmp_path: Path) -> Page:
    """A foreign network has no samples: the person brings a picture, then looks inside."""
    picture = tmp_path / "green.png"
    picture.write_bytes(plain((10, 200, 30), (12, 12)))
    page = make_tab(service).page
    page.goto(service)
    page.locator("input[type=file]").first.set_input_files(picture)
    page.get_by_role("link", name="Inside the network").click()
    expect(page.locator(".sum")).to_be_visible()
    return page


def test_a_colour_network_from_elsewhere_is_followed_through_its_branches(
    make_tab: MakeTab, foreign_service: str, tmp_path: Path
) -> None:
    page = with_a_picture(make_tab, foreign_service, tmp_path)
    expect(page.locator(".lead")).to_contain_text("green.png")
    story = page.locator(".story")
    expect(story).to_contain_text("Zeros are added around the input: ↑0 ←0 ↓1 →1.")
    output = page.get_by_role("application")
    output.press("PageDown")
    output.press("End")
    expect(page.locator(".sum")).to_contain_text("Row 5, column 5 ")
    expect(page.locator(".matrix .added")).to_have_count(2 * 5)  # values and products
    strip = page.get_by_role("navigation", name="Layers, from")
    joint = strip.get_by_role("link", name=re.compile("Concatenation"))
    expect(joint).to_contain_text("reads left + right")
    strip.get_by_role("link", name=re.compile("^right")).click()
    expect(story).to_contain_text("The numbers it reads are 2 apart.")
    joint.click()
    expect(page.get_by_role("gridcell")).to_have_count(8)
    expect(page.get_by_text("the map alone")).to_be_visible()
    assert violations(page) == []


def test_where_the_service_does_not_look_inside_it_says_so(make_tab: MakeTab) -> None:
    with live_service(CONVOLU_INSIDE="0") as url:
        page = make_tab(url).page
        page.goto(f"{url}/#/inside")
        expect(page.get_by_text("This service does not look inside its networks")).to_be_visible()


@pytest.mark.parametrize(
    ("place", "scheme"),
    [("/conv2/60", "light"), ("/pool2", "dark"), ("/dense1", "dark"), ("/conv9", "light")],
)
def test_no_barrier_is_found(make_tab: MakeTab, service: str, place: str, scheme: str) -> None:
    page = opened(make_tab, service, place, color_scheme=scheme)
    assert violations(page) == []


@pytest.mark.parametrize("place", ["/conv2/60", "/dense2"])
def test_a_narrow_window_needs_no_sideways_scroll(
    make_tab: MakeTab, service: str, place: str
) -> None:
    page = opened(make_tab, service, place, viewport={"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert violations(page) == []


@pytest.mark.parametrize("place", ["/conv2/60", "/pool2"])
def test_in_korean_no_english_sentence_is_left(make_tab: MakeTab, service: str, place: str) -> None:
    page = opened(make_tab, service, place, locale="ko-KR")
    text = page.locator("main").inner_text()
    names = r"mnist|conv|pool|dense|flatten|ReLU|softmax|float|CSV|Markdown|valid|same"
    words = [word for word in re.findall("[A-Za-z]{3,}", text) if not re.match(names, word)]
    assert set(words) <= {"Keras", "TensorFlow", "ONNX", "SAME", "UPPER"}
    assert "합성곱" in text
