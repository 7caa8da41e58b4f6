"""uvicorn alone: reads the body, answers `{}`. What a request costs before anybody does anything.

    python -m benchmarks.bare PORT

Two processes with a listening socket each, as Convolu has them. Knows nothing of images.
"""

from __future__ import annotations

import multiprocessing
import socket
import sys
from typing import Any

import uvicorn

WORKERS = 2
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"2")]


async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001
    """ASGI: read all, say nothing."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"{}"})


def serve(port: int) -> None:
    """One process, until SIGTERM."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", port))
        config = uvicorn.Config(
            app, lifespan="off", access_log=False, log_level="warning", server_header=False
        )
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    processes = [
        multiprocessing.Process(target=serve, args=(int(sys.argv[1]),)) for _ in range(WORKERS)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
