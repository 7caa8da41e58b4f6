from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.card import Dataset, Metrics, Proof, ProofImage, Published, Robustness
from app.classifier import Classifier
from tests.conftest import RED, colour_card, colour_model, foreign_model
from training.card_texts import DATA_TEXTS
from training.model_card import EmptyField, model_card, write_model_cards
from training.recipes import RECIPES

pytestmark = pytest.mark.train

MODELS = Path(__file__).parents[2] / "models"
COLOURS = Classifier(colour_model())
ANSWER = COLOURS.classify(COLOURS.pixels_from(RED)[None])  # 1×3
FACTS: dict[str, Any] = {
    "name": "colours",
    "description": "Which colour prevails?",
    "license": "Apache-2.0",
    "author": "Somebody",
    "layers": [
        {"name": "mean", "type": "Dense", "tensor": "mean", "output_shape": [3],
         "parameters": 1234, "multiply_adds": 48}
    ],
    "metrics": Metrics(
        accuracy=0.9,
        accuracy_interval=(0.6, 0.98),
        images=10,
        per_class_accuracy={"red": 1.0, "green": 0.5, "blue": 1.0},
        calibration_error=0.02,
        calibration_error_before=0.11,
        temperature=1.5,
        measured_on="ten pictures",
        seed_accuracies={"1": 0.9, "2": 0.8},
    ),
    "confusion": [[6, 0, 0], [0, 1, 1], [0, 0, 2]],
    "robustness": [
        Robustness(change="rotation", strength=0, unit="degrees", accuracy=0.9, images=10),
        Robustness(change="rotation", strength=45, unit="degrees", accuracy=0.3, images=10),
        Robustness(change="inversion", strength=0, unit="", accuracy=0.9, images=10),
        Robustness(change="inversion", strength=1, unit="", accuracy=0.2, images=10),
    ],
    "dataset": Dataset(name="mnist", sha256="0" * 64),
    "recipe": {"name": "colours", "epochs": 3, "normalise": {"mean": [0.0], "std": [255.0]}},
    "made_with": {"keras": "3.0"},
    "proof": Proof(images=[ProofImage(data="AA==", probabilities=[])]),
}  # fmt: skip


def file(**changes: object) -> bytes:
    """A model file with a full card, or one that lacks what is changed."""
    proof = Proof(images=[ProofImage(data=base64.b64encode(RED), probabilities=ANSWER[0].tolist())])
    return colour_model(colour_card(**(FACTS | {"proof": proof} | changes)))


