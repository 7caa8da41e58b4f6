"""Does it stay as small as it began? Memory, threads and open files over 100,000 requests.

    python -m benchmarks.endurance [--requests 100000]

Two workers with the models that ship; digits, photos, broken files, unknown models and forms of
eight take turns. Prints a line per tenth, and one line of JSON at the end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.load import HOST, Post, form, free_port, running
from benchmarks.machine import machine
from benchmarks.networks import MODELS
from benchmarks.servers import WORKS, convolu

CLIENTS = 8


def requests() -> list[tuple[Post, int]]:
    """What is sent in turn, and the status that each must get."""
    digit, photo = (WORKS[name].picture.read_bytes() for name in ("digit", "photo"))
    return [
        (Post("/predict", *form(digit)), 200),
        (Post("/predict?model=mnist-2conv", *form(digit)), 200),
        (Post("/predict", {"Content-Type": "image/png"}, digit), 200),
        (Post("/predict", *form(photo)), 200),
        (Post("/predict", *form(digit, 8)), 200),
        (Post("/predict", *form(digit[:100])), 422),
        (Post("/predict", *form(b"no image")), 415),
        (Post("/predict?model=none", *form(digit)), 404),
    ]


def send(port: int, first: int, count: int) -> None:
    """One client, one connection. Raises RuntimeError at an answer that was not expected."""
    mix = requests()
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    for number in range(first, first + count):
        post, expected = mix[number % len(mix)]
        connection.request("POST", post.path, post.body, post.headers)
        response = connection.getresponse()
        response.read()
        if response.status != expected:
            raise RuntimeError(f"{response.status} where {expected} was expected")
    connection.close()


def state(session: int) -> dict[str, float]:
    """The largest worker's resident memory in MB, its threads and its open files."""
    largest: dict[str, float] = {"megabytes": 0}
    for folder in Path("/proc").glob("[0-9]*"):
        stat = (folder / "stat").read_text().rpartition(")")[2].split()
        if int(stat[3]) == session and b"spawn_main" in (folder / "cmdline").read_bytes():
            resident = int((folder / "status").read_text().partition("VmRSS:")[2].split()[0])
            if resident * 1024 / 1e6 > largest["megabytes"]:
                largest = {
                    "megabytes": resident * 1024 / 1e6,
                    "threads": int(stat[17]),
                    "files": len(list((folder / "fd").iterdir())),
                }
    return largest


def main() -> None:
    """Measure at the start, and after each tenth."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=100_000)
    total = parser.parse_args().requests
    port, first = free_port(), requests()[0][0]
    command = convolu("mnist-1conv", MODELS, port, workers=2)
    with tempfile.TemporaryFile() as log, running(command, port, first, {}, log) as service:
        rows = [{"requests": 0, **state(service.pid)}]
        print(f"ready in {service.ready_seconds:.2f} s\n")
        print(f"{'requests':>9} {'MB of a worker':>15} {'threads':>8} {'files':>6}")
        for tenth in range(11):
            if tenth:
                each = total // 10 // CLIENTS
                with ThreadPoolExecutor(CLIENTS) as pool:
                    list(pool.map(send, [port] * CLIENTS, range(CLIENTS), [each] * CLIENTS))
                time.sleep(1)  # until the service has seen every connection close
                rows.append({"requests": tenth * each * CLIENTS, **state(service.pid)})
            row = rows[-1]
            print(
                f"{row['requests']:9} {row['megabytes']:15.0f} {row['threads']:8.0f}"
                f" {row['files']:6.0f}"
            )
        growth = rows[-1]["megabytes"] / rows[0]["megabytes"]
        print(f"\n{growth:.2f} times its start")
    print(
        json.dumps(
            {
                "benchmark": "endurance",
                "machine": machine(),
                "ready_seconds": service.ready_seconds,
                "rows": rows,
                "growth": growth,
            }
        )
    )


if __name__ == "__main__":
    main()
