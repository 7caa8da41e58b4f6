"""The view Model: a card as people read it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper
from playwright.sync_api import Page, expect

from app.card import Dataset, Published
from app.keys import new_key
from tests.conftest import colour_card, colour_model
from tests.web.conftest import MakeTab, live_service, violations

MODELS = Path(__file__).parents[2] / "models"
NBSP = "\u00a0"


def card(page: Page, service: str) -> dict[str, Any]:
    found: dict[str, Any] = page.request.get(f"{service}/models/mnist-2conv").json()["card"]
    return found


def opened(page: Page, url: str) -> Page:
    page.goto(f"{url}/#/model")
    expect(page.get_by_role("heading", name="What it is")).to_be_visible()
    return page


def percent(share: float) -> str:
    return f"{share:.2%}".replace("%", f"{NBSP}%")


def test_how_good_it_is_stands_in_words_with_its_numbers(service: str, make_tab: MakeTab) -> None:
    page = opened(make_tab(service).page, service)
    metrics = card(page, service)["metrics"]
    score = page.get_by_role("region", name="How good it is")
    expect(score.locator(".big")).to_have_text(percent(metrics["accuracy"]))
    right = round(metrics["accuracy"] * metrics["images"])
    expect(score).to_contain_text(f"{right:,} of {metrics['images']:,} test images right")
    low, high = metrics["accuracy_interval"]
    expect(score).to_contain_text(f"between {percent(low)} and {percent(high)}")
    expect(score).to_contain_text(f"{metrics['calibration_error']:.2%}"[:-1] + " percentage points")
    for accuracy in metrics["seed_accuracies"].values():
        expect(score).to_contain_text(percent(accuracy))
    assert violations(page) == []


def test_classes_are_sorted_and_the_worst_is_marked(service: str, make_tab: MakeTab) -> None:
    page = opened(make_tab(service).page, service)
    accuracies = card(page, service)["metrics"]["per_class_accuracy"]
    rows = page.get_by_role("table", name="Class by class, the worst first").locator("tbody tr")
    worst = min(accuracies, key=accuracies.__getitem__)
    expect(rows.first.get_by_role("rowheader")).to_have_text(f"{worst}weakest")
    shares = rows.locator("td:nth-child(2)").all_text_contents()
    shown = [float(share.rstrip("%")) for share in shares]
    assert shown == sorted(round(100 * one, 2) for one in accuracies.values())
    expect(page.get_by_text("weakest")).to_have_count(1)


def test_the_confusion_matrix_is_a_table_with_its_worst_pairs(
    service: str, make_tab: MakeTab
) -> None:
    page = opened(make_tab(service).page, service)
    counts = card(page, service)["confusion"]
    table = page.locator("table.matrix")
    for row in range(10):
        cells = table.locator("tbody tr").nth(row).locator("td").all_text_contents()
        assert [int(text.replace(",", "")) for text in cells] == counts[row]
    expect(table.get_by_role("columnheader")).to_have_count(11)
    expect(table.get_by_role("rowheader")).to_have_count(10)
    pairs = {(a, b): counts[a][b] for a in range(10) for b in range(10) if a != b}
    first = page.locator(".pairs li").first.text_content() or ""
    found = re.fullmatch(r"(\d) taken for (\d): (\d+)×", first)
    assert found
    assert int(found[3]) == pairs[int(found[1]), int(found[2])] == max(pairs.values())
    paper = table.locator("td").nth(1).evaluate("cell => getComputedStyle(cell).backgroundColor")
    assert paper.endswith(", 0)") == (counts[0][1] == 0)


def test_an_epoch_is_read_by_keyboard_and_all_of_them_are_a_table(
    service: str, make_tab: MakeTab
) -> None:
    page = opened(make_tab(service).page, service)
    history = card(page, service)["history"]
    slider = page.get_by_role("slider", name="Epoch")
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.locator("output")).to_contain_text(f"Epoch 2 of {len(history)}: loss")
    expect(page.locator("output")).to_contain_text(percent(1 - history[1]["accuracy"]))
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^Epoch 2 of"))
    page.locator("summary", has_text="All epochs").click()
    table = page.get_by_role("table", name="All epochs as a table")
    expect(table.locator("tbody tr")).to_have_count(len(history))
    assert violations(page) == []


def test_the_recipe_the_data_and_the_tools_are_named(service: str, make_tab: MakeTab) -> None:
    page = opened(make_tab(service).page, service)
    known = card(page, service)
    recipe = page.get_by_role("region", name="How it was trained")
    expect(recipe.get_by_role("row", name="Images in a batch")).to_contain_text("128")
    expect(recipe.get_by_role("row", name="rotation, at most")).to_contain_text("13")
    made = page.get_by_role("region", name="How it was made")
    expect(made).to_contain_text(known["dataset"]["sha256"])
    expect(made).to_contain_text(f"keras {known['made_with']['keras']}")
    expect(made).to_contain_text(known["made_with"]["commit"])
    what = page.get_by_role("region", name="What it is")
    parameters = sum(layer["parameters"] for layer in known["layers"])
    expect(what).to_contain_text(f"{parameters:,} parameters")
    expect(what).to_contain_text("11 pictures with the probabilities that training gave them")


def test_the_file_is_downloaded_as_it_is_in_service(service: str, make_tab: MakeTab) -> None:
    page = opened(make_tab(service).page, service)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the ONNX file").click()
    assert download.value.suggested_filename == "mnist-2conv.onnx"
    assert download.value.path().read_bytes() == (MODELS / "mnist-2conv.onnx").read_bytes()


def test_with_api_keys_the_file_is_downloaded_too(make_tab: MakeTab, tmp_path: Path) -> None:
    key, line = new_key("page")
    (tmp_path / "keys").write_text(line)
    with live_service(CONVOLU_API_KEYS_FILE=str(tmp_path / "keys")) as url:
        tab = make_tab(url)
        tab.page.add_init_script(f"sessionStorage.setItem('convolu-key', {json.dumps(key)})")
        opened(tab.page, url)
        with tab.page.expect_download() as download:
            tab.page.get_by_role("button", name="Download the ONNX file").click()
        assert download.value.suggested_filename == "mnist-2conv.onnx"
        assert download.value.path().read_bytes() == (MODELS / "mnist-2conv.onnx").read_bytes()


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service with a network that says next to nothing of itself, and one with a recipe of its
    own."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "bare.onnx").write_bytes(colour_model())
    model = onnx.load_from_string(colour_model())
    known = {one.key: one.value for one in model.metadata_props}
    told = {
        "recipe": {"epochs": 2, "mixup": [0.1, "on"], "nested": {"deep": True}},
        "history": [
            {"loss": 2.0, "accuracy": 0.5, "validation_accuracy": 0.75},
            {"loss": 1.0, "accuracy": 1.0, "validation_accuracy": 0.75},
        ],
        "confusion": [[3, 0, 0], [0, 3, 0], [0, 0, 3]],
    }
    helper.set_model_props(model, known | {key: json.dumps(fact) for key, fact in told.items()})
    (folder / "told.onnx").write_bytes(model.SerializeToString())
    published = Published(accuracy=0.751, source="Somebody, somewhere.")
    card = colour_card(published=published, dataset=Dataset(name="Far away"))
    (folder / "published.onnx").write_bytes(colour_model(card))
    with live_service("--models", str(folder), "--default-model", "bare") as url:
        yield url


def test_a_card_that_says_little_is_shown_with_what_it_says(others: str, make_tab: MakeTab) -> None:
    page = opened(make_tab(others).page, others)
    expect(page.get_by_text("It knows 3 classes")).to_be_visible()
    for heading in ("How good it is", "What it takes for what", "How training went"):
        expect(page.get_by_role("heading", name=heading)).to_have_count(0)
    expect(page.get_by_text("Not proven")).to_be_visible()
    expect(page.get_by_text("nobody could check here")).to_be_visible()
    assert violations(page) == []


def test_facts_that_this_page_has_no_words_for_keep_their_names(
    others: str, make_tab: MakeTab
) -> None:
    page = make_tab(others).page
    page.goto(f"{others}/#/model?model=told")
    recipe = page.get_by_role("region", name="How it was trained")
    expect(recipe.get_by_role("row", name="mixup")).to_contain_text("0.1, on")
    expect(recipe.get_by_role("row", name="nested.deep")).to_contain_text("true")
    expect(page.locator("output")).to_contain_text(f"Of those held out: 25.00{NBSP}%")
    expect(page.locator(".pairs")).to_have_count(0)  # it made no mistake
    assert violations(page) == []


def test_an_accuracy_that_others_published_is_said_to_be_theirs(
    others: str, make_tab: MakeTab
) -> None:
    page = make_tab(others).page
    page.goto(f"{others}/#/model?model=published")
    score = page.get_by_role("region", name="How good it is")
    expect(score.locator(".big")).to_have_text(f"75.1{NBSP}%")
    expect(score).to_contain_text("It was not measured here.")
    expect(score).to_contain_text("Somebody, somewhere.")
    made = page.get_by_role("region", name="How it was made")
    expect(made).to_contain_text("Far away")
    expect(made).not_to_contain_text("SHA-256")
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_narrow_window_and_speaks_korean(
    service: str, make_tab: MakeTab, scheme: str
) -> None:
    page = make_tab(
        service, locale="ko-KR", viewport={"width": 320, "height": 640}, color_scheme=scheme
    ).page
    page.goto(f"{service}/#/model")
    expect(page.get_by_role("heading", name="얼마나 정확한가")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.evaluate(
        "document.querySelectorAll('[lang=en], code, .mono').forEach((one) => one.remove())"
    )
    words = set(re.findall(r"[A-Za-z]{4,}", page.locator("main").inner_text()))
    assert words <= {
        *("mnist", "conv", "Apache", "ONNX", "MNIST", "bilinear", "The", "Convolu", "authors"),
        *(
            "keras",
            "convolu",
            "onnx",
            "tensorflow",
            "AdamW",
            "muon",
            "mixed_bfloat16",
            "mixed",
            "bfloat",
        ),
    }
    assert violations(page) == []
