from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from training.networks import airbench

pytestmark = pytest.mark.train

READ = """
import sys
import numpy as np
from training.backend import choose_backend
choose_backend()
from training.networks import load
network = load(sys.argv[1])
print(network.predict_on_batch(np.ones((1, 16, 16, 3), np.float32)).tolist())
"""


def test_a_network_of_our_own_parts_is_read_by_a_program_that_made_none(tmp_path: Path) -> None:
    network = airbench((16, 16, 3), 2, widths=(4,), mirrored=True, shifted=True)
    network.save(tmp_path / "network.keras")
    read = subprocess.run(
        [sys.executable, "-c", READ, tmp_path / "network.keras"],
        capture_output=True,
        check=True,
        text=True,
    )
    expected = network.predict_on_batch(np.ones((1, 16, 16, 3), np.float32)).tolist()
    assert read.stdout.strip() == str(expected)
