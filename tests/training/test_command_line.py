from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from app.classifier import Classifier
from tests.conftest import colour_card, colour_model
from tests.training.data.test_named import mnist_arrays, write_mnist
from training.__main__ import cli
from training.data import load
from training.models_readme import END, START, table
from training.networks import mnist_1conv
from training.recipes import RECIPES
from training.run import begin, read, write

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[2]
FIT = ["fit", "mnist-1conv", "--validation", "100", "--epochs", "2"]

# TensorFlow writes these itself while it is loaded, before its log level is read.
CHATTER = re.compile(r"WARNING: All log messages before absl|[IWE]\d{4} \S+ +\d+ \S+\.cc:\d+\] ")


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "training", *map(str, arguments)]


def environment() -> dict[str, str]:
    ours = ("CONVOLU_", "COLUMNS", "LINES")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command for real, in a process of its own."""
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def run_here(*arguments: str | Path) -> Result:
    """Run the command in this process, which has loaded Keras already."""
    return CliRunner(env={"CONVOLU_DATA": None}).invoke(cli, [*map(str, arguments)])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny mnist.npz."""
    folder = tmp_path_factory.mktemp("data")
    write_mnist(folder, mnist_arrays(train=300, test=20))
    return folder


def test_recipes_lists_every_recipe_with_its_epochs_and_its_description() -> None:
    listed = run("recipes")
    assert listed.returncode == 0
    assert listed.stderr == ""
    assert [line.split(maxsplit=3) for line in listed.stdout.splitlines()] == [
        [recipe.name, str(recipe.epochs), "epochs", recipe.description]
        for recipe in RECIPES.values()
    ]


@pytest.mark.parametrize("arguments", [["build", "mnist-1conv", "nonsense"], ["fit", "nonsense"]])
def test_an_unknown_recipe_ends_with_1_and_one_line_that_names_the_known_ones(
    arguments: list[str], data: Path, tmp_path: Path
) -> None:
    refused = run_here(*arguments, "--data", data, "--runs", tmp_path)
    assert refused.exit_code == 1
    assert refused.stdout == ""
    (line,) = refused.stderr.splitlines()
    assert "'nonsense'" in line
    assert all(name in line for name in RECIPES)
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_without_the_file_ends_with_1_and_one_line_that_names_it(
    tmp_path: Path,
) -> None:
    refused = run(*FIT, "--data", tmp_path, "--runs", tmp_path / "runs")
    assert refused.returncode == 1
    assert refused.stdout == ""
    (line,) = [line for line in refused.stderr.splitlines() if not CHATTER.match(line)]
    assert line.startswith(f"{tmp_path / 'mnist.npz'} cannot be read as mnist")
    assert "--data or CONVOLU_DATA" in line
    assert not (tmp_path / "runs").exists()


def test_the_data_folder_can_be_named_by_the_environment(tmp_path: Path) -> None:
    folder = tmp_path / "somewhere"
    refused = CliRunner(env={"CONVOLU_DATA": str(folder)}).invoke(
        cli, [*FIT, "--runs", str(tmp_path / "runs")]
    )
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"{folder / 'mnist.npz'} cannot be read as mnist")


