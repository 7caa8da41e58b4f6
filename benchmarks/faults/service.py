"""What the rows share: a service to do it to, and what holds of it.

Knows nothing of the rows.
"""

from __future__ import annotations

import os
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import HOST, Post, Running, free_port, running
from benchmarks.open_loop import Outcome, quantile
from benchmarks.servers import CONVOLU, WORKS, convolu


@dataclass(frozen=True)
class Bound:
    """One thing that must hold. `counts`: on any machine, however slow."""

    asked: str
    measured: str
    holds: bool
    counts: bool = True


Bounds = list[Bound]


@contextmanager
def service(
    models: Path, default: str, workers: int, post: Post, **settings: str
) -> Iterator[Running]:
    """Convolu, on the first core if there are two; this process moves to the second."""
    port = free_port()
    command = convolu(default, models, port, workers)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        command = ["taskset", "--cpu-list", str(cores[0]), *command]
    environment = {f"CONVOLU_{name.upper()}": value for name, value in settings.items()}
    with tempfile.TemporaryFile() as log, running(command, port, post, environment, log) as it:
        if len(cores) > 1:
            os.sched_setaffinity(0, cores[1:])
        try:
            yield it
        finally:
            os.sched_setaffinity(0, cores)


def digit(path: str = "/predict") -> Post:
    """A digit, for the default model or the one that the path names."""
    return Post(path, *_form("digit"))


def photo() -> Post:
    """Twelve megapixels."""
    return Post("/predict", *_form("photo-12mp"))


def _form(work: str) -> tuple[dict[str, str], bytes]:
    post = CONVOLU.post(WORKS[work])
    return post.headers, post.body


def statuses(outcomes: list[Outcome]) -> dict[int, int]:
    """How many requests ended how."""
    return dict(sorted(Counter(outcome.status for outcome in outcomes).items()))


def milliseconds(outcomes: list[Outcome], share: float, status: int = 200) -> float:
    """Quantile of the times of those that got this status."""
    return quantile([one.seconds * 1000 for one in outcomes if one.status == status], share)


def counter(port: int, name: str) -> float:
    """The sum of a metric's samples."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=10) as page:
        lines = page.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def workers_of(it: Running) -> list[int]:
    """The process ids of its workers."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            session = int((folder / "stat").read_text().rpartition(")")[2].split()[3])
            if session == it.pid and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def files_of(it: Running) -> int:
    """Open files of its workers."""
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in workers_of(it))
