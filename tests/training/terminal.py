"""A program on a real pseudo-terminal, and what stands on its screen in the end."""

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

ROOT = Path(__file__).parents[2]
_CODE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])")


class Terminal:
    """Runs Python code with stdin, stdout and stderr on a terminal of so many columns."""

    def __init__(self, code: str, columns: int, **environment: str) -> None:
        if sys.platform == "win32":
            pytest.skip("no pseudo-terminals")
        import fcntl
        import pty
        import termios

        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        settings = termios.tcgetattr(theirs)
        settings[3] &= ~termios.ECHO  # what `enter` types would be on the screen
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        ours = ("COLUMNS", "LINES", "NO_COLOR", "TERM", "FORCE_COLOR")
        kept = {name: value for name, value in os.environ.items() if name not in ours}
        self._process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=kept | {"TERM": "xterm-256color"} | environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.written = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    def read_until(self, text: str) -> None:
        """Read on until `text` has been written."""
        for piece in self._pieces():
            self.written += piece
            if text in self.written:
                return
        raise AssertionError(f"{text!r} is not in {self.written!r}")

    def enter(self) -> None:
        """Press the return key."""
        os.write(self._ours, b"\n")

    def finish(self) -> int:
        """Read the rest; returns the exit code."""
        for piece in self._pieces():
            self.written += piece
        os.close(self._ours)
        try:
            return self._process.wait(timeout=60)
        finally:
            self._process.kill()  # unless it has ended, which it should have

    def _pieces(self) -> Iterator[str]:
        rest = b""
        while select.select([self._ours], [], [], 60)[0]:
            try:
                data = rest + os.read(self._ours, 4096)
            except OSError:  # Linux: the other end is closed
                return
            if data == rest:
                return
            text = data.decode(errors="ignore")
            rest = data[len(text.encode()) :]  # half a character
            yield text


def screen(written: str) -> list[str]:
    """The rows of an endless screen after all this was written; it knows what Rich uses."""
    rows, row, column = [""], 0, 0
    while written:
        code = _CODE.match(written)
        if code:
            number = int(code[1] or 1) if code[1].isdigit() or not code[1] else 0
            if code[2] == "A":
                row = max(0, row - number)
            elif code[2] == "K":
                rows[row] = "" if number == 2 else rows[row][:column]
            written = written[code.end() :]
            continue
        character, written = written[0], written[1:]
        if character == "\r":
            column = 0
        elif character == "\n":
            row += 1
            rows += [""] * (row + 1 - len(rows))
        else:
            rows[row] = rows[row][:column].ljust(column) + character + rows[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in rows]


def without_codes(written: str) -> str:
    return _CODE.sub("", written)
