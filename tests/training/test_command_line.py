from __future__ import annotations

import os
import re
import select
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.classifier import Classifier
from tests.training.test_data import mnist_arrays, write_mnist
from training.__main__ import Progress, cli
from training.data import load
from training.models_readme import END, START, table
from training.recipes import RECIPES

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[2]
TRY = ["try", "mnist-1conv", "--holdout", "100"]

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


def test_facts_of_a_file_that_is_not_there_ends_with_1(data: Path, tmp_path: Path) -> None:
    refused = run_here("facts", "mnist-1conv", "--data", data, "--models", tmp_path)
    assert refused.exit_code == 1
    assert "mnist-1conv.onnx" in refused.output


def test_recipes_lists_every_recipe_with_its_description() -> None:
    listed = run("recipes")
    assert listed.returncode == 0
    assert listed.stderr == ""
    assert [line.split(maxsplit=1) for line in listed.stdout.splitlines()] == [
        [recipe.name, recipe.description] for recipe in RECIPES.values()
    ]


@pytest.mark.parametrize("arguments", [["build", "mnist-1conv", "nonsense"], ["try", "nonsense"]])
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
    refused = run(*TRY, "--data", tmp_path, "--runs", tmp_path / "runs")
    assert refused.returncode == 1
    assert refused.stdout == ""
    (line,) = [line for line in refused.stderr.splitlines() if not CHATTER.match(line)]
    assert line.startswith(f"{tmp_path / 'mnist.npz'} cannot be read as mnist")
    assert "--data or CONVOLU_DATA" in line
    assert not (tmp_path / "runs").exists()


def test_the_data_folder_can_be_named_by_the_environment(tmp_path: Path) -> None:
    folder = tmp_path / "somewhere"
    refused = CliRunner(env={"CONVOLU_DATA": str(folder)}).invoke(
        cli, [*TRY, "--runs", str(tmp_path / "runs")]
    )
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"{folder / 'mnist.npz'} cannot be read as mnist")


def test_try_writes_one_plain_line_per_epoch_where_there_is_no_terminal(
    data: Path, tmp_path: Path
) -> None:
    tried = run_here(*TRY, "--epochs", "2", "--data", data, "--runs", tmp_path)
    assert tried.exit_code == 0, tried.output
    measured = r"accuracy [01]\.\d{4}  loss \d+\.\d{4}  holdout [01]\.\d{4}"
    first, second = tried.stdout.splitlines()
    assert re.fullmatch(rf"mnist-1conv  1/2  {measured}  \d+ s left", first)
    assert re.fullmatch(rf"mnist-1conv  2/2  {measured}  0 s left", second)
    (folder,) = tmp_path.iterdir()
    assert folder.name == "try-mnist-1conv-2epochs-seed0"
    assert (folder / "final.keras").exists()


@pytest.fixture(scope="module")
def on_a_terminal(data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `try` writes for two epochs on a terminal of 80 columns."""
    if sys.platform == "win32":
        pytest.skip("no pseudo-terminals")
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    runs = tmp_path_factory.mktemp("runs")
    with (
        open(ours, "rb", buffering=0) as terminal,
        subprocess.Popen(
            command(*TRY, "--epochs", "2", "--data", data, "--runs", runs),
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        os.close(theirs)
        written = b"".join(_until_closed(terminal.fileno()))
        try:
            _, stderr = process.communicate(timeout=60)
        finally:
            process.kill()  # unless it has ended, which it should have
        assert process.returncode == 0, stderr.decode()
    return written.decode()


def _until_closed(terminal: int) -> Iterator[bytes]:
    while select.select([terminal], [], [], 120)[0]:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # Linux: the other end is closed
            return
        if not data:
            return
        yield data


def test_on_a_terminal_one_line_is_drawn_again_with_a_bar_that_grows(on_a_terminal: str) -> None:
    assert on_a_terminal.count("\n") == 1
    assert on_a_terminal.endswith("\n")
    before, first, second = on_a_terminal.rstrip("\r\n").split("\r")
    assert before == ""
    half, whole = (re.match(r"(█*)(·*) mnist-1conv  [12]/2  ", line) for line in (first, second))
    assert half
    assert whole
    assert len(half[1]) == len(half[2]) > 0
    assert (len(whole[1]), whole[2]) == (2 * len(half[1]), "")
    assert first.endswith("\033[K")  # a longer line before leaves nothing behind


def test_the_line_with_the_bar_fits_a_terminal_of_80_columns(on_a_terminal: str) -> None:
    """A longer one wraps, and the carriage return goes back over its last row alone."""
    lines = re.split(r"[\r\n]+", re.sub(r"\033\[\d*[A-Za-z]", "", on_a_terminal))
    assert max(len(line) for line in lines) <= 80


def test_progress_tells_how_long_the_other_epochs_will_take(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    progress = Progress("name", 5)
    for epoch in range(1, 6):
        now += 60.4
        progress(epoch, {"epoch": epoch, "seconds": now, "loss": 1 / epoch})
    assert capsys.readouterr().out.splitlines() == [
        "name  1/5  loss 1.0000  4 min 02 s left",
        "name  2/5  loss 0.5000  3 min 01 s left",
        "name  3/5  loss 0.3333  2 min 01 s left",
        "name  4/5  loss 0.2500  1 min 00 s left",
        "name  5/5  loss 0.2000  0 s left",
    ]


def test_build_says_how_good_the_model_is_and_of_which_seeds(data: Path, tmp_path: Path) -> None:
    from training.networks import mnist_1conv
    from training.train import all_that_decides

    runs, models = tmp_path / "runs", tmp_path / "models"
    recipe = RECIPES["mnist-1conv"]
    for seed in recipe.seeds:  # finished runs, so that nothing is trained here
        folder = runs / f"mnist-1conv-seed{seed}"
        folder.mkdir(parents=True)
        (folder / "recipe.json").write_text(all_that_decides(recipe, load("mnist", data), seed, 0))
        (folder / "history.json").write_text("[]")
        mnist_1conv().save(folder / "final.keras")
    built = run_here("build", "mnist-1conv", "--data", data, "--runs", runs, "--models", models)
    assert built.exit_code == 0, built.output
    metrics = Classifier((models / "mnist-1conv.onnx").read_bytes()).card.metrics
    assert metrics is not None
    mean = sum(metrics.seed_accuracies.values()) / 3
    assert built.output == (
        f"{models}/mnist-1conv.onnx: {metrics.accuracy:.2%} of 20 test images right; "
        f"mean of seeds 1, 2, 3: {mean:.3%}\n"
    )


def test_readme_writes_the_table_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"Models.\n{START}\n{END}\n")
    assert run_here("readme", "--models", tmp_path).exit_code == 0
    assert (tmp_path / "README.md").read_text() == f"Models.\n{START}\n{table(tmp_path)}\n{END}\n"


@pytest.mark.parametrize("option", [["--holdout", "-1"], ["--epochs", "0"], ["--holdout", "300"]])
def test_a_holdout_or_epochs_that_leave_nothing_to_train_are_refused(
    option: list[str], data: Path, tmp_path: Path
) -> None:
    refused = run_here("try", "mnist-1conv", "--data", data, "--runs", tmp_path, *option)
    assert refused.exit_code in (1, 2)
    assert not list(tmp_path.iterdir())
