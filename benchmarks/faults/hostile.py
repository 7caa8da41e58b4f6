"""Too much load, slow and leaving clients, costly pictures, scanners."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
import urllib.request
from io import BytesIO
from pathlib import Path

from PIL import Image

from benchmarks.faults.service import (
    Bound,
    Bounds,
    counter,
    digit,
    files_of,
    milliseconds,
    photo,
    service,
    statuses,
    workers_of,
)
from benchmarks.load import HOST, Post, Running
from benchmarks.networks import MODELS, write_networks
from benchmarks.open_loop import closed_loop, fire, raw

QUEUE_SECONDS = 1.0  # the setting's default


async def overload(folder: Path, short: bool) -> Bounds:
    """Three times what it can do, photos of 12 megapixels and a net of 224 pixels: and after."""
    seconds, request = (3, raw(photo())) if short else (20, raw(photo()))
    write_networks(folder)
    with service(folder, "mobilenetv2", 1, photo()) as it:
        await closed_loop(it.port, request, 2, 1)
        peak = await closed_loop(it.port, request, 3, seconds / 2)
        clean, calm = peak, []
        for share in (1.0,) if short else (1.0, 0.95, 0.9, 0.85, 0.8, 0.7):
            calm = await fire(it.port, request, share * peak, seconds / 2)
            clean = share * peak
            peak = max(peak, sum(one.status == 200 for one in calm) / (seconds / 2))
            if set(statuses(calm)) == {200} and milliseconds(calm, 0.99) < 500:
                break
        half = await fire(it.port, request, 0.5 * clean, seconds / 2)
        flooding = asyncio.create_task(fire(it.port, request, 3 * clean, seconds))
        await asyncio.sleep(seconds)
        after = await fire(it.port, request, 0.5 * clean, max(4, seconds / 2))
        flood = await flooding
    answered = [one for one in flood if one.status == 200]
    # While the flood lasts: neither what an empty queue took at first nor what is left at its end.
    in_time = [one for one in answered if 1 <= one.due + one.seconds <= seconds]
    goodput = len(in_time) / (seconds - 1)
    refused = [one for one in flood if one.status == 503]
    recovered = [one for one in after if one.due >= 2]
    most = QUEUE_SECONDS * 1000 + 1.5 * milliseconds(half, 0.99)
    return [
        Bound(
            "every request answered, with 200 or 503",
            f"{3 * clean:.0f}/s: {statuses(flood)}",
            set(statuses(flood)) <= {200, 503} and bool(answered),
        ),
        Bound(
            "each 503 with Retry-After",
            f"{sum(one.retry_after for one in refused)} of {len(refused)}",
            all(one.retry_after for one in refused) and bool(refused),
        ),
        Bound(
            "goodput ≥ 95 % of the peak",
            f"{goodput:.1f} of {peak:.1f}/s = {goodput / peak:.0%} (clean up to {clean:.1f}/s)",
            goodput >= 0.95 * peak,
            counts=False,
        ),
        Bound(
            f"p99 of the accepted ≤ {most:.0f} ms",
            f"{milliseconds(flood, 0.99):.0f} ms",
            milliseconds(flood, 0.99) <= most,
            counts=False,
        ),
        Bound(
            "refused within 50 ms (p99)",
            f"p50 {milliseconds(flood, 0.5, 503):.1f}, p99 {milliseconds(flood, 0.99, 503):.1f} ms",
            milliseconds(flood, 0.99, 503) <= 50,
            counts=False,
        ),
        Bound(
            "2 s after it all are answered with 200",
            f"{statuses(recovered)}",
            set(statuses(recovered)) == {200},
        ),
        Bound(
            "… as quick as before (p99 ≤ 2 ×)",
            f"{milliseconds(recovered, 0.99):.0f} ms, before {milliseconds(half, 0.99):.0f} ms",
            milliseconds(recovered, 0.99) <= 2 * milliseconds(half, 0.99),
            counts=False,
        ),
    ]


async def leaving(folder: Path, short: bool) -> Bounds:
    """Clients that send a photo and leave at once, at twice what it can do."""
    write_networks(folder)
    request = raw(photo())
    with service(folder, "mobilenetv2", 1, photo()) as it:
        capacity = await closed_loop(it.port, request, 3, 2)
        computed = counter(it.port, "convolu_batch_size_images_sum")
        sent = 60 if short else 400

        async def send_and_leave(number: int) -> None:
            await asyncio.sleep(number / (2 * capacity))
            reader, writer = await asyncio.open_connection(HOST, it.port)
            writer.write(request)
            await writer.drain()
            while writer.transport.get_write_buffer_size():
                await asyncio.sleep(0.001)
            writer.close()
            del reader

        await asyncio.gather(*(send_and_leave(number) for number in range(sent)))
        (probe,) = await fire(it.port, request, 1, 1)  # behind all that still waits
        computed = counter(it.port, "convolu_batch_size_images_sum") - computed - 1
    return [
        Bound(
            "at most 10 % of them are computed",
            f"{computed:.0f} of {sent}",
            computed <= 0.1 * sent,
            counts=False,
        ),
        Bound("who stays is answered", f"{probe.status}", probe.status == 200),
    ]


async def slow_clients(folder: Path, short: bool) -> Bounds:
    """500 silent connections and 100 that send a byte now and then, beside digits."""
    del folder
    silent, dripping, timeout = (50, 10, 2) if short else (500, 100, 15)
    allowed = timeout + (10 if short else 2)  # a busy machine may look late
    with service(MODELS, "mnist-2conv", 1, digit(), receive_timeout_seconds=str(timeout)) as it:
        alone = await fire(it.port, raw(digit()), 100, 3)
        before = files_of(it)
        start = time.perf_counter()

        async def slow(start_of_request: bytes) -> float:
            reader, writer = await asyncio.open_connection(HOST, it.port)
            writer.write(start_of_request)
            while not reader.at_eof() and time.perf_counter() - start < allowed + 2:
                try:
                    async with asyncio.timeout(1):
                        await reader.read(65536)
                except TimeoutError:
                    if start_of_request:
                        writer.write(b"a")
                except OSError:
                    break
            writer.close()
            return time.perf_counter() - start

        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n"
        many = [slow(b"") for _ in range(silent)] + [slow(head) for _ in range(dripping)]
        gathered = asyncio.gather(*many)
        beside = await fire(it.port, raw(digit()), 100, timeout)
        dropped = await gathered
        await fire(it.port, raw(digit()), 10, 1)
        after = files_of(it)
    return [
        Bound(
            "digits beside them all answered",
            f"{statuses(beside)}",
            statuses(beside) == {200: len(beside)},
        ),
        Bound(
            "their p99 ≤ 2 × that alone, or 20 ms",
            f"{milliseconds(beside, 0.99):.1f} ms, alone {milliseconds(alone, 0.99):.1f} ms",
            milliseconds(beside, 0.99) <= max(20, 2 * milliseconds(alone, 0.99)),
            counts=False,
        ),
        Bound(
            f"every slow one dropped, within {timeout} s",
            f"{len(dropped)} of {silent + dripping}, the last after {max(dropped):.1f} s",
            max(dropped) <= allowed,
        ),
        Bound("no descriptor kept", f"{before} → {after}", after <= before + 2),
    ]


async def bombs(folder: Path, short: bool) -> Bounds:
    """Sixteen pictures at once, each as costly to decode as any may be, beside digits."""
    del folder, short
    file = BytesIO()
    Image.new("RGBA", (5000, 5000), (10, 20, 30, 128)).save(file, "PNG", compress_level=9)
    bomb = Post("/predict", {"Content-Type": "image/png"}, file.getvalue())
    with service(MODELS, "mnist-2conv", 2, digit()) as it:
        ended = asyncio.Event()
        watching = asyncio.create_task(most_megabytes(it, ended))
        hits, digits = await asyncio.gather(
            asyncio.gather(*(fire(it.port, raw(bomb), 1, 1) for _ in range(16))),
            fire(it.port, raw(digit("/predict?model=mnist-1conv")), 20, 3),
        )
        ended.set()
        most = await watching
        alive = len(workers_of(it))
    return [
        Bound(
            "each answered, with 200 or 503",
            f"{statuses([one for each in hits for one in each])}",
            {one.status for each in hits for one in each} <= {200, 503},
        ),
        Bound(
            "digits beside them answered",
            f"{statuses(digits)}",
            statuses(digits) == {200: len(digits)},
        ),
        Bound("two workers, 1 GB at most together", f"{most:.0f} MB", most <= 1074),
        Bound("both alive", f"{alive}", alive == 2),
    ]


async def most_megabytes(it: Running, ended: asyncio.Event) -> float:
    """The most memory that all workers have in RAM together until `ended`."""
    most = 0.0
    while not ended.is_set():
        statuses = [Path(f"/proc/{pid}/status").read_text() for pid in workers_of(it)]
        kilobytes = sum(int(text.partition("VmRSS:")[2].split()[0]) for text in statuses)
        most = max(most, kilobytes * 1024 / 1e6)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 0.02)
    return most


async def scanner(folder: Path, short: bool) -> Bounds:
    """Random paths, methods and model names: the metrics stay as many as they were."""
    del folder
    paths = 2_000 if short else 20_000

    def series() -> int:
        with urllib.request.urlopen(f"http://{HOST}:{it.port}/metrics", timeout=10) as page:
            text: bytes = page.read()
            return text.count(b"\n")

    with service(MODELS, "mnist-2conv", 1, digit()) as it:

        def scan(first: int, count: int) -> None:
            with socket.create_connection((HOST, it.port)) as client:
                for number in range(first, first + count):
                    method = ("GET", "POST", "PUT", "DELETE")[number % 4]
                    target = f"/predict?model=m{number}" if number % 8 == 1 else f"/p{number}"
                    client.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                    received = client.recv(65536)
                    if not received.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400")):
                        raise RuntimeError(f"{method} {target}: {received[:20]!r}")

        scan(0, 100)
        series()  # is counted itself
        before = series()
        scan(100, paths)
        after = series()
    return [Bound(f"the same after {paths} paths", f"{before} → {after}", after <= before)]
