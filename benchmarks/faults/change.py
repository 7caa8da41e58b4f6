"""Models that change while they serve, and processes that are told to stop or are killed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import signal
import time
from pathlib import Path

from benchmarks.endurance import state
from benchmarks.faults.service import Bound, Bounds, counter, digit, service, statuses, workers_of
from benchmarks.load import Running
from benchmarks.networks import MODELS
from benchmarks.open_loop import fire, raw


async def reloads(folder: Path, short: bool) -> Bounds:
    """Models replaced under load: by another, the same, a broken one, half a one."""
    good = [MODELS / "mnist-1conv.onnx", MODELS / "mnist-2conv.onnx"]
    path = folder / "digits.onnx"
    shutil.copy(good[0], path)
    swaps, versions = 4 if short else 20, set()
    with service(folder, "digits", 2, digit()) as it:
        request = raw(digit())
        before = state(it.pid)["megabytes"]
        seconds = 2.5 * swaps
        firing = asyncio.create_task(fire(it.port, request, 100, seconds))
        taken: list[float] = []
        for number in range(swaps):
            source = good[(number + 1) % 2]
            broken = source.read_bytes()[: 1000 * number]
            path.with_suffix(".new").write_bytes(broken if number % 4 == 2 else source.read_bytes())
            path.with_suffix(".new").replace(path)
            if number % 4 != 2:
                taken.append(await asyncio.to_thread(seconds_until, it, source))
            else:
                await asyncio.sleep(2)
        outcomes = await firing
        versions = {one.version for one in outcomes}
        after = state(it.pid)["megabytes"]
    allowed = 1.2 * max(file.stat().st_size for file in good) / 1e6 + 20 * 1.048576
    return [
        Bound(
            "not one failure", f"{statuses(outcomes)}", statuses(outcomes) == {200: len(outcomes)}
        ),
        Bound("only the two versions answer", f"{len(versions)}", len(versions) == 2),
        Bound(
            "in service in every worker within 2 s",
            f"the slowest after {max(taken):.1f} s",
            max(taken) <= 2,
            counts=False,
        ),
        Bound(
            f"memory of a worker grows by at most {allowed:.0f} MB over {swaps} swaps",
            f"{before:.0f} → {after:.0f} MB",
            after - before <= allowed,
        ),
    ]


def seconds_until(it: Running, source: Path) -> float:
    """How long until both workers serve this file; 30 if they never do."""
    version = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    start = time.perf_counter()
    name = f'convolu_model_workers{{model="digits",version="{version}"}}'
    while time.perf_counter() - start < 30:
        if counter(it.port, name) == 2:
            return time.perf_counter() - start
        time.sleep(0.05)
    return 30


async def stopping(folder: Path, short: bool) -> Bounds:
    """SIGTERM under load: what was accepted is answered."""
    del folder
    with service(MODELS, "mnist-2conv", 2, digit()) as it:
        firing = asyncio.create_task(fire(it.port, raw(digit()), 300, 4 if short else 8))
        await asyncio.sleep(1.5)
        start = time.perf_counter()
        os.kill(it.pid, signal.SIGTERM)
        while is_running(it.pid):
            await asyncio.sleep(0.05)
        ended = time.perf_counter() - start
        outcomes = await firing
    return [
        Bound(
            "200, or refused because nobody listens any more (-1); none lost (0)",
            f"{statuses(outcomes)}",
            set(statuses(outcomes)) == {-1, 200},
        ),
        Bound("ends within 20 s", f"{ended:.1f} s", ended <= 20),
    ]


def is_running(pid: int) -> bool:
    """Whether the process is there and not merely unburied."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def killing(folder: Path, short: bool) -> Bounds:
    """kill -9 of one of two workers under load: the other answers, a new one comes."""
    del folder
    kills = 1 if short else 5
    late, lost, back = 0, 0, []
    with service(MODELS, "mnist-2conv", 2, digit()) as it:
        for _ in range(kills):
            began = time.perf_counter()
            firing = asyncio.create_task(fire(it.port, raw(digit()), 200, 6, keep=False))
            await asyncio.sleep(1)
            victim = workers_of(it)[0]
            start = time.perf_counter()
            os.kill(victim, signal.SIGKILL)
            while time.perf_counter() - start < 30:
                if len(workers_of(it)) == 2 and listening(it.port) == 2:
                    break
                await asyncio.sleep(0.05)
            back.append(time.perf_counter() - start)
            outcomes = await firing
            failed = [one for one in outcomes if one.status != 200]
            lost += len(failed)
            late += sum(began + one.due > start + 0.05 for one in failed)
    return [
        Bound(
            "lost: only what was on its way when it was killed",
            f"{lost} in {kills} kills, {late} of them sent 50 ms later or more",
            late == 0,
        ),
        Bound("replaced within 5 s", f"{max(back):.1f} s", max(back) <= 5, counts=False),
        Bound("replaced", f"{len(back)} times", max(back) < 30),
    ]


def listening(port: int) -> int:
    """Sockets that listen on the port: one per worker that is ready (proc(5), state 0A)."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(
        int(fields[1].rpartition(":")[2], 16) == port and fields[3] == "0A"
        for fields in (line.split() for line in lines)
    )


async def rolling(folder: Path, short: bool) -> Bounds:
    """SIGHUP under load: the workers are replaced one after the other."""
    del folder
    with service(MODELS, "mnist-2conv", 2, digit()) as it:
        before = set(workers_of(it))
        firing = asyncio.create_task(fire(it.port, raw(digit()), 200, 10 if short else 20))
        await asyncio.sleep(1)
        start = time.perf_counter()
        os.kill(it.pid, signal.SIGHUP)
        while time.perf_counter() - start < 30:
            now = set(workers_of(it))
            if len(now) == 2 and not now & before:
                break
            await asyncio.sleep(0.05)
        rolled = time.perf_counter() - start
        outcomes = await firing
    return [
        Bound(
            "not one failure", f"{statuses(outcomes)}", statuses(outcomes) == {200: len(outcomes)}
        ),
        Bound("all workers replaced", f"after {rolled:.1f} s", rolled < 30),
    ]
