from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import training.own
from app.classifier import Classifier
from tests.conftest import colour_card, colour_model
from training.__main__ import cli
from training.run import read

pytestmark = pytest.mark.train

COLOURS = {"Red": (200, 40, 40), "green things": (40, 180, 60), "blå": (30, 60, 200)}


def run_here(*arguments: str | Path) -> Result:
    return CliRunner(env={"CONVOLU_DATA": None}).invoke(cli, [*map(str, arguments)])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each colour with noisy pictures of it, and a file that is none."""
    folder = tmp_path_factory.mktemp("data") / "colours"
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(10):
            noise = rng.normal(0, 40, (int(rng.integers(60, 90)), 80, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.jpg")
    (folder / "Red" / "broken.jpg").write_bytes(b"\xff\xd8\xff and no more")
    return folder


@pytest.fixture(scope="module")
def fitted(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A run folder, and what was said while it was made."""
    runs = tmp_path_factory.mktemp("runs")
    result = run_here(
        *("fit", "--data", f"folder:{pictures}", "--from", "scratch"),
        *("--epochs", "1", "--batch-size", "8", "--runs", runs),
    )
    assert result.exit_code == 0, result.output
    return runs / "colours", result


def test_a_person_is_told_what_was_left_out_and_what_there_is(
    fitted: tuple[Path, Result],
) -> None:
    said = fitted[1].stderr
    assert "reading pictures: 31" in said
    assert (
        "Left out, because they cannot be read as pictures or lie elsewhere: 1: Red/broken" in said
    )
    assert "3 classes: 24 pictures to train and choose by, 6 to test" in said


def test_the_run_ends_measured_on_pictures_that_it_was_not_trained_on(
    fitted: tuple[Path, Result],
) -> None:
    folder, result = fitted
    card = Classifier((folder / "colours.onnx").read_bytes()).card
    assert card.metrics is not None
    assert card.metrics.images == 6
    assert set(card.labels) == set(COLOURS)
    assert result.stdout.startswith(
        f"colours: {card.metrics.accuracy:.2%} right of 6 test images (95 %: "
    )
    assert re.search(
        r"\n3 pictures of its proof answered as in Keras, to \de-\d\d\n", result.stdout
    )
    assert f"convolu-train export {folder}" in result.stdout


def test_the_run_says_which_picture_was_used_for_what(fitted: tuple[Path, Result]) -> None:
    folder, _ = fitted
    split = json.loads((folder / "split.json").read_text())
    parts = [file["part"] for file in split["files"]]
    assert (parts.count("train"), parts.count("test")) == (24, 6)
    assert [skipped["path"] for skipped in split["skipped"]] == ["Red/broken.jpg"]
    assert read(folder).finished


def test_the_model_file_does_not_say_where_the_pictures_lie(
    fitted: tuple[Path, Result], pictures: Path
) -> None:
    folder, _ = fitted
    assert str(pictures.parent).encode() not in (folder / "colours.onnx").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name a recipe, or pictures of your own"),
        (["--data", "elsewhere"], "Name a recipe, or pictures of your own"),
        (["--data", "folder:nowhere"], "cannot be read as a folder"),
        (["--data", "folder:x", "--strides", "2"], "Only the lecture's networks have variants"),
        (["mnist-1conv", "--from", "lite0"], "and so does a recipe"),
        (["mnist-1conv", "--name", "a/b"], "cannot be the name of a model"),
        (["mnist-1conv", "--seed", "1"], "--seed 1 is one of those that `build mnist-1conv`"),
        (["cifar10", "--name", "mnist-1conv", "--seed", "2"], "that `build mnist-1conv` trains"),
        (["mnist-1conv", "--learning-rate", "0"], "leaves nothing to learn by"),
        (["--data", "folder:"], "folder:PATH needs a path"),
        (["--data", "folder:~nobody-of-that-name/pets"], "folder:~nobody-of-that-name/pets: "),
        (["--data", "folder:x", "--name", "a/b"], "cannot be the name of a model"),
        (["--data", "folder:x", "--name", ".."], "cannot be the name of a model"),
        (["--data", "folder:x", "--name", "cache"], "cannot be the name of a model"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    refused = run_here("fit", *arguments, "--runs", tmp_path)
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert list(tmp_path.iterdir()) == []


def saved_mobilenet(folder: Path) -> Path:
    """A file as Keras offers them for download, with weights that know nothing."""
    path = folder / "mobilenet_notop.weights.h5"
    shape = (224, 224, 3)
    network = keras.applications.MobileNet(shape, weights=None, include_top=False, pooling="avg")
    network.save_weights(path)
    return path


def test_a_pretrained_network_gets_a_head_for_the_classes(pictures: Path, tmp_path: Path) -> None:
    weights = saved_mobilenet(tmp_path)
    result = run_here(
        *("fit", "--data", f"folder:{pictures}", "--from", "MobileNet", "--weights", weights),
        *("--epochs", "0", "--runs", tmp_path / "runs"),
    )
    assert result.exit_code == 0, result.output
    assert "features: 24" in result.stderr
    card = Classifier((tmp_path / "runs" / "colours" / "colours.onnx").read_bytes()).card
    assert (card.preprocess.height, card.preprocess.layout) == (224, "crop")
    assert card.recipe is not None
    assert card.recipe["network_options"] == {"backbone": "MobileNet", "weights": weights.name}
    assert str(tmp_path) not in json.dumps(card.recipe)
    assert card.recipe["flip"]  # the head saw mirror images; of the rest nothing was done
    assert not {"optimizer", "augmentation", "label_smoothing", "batch_size"} & set(card.recipe)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--from", "resnet50"], "there is no backbone 'resnet50'"),
        (["--from", "MobileNet", "--weights", "nowhere.h5"], "there is no file nowhere.h5"),
        (["--from", "MobileNet", "--weights", __file__], "weights of MobileNet cannot be had"),
    ],
)
def test_a_network_that_cannot_be_had_ends_it_before_pictures_are_read(
    pictures: Path, tmp_path: Path, options: list[str], reason: str
) -> None:
    result = run_here("fit", "--data", f"folder:{pictures}", *options, "--runs", tmp_path)
    assert result.exit_code == 1
    assert reason in result.stderr
    assert "reading pictures" not in result.stderr


