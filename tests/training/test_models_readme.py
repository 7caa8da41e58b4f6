from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.card import Card, Dataset, Metrics, Published
from app.preprocess import Preprocess
from tests.conftest import colour_card, colour_model, encode, foreign_model
from training.export.file import model_file
from training.models_readme import END, START, table, write_readme
from training.networks import mnist_2conv
from training.normalise import Normalise

pytestmark = pytest.mark.train

METRICS = Metrics(
    accuracy=0.9876,
    accuracy_interval=(0.98524, 0.98959),
    images=10_000,
    per_class_accuracy={},
    calibration_error=0.01,
    measured_on="the test images",
    seed_accuracies={"1": 0.9876, "2": 0.9880, "3": 0.9881},
)
CARD = Card(
    name="digits",
    description="Handwritten digits.",
    labels=list("0123456789"),
    preprocess=Preprocess(28, 28, channels=1, layout="digit"),
    dataset=Dataset(name="mnist", sha256="0" * 64),
    metrics=METRICS,
)
COLOURS_CARD = colour_card(
    description="Which colour prevails?",
    dataset=Dataset(name="colours", sha256="1" * 64),
    metrics=METRICS.model_copy(update={"accuracy": 0.5, "seed_accuracies": {"1": 0.5}}),
)


@pytest.fixture(scope="module")
def digits() -> bytes:
    """The lecture's second network, untrained."""
    picture = encode(np.eye(28, dtype=np.uint8) * 255)
    return model_file(mnist_2conv(), CARD, [picture], Normalise((0.0,), (255.0,)))


@pytest.fixture
def models(tmp_path: Path, digits: bytes) -> Path:
    (tmp_path / "digits.onnx").write_bytes(digits)
    return tmp_path


def test_a_row_has_the_counts_and_metrics_of_the_card(models: Path) -> None:
    """Multiply-adds by hand: 26·26·9·32 + 11·11·9·32·64 + 1600·64 + 64·10."""
    header, rule, row = table(models).splitlines()
    megabytes = (models / "digits.onnx").stat().st_size / 1_000_000
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert cells == [
        "`digits.onnx`",
        "Handwritten digits.",
        "121,930",
        "2,528,000",
        f"{megabytes:.1f} MB",
        "98.76% (98.52%–98.96%) of 10,000",
        "98.790% of 3",
        "mnist",
    ]
    assert header.count("|") == rule.count("|") == row.count("|") == len(cells) + 1


def test_an_accuracy_that_others_published_is_said_to_be_theirs(tmp_path: Path) -> None:
    published = Published(accuracy=0.751, source="Somebody.")
    card = COLOURS_CARD.model_copy(
        update={"metrics": None, "published": published, "dataset": Dataset(name="Far away")}
    )
    (tmp_path / "theirs.onnx").write_bytes(colour_model(card))
    header, _, row = table(tmp_path).splitlines()
    assert row.endswith("| 75.1% as published, not measured here | – | Far away |")
    assert row.count("|") == header.count("|")


def test_of_a_model_from_elsewhere_the_table_says_what_is_known(tmp_path: Path) -> None:
    card = {"labels": ["a", "b", "c"], "preprocess": {"height": 4, "width": 4}}
    card |= {"normalise": {"mean": [0, 0, 0], "std": [1, 1, 1], "layout": "NCHW"}}
    (tmp_path / "theirs.onnx").write_bytes(foreign_model())
    card |= {"output": "logits", "description": "a|b"}
    (tmp_path / "theirs.json").write_text(json.dumps(card))
    assert table(tmp_path).splitlines()[2:] == [
        r"| `theirs.onnx` | a\|b | – | – | 0.0 MB | – | – | – |"
    ]


def test_models_are_listed_by_name_and_other_files_are_not(models: Path) -> None:
    (models / "a-colour.onnx").write_bytes(colour_model(COLOURS_CARD))
    (models / "notes.txt").write_text("not a model")
    (models / "half.onnx.part").write_bytes(b"")
    rows = table(models).splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == ["a-colour.onnx", "digits.onnx"]


def test_only_what_is_between_the_markers_is_replaced(models: Path) -> None:
    readme = models / "README.md"
    readme.write_text(f"# Models\n\nBefore.\n\n{START}\nold\nrows\n{END}\n\nAfter: ×.\n")
    write_readme(models)
    assert readme.read_text() == (
        f"# Models\n\nBefore.\n\n{START}\n{table(models)}\n{END}\n\nAfter: ×.\n"
    )


def test_a_folder_without_a_readme_gets_one(models: Path) -> None:
    write_readme(models)
    assert (models / "README.md").read_text() == (
        f"# The models\n\n{START}\n{table(models)}\n{END}\n"
    )


def test_writing_it_again_changes_nothing(models: Path) -> None:
    readme = models / "README.md"
    readme.write_text(f"{START}\n{END}\n")
    write_readme(models)
    once = readme.read_text()
    write_readme(models)
    assert readme.read_text() == once


@pytest.mark.parametrize("fact", [{"metrics": None}, {"dataset": None}, {"description": ""}])
def test_a_card_that_lacks_what_the_table_says_is_an_error_that_names_the_file(
    models: Path, fact: dict[str, object]
) -> None:
    bare = COLOURS_CARD.model_copy(update=fact)
    (models / "bare.onnx").write_bytes(colour_model(bare))
    with pytest.raises(ValueError, match=r"^bare\.onnx: its card lacks"):
        table(models)


def test_a_readme_stays_as_it_was_when_a_card_lacks_metrics(models: Path) -> None:
    readme = models / "README.md"
    readme.write_text(f"{START}\n{END}\n")
    (models / "bare.onnx").write_bytes(colour_model())
    with pytest.raises(ValueError, match=r"bare\.onnx"):
        write_readme(models)
    assert readme.read_text() == f"{START}\n{END}\n"


def test_a_readme_without_both_markers_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"Before\n{START}\nall that follows\n")
    with pytest.raises(ValueError, match="write between"):
        write_readme(tmp_path)
    assert (tmp_path / "README.md").read_text().endswith("all that follows\n")
