"""Who may call: API keys, kept as hashes in a file that can be changed while the service runs.

One line a key: its name, a space, the SHA-256 of the key in hex; `#` begins a comment. Keys are
made here, of 256 random bits: nothing slower than SHA-256 is needed to keep them (NIST SP 800-63B,
5.1.1.2 asks more only of what people choose). Knows nothing of routes.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from app.errors import Unauthorized

logger = logging.getLogger("convolu")

_LINE = re.compile(r"([A-Za-z0-9._-]{1,64})\s+([0-9a-fA-F]{64})")
_REMEDY = "Send it as `Authorization: Bearer KEY` or as `X-API-Key: KEY`."


class ApiKeys:
    """The keys of a file, read again when the file has changed."""

    def __init__(self, path: Path) -> None:
        """Raises OSError if the file cannot be read, ValueError if a line of it is no key."""
        self._path = path
        self._signature: tuple[int, int, int] | None = None
        self._fault = ""  # the last that was said of the file
        self._read()

    def refresh(self) -> None:
        """Read the file again if it has changed; what cannot be read leaves the old keys valid."""
        fault = ""
        try:
            self._read()
        except (OSError, ValueError) as exc:
            fault = str(exc)
        if fault and fault != self._fault:
            logger.error("the API keys stay as they were: %s", fault)
        self._fault = fault

    def _read(self) -> None:
        stat = self._path.stat()
        signature = stat.st_ino, stat.st_size, stat.st_mtime_ns
        if signature != self._signature:
            # Bytes that are no UTF-8 make a line that is no key, and harm no comment.
            self._digests = parse_keys(self._path.read_text("utf-8-sig", errors="replace"))
            self._signature = signature

    def name_of(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The name of the key that a request brings. Raises Unauthorized."""
        brought = []
        for name, value in headers:
            if name == b"x-api-key":
                brought.append(value)
            elif name == b"authorization" and value[:7].lower() == b"bearer ":
                brought.append(value[7:].strip())
        if not brought:
            raise Unauthorized(f"No API key came with the request. {_REMEDY}")
        if len(brought) > 1:
            raise Unauthorized(f"More than one API key came with the request. {_REMEDY}")
        # On bytes, and against every key: the time taken tells nothing of how near a guess was.
        digest = hashlib.sha256(brought[0]).digest()
        found = [name for name, one in self._digests.items() if hmac.compare_digest(one, digest)]
        if not found:
            raise Unauthorized("The API key is not one of those that are valid here. " + _REMEDY)
        return found[0]


def parse_keys(text: str) -> dict[str, bytes]:
    """Name → SHA-256 of the key. Raises ValueError naming the line, never repeating it."""
    keys: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(
                f"line {number} of the key file is not `NAME SHA256`; `convolu key NAME` makes one"
            )
        if found[1] in keys:
            raise ValueError(f"line {number} of the key file has the name of an earlier line")
        keys[found[1]] = bytes.fromhex(found[2])
    return keys


def new_key(name: str) -> tuple[str, str]:
    """A new random key, and the line that makes it valid. Raises ValueError for a bad name."""
    key = secrets.token_urlsafe(32)
    line = f"{name} {hashlib.sha256(key.encode()).hexdigest()}"
    if name not in parse_keys(line):  # a comment, or spaces around it
        raise ValueError("the name is none that a line of the key file can have")
    return key, line
