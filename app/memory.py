"""What this process asks the operating system about its memory.

Linux answers all of it; elsewhere a question without an answer changes nothing. Knows nothing of
what the memory is for.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl and macOS have none
_STATM = Path("/proc/self/statm")  # proc(5): pages of address space, then of resident memory


def resident_bytes() -> int:
    """Memory that this process has in RAM; 0 where that cannot be asked."""
    return _pages(1) * os.sysconf("SC_PAGE_SIZE")


_ONE_AT_A_TIME = threading.Lock()  # the bound is the process's: two would put back each other's


def give_back() -> None:
    """Return freed memory to the system: glibc keeps it, a large image's or a whole session's."""
    if _TRIM is not None:
        _TRIM(0)


@contextmanager
def at_most(more_bytes: int) -> Iterator[None]:
    """Let this process grow by at most so many bytes; what asks for more gets MemoryError.

    The bound is on address space (setrlimit(2), RLIMIT_AS), and on all threads while it lasts.
    """
    with _ONE_AT_A_TIME:
        used = _pages(0) * os.sysconf("SC_PAGE_SIZE")
        if not used:
            yield
            return
        import resource  # not on every system that has Python

        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        bounds = [bound for bound in (soft, hard) if bound != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min([used + more_bytes, *bounds]), hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _pages(field: int) -> int:
    try:
        return int(_STATM.read_text().split()[field])
    except OSError:
        return 0
