"""Convolu beside the servers that people would pick instead: same cores, same weights.

    python -m benchmarks.service [--rounds 3] [--works digit photo …]

Servers take turns, so that a slow minute of the machine strikes all of them: in each round each is
started, warmed, driven at 1, 16 and 64 connections, and ended. A run with a single failed request
is void. Prints a table for each work (medians over the rounds, minimum and maximum beside them) and
one line of JSON at the end.

The *limit* of a work is 2 / (uvicorn's own cost of a request + decoding + one image's share of a
run of 16): what two cores could do if nothing else cost anything. Its parts are measured in the
same run.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from app.classifier import Classifier
from benchmarks.load import Load, drive, free_port, running, session_megabytes
from benchmarks.machine import machine
from benchmarks.networks import write_networks
from benchmarks.servers import BARE, CONVOLU, SERVERS, WORKS, Server, Work
from benchmarks.stages import microseconds

WARM_UP_SECONDS = 2
CORES = 2
RUN = 16  # images in the run whose share is counted in the limit


def measure(server: Server, work: Work, networks: Path) -> dict[str, float]:
    """One server, started, driven and ended: plain numbers under plain names."""
    post = server.post(work)
    port = free_port()
    found: dict[str, float] = {}
    with (networks / "log").open("ab") as log:
        command = server.command(work, networks, port)
        with running(command, port, post, {}, log) as service:
            found["ready_seconds"] = service.ready_seconds
            drive(port, post, 16, WARM_UP_SECONDS)
            megabytes = [session_megabytes(service.pid)]
            for connections in work.connections:
                load: Load = drive(port, post, connections, work.seconds)
                megabytes.append(session_megabytes(service.pid))
                found[f"rps_{connections}"] = load.requests_per_second
                found[f"p50_ms_{connections}"] = load.p50_ms
                found[f"p99_ms_{connections}"] = load.p99_ms
            found["megabytes"] = max(megabytes)
    return found


def limit(work: Work, networks: Path, bare_rps: float) -> dict[str, float]:
    """Requests per second that the parts of a request allow, and the parts in µs."""
    classifier = Classifier((networks / f"{work.network}.onnx").read_bytes())
    data = work.picture.read_bytes()
    batch = np.stack([classifier.pixels_from(data)] * RUN)
    parts = {
        "uvicorn": CORES / bare_rps * 1e6,
        "decode": microseconds(lambda: classifier.pixels_from(data)) * work.images,
        "run": microseconds(lambda: classifier.classify(batch)) / RUN * work.images,
    }
    return parts | {"rps": CORES / sum(parts.values()) * 1e6}


def spread(values: list[float], form: str = ".0f") -> str:
    """Median (minimum–maximum)."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def show(work: Work, rounds: dict[str, list[dict[str, float]]], limits: dict[str, float]) -> None:
    """The table of one work."""

    def column(name: str) -> Callable[[list[dict[str, float]]], list[float]]:
        return lambda runs: [run[name] for run in runs]

    ours = column("rps_16")(rounds[CONVOLU.title])
    print(f"\n{work.name}: {work.picture.name} → {work.network}")
    print(
        f"{'server':20} {'requests/s at 16':>23} {'p50 ms':>7} {'p99 ms':>7} {'at 1':>7} "
        f"{'p50 ms':>7} {'at 64':>7} {'MB':>6} {'ready s':>8}  Convolu is faster by"
    )
    for name, runs in rounds.items():
        middle = {key: statistics.median(column(key)(runs)) for key in runs[0]}
        ratios = [us / them for us, them in zip(ours, column("rps_16")(runs), strict=True)]
        print(
            f"{name:20} {spread(column('rps_16')(runs)):>23} {middle['p50_ms_16']:7.2f} "
            f"{middle['p99_ms_16']:7.2f} {middle['rps_1']:7.0f} {middle['p50_ms_1']:7.2f} "
            f"{middle.get('rps_64', math.nan):7.0f} {middle['megabytes']:6.0f} "
            f"{middle['ready_seconds']:8.1f}  "
            f"{'' if name == CONVOLU.title else spread(ratios, '.2f')}"
        )
    share = statistics.median(ours) / limits["rps"]
    parts = ", ".join(f"{name} {limits[name]:.0f} µs" for name in ("uvicorn", "decode", "run"))
    print(f"limit {limits['rps']:.0f}/s ({parts}): Convolu reaches {share:.2f} of it")


def main() -> None:
    """Measure, round by round, work by work."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--works", nargs="+", default=list(WORKS), choices=list(WORKS))
    parser.add_argument("--servers", nargs="+", default=[server.title for server in SERVERS])
    options = parser.parse_args()
    chosen = [server for server in SERVERS if server.title in options.servers]
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        networks = Path(folder)
        write_networks(networks)
        for name in options.works:
            work = WORKS[name]
            servers = [*(chosen if work.images == 1 else [CONVOLU]), BARE]
            rounds: dict[str, list[dict[str, float]]] = {server.title: [] for server in servers}
            for number in range(options.rounds):
                turn = number % len(servers)  # nobody is always first, or always behind the same
                for server in servers[turn:] + servers[:turn]:
                    print(f"{name}, round {number + 1}: {server.title} …", file=sys.stderr)
                    rounds[server.title].append(measure(server, work, networks))
            bare = rounds.pop(BARE.title)
            limits = limit(work, networks, statistics.median(run["rps_16"] for run in bare))
            show(work, rounds, limits)
            results[name] = {"servers": rounds, "limit": limits}
    print(json.dumps({"benchmark": "service", "machine": machine(), "works": results}))


if __name__ == "__main__":
    main()
