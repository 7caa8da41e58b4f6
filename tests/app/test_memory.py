from __future__ import annotations

import resource
import sys

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


def test_giving_memory_back_does_no_harm() -> None:
    memory.give_back()
