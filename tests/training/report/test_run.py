from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from app.classifier import Classifier
from tests.conftest import BLUE, GREEN, RED, colour_card, colour_model
from training.answers import answers
from training.evaluate import measure
from training.report.run import first_kernel, write_report

pytestmark = pytest.mark.train

FILES, TRUTH = [RED, GREEN, BLUE, RED], np.array([0, 1, 2, 2])  # the last one is labelled wrong


def net() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            layers.Rescaling(1.0),
            layers.Conv2D(2, 3, name="first"),
            layers.Conv2D(5, 1),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rows = [{"epoch": 1.0, "seconds": 2.0, "loss": 0.5, "accuracy": 0.75}]
    (tmp_path / "history.json").write_text(json.dumps(rows))
    return tmp_path


def test_what_the_card_does_not_say_is_measured(run: Path) -> None:
    path = write_report(run, colour_model(), FILES, TRUTH, "the four", names=list("abcd"))
    assert path == run / "report.html"
    html = path.read_text(encoding="utf-8")
    assert "3 of 4; 95 % interval" in html
    assert "Measured on the four." in html
    assert "blue → red, 78.70\u00a0% d" in html
    assert "Accuracy under rotation: 75.0\u00a0% untouched" in html
    assert "Loss over 1 epochs" in html
    assert 'id="kernels"' not in html


def test_the_temperature_behind_its_answers_is_told_where_the_card_does_not(run: Path) -> None:
    html = write_report(run, colour_model(), FILES, TRUTH, "four", temperature=1.25).read_text()
    assert "Its logits are divided by a temperature of 1.250" in html


def test_kernels_and_split_are_shown_where_the_run_has_them(run: Path) -> None:
    net().save(run / "last.keras")
    np.save(run / "first_kernel.npy", np.zeros((3, 3, 3, 2)))
    (run / "split.json").write_text('{"skipped": ["broken.jpg"]}')
    html = write_report(run, colour_model(), FILES, TRUTH, "four").read_text(encoding="utf-8")
    assert "Before training" in html
    assert "2 of its 2 kernels, 3×3 each" in html
    assert "broken.jpg" in html


def test_a_card_of_other_pictures_is_refused(run: Path) -> None:
    probabilities = answers(Classifier(colour_model()), FILES)
    metrics = measure(probabilities, np.array([0, 1, 2, 0]), ["red", "green", "blue"], "others")
    content = colour_model(colour_card(metrics=metrics))
    with pytest.raises(ValueError, match=r"its card says 1\.0, these 4 pictures give 0\.75"):
        write_report(run, content, FILES, TRUTH, "four")
    assert not (run / "report.html").exists()


def test_the_first_layer_that_convolves_is_found() -> None:
    model = net()
    kernel = first_kernel(model)
    assert kernel is not None
    assert np.array_equal(kernel, model.get_layer("first").get_weights()[0])
    dense = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    assert first_kernel(dense) is None
