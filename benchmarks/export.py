"""Our export to ONNX beside Keras's own, on the TensorFlow and on the torch backend.

    python -m benchmarks.export [--rounds 20] [--write docs/export.md]

Two questions. Does every CNN family of keras.applications give the probabilities that Keras gives?
And for three networks: how many nodes, how large a file, how long does one picture take on one
thread? Everything is measured in one run, the rivals in turn, round after round. The rivals export
in environments of their own (`make .venv-peers/keras-tensorflow/installed`, the same with torch)
and get their pictures as floats, normalised by nobody; ours makes floats of bytes in its graph.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import textwrap
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from benchmarks.applications import FAMILIES, SIDE, SIDES, application, pictures
from benchmarks.machine import machine
from training.backend import choose_backend

TIMED = ("MobileNetV2", "ResNet50", "EfficientNetB0")
TIMED_SIDE, TIMED_CLASSES, CLASSES = 224, 1000, 10
COUNTS = (1, 3)  # pictures per batch
TOLERANCE = 1e-4
RUNS = 10  # of one session in one round
PEERS = Path(".venv-peers")
RIVALS = {"tensorflow": "Keras, TensorFlow backend", "torch": "Keras, torch backend"}
OURS = "Convolu"
START, END = "<!-- measured -->", "<!-- /measured -->"


@dataclass
class Exported:
    """One file, or why there is none; `difference` is the largest between probabilities."""

    path: Path | None
    failure: str = ""
    nodes: int = 0
    megabytes: float = 0.0
    difference: float = float("nan")
    milliseconds: list[float] | None = None  # the median of each round

    @property
    def is_valid(self) -> bool:
        return self.path is not None and self.difference <= TOLERANCE


def export_all(name: str, side: int, classes: int, folder: Path) -> dict[str, Exported]:
    """One network, exported by everybody and compared with Keras at N = 1 and 3."""
    from training.export import to_onnx

    model = application(name, side, classes)
    batch = pictures(max(COUNTS), side)
    expected = np.asarray(model(batch.astype(np.float32), training=False))
    path = folder / f"{name}-ours.onnx"
    path.write_bytes(to_onnx(model).SerializeToString())
    found = {OURS: _checked(path, batch, expected)}
    weights = folder / f"{name}.weights.h5"
    model.save_weights(weights)
    for backend, rival in RIVALS.items():
        path = folder / f"{name}-{backend}.onnx"
        failure = _rival(backend, [name, str(side), str(classes), str(weights), str(path)])
        found[rival] = (
            Exported(None, failure)
            if failure
            else _checked(path, batch.astype(np.float32), expected)
        )
    return found


def _rival(backend: str, arguments: list[str]) -> str:
    """Run the rival's export; returns the last line of what went wrong, or nothing."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [_python(backend), "benchmarks/peers/keras_export.py", *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception)\b", line)]
    return _short((named or lines or ["no reason given"])[-1]) if done.returncode else ""


def _short(reason: str) -> str:
    """So that it fits into a cell of a table, without the folder of the day; it is no link."""
    reason = re.sub(r"/\S*/", "", reason.replace("|", "/").replace("](", "] ("))
    return textwrap.shorten(reason, 120, placeholder=" …")


def _python(backend: str) -> Path:
    return PEERS / f"keras-{backend}" / "bin" / "python"


def _checked(path: Path, batch: NDArray[Any], expected: NDArray[np.float32]) -> Exported:
    found = Exported(path, nodes=len(onnx.load(path).graph.node))
    found.megabytes = path.stat().st_size / 1e6
    try:
        run = _runner(path)
        found.difference = max(
            float(np.abs(run(batch[:count]) - expected[:count]).max()) for count in COUNTS
        )
    except Exception as exc:  # ONNX Runtime's exceptions share no base of their own
        return Exported(None, _short(str(exc).splitlines()[0]), found.nodes, found.megabytes)
    return found


