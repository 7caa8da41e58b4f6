from __future__ import annotations

import pytest

from app.card import Layer
from tests.conftest import colour_card
from training.report.facts import MOST_LAYERS, MOST_OF_A_LIST, flat, layers, made, parts_of

pytestmark = pytest.mark.train


def test_nested_facts_become_rows_named_by_their_path() -> None:
    facts = {
        "batch_size": 8,
        "distortion": {"shift_pixels": 1, "deep": {"x": None}},
        "seeds": [1, 2],
    }
    assert list(flat(facts)) == [
        ["batch size", "8"],
        ["distortion: shift pixels", "1"],
        ["distortion: deep: x", "None"],
        ["seeds", "1, 2"],
    ]


@pytest.mark.parametrize(
    ("count", "end"), [(0, "none"), (MOST_OF_A_LIST, "19"), (MOST_OF_A_LIST + 1, " and 1 more")]
)
def test_a_long_list_is_cut_and_says_so(count: int, end: str) -> None:
    ((_, text),) = flat({"skipped": list(range(count))})
    assert text.endswith(end)


def test_a_split_says_how_many_pictures_each_part_has_what_was_left_out_and_what_is_twice() -> None:
    files = [{"path": f"{n}.jpg", "part": "train" if n else "test"} for n in range(3)]
    split = {
        "seed": 7,
        "files": files,
        "skipped": [{"path": "a.jpg", "reason": "cut off"}],
        "duplicates": [["0.jpg", "2.jpg"], ["b", "c", "d"]],
    }
    assert list(flat(parts_of(split))) == [
        ["pictures: test", "1"],
        ["pictures: train", "2"],
        ["seed", "7"],
        ["skipped", "a.jpg: cut off"],
        ["duplicates", "0.jpg = 2.jpg, b = c = d"],
    ]


def test_names_of_files_are_text() -> None:
    html = made(colour_card(), {"skipped": ["<script>.jpg"]})
    assert "&lt;script&gt;.jpg" in html
    assert "<script>" not in html


def test_layers_are_added_up() -> None:
    rows = [
        Layer(name="a", type="Conv2D", tensor="a", output_shape=[2, 2, 3], window=[3, 3],
              parameters=1000, multiply_adds=7),
        Layer(name="b", type="Dense", tensor=None, output_shape=[5], parameters=234,
              multiply_adds=5),
    ]  # fmt: skip
    html = layers(rows)
    assert "2×2×3" in html
    assert '<td class="number">1,234</td><td class="number">12</td>' in html


@pytest.mark.parametrize(("more", "is_open"), [(0, True), (1, False)])
def test_a_long_table_is_opened_by_who_wants_it(more: int, is_open: bool) -> None:
    row = Layer(name="conv", type="Conv2D", tensor=None, output_shape=[1], parameters=2)
    html = layers([row] * (MOST_LAYERS + more))
    assert ("<details>" not in html) == is_open
    if not is_open:
        assert "26 layers, 52 parameters" in html
