"""How many bytes of request bodies a process holds at once, arriving or waiting, and the limit.

Without it a hundred clients that send ten megabytes each would hold a gigabyte. Knows nothing of
what the bytes are.
"""

from __future__ import annotations

from app.errors import Overloaded


class HeldBodies:
    """Bytes of request bodies that a process holds at once, and their limit."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0


class Hold:
    """What one request holds of them, from its first byte to its answer: a context manager."""

    def __init__(self, bodies: HeldBodies) -> None:
        self._bodies = bodies
        self._bytes = 0

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self._bodies.bytes -= self._bytes

    def take(self, count: int) -> None:
        """So many bytes more. Raises Overloaded if that is more than may be held."""
        if self._bodies.bytes + count > self._bodies.max_bytes:
            raise Overloaded(
                f"At most {self._bodies.max_bytes} bytes of requests are held at once, and others "
                "hold them. Send the request again after the seconds that Retry-After says.",
                "held_bytes",
            )
        self._bytes += count
        self._bodies.bytes += count
