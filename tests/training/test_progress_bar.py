from __future__ import annotations

import re

import pytest

from tests.training.terminal import Terminal, screen, without_codes

# Waits for the return key before each word that the test wants to see drawn.
TRAINING = """
from training.progress import progress
shown = progress("auto")
shown.begin("mnist-2conv seed 1", 10, 4)
shown.step(1, {"loss": 0.5, "accuracy": 0.75})
input()
shown.step(2, {"loss": 0.25, "accuracy": 0.875})
input()
row = {"loss": 0.0812, "accuracy": 0.975, "validation_loss": 0.0523, "validation_accuracy": 0.984}
shown.epoch(1, row)
shown.epoch(2, row | {"validation_accuracy": 0.5})
shown.step(1)
shown.end("stopped after epoch 2")
print("data")
"""
STAGE = """
from training.progress import progress
shown = progress("auto")
shown.stage("decoding cats-dogs", 2000)
shown.step(500)
input()
shown.step(2000)
shown.end()
"""


def trained(columns: int, **environment: str) -> str:
    terminal = Terminal(TRAINING, columns, **environment)
    terminal.read_until(" 1/4 ")
    terminal.enter()
    terminal.read_until(" 2/4 ")
    terminal.enter()
    assert terminal.finish() == 0
    return terminal.written


@pytest.fixture(scope="module")
def wide() -> str:
    return trained(100)


def test_finished_epochs_stay_and_the_one_that_was_broken_off_is_gone(wide: str) -> None:
    rows = [row for row in screen(wide) if row]
    assert re.sub(r"0:00:\d\d", "0:00:00", "\n".join(rows)) == (
        "mnist-2conv seed 1\n"
        "epoch  1/10 ━━━━━━━━━━━━━━━━ 4/4 0:00:00  "
        "loss 0.0812 acc 0.9750 │ val 0.0523 0.9840 ▲ best\n"
        "epoch  2/10 ━━━━━━━━━━━━━━━━ 4/4 0:00:00  loss 0.0812 acc 0.9750 │ val 0.0523 0.5000\n"
        "stopped after epoch 2\n"
        "data"
    )


def test_the_bar_fills_within_an_epoch_and_tells_the_time_that_is_left(wide: str) -> None:
    drawn = without_codes(wide)
    assert re.search(
        r"epoch  1/10 ━{4}─{12} 1/4 [\d:]+  loss 0\.5000 acc 0\.7500  \d+ s left", drawn
    )
    assert re.search(
        r"epoch  1/10 ━{8}─{8} 2/4 [\d:]+  loss 0\.2500 acc 0\.8750  \d+ s left", drawn
    )


def test_the_cursor_is_back_in_the_end(wide: str) -> None:
    assert wide.rindex("\x1b[?25h") > wide.rindex("\x1b[?25l")


@pytest.mark.parametrize("columns", [80, 40, 10])
def test_a_narrow_terminal_gets_a_shorter_bar_and_then_a_cut_line(columns: int) -> None:
    written = trained(columns) if columns > 10 else trained_blind(columns)
    drawn = without_codes(written)
    assert max(map(len, re.split(r"[\r\n]+", drawn))) <= columns
    epochs = [row for row in screen(written) if row.startswith("epoch  1/")]
    assert len(epochs) == 1  # nothing wrapped, nothing was left behind
    if columns == 80:
        assert epochs[0].endswith("val 0.0523 0.9840 ▲ best")


def trained_blind(columns: int) -> str:
    """On so narrow a terminal the count cannot be waited for."""
    terminal = Terminal(TRAINING, columns)
    terminal.read_until("epoch")
    terminal.enter()
    terminal.enter()
    assert terminal.finish() == 0
    return terminal.written


def test_there_are_colours_and_with_no_color_there_are_none(wide: str) -> None:
    colour = re.compile(r"\x1b\[[\d;]*[39]\d[\d;]*m")
    assert colour.search(wide)
    assert not colour.search(trained(100, NO_COLOR="1"))


def test_a_terminal_that_knows_no_codes_gets_plain_lines() -> None:
    terminal = Terminal(TRAINING, 100, TERM="dumb")
    terminal.enter()
    terminal.enter()
    assert terminal.finish() == 0
    assert "\x1b" not in terminal.written
    assert "mnist-2conv seed 1  epoch 1/10  loss 0.0812" in terminal.written


def test_a_terminal_without_unicode_gets_a_bar_of_ascii() -> None:
    written = trained(100, PYTHONIOENCODING="ascii")
    assert written.isascii()
    assert "epoch  1/10 ################ 4/4" in without_codes(written)


def test_a_stage_has_a_bar_that_stays_when_it_is_finished() -> None:
    terminal = Terminal(STAGE, 100)
    terminal.read_until("500/2000")
    terminal.enter()
    assert terminal.finish() == 0
    drawn = without_codes(terminal.written)
    assert re.search(r"decoding cats-dogs ━{4}─{12} 500/2000 [\d:]+  \d+ s left", drawn)
    (row,) = [row for row in screen(terminal.written) if row.startswith("decoding")]
    assert re.fullmatch(r"decoding cats-dogs ━{16} 2000/2000 0:00:\d\d", row)
