from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from select import PIPE_BUF

import pytest

from app.request_log import RequestLog


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def add(log: RequestLog, number: int) -> None:
    log.add(f"request-{number}", "POST", "/predict", "colours", 200, 0.0012345, None)


def test_lines_of_one_turn_of_the_loop_leave_together(pipe: tuple[int, int]) -> None:
    reader, writer = pipe

    async def three_lines() -> None:
        log = RequestLog(writer)
        os.set_blocking(reader, False)
        for number in range(3):
            add(log, number)
        with pytest.raises(BlockingIOError):
            os.read(reader, 1)
        await asyncio.sleep(0)

    asyncio.run(three_lines())
    lines = [json.loads(line) for line in os.read(reader, PIPE_BUF).splitlines()]
    assert [line["request_id"] for line in lines] == ["request-0", "request-1", "request-2"]
    assert lines[0]["ms"] == 1.23


def test_no_write_is_so_long_that_a_pipe_could_tear_it(pipe: tuple[int, int]) -> None:
    reader, writer = pipe

    async def many_lines() -> None:
        log = RequestLog(writer)
        for number in range(100):
            add(log, number)
        await asyncio.sleep(0)

    asyncio.run(many_lines())
    os.set_blocking(reader, False)
    text = os.read(reader, 1 << 20)
    assert len(text) > 3 * PIPE_BUF  # else there was nothing to divide
    ids = [json.loads(line)["request_id"] for line in text.splitlines()]
    assert ids == [f"request-{number}" for number in range(100)]


def test_writes_end_where_a_line_ends() -> None:
    """Each write goes to a datagram of its own, so that its length can be seen."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    async def many_lines() -> None:
        log = RequestLog(ours.fileno())
        for number in range(100):
            add(log, number)
        await asyncio.sleep(0)

    with ours, theirs:
        asyncio.run(many_lines())
        theirs.setblocking(False)
        writes = []
        while True:
            try:
                writes.append(theirs.recv(1 << 20))
            except BlockingIOError:
                break
    assert len(writes) > 3
    assert all(len(write) <= PIPE_BUF and write.endswith(b"\n") for write in writes)


def test_a_log_that_nobody_reads_is_no_reason_not_to_answer() -> None:
    reader, writer = os.pipe()
    os.close(reader)

    async def one_line() -> list[object]:
        faults: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
        add(RequestLog(writer), 1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return faults

    assert asyncio.run(one_line()) == []
    os.close(writer)


def test_a_full_pipe_stops_nothing_and_the_lines_it_cost_are_counted(
    pipe: tuple[int, int],
) -> None:
    reader, writer = pipe
    os.set_blocking(writer, True)  # as standard output is, and stays for others who share it

    async def more_than_it_holds() -> None:
        log = RequestLog(writer)
        for number in range(1000):  # 1,000 lines are twice what a pipe holds
            add(log, number)
        await asyncio.sleep(0)
        os.set_blocking(reader, False)
        read = os.read(reader, 1 << 20)
        add(log, 1000)
        await asyncio.sleep(0)
        lines = [json.loads(line) for line in (read + os.read(reader, 1 << 20)).splitlines()]
        *kept, lost, last = lines
        assert lost["lost_lines"] > 100
        assert len(kept) + lost["lost_lines"] == 1000
        assert last["request_id"] == "request-1000"

    asyncio.run(more_than_it_holds())
    assert os.get_blocking(writer)
