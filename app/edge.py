"""What every request passes first and last: its id, its errors, its line in the log, its count.

One ASGI callable around everything but CORS, which is outside so that a page on another origin can
read errors too. Knows nothing of images or models beyond the names that a route leaves in the
request's state.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Iterable
from typing import Any, ClassVar

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Overloaded
from app.keys import ApiKeys
from app.metrics import Metrics
from app.problems import problem_response, to_error
from app.request_log import RequestLog

logger = logging.getLogger("convolu")

EXCESS = "excess_connection"  # in a request's state: its connection is one too many

_PROBES = {"/healthz", "/readyz"}
# The page and the docs are readable without a key: they ask for it.
_OPEN = {"/", "/docs"}
_OPEN_FOLDERS = ("/web/", "/embed/", "/docs/assets/")
_ALWAYS = (b"x-content-type-options", b"nosniff")
_FRESH = (b"cache-control", b"no-store")
_REVALIDATED = (b"cache-control", b"no-cache")  # files have an ETag: 304 if they are the same
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_CLIENT_LEFT = 499  # nginx' number for it; it is only counted, nobody is there to read it


class _TooManyConnections(Overloaded):
    headers: ClassVar = {"Connection": "close"}


class Edge:
    """Gives each request an id, answers what nobody else caught, logs and counts the outcome.

    A client may bring its own X-Request-ID; every response carries one.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, log: RequestLog, keys: ApiKeys | None = None
    ) -> None:
        self.app = app
        self._metrics = metrics
        self._log = log
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, _without_traceback(send))
            return
        began = time.perf_counter()
        id_header, body_bytes = _id_and_length(scope)
        request_id = id_header.decode()
        # Below the app, also where it is mounted below another's. Now: a mount changes the scope.
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", id_header),
                    _ALWAYS,
                ]
                is_file = path.startswith(_OPEN_FOLDERS)
                message["headers"].append(_REVALIDATED if is_file else _FRESH)
            await send(message)

        try:
            self._admit(path, scope["headers"], state)
            await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = status or _CLIENT_LEFT
        except Exception as exc:
            if isinstance(exc, Overloaded):
                self._metrics.count_shed(exc.limit)
            if to_error(exc).status == 500:
                logger.exception("request %s failed", request_id)
            if not status:
                await problem_response(exc, request_id)(scope, receive, send_with_id)
            elif status != 500:  # else FastAPI has answered it, and raises it again to be logged
                raise
        finally:
            seconds = time.perf_counter() - began
            route, model = _route(scope), state.get("model", "")
            self._metrics.count_request(route, model, status, seconds)
            self._log.add(
                request_id,
                scope["method"],
                route,
                model,
                status,
                seconds,
                body_bytes,
                state.get("key"),
            )

    def _admit(
        self, path: str, headers: Iterable[tuple[bytes, bytes]], state: dict[str, object]
    ) -> None:
        """Before anything is read or done for it: raises Overloaded or Unauthorized."""
        if path in _PROBES:
            return
        if EXCESS in state:
            raise _TooManyConnections(
                "As many clients as may be are connected. Send the request again on a new "
                "connection after the seconds that Retry-After says.",
                "connections",
            )
        if self._keys is not None and not (path in _OPEN or path.startswith(_OPEN_FOLDERS)):
            state["key"] = self._keys.name_of(headers)


def document_keys(document: dict[str, Any]) -> None:
    """Say in an OpenAPI document which requests need a key, and how it may come."""
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    document["security"] = [{"bearer": []}, {"header": []}]
    for path in _PROBES:
        document["paths"][path]["get"]["security"] = []


def _id_and_length(scope: Scope) -> tuple[bytes, int | None]:
    """The request's id, its own if it has a sound one, and the length that it announces."""
    request_id, length = b"", None
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            request_id = value
        elif name == b"content-length" and value.isdigit():
            length = int(value[:19])  # more digits are too many bytes whatever they say
    return request_id or secrets.token_hex(16).encode(), length


def _route(scope: Scope) -> str:
    """The route's pattern, never the path: a closed set."""
    return str(getattr(scope.get("route"), "path", "other"))


def _without_traceback(send: Send) -> Send:
    """A start that we refuse says why in one clear line; a fault keeps its traceback."""

    async def send_lifespan(message: Message) -> None:
        text = message.get("message", "")
        last_line = (text.strip().splitlines() or [""])[-1]
        kind, _, reason = last_line.partition(": ")
        if kind.startswith("app.errors."):
            message = {**message, "message": reason}
        await send(message)

    return send_lifespan
