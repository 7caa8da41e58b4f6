"""A module of the page, run by Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

WEB = Path(__file__).parents[2] / "app" / "web"
EMBED = WEB / "embed"
# The files end in .js and have no package.json above them that says what that is.
_OPTIONS = ["--no-warnings", "--experimental-default-type=module", "--input-type=module", "-"]


def evaluate(program: str) -> Any:
    """What the program, a module, prints as JSON."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node (Debian package nodejs) is not here to run the page's modules")
    done = subprocess.run(
        [node, *_OPTIONS], input=program, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