def part(text: str, title: str) -> str:
    found = re.search(rf"^## {title}\n\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1].strip()


def front_matter(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found


def test_the_front_matter_is_what_the_hub_reads() -> None:
    facts = front_matter(model_card("colours.onnx", file()))
    assert facts["license"] == "apache-2.0"
    assert facts["library_name"] == "keras"
    assert facts["pipeline_tag"] == "image-classification"
    assert facts["datasets"] == [DATA_TEXTS["mnist"].hub]
    assert facts["metrics"] == ["accuracy"]
    (entry,) = facts["model-index"]
    (result,) = entry["results"]
    assert entry["name"] == "colours"
    assert result["task"]["type"] == "image-classification"
    assert result["dataset"]["type"] == DATA_TEXTS["mnist"].hub
    assert result["metrics"] == [{"type": "accuracy", "value": 0.9}]


def test_no_value_breaks_out_of_the_front_matter() -> None:
    hostile = 'a"\n---\nlicense: mit'
    text = model_card("colours.onnx", file(name=hostile, license=hostile))
    assert front_matter(text)["license"] == hostile.lower()


def test_results_have_interval_seeds_calibration_and_the_weakest_class_first() -> None:
    said = part(model_card("colours.onnx", file()), "Results")
    assert said.startswith("**90.00%** right: 9 of 10 (95 % interval 60.00% to 98.00%), measured")
    assert "0.0200 in 15 bins; 0.1100 without its temperature 1.500" in said
    assert "Mean of 2 seeds fixed beforehand 85.000%, from lowest to highest 10.00 points" in said
    assert re.findall(r"\| (\w+) \| [\d.]+% \|", said) == ["green", "red", "blue"]


def test_what_it_confuses_and_where_it_fails_are_the_measured_numbers() -> None:
    text = model_card("colours.onnx", file())
    assert part(text, "Worst confusions").endswith("| green | blue | 1 of 2 |")
    failures = part(text, "Known failures")
    assert failures.startswith("Every picture gets one of its 3 labels")
    assert failures.endswith(
        "| untouched |  | 90.0% |\n| rotation | 45 degrees | 30.0% |\n| inversion |  | 20.0% |"
    )


def test_without_a_wrong_answer_there_is_no_confusion() -> None:
    text = model_card("colours.onnx", file(confusion=[[6, 0, 0], [0, 2, 0], [0, 0, 2]]))
    assert part(text, "Worst confusions") == "None: no answer was wrong."


def test_it_says_what_goes_in_and_how_to_make_it_again() -> None:
    text = model_card("colours.onnx", file())
    assert "uint8, N×4×4×3" in part(text, "Input")
    assert "| normalising, in the graph | (pixel − 0) / 255 |" in part(text, "Input")
    assert part(text, "Recipe").startswith("```\nconvolu-train build colours\n```")
    assert "| epochs | 3 |" in part(text, "Recipe")
    assert "| all |  |  |  | 1,234 | 48 |" in part(text, "Layers")


def test_a_recipe_may_name_its_own_command() -> None:
    recipe = FACTS["recipe"] | {"command": "convolu-train fit --data folder:pets"}
    text = model_card("colours.onnx", file(recipe=recipe))
    assert part(text, "Recipe").startswith("```\nconvolu-train fit --data folder:pets\n```")


def test_checksums_and_size_are_those_of_the_file() -> None:
    content = file()
    text = model_card("colours.onnx", content)
    assert hashlib.sha256(content).hexdigest() in part(text, "Versions and checksums")
    assert part(text, "Size").startswith(f"{len(content):,} bytes")
    assert "0" * 64 in part(text, "Training data")


def test_the_words_of_the_data_set_are_in_it() -> None:
    text, words = model_card("colours.onnx", file()), DATA_TEXTS["mnist"]
    assert part(text, "Intended use") == f"{words.intended_use}\n\n**Not for:** {words.not_for}"
    assert words.licence in part(text, "Training data")
    assert words.source in part(text, "Training data")


@pytest.mark.parametrize(
    ("field", "empty"),
    [
        ("name", ""),
        ("description", ""),
        ("license", ""),
        ("author", ""),
        ("layers", []),
        ("metrics", None),
        ("confusion", None),
        ("dataset", None),
        ("recipe", None),
        ("made_with", {}),
        ("proof", None),
    ],
)
def test_an_empty_field_is_an_error_that_names_file_and_field(field: str, empty: object) -> None:
    with pytest.raises(EmptyField, match=rf"^colours\.onnx: its card has no {field}; "):
        model_card("colours.onnx", file(**{field: empty}))


def test_a_data_set_without_words_is_an_error_that_says_where_to_write_them() -> None:
    with pytest.raises(EmptyField, match=r"'pets'; describe .* in training/card_texts\.py"):
        model_card("colours.onnx", file(dataset=Dataset(name="pets", sha256="1" * 64)))


def test_what_may_be_missing_leaves_no_hole() -> None:
    bare = FACTS["metrics"].model_copy(
        update={"temperature": None, "calibration_error_before": None, "seed_accuracies": {}}
    )
    text = model_card("colours.onnx", file(metrics=bare, robustness=[]))
    assert "0.0200 in 15 bins, without a temperature." in text
    assert "seeds" not in part(text, "Results")
    assert "Measured on" not in part(text, "Known failures")
    assert "None" not in text


def test_an_accuracy_that_others_published_is_said_to_be_theirs() -> None:
    published = Published(accuracy=0.751, source="Somebody, somewhere")
    changes: dict[str, object] = {
        "metrics": None,
        "confusion": None,
        "robustness": [],
        "published": published,
    }
    text = model_card(
        "theirs.onnx", file(**changes, dataset=Dataset(name="ImageNet (ILSVRC 2012)"))
    )
    assert part(text, "Results") == (
        "**75.1%** right, as those who trained it published; it was not measured here. "
        "Somebody, somewhere."
    )
    assert "Worst confusions" not in text
    assert "sha-256 of all pixels" not in text
    (result,) = front_matter(text)["model-index"][0]["results"]
    assert result["metrics"] == [{"type": "accuracy", "value": 0.751}]
    assert "split" not in result["dataset"]  # theirs


def test_labels_are_text() -> None:
    text = model_card("colours.onnx", file(labels=["a|b", "<i>", "c"]))
    assert part(text, "Classes") == r"3: a\|b, \<i\>, c."


def test_a_card_lies_beside_each_model_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.onnx").write_bytes(file(name=name))
    write_model_cards(tmp_path)
    assert (tmp_path / "one.md").read_text() == model_card("one.onnx", file(name="one"))
    assert sorted(path.name for path in tmp_path.glob("*.md")) == ["one.md", "two.md"]


def test_models_of_ones_own_pictures_are_passed_over(tmp_path: Path) -> None:
    own = Dataset(name="pets", sha256="0" * 64)
    (tmp_path / "pets.onnx").write_bytes(file(dataset=own, license="", author=""))
    (tmp_path / "one.onnx").write_bytes(file(name="one"))
    named_as_ours = Dataset(name="cats-dogs", sha256="0" * 64)
    (tmp_path / "cats-dogs.onnx").write_bytes(file(dataset=named_as_ours, license="", author=""))
    assert write_model_cards(tmp_path) == [tmp_path / "cats-dogs.onnx", tmp_path / "pets.onnx"]
    assert [path.name for path in tmp_path.glob("*.md")] == ["one.md"]


def test_models_from_elsewhere_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "theirs.onnx").write_bytes(foreign_model())
    (tmp_path / "theirs.json").write_text("{}")
    assert write_model_cards(tmp_path) == [tmp_path / "theirs.onnx"]


def test_if_one_cannot_be_written_none_is(tmp_path: Path) -> None:
    (tmp_path / "full.onnx").write_bytes(file())
    (tmp_path / "poor.onnx").write_bytes(file(author=""))
    with pytest.raises(EmptyField, match=r"poor\.onnx"):
        write_model_cards(tmp_path)
    assert not list(tmp_path.glob("*.md"))


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.onnx")), ids=lambda path: path.stem)
def test_the_cards_of_our_models_are_those_of_their_files(path: Path) -> None:
    """`convolu-train readme` was run after the last change of a model file."""
    written = path.with_suffix(".md").read_text(encoding="utf-8")
    assert written == model_card(path.name, path.read_bytes())


def test_every_data_set_of_a_recipe_is_described() -> None:
    assert {recipe.data for recipe in RECIPES.values()} <= set(DATA_TEXTS)