def small(pictures: Path, folder: Path, each: int) -> Path:
    """A few of the pictures of two classes."""
    for name in ("Red", "blå"):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            shutil.copy(pictures / name / f"{number}.jpg", folder / name)
    return folder


@pytest.mark.parametrize("each", [2, 5])
def test_few_pictures_are_enough(pictures: Path, tmp_path: Path, each: int) -> None:
    """Of 2, one is trained on and one tests: none is left to judge. Of 5 one is."""
    result = run_here(
        *("fit", "--data", f"folder:{small(pictures, tmp_path / 'few', each)}"),
        *("--from", "scratch", "--epochs", "1", "--runs", tmp_path / "runs"),
    )
    assert result.exit_code == 0, result.output
    assert "of 2 test images" in result.stdout
    judging = read(tmp_path / "runs" / "few").measured.get("validation_images", 0)
    assert judging == (1 if each == 5 else 0)


@pytest.fixture(scope="module")
def spoilt(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    """What was asked, and the run, where tuning made a pretrained network worse."""
    folder = tmp_path_factory.mktemp("spoilt")
    asked = [
        *("fit", "--data", f"folder:{pictures}", "--from", "MobileNet"),
        *("--weights", str(saved_mobilenet(folder)), "--epochs", "1"),
        *("--learning-rate", "0.5", "--validation", "9", "--runs", str(folder / "runs")),
    ]
    result = run_here(*asked)
    assert result.exit_code == 0, result.output
    assert "The new head alone judges held-out pictures better: it is taken." in result.stderr
    return asked, folder / "runs" / "colours"


def test_the_run_that_bears_the_name_is_the_one_that_was_taken(
    spoilt: tuple[list[str], Path], tmp_path: Path
) -> None:
    asked, folder = spoilt
    assert (read(folder).recipe.epochs, read(folder).finished) == (0, True)
    assert read(folder.with_name("colours-tuned")).recipe.epochs == 1
    assert (folder / "split.json").exists()
    exported = run_here("export", folder, "--models", tmp_path)
    assert exported.exit_code == 0, exported.output
    assert (tmp_path / "colours.onnx").read_bytes() == (folder / "colours.onnx").read_bytes()
    before = (folder / "last.keras").stat().st_mtime_ns
    assert run_here(*asked, "--resume").exit_code == 0
    assert (folder / "last.keras").stat().st_mtime_ns == before
    other = run_here(*asked, "--resume", "--batch-size", "7")
    assert (other.exit_code, "batch_size 32 there, 7 asked" in other.stderr) == (1, True)
    again = run_here(*asked)
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)
    assert "reading pictures" not in again.stderr


