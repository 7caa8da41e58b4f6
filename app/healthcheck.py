"""Is the service on this machine ready? Exit code 0 or 1, for the container's HEALTHCHECK.

Standard library alone, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection

TIMEOUT_SECONDS = 4


def main() -> int:
    """Ask /readyz on the port that the service listens on."""
    connection = HTTPConnection(
        "127.0.0.1", int(os.environ.get("CONVOLU_PORT", "8000")), timeout=TIMEOUT_SECONDS
    )
    try:
        connection.request("GET", "/readyz")
        return 0 if connection.getresponse().status == 200 else 1
    except OSError:
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
