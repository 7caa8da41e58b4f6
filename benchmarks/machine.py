"""What a benchmark was measured on: the processor and the versions that decide."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("fastapi", "uvicorn", "onnxruntime", "pillow", "numpy", "orjson", "python-multipart")


def machine() -> dict[str, str]:
    """Plain facts, for the line of JSON that a benchmark ends with."""
    processor = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(": ")[2]
    return {
        "processor": processor,
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": platform.release(),
        "python": platform.python_version(),
    } | {name: version(name) for name in PACKAGES}
