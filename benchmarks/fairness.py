"""Does a small request wait for large ones? Digits and health checks beside large photos.

    python -m benchmarks.fairness

wrk keeps both workers busy with 12-megapixel photos on 4 connections; meanwhile digits come at 50
per second and health checks at 10, whether or not the last was answered, and are timed from the
moment when they should have been sent. Prints a table, and one line of JSON at the end.
"""

from __future__ import annotations

import http.client
import json
import statistics
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from benchmarks.load import HOST, Post, drive, free_port, running
from benchmarks.networks import write_networks
from benchmarks.servers import CONVOLU, WORKS

SECONDS = 30
CONNECTIONS = 4
STREAMS = {"digit": 50, "healthz": 10}  # per second


def stream(port: int, method: str, post: Post, per_second: int, seconds: float) -> list[float]:
    """Send at a steady rate on connections of their own; the milliseconds of each answer."""
    start = time.perf_counter()

    def send(number: int) -> float:
        due = start + number / per_second
        time.sleep(max(0.0, due - time.perf_counter()))
        connection = http.client.HTTPConnection(HOST, port, timeout=60)
        connection.request(method, post.path, post.body, post.headers)
        status = connection.getresponse().status
        connection.close()
        if status != 200:
            raise RuntimeError(f"{post.path} answered {status}: a void run")
        return (time.perf_counter() - due) * 1000

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(send, range(int(per_second * seconds))))


def main() -> None:
    """Measure alone, then beside the photos."""
    posts = {
        "digit": CONVOLU.post(WORKS["digit"]),
        "healthz": Post("/healthz", {}, b""),
    }
    methods = {"digit": "POST", "healthz": "GET"}
    photo = replace(
        CONVOLU.post(WORKS["photo-12mp"]),
        path=f"/predict?model={WORKS['photo-12mp'].network}",
    )
    rows = []
    print(f"{'stream':9} {'beside':9} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}")
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("wb") as log:
        write_networks(Path(folder))
        port = free_port()
        command = CONVOLU.command(WORKS["digit"], Path(folder), port)
        with running(command, port, photo, {}, log):
            for beside in ("nothing", "photos"):
                loads: list[float] = []
                times: dict[str, list[float]] = {}

                def photos(loads: list[float] = loads) -> None:
                    loads.append(drive(port, photo, CONNECTIONS, SECONDS + 4).requests_per_second)

                def digits(name: str, times: dict[str, list[float]] = times) -> None:
                    times[name] = stream(port, methods[name], posts[name], STREAMS[name], SECONDS)

                busy = threading.Thread(target=photos)
                if beside == "photos":
                    busy.start()
                    time.sleep(2)  # until both workers have their hands full
                streams = [threading.Thread(target=digits, args=(name,)) for name in STREAMS]
                for thread in streams:
                    thread.start()
                for thread in streams:
                    thread.join()
                if beside == "photos":
                    busy.join()
                for name in STREAMS:
                    cuts = statistics.quantiles(times[name], n=100)
                    row = {
                        "stream": name,
                        "beside": beside,
                        "p50_ms": cuts[49],
                        "p99_ms": cuts[98],
                        "max_ms": max(times[name]),
                        "photos_per_second": loads[0] if loads else 0,
                    }
                    rows.append(row)
                    print(
                        f"{name:9} {beside:9} {cuts[49]:8.1f} {cuts[98]:8.1f}"
                        f" {max(times[name]):8.1f}"
                    )
                if loads:
                    print(f"meanwhile {loads[0]:.0f} photos per second")
    print(json.dumps({"benchmark": "fairness", "rows": rows}))


if __name__ == "__main__":
    main()
