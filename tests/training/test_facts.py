from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from app.card import Card
from app.classifier import Classifier
from tests.training.test_train import TINY, bars
from training.build import build
from training.facts import NotTheSame, add_confusion, add_history

pytestmark = pytest.mark.train

RECIPE = replace(TINY, network="mnist_2conv")
DATA = bars()
FACTS = {"confusion", "history"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs and a model file, as `build` leaves them."""
    folder = tmp_path_factory.mktemp("facts")
    build(RECIPE, DATA, folder, folder, lambda seed: lambda epoch, row: None)
    return folder


@pytest.fixture(scope="module")
def full(folder: Path) -> bytes:
    return (folder / "tiny.onnx").read_bytes()


@pytest.fixture(scope="module")
def bare(full: bytes) -> bytes:
    """The same file as it was made before cards had these facts."""
    return with_metadata(full, leave_out=FACTS)


def with_metadata(content: bytes, leave_out: set[str] | None = None, **more: str) -> bytes:
    model = onnx.load_from_string(content)
    known = {one.key: one.value for one in model.metadata_props if one.key not in (leave_out or ())}
    helper.set_model_props(model, known | more)
    return bytes(model.SerializeToString())


def card(content: bytes) -> Card:
    return Classifier(content).card


def test_a_file_is_told_what_build_would_have_told_it(
    folder: Path, full: bytes, bare: bytes
) -> None:
    assert card(bare).confusion is None
    assert card(bare).history is None
    told = add_history(add_confusion(bare, DATA), folder / "tiny-seed5")
    assert card(told) == card(full)


def test_what_was_in_the_file_stays_to_the_byte_and_answers_to_the_bit(
    folder: Path, bare: bytes
) -> None:
    told = add_history(add_confusion(bare, DATA), folder / "tiny-seed5")
    assert told.startswith(bare)
    before, after = onnx.load_from_string(bare), onnx.load_from_string(told)
    assert after.graph.SerializeToString() == before.graph.SerializeToString()
    assert {one.key for one in after.metadata_props} - {
        one.key for one in before.metadata_props
    } == FACTS
    pixels = DATA.x_test
    assert np.array_equal(Classifier(told).classify(pixels), Classifier(bare).classify(pixels))


def test_a_file_that_has_the_facts_comes_back_as_it_is(folder: Path, full: bytes) -> None:
    assert add_confusion(full, DATA) is full
    assert add_history(full, folder / "tiny-seed5") is full


def test_the_run_of_another_seed_is_no_history_of_the_file(folder: Path, bare: bytes) -> None:
    with pytest.raises(NotTheSame, match="other weights"):
        add_history(bare, folder / "tiny-seed2")


def test_without_a_run_there_is_no_history(folder: Path, bare: bytes) -> None:
    with pytest.raises(NotTheSame, match="no finished run"):
        add_history(bare, folder / "tiny-seed7")


def test_other_data_give_no_confusion(bare: bytes) -> None:
    with pytest.raises(NotTheSame, match="not measured on this data"):
        add_confusion(bare, bars(test=140))


def test_answers_that_are_not_those_on_the_card_give_no_confusion(bare: bytes) -> None:
    metrics = card(bare).metrics
    assert metrics is not None
    wrong = metrics.model_copy(update={"accuracy": metrics.accuracy + 1 / 150})
    with pytest.raises(NotTheSame, match="its answers give"):
        add_confusion(with_metadata(bare, metrics=wrong.model_dump_json()), DATA)
