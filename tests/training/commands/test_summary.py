from __future__ import annotations

from pathlib import Path

import pytest

from app.classifier import Classifier
from tests.conftest import colour_model
from tests.training.test_command_line import run_here
from training.recipes import RECIPES

pytestmark = pytest.mark.train

MODELS = Path(__file__).parents[3] / "models"


def test_of_a_recipe_it_is_known_before_any_training() -> None:
    done = run_here("summary", "mnist-2conv")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("mnist-2conv, from an image of 28×28×1\n")
    assert "121,930" in done.stdout
    assert "(3·3·32 + 1)·64 = 18,496" in done.stdout


def test_a_variant_is_asked_for_by_options_or_by_its_name() -> None:
    options = [
        "--strides",
        "2",
        "--padding",
        "same",
        "--pooling",
        "average",
        "--head",
        "global-max",
    ]
    by_options = run_here("summary", "mnist-2conv", *options)
    by_name = run_here("summary", "mnist-2conv-strides2-same-average-globalmax")
    assert by_options.exit_code == by_name.exit_code == 0
    assert by_options.stdout == by_name.stdout
    assert "⌊(28 + 2·1 − 3)/2⌋ + 1 = 14" in by_name.stdout


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_table(name: str) -> None:
    done = run_here("summary", name)
    assert done.exit_code == 0, done.output


def test_of_a_model_file_it_is_that_of_its_card() -> None:
    of_file = run_here("summary", MODELS / "mnist-2conv.onnx")
    of_recipe = run_here("summary", "mnist-2conv")
    assert of_file.exit_code == 0, of_file.output
    assert of_file.stdout.splitlines()[1:] == of_recipe.stdout.splitlines()[1:]


def test_the_card_beside_a_file_is_read(tmp_path: Path) -> None:
    content = (MODELS / "mnist-2conv.onnx").read_bytes()
    (tmp_path / "net.onnx").write_bytes(content)
    card = Classifier(content).card
    (tmp_path / "net.json").write_text(card.model_copy(update={"layers": []}).model_dump_json())
    refused = run_here("summary", tmp_path / "net.onnx")
    assert (refused.exit_code, "no layer table" in refused.stderr) == (1, True)


def test_a_file_without_a_layer_table_or_without_a_network_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "colours.onnx").write_bytes(colour_model())
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    for name, message in [
        ("colours.onnx", "no layer table"),
        ("broken.onnx", "cannot load it"),
        ("missing.onnx", "No such file"),
    ]:
        refused = run_here("summary", tmp_path / name)
        assert refused.exit_code == 1
        assert refused.stdout == ""
        (line,) = refused.stderr.splitlines()
        assert message in line


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (MODELS / "mnist-2conv.onnx", "only recipes have variants"),
        ("cifar10", "cifar10 has no variants"),
        ("mnist-2conv-same", "is a variant already"),
    ],
)
def test_what_has_no_variants_says_so(name: str | Path, message: str) -> None:
    refused = run_here("summary", name, "--strides", "2")
    assert refused.exit_code == 1
    assert message in refused.stderr
