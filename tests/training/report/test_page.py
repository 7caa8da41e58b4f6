from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from app.card import Card, Dataset, Epoch, Layer, Robustness
from app.preprocess import Preprocess
from tests.conftest import encode
from training.evaluate import measure
from training.report.page import MISTAKES, page

pytestmark = pytest.mark.train

HOSTILE = '<script>alert("1")</script>'
VOID = {"meta"}


def report(
    labels: list[str], n: int = 300, side: int = 32, seed: int = 1, wrong: float = 0.3
) -> str:
    """A page with every section, of random pictures of which a share is answered wrong."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(labels), n)
    answer = np.where(rng.random(n) < wrong, (truth + 1) % len(labels), truth)
    probabilities = np.full((n, len(labels)), 0.1 / (len(labels) - 1), np.float32)
    probabilities[np.arange(n), answer] = 0.9
    card = Card(
        name="tiny " + HOSTILE,
        description=HOSTILE,
        labels=labels,
        preprocess=Preprocess(side, side),
        layers=[Layer(name=HOSTILE, type="Dense", tensor=None, output_shape=[3], parameters=7)],
        metrics=measure(probabilities, truth, labels, HOSTILE, {"1": 0.7, "2": 0.8}, 1.5),
        history=[
            Epoch(loss=1 / one, accuracy=0.5, validation_loss=1 / one, learning_rate=1 / one)
            for one in range(1, 9)
        ],
        robustness=[
            Robustness(change=HOSTILE, strength=one, unit="degrees", accuracy=0.5, images=9)
            for one in range(3)
        ],
        dataset=Dataset(name=HOSTILE, sha256="0" * 64),
        recipe={"name": HOSTILE},
        made_with={"keras": HOSTILE},
    )
    pixels = rng.integers(0, 256, (16, side, side, 3)).astype(np.uint8)
    files = [encode(one) for one in pixels]
    kernels = rng.normal(size=(3, 3, 3, 8))
    return page(
        card, probabilities, truth, lambda number: files[number % 16], 12_345,
        names=[f"{HOSTILE}/{number}.png" for number in range(n)],
        before=kernels, after=kernels, split={"skipped": [HOSTILE]},
    )  # fmt: skip


LABELS = [HOSTILE, "dog", "owl"]


@pytest.fixture(scope="module")
def html() -> str:
    return report(LABELS)


class Outline(HTMLParser):
    """Whether each element ends where it should, and what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_element_ends_where_it_should(html: str) -> None:
    assert Outline(html).open == []


def test_each_id_is_there_once_and_each_link_leads_to_one(html: str) -> None:
    attributes = Outline(html).attributes
    ids = [value for name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {value[1:] for name, value in attributes if name == "href" and value[0] == "#"}
    assert links <= set(ids)


def test_it_needs_no_script_and_no_other_file(html: str) -> None:
    """Names of XML vocabularies look like addresses; nothing is loaded from them."""
    loaded = [
        value
        for name, value in Outline(html).attributes
        if name in ("src", "href", "xlink:href") and not value.startswith(("#", "data:"))
    ]
    assert loaded == []
    assert re.findall(r"url\((?!#|data:)|@import|<script|<link| on\w+=", html) == []


def test_nothing_from_a_label_a_file_or_a_card_becomes_markup(html: str) -> None:
    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 20


@pytest.mark.parametrize(
    "name",
    ["headline", "curves", "confusion", "classes", "mistakes", "reliability", "changed", "kernels",
     "layers", "made"],
)  # fmt: skip
def test_every_part_is_there_has_a_heading_and_is_linked(html: str, name: str) -> None:
    assert f'<h2 id="{name}-title">' in html
    assert f'<a href="#{name}">' in html


def test_the_headline_says_what_the_metrics_say(html: str) -> None:
    found = re.search(r'<section id="headline".*?</section>', html)
    assert found
    right = re.search(
        r"<strong>([\d.]+)\u00a0%</strong><span>(\d+) of 300; 95 % interval", found[0]
    )
    assert right
    assert float(right[1]) == pytest.approx(100 * int(right[2]) / 300, abs=0.005)
    assert "<strong>7</strong>" in found[0]
    assert "<strong>0.01 MB</strong>" in found[0]
    assert "seed 1 70.00\u00a0%; seed 2 80.00\u00a0%" in found[0]


def test_the_surest_mistakes_are_shown_with_what_they_are_and_were_taken_for(html: str) -> None:
    found = re.search(r'<section id="mistakes".*?</section>', html)
    assert found
    assert found[0].count("<li>") == MISTAKES
    assert re.search(r"<span>dog → owl, 90.00\u00a0% .*?/\d+\.png</span>", found[0])


def test_of_many_mistakes_the_surest_come_first_and_the_others_are_left_out() -> None:
    n, labels = MISTAKES + 3, ["cat", "dog"]
    sure = np.linspace(0.6, 0.9, n)
    probabilities = np.stack([1 - sure, sure], axis=1).astype(np.float32)
    truth = np.zeros(n, int)
    metrics = measure(probabilities, truth, labels, "all")
    card = Card(name="wrong", labels=labels, preprocess=Preprocess(4, 4), metrics=metrics)
    picture = encode(np.zeros((4, 4, 3), np.uint8))
    names = [f"{number}.png" for number in range(n)]
    html = page(card, probabilities, truth, lambda number: picture, 1, names=names)
    found = re.search(r'<section id="mistakes".*?</section>', html)
    assert found
    assert re.findall(r"(\d+)\.png", found[0]) == [str(one) for one in range(n - 1, 2, -1)]


def test_without_a_mistake_there_are_none_to_show() -> None:
    html = report(LABELS, n=20, wrong=0)
    assert 'id="mistakes"' not in html
    assert 'href="#mistakes"' not in html


def test_of_ten_classes_it_stays_under_three_megabytes_with_photos_and_many_mistakes() -> None:
    html = report([f"class {index}" for index in range(10)], n=3000, side=120, wrong=1.0)
    assert len(html.encode()) < 3_000_000


def test_a_thousand_classes_are_no_larger_page() -> None:
    html = report([f"class {index}" for index in range(1000)], n=1000, wrong=1.0)
    assert len(html.encode()) < 1_500_000


def test_what_is_not_known_is_left_out() -> None:
    labels = ["cat", "dog"]
    probabilities, truth = np.eye(2, dtype=np.float32), np.array([0, 1])
    card = Card(
        name="bare",
        labels=labels,
        preprocess=Preprocess(4, 4),
        metrics=measure(probabilities, truth, labels, "two"),
    )
    html = page(card, probabilities, truth, lambda number: b"", 1)
    parts = re.findall(r'<h2 id="(\w+)-title">', html)
    assert parts == ["headline", "confusion", "classes", "reliability", "layers", "made"]


def test_a_card_without_metrics_has_no_report() -> None:
    card = Card(name="bare", labels=["a", "b"], preprocess=Preprocess(4, 4))
    with pytest.raises(ValueError, match=r"bare: a report needs .* metrics"):
        page(card, np.eye(2, dtype=np.float32), np.array([0, 1]), lambda number: b"", 1)