def test_tuning_that_paid_is_the_run_that_bears_the_name(
    spoilt: tuple[list[str], Path], tmp_path: Path
) -> None:
    """As if the head alone had been worse; the weights are the head's, which prove themselves."""
    asked, folder = spoilt
    runs = shutil.copytree(folder.parent, tmp_path / "runs")
    run, tuned = runs / "colours", runs / "colours-tuned"
    shutil.copy(run / "last.keras", tuned / "last.keras")
    shutil.rmtree(run)
    head = json.loads((tuned / "head.json").read_text())
    (tuned / "head.json").write_text(json.dumps(head | {"validation_loss": 99.0}))
    result = run_here(*asked[:-1], runs, "--resume")
    assert result.exit_code == 0, result.output
    assert not tuned.exists()
    assert (read(run).recipe.epochs, read(run).finished) == (1, True)
    card = Classifier((run / "colours.onnx").read_bytes()).card
    assert card.recipe is not None
    assert card.recipe["epochs"] == 1
    before = (run / "last.keras").stat().st_mtime_ns
    assert run_here(*asked[:-1], runs, "--resume").exit_code == 0
    assert ((run / "last.keras").stat().st_mtime_ns, tuned.exists()) == (before, False)


def test_a_head_that_was_broken_off_is_gone_on_with(
    spoilt: tuple[list[str], Path], tmp_path: Path
) -> None:
    asked, folder = spoilt
    runs = shutil.copytree(folder.parent, tmp_path / "runs")
    for name in ("last.keras", "head.json", "colours.onnx"):
        (runs / "colours" / name).unlink()
    result = run_here(*asked[:-1], runs, "--resume")
    assert result.exit_code == 0, result.output
    assert read(runs / "colours").finished


def test_without_a_picture_to_judge_by_nothing_is_tuned(pictures: Path, tmp_path: Path) -> None:
    result = run_here(
        *("fit", "--data", f"folder:{pictures}", "--from", "MobileNet", "--validation", "0"),
        *("--weights", saved_mobilenet(tmp_path), "--runs", tmp_path / "runs"),
    )
    assert result.exit_code == 0, result.output
    assert "No picture is left out to judge tuning by" in result.stderr
    assert read(tmp_path / "runs" / "colours").recipe.epochs == 0


@pytest.mark.parametrize("start", ["lite0", "scratch"])
def test_weights_that_nobody_would_read_are_refused(
    pictures: Path, tmp_path: Path, start: str
) -> None:
    result = run_here(
        *("fit", "--data", f"folder:{pictures}", "--from", start, "--weights", "some.h5"),
        *("--runs", tmp_path),
    )
    assert result.exit_code == 1
    assert f"--from {start} has no use for --weights" in result.stderr


def test_a_model_of_ones_own_pictures_is_ones_own(fitted: tuple[Path, Result]) -> None:
    card = Classifier((fitted[0] / "colours.onnx").read_bytes()).card
    assert (card.license, card.author) == ("", "")


@pytest.mark.parametrize("command", ["report", "evaluate", "export"])
def test_other_pictures_than_it_was_trained_on_are_refused(
    fitted: tuple[Path, Result], pictures: Path, tmp_path: Path, command: str
) -> None:
    other = small(pictures, tmp_path / "colours", 4)
    models = ["--models", str(tmp_path)] if command == "export" else []
    file = (fitted[0] / "colours.onnx").rename(tmp_path / "aside.onnx")
    try:
        for measured_before in (False, True):
            if measured_before:
                shutil.copy(file, fitted[0] / "colours.onnx")
            result = run_here(command, fitted[0], "--data", f"folder:{other}", *models)
            assert result.exit_code == 1
            assert "was trained on other data" in result.stderr
    finally:
        shutil.move(file, fitted[0] / "colours.onnx")


def test_pictures_that_were_moved_can_be_named(
    fitted: tuple[Path, Result], pictures: Path, tmp_path: Path
) -> None:
    shutil.copytree(pictures, tmp_path / "moved")
    result = run_here("report", fitted[0], "--data", f"folder:{tmp_path / 'moved'}")
    assert result.exit_code == 0, result.output


def test_a_recipe_and_its_variants_take_pictures_of_ones_own(
    pictures: Path, tmp_path: Path
) -> None:
    """The lecture's network for cats and dogs: at its size, with any classes."""
    result = run_here(
        *("fit", "cats-dogs-simple", "--head", "global-average", "--epochs", "1"),
        *("--data", f"folder:{pictures}", "--no-flip", "--runs", tmp_path),
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / "colours" / "split.json").exists()
    card = Classifier((tmp_path / "colours" / "colours.onnx").read_bytes()).card
    assert set(card.labels) == set(COLOURS)
    assert (card.preprocess.height, card.preprocess.layout) == (160, "squash")
    assert card.description == "Pictures of colours, as cats-dogs-simple-globalaverage is trained."
    assert card.recipe is not None
    assert (card.recipe["balanced"], "flip" in card.recipe) == (True, False)


