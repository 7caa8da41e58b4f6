from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.training.terminal import Terminal
from training.interrupt import Interrupt

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")

# Epochs end when a line comes on stdin.
TRAINING = """
import signal, sys
from training.interrupt import Interrupt

# What is started in the background of a shell without job control begins deaf to Ctrl+C.
signal.signal(signal.SIGINT, signal.default_int_handler)
with Interrupt() as interrupt:
    for epoch in (1, 2, 3):
        interrupt.doing = f"epoch {epoch}"
        print("in epoch", epoch, flush=True)
        sys.stdin.readline()
        if interrupt.asked:
            break
print("saved after epoch", epoch, flush=True)
sys.stdin.readline()
"""
SENTENCE = "finishing epoch 1, then saving; Ctrl+C again stops now\n"


class Training:
    """A training in a process of its own, which gets real signals."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", TRAINING],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.line() == "in epoch 1\n"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def error_line(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def finish_epoch(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@pytest.fixture
def training() -> Iterator[Training]:
    training = Training()
    with training.process:
        yield training
        training.process.kill()  # unless it has ended


def test_the_first_interrupt_lets_the_epoch_finish_and_save(training: Training) -> None:
    training.interrupt()
    assert training.error_line() == SENTENCE
    assert training.process.poll() is None
    training.finish_epoch()
    assert training.line() == "saved after epoch 1\n"
    training.finish_epoch()
    assert training.process.wait(timeout=30) == 0


def test_the_second_interrupt_stops_at_once(training: Training) -> None:
    training.interrupt()
    assert training.error_line() == SENTENCE
    training.interrupt()
    out, err = training.process.communicate(timeout=30)
    assert out == ""
    assert err.endswith("KeyboardInterrupt\n")
    assert training.process.returncode == -signal.SIGINT


def test_without_an_interrupt_every_epoch_is_done_and_nothing_is_said(training: Training) -> None:
    out, err = training.process.communicate("\n" * 4, timeout=30)
    assert out == "in epoch 2\nin epoch 3\nsaved after epoch 3\n"
    assert err == ""


def test_afterwards_an_interrupt_is_what_it_was_before(training: Training) -> None:
    for _ in range(3):
        training.finish_epoch()
    assert [training.line() for _ in range(3)][-1] == "saved after epoch 3\n"
    training.interrupt()
    _, err = training.process.communicate(timeout=30)
    assert err.endswith("KeyboardInterrupt\n")


def test_the_handler_is_restored_also_when_the_training_fails() -> None:
    before = signal.getsignal(signal.SIGINT)

    def fail() -> None:
        with Interrupt():
            assert signal.getsignal(signal.SIGINT) != before
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert signal.getsignal(signal.SIGINT) == before


def test_the_sentence_stands_on_a_line_of_its_own_below_a_bar() -> None:
    terminal = Terminal(TRAINING, 80)
    terminal.read_until("in epoch 1")
    os.kill(terminal.pid, signal.SIGINT)
    terminal.read_until("stops now")
    assert "\n" + SENTENCE.strip() in terminal.written.replace("\r", "")
    for _ in range(2):
        terminal.enter()
    assert terminal.finish() == 0
