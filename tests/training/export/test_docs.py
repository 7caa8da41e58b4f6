"""docs/export.md lists what is translated, neither more nor less."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from training.export.graph import HALF_FROM
from training.export.translate import TRANSLATIONS, VANISHING

pytestmark = pytest.mark.train

PAGE = (Path(__file__).parents[3] / "docs" / "export.md").read_text()


def rows() -> dict[str, set[str]]:
    block = PAGE.partition("<!-- translated -->")[2].partition("<!-- /translated -->")[0]
    cells = [line.split("|")[1:3] for line in block.splitlines()[3:]]
    return {first.strip(" `"): set(re.findall(r"`([^`]+)`", names)) for first, names in cells}


def test_every_layer_is_listed_with_the_file_that_translates_it() -> None:
    listed = rows()
    assert listed.pop("nothing") == VANISHING
    assert {name: file for file, names in listed.items() for name in names} == {
        name: "operations.py" if name.startswith("ops.") else f"{one.__module__.split('.')[-1]}.py"
        for name, one in TRANSLATIONS.items()
    }


def test_the_size_from_which_halves_are_stored_is_that_of_the_code() -> None:
    assert f"kernels of {HALF_FROM:,} numbers or more" in PAGE