@pytest.mark.parametrize(("most", "start"), [(32, "lite0"), (31, "scratch")])
def test_what_few_pictures_start_from_is_a_network_that_knows_more(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, start: str
) -> None:
    """There are 31 files; 20,000 would take a while."""
    monkeypatch.setattr(training.own, "FEW_IMAGES", most)
    result = run_here(
        *("fit", "--data", f"folder:{pictures}", "--runs", tmp_path),
        *("--epochs", "0" if start == "lite0" else "1"),
    )
    assert result.exit_code == 0, result.output
    network = read(tmp_path / "colours").recipe
    assert network.network == ("pretrained" if start == "lite0" else "deep_photo")
    if start == "lite0":
        assert network.network_options == {"backbone": "lite0"}


def test_epochs_that_were_not_asked_for_at_first_are_not_left_out_in_silence(
    pictures: Path, tmp_path: Path
) -> None:
    asked = ["fit", "--data", f"folder:{pictures}", "--from", "MobileNet"]
    asked += ["--weights", str(saved_mobilenet(tmp_path)), "--runs", str(tmp_path / "runs")]
    assert run_here(*asked, "--epochs", "0").exit_code == 0
    more = run_here(*asked, "--epochs", "1", "--resume")
    assert more.exit_code == 1
    assert "epochs 0 there, 1 asked" in more.stderr


def test_a_class_that_was_renamed_bears_its_new_name(
    fitted: tuple[Path, Result], pictures: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(fitted[0], tmp_path / "runs" / "colours")
    (run / "colours.onnx").touch()  # a copy is as old as it is quick
    renamed = shutil.copytree(pictures, tmp_path / "colours")
    (renamed / "Red").rename(renamed / "Rod")
    result = run_here("evaluate", run, "--data", f"folder:{renamed}")
    assert result.exit_code == 0, result.output
    assert "Rod" in Classifier((run / "colours.onnx").read_bytes()).card.labels


def test_pictures_that_came_to_judge_by_are_counted_and_no_others_asked_for(
    pictures: Path, tmp_path: Path
) -> None:
    for part in ("train", "validation", "test"):
        shutil.copytree(pictures, tmp_path / "parts" / part)
    asked = ("fit", "--data", f"folder:{tmp_path / 'parts'}", "--from", "scratch", "--epochs", "1")
    refused = run_here(*asked, "--runs", tmp_path / "runs", "--validation", "3")
    assert (refused.exit_code, "says itself which pictures judge" in refused.stderr) == (1, True)
    assert not (tmp_path / "runs" / "parts").exists()
    result = run_here(*asked, "--runs", tmp_path / "runs")
    assert result.exit_code == 0, result.output
    assert read(tmp_path / "runs" / "parts").validation == 30


def test_a_card_beside_it_would_be_taken_for_the_models_own(
    fitted: tuple[Path, Result], tmp_path: Path
) -> None:
    (tmp_path / "colours.json").write_text("{}")
    result = run_here("export", fitted[0], "--models", tmp_path)
    assert result.exit_code == 1
    assert "colours.json is the card of a model from elsewhere" in result.stderr
    assert not (tmp_path / "colours.onnx").exists()


def test_a_model_of_others_is_not_replaced(fitted: tuple[Path, Result], tmp_path: Path) -> None:
    (tmp_path / "colours.onnx").write_bytes(colour_model(colour_card(author="Somebody")))
    result = run_here("export", fitted[0], "--models", tmp_path)
    assert result.exit_code == 1
    assert "is there already, by Somebody" in result.stderr


def test_a_damaged_model_file_is_not_put_where_it_would_be_served(
    fitted: tuple[Path, Result], tmp_path: Path
) -> None:
    whole = (fitted[0] / "colours.onnx").read_bytes()
    (fitted[0] / "colours.onnx").write_bytes(whole[:5000])
    try:
        result = run_here("export", fitted[0], "--models", tmp_path)
    finally:
        (fitted[0] / "colours.onnx").write_bytes(whole)
    assert result.exit_code == 1
    assert "Remove it: it is made again" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["report", "evaluate", "compare"])
@pytest.mark.parametrize("is_measured", [True, False])
def test_damaged_weights_are_said_to_be_that(
    fitted: tuple[Path, Result], tmp_path: Path, command: str, is_measured: bool
) -> None:
    run = shutil.copytree(fitted[0], tmp_path / "colours")
    weights, model_file = run / "last.keras", run / "colours.onnx"
    weights.write_bytes(weights.read_bytes()[:5000])
    if is_measured:
        model_file.touch()
    result = run_here(command, run)
    if command == "evaluate" and is_measured:  # it does not look at them
        assert result.exit_code == 0, result.output
        return
    assert result.exit_code == 1
    assert "last.keras cannot be read as a network of Keras" in result.stderr
    assert not isinstance(result.exception, OSError)