@pytest.fixture(scope="module")
def fitted(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A run folder, and what `fit` said while it was made."""
    runs = tmp_path_factory.mktemp("runs")
    return runs / "mnist-1conv-seed0", run_here(*FIT, "--data", data, "--runs", runs)


def test_fit_writes_one_plain_line_per_epoch_where_there_is_no_terminal(
    fitted: tuple[Path, Result],
) -> None:
    folder, result = fitted
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stderr.splitlines() if not CHATTER.match(line)]
    begun, first, second = lines
    assert begun.startswith("mnist-1conv-seed0: 2 epochs of 2 steps")
    assert first.startswith("mnist-1conv-seed0  epoch 1/2  loss ")
    assert second.startswith("mnist-1conv-seed0  epoch 2/2  loss ")
    assert read(folder).finished


def test_fit_ends_with_how_good_it_is_on_images_left_out_and_with_what_to_do_next(
    fitted: tuple[Path, Result],
) -> None:
    folder, result = fitted
    judged, *commands = result.stdout.splitlines()
    right = round(read(folder).history[-1]["validation_accuracy"] * 100)
    assert judged.startswith(
        f"{folder}: {right} of 100 images right that it did not train on: {right}.00% (95 %: "
    )
    assert [line.split("#")[0].strip() for line in commands] == [
        f"convolu-train report {folder} --validation",
        f"convolu-train evaluate {folder}",
    ]


def test_a_report_of_the_images_left_out_does_not_look_at_the_test_images(
    fitted: tuple[Path, Result], data: Path
) -> None:
    folder, _ = fitted
    drawn = run_here("report", folder, "--validation", "--data", data)
    assert drawn.exit_code == 0, drawn.output
    html = (folder / "report.html").read_text()
    assert "Measured on 100 training images that were left out of the training, by which" in html
    assert "Its logits are divided by a temperature of" in html
    assert not (folder / "mnist-1conv.onnx").exists()


def test_a_run_of_other_options_can_have_a_name_of_its_own(data: Path, tmp_path: Path) -> None:
    asked = ("--learning-rate", "0.01", "--name", "fast", "--seed", "1")
    fitted = run_here(*FIT, *asked, "--data", data, "--runs", tmp_path)
    assert fitted.exit_code == 0, fitted.output
    assert read(tmp_path / "fast-seed1").recipe.name == "fast"
    assert fitted.stdout.splitlines()[-1].strip().startswith("convolu-train export")


def test_the_progress_can_be_json_lines(data: Path, tmp_path: Path) -> None:
    fitted = run_here(*FIT, "--progress", "json", "--data", data, "--runs", tmp_path)
    assert fitted.exit_code == 0, fitted.output
    assert "images right that it did not train on" in fitted.stderr  # for people
    lines = [json.loads(line) for line in fitted.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["begin", "epoch", "epoch", "end"]
    assert lines[0]["steps_per_epoch"] == 2  # 200 images in batches of 128


def test_ctrl_c_ends_it_after_the_epoch_and_resume_goes_on(data: Path, tmp_path: Path) -> None:
    asked: list[str | Path] = [*FIT, "--epochs", "40", "--progress", "json"]
    asked += ["--data", data, "--runs", tmp_path]
    fitting = subprocess.Popen(
        command(*asked),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with fitting:
        assert fitting.stdout is not None
        assert fitting.stderr is not None
        next(line for line in fitting.stdout if json.loads(line)["event"] == "epoch")
        fitting.send_signal(signal.SIGINT)
        said = fitting.stderr.read()
    assert fitting.returncode == 1
    done = len(read(tmp_path / "mnist-1conv-seed0").history)
    assert 1 <= done < 40
    assert f"was stopped after epoch {done} of 40; --resume goes on with it." in said
    went_on = run_here(*asked, "--resume")
    assert went_on.exit_code == 0, went_on.output
    lines = [json.loads(line) for line in went_on.stdout.splitlines()]
    assert lines[0]["finished_epochs"] == done
    assert next(line["epoch"] for line in lines if line["event"] == "epoch") == done + 1


def test_a_run_that_is_there_is_gone_on_with_only_if_asked(
    fitted: tuple[Path, Result], data: Path
) -> None:
    folder, _ = fitted
    again: list[str | Path] = [*FIT, "--data", data, "--runs", folder.parent]
    refused = run_here(*again)
    assert refused.exit_code == 1
    assert "is there already. Go on with it by --resume" in refused.stderr
    resumed = run_here(*again, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert resumed.stderr == ""  # it was finished


def test_a_variant_is_a_run_of_its_own(data: Path, tmp_path: Path) -> None:
    varied = run_here(
        *FIT, "--strides", "2", "--head", "global-max", "--data", data, "--runs", tmp_path
    )
    assert varied.exit_code == 0, varied.output
    run = read(tmp_path / "mnist-1conv-strides2-globalmax-seed0")
    assert run.recipe.variant == {"strides": 2, "head": "global-max"}


def test_what_is_asked_other_than_the_recipes_is_what_the_run_says(
    data: Path, tmp_path: Path
) -> None:
    options = ["--batch-size", "50", "--learning-rate", "0.01", "--seed", "7"]
    fitted = run_here(*FIT, *options, "--data", data, "--runs", tmp_path, "--progress", "none")
    assert fitted.exit_code == 0, fitted.output
    assert fitted.stderr == ""
    run = read(tmp_path / "mnist-1conv-seed7")
    assert (run.recipe.batch_size, run.recipe.optimizer.learning_rate) == (50, 0.01)
    assert (run.seed, run.validation, run.recipe.epochs) == (7, 100, 2)


def test_evaluate_measures_a_run_on_the_test_images_and_leaves_its_model_file(
    fitted: tuple[Path, Result], data: Path
) -> None:
    folder, _ = fitted
    evaluated = run_here("evaluate", folder, "--data", data)
    assert evaluated.exit_code == 0, evaluated.output
    card = Classifier((folder / "mnist-1conv.onnx").read_bytes()).card
    assert card.metrics is not None
    assert card.recipe is not None
    assert (card.recipe["seed"], "seeds" in card.recipe) == (0, False)  # 0 is none of them
    assert evaluated.stdout.startswith(
        f"mnist-1conv: {card.metrics.accuracy:.2%} right of 20 test images (95 %: "
    )
    counts = np.array(card.confusion)
    np.fill_diagonal(counts, 0)
    told = re.search(r"most often confused: (\d+) × (\d) taken for (\d)", evaluated.stdout)
    assert told
    count, true, answer = map(int, told.groups())
    assert counts[true, answer] == count == counts.max()


def test_a_trial_does_not_replace_what_build_made(
    fitted: tuple[Path, Result], tmp_path: Path
) -> None:
    folder, models = fitted[0], tmp_path / "models"
    models.mkdir()
    built = colour_model(colour_card(recipe={"seed": 1, "seeds": [1, 2, 3]}))
    (models / "mnist-1conv.onnx").write_bytes(built)
    result = run_here("export", folder, "--models", models)
    assert result.exit_code == 1
    assert "is there already, as `build` made it" in result.stderr
    assert (models / "mnist-1conv.onnx").read_bytes() == built


def test_export_puts_the_measured_file_among_the_models(
    fitted: tuple[Path, Result], data: Path, tmp_path: Path
) -> None:
    folder, _ = fitted
    exported = run_here("export", folder, "--data", data, "--models", tmp_path)
    assert exported.exit_code == 0, exported.output
    file = tmp_path / "mnist-1conv.onnx"
    assert file.read_bytes() == (folder / "mnist-1conv.onnx").read_bytes()
    assert Classifier(file.read_bytes()).proven
    assert exported.stdout.endswith(
        f"convolu serve --default-model=mnist-1conv --models={tmp_path}\n"
    )


@pytest.mark.parametrize("command", ["evaluate", "export", "report"])
def test_a_folder_that_is_no_run_ends_with_1_and_says_why(command: str, tmp_path: Path) -> None:
    refused = run_here(command, tmp_path)
    assert refused.exit_code == 1
    assert refused.stderr == f"{tmp_path} is no run folder: it has no run.json.\n"


def test_a_run_is_not_measured_on_other_data_than_its_own(
    fitted: tuple[Path, Result], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(fitted[0], tmp_path / "run"))
    (folder / "mnist-1conv.onnx").unlink(missing_ok=True)
    write_mnist(tmp_path, mnist_arrays(train=250, test=20))
    refused = run_here("evaluate", folder, "--data", tmp_path)
    assert refused.exit_code == 1
    assert "was trained on other data than" in refused.stderr


def test_build_says_how_good_the_model_is_and_of_which_seeds(data: Path, tmp_path: Path) -> None:
    runs, models = tmp_path / "runs", tmp_path / "models"
    recipe = RECIPES["mnist-1conv"]
    names = ["mnist-1conv-validation", *(f"mnist-1conv-seed{seed}" for seed in recipe.seeds)]
    for name, seed in zip(names, (1, *recipe.seeds), strict=True):  # so that nothing is trained
        validation = recipe.validation if name.endswith("validation") else 0
        run = begin(runs / name, recipe, load("mnist", data), seed, validation)
        row = {"epoch": 1.0, "seconds": 1.0, "loss": 1.0, "accuracy": 0.1}
        write(run.folder / "history.json", json.dumps([row] * recipe.epochs))
        mnist_1conv().save(run.last)
    asked = ("build", "mnist-1conv", "--data", data, "--runs", runs, "--models", models)
    built = run_here(*asked)
    assert built.exit_code == 0, built.output
    metrics = Classifier((models / "mnist-1conv.onnx").read_bytes()).card.metrics
    assert metrics is not None
    mean = sum(metrics.seed_accuracies.values()) / 3
    assert built.stdout == (
        f"{models}/mnist-1conv.onnx: {metrics.accuracy:.2%} of 20 test images right; "
        f"mean of seeds 1, 2, 3: {mean:.3%}\n"
    )
    again = run_here(*asked, "--progress", "json")
    assert built.stdout in again.stderr
    assert [json.loads(line)["event"] for line in again.stdout.splitlines()][-1] == "end"


def test_readme_writes_the_table_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"Models.\n{START}\n{END}\n")
    assert run_here("readme", "--models", tmp_path).exit_code == 0
    assert (tmp_path / "README.md").read_text() == f"Models.\n{START}\n{table(tmp_path)}\n{END}\n"


@pytest.mark.parametrize(
    "option", [["--validation", "-1"], ["--epochs", "0"], ["--validation", "300"]]
)
def test_a_validation_or_epochs_that_leave_nothing_to_train_are_refused(
    option: list[str], data: Path, tmp_path: Path
) -> None:
    refused = run_here("fit", "mnist-1conv", "--data", data, "--runs", tmp_path, *option)
    assert refused.exit_code in (1, 2)
    assert option[0] in refused.stderr
    assert list(tmp_path.iterdir()) == []
