"""The whole table fifty times over: memory, threads and files are then as they were."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from tests.abuse.conftest import Service, check_flat, connections_to_each
from tests.abuse.form_rows import REQUESTS
from tests.abuse.picture_rows import PICTURES
from tests.abuse.wire import Connection, request

WARM_UP, ROUNDS = 5, 50  # per worker
CHEAP_SECONDS, SMALL_BYTES = 0.02, 200_000
MOST_MEGABYTES = 4  # 0.4 is what was seen; 12,000 requests that keep 350 bytes each are more


def cheap_rows(service: Service) -> list[tuple[bytes, int]]:
    """Every row of the table that is quick and small, as a request and the status it gets."""
    sent = [request(row.make()) for row in PICTURES]
    sent += [request(row.body, row.headers, row.path) for row in REQUESTS]
    found = []
    with Connection(service.port) as connection:
        for data in (data for data in sent if len(data) < SMALL_BYTES):
            began = time.perf_counter()
            connection.send(data)
            answer = connection.answer()
            assert answer is not None
            if time.perf_counter() - began < CHEAP_SECONDS:
                found.append((data, answer.status_code))
    return found


def play(connection: Connection, rows: list[tuple[bytes, int]], rounds: int) -> None:
    """All rows in turn, again and again: each gets the status that it got before."""
    for _ in range(rounds):
        for data, status in rows:
            connection.send(data)
            answer = connection.answer()
            assert answer is not None
            assert answer.status_code == status


def test_the_table_fifty_times_over_leaves_nothing_behind(service: Service) -> None:
    rows = cheap_rows(service)
    assert len(rows) > 200
    with connections_to_each(service, 1) as connections, ThreadPoolExecutor(2) as pool:
        list(pool.map(play, connections, [rows] * 2, [WARM_UP] * 2))
        before = service.workers()
        list(pool.map(play, connections, [rows] * 2, [ROUNDS] * 2))
    check_flat(service, before, MOST_MEGABYTES)
    assert service.temporary_files() == []