def _runner(path: Path) -> Any:
    """A function of a batch: one thread, the first output."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed, output = session.get_inputs()[0].name, session.get_outputs()[0].name
    return lambda batch: session.run([output], {feed: batch})[0]


def time_all(found: dict[str, Exported], side: int, rounds: int) -> None:
    """Milliseconds of one picture on one thread: everybody in turn, `rounds` times."""
    picture = pictures(1, side)
    runners = {}
    for who, exported in found.items():
        if exported.path is not None:
            one = picture if who == OURS else picture.astype(np.float32)
            runners[who] = (_runner(exported.path), one)
            exported.milliseconds = []
    for number in range(rounds + 1):  # the first is thrown away
        for who, (run, one) in runners.items():
            taken = []
            for _ in range(RUNS):
                started = time.perf_counter()
                run(one)
                taken.append((time.perf_counter() - started) * 1000)
            if number:
                found[who].milliseconds.append(statistics.median(taken))  # type: ignore[union-attr]


def told(families: dict[str, dict[str, Exported]], timed: dict[str, dict[str, Exported]]) -> str:
    """Both tables as Markdown."""
    everybody = [OURS, *RIVALS.values()]
    lines = [f"| network | {' | '.join(everybody)} |", "|---" * 4 + "|"]
    for name, found in families.items():
        cells = [_difference(found[who]) for who in everybody]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    valid = [str(sum(found[who].is_valid for found in families.values())) for who in everybody]
    lines += [f"| **of {len(families)} valid** | {' | '.join(valid)} |", ""]
    lines += ["| network | export | nodes | MB | ms, median (range) | ratio |", "|---" * 6 + "|"]
    for name, found in timed.items():
        best = min(_median(found[who]) for who in RIVALS.values())
        for who in everybody:
            one = found[who]
            if not one.milliseconds:
                lines.append(f"| {name} | {who} | {one.nodes or ''} | | {one.failure} | |")
                continue
            span = f"{min(one.milliseconds):.2f}–{max(one.milliseconds):.2f}"
            note = "" if one.is_valid else f", wrong by {one.difference:.1g}"
            lines.append(
                f"| {name} | {who} | {one.nodes} | {one.megabytes:.1f} | {_median(one):.2f} "
                f"({span}){note} | {_median(one) / best:.2f} |"
            )
    return "\n".join(lines)


def _difference(exported: Exported) -> str:
    if exported.path is None:
        return f"fails: {exported.failure}"
    return f"{'' if exported.is_valid else 'wrong: '}{exported.difference:.0e}"


def _median(exported: Exported) -> float:
    return statistics.median(exported.milliseconds or [float("inf")])


def main() -> None:
    """Export, compare, time; print both tables and what they were measured on."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--families", nargs="*", default=FAMILIES)
    parser.add_argument("--timed", nargs="*", default=TIMED)
    parser.add_argument("--write", type=Path, help="a page whose tables are to be replaced")
    options = parser.parse_args()
    for backend in RIVALS:
        if not _python(backend).exists():
            parser.error(f"a rival is missing: make {PEERS}/keras-{backend}/installed")
    choose_backend()
    families: dict[str, dict[str, Exported]] = {}
    timed: dict[str, dict[str, Exported]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.families:
            families[name] = export_all(name, SIDES.get(name, SIDE), CLASSES, Path(folder))
            print(name, {who: _difference(one) for who, one in families[name].items()}, flush=True)
        for name in options.timed:
            timed[name] = export_all(name, TIMED_SIDE, TIMED_CLASSES, Path(folder))
        print("timing: from here on nothing else should run", flush=True)
        for name, found in timed.items():
            time_all(found, TIMED_SIDE, options.rounds)
            print(name, {who: round(_median(one), 2) for who, one in found.items()}, flush=True)
    packages = {name: version(name) for name in ("keras", "tensorflow-cpu", "onnx")}
    facts = machine() | packages | {"rounds": str(options.rounds), "runs": str(RUNS)}
    text = f"{told(families, timed)}\n\n`{json.dumps(facts)}`"
    print(text)
    if options.write:
        page = options.write.read_text()
        before, after = page.partition(START)[0], page.partition(END)[2]
        options.write.write_text(f"{before}{START}\n{text}\n{END}{after}")


if __name__ == "__main__":
    main()
