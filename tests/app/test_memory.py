from __future__ import annotations

import platform
import resource
import sys
import threading

import numpy as np
import pytest

from app import memory

MIB = 1024 * 1024
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can be asked")


def test_the_memory_of_this_process_is_seen_to_grow() -> None:
    before = memory.resident_bytes()
    block = np.ones(64 * MIB, np.uint8)
    assert memory.resident_bytes() - before > 50 * MIB
    del block


def test_a_process_grows_as_far_as_it_may_and_no_further() -> None:
    with memory.at_most(256 * MIB):
        np.ones(64 * MIB, np.uint8)
        with pytest.raises(MemoryError):
            np.ones(512 * MIB, np.uint8)
    np.ones(512 * MIB, np.uint8)


def test_the_bound_goes_also_when_what_it_bounds_fails() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(ZeroDivisionError), memory.at_most(256 * MIB):
        raise ZeroDivisionError
    assert resource.getrlimit(resource.RLIMIT_AS) == before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps it, and gives it")
def test_memory_that_was_freed_is_given_back() -> None:
    """Blocks too small for a mapping of their own, and a last one that holds the heap's end."""
    blocks = [bytearray(b"1" * 64_000) for _ in range(1000)]
    last = blocks[-1]
    before = memory.resident_bytes()
    blocks.clear()
    memory.give_back()
    assert before - memory.resident_bytes() > 40e6
    del last


def test_two_bounds_at_once_leave_none_behind() -> None:
    """The second waits for the first: else it would put back the first one's bound."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    entered, leave = threading.Event(), threading.Event()
    order: list[str] = []

    def first() -> None:
        with memory.at_most(1 << 30):
            entered.set()
            leave.wait()
            order.append("first")

    def second() -> None:
        with memory.at_most(1 << 30):
            order.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    entered.wait()
    threads[1].start()
    leave.set()
    for thread in threads:
        thread.join()
    assert order == ["first", "second"]
    assert resource.getrlimit(resource.RLIMIT_AS) == before
