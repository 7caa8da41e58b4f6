"""Everything that goes wrong → one response shape: `application/problem+json` (RFC 9457).

One function makes the body, one mapping chooses it, for Convolu's own errors, for the framework's
and for faults. The body never repeats the input; a fault's details go to the log alone.
"""

from __future__ import annotations

import logging
import re
import uuid
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import ConvoluError, InvalidParameter

logger = logging.getLogger("convolu")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_MAX_DETAIL = 700  # characters: the whole body stays under 1 KB
_INTERNAL = "The fault is in the service's log under this request_id."


def problem(error: ConvoluError) -> dict[str, Any]:
    """The error as RFC 9457 has it, without the request it belongs to."""
    return {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": str(error)[:_MAX_DETAIL],
        "code": error.code,
    }


def to_error(exc: Exception) -> ConvoluError:
    """The one mapping: any exception → the ConvoluError that the client is told."""
    if isinstance(exc, ConvoluError):
        return exc
    if isinstance(exc, RequestValidationError):
        first = exc.errors()[0]
        name = str(first["loc"][-1]) if first["loc"] else "request"
        return InvalidParameter(f"{name}: {first['msg']}.")
    if isinstance(exc, HTTPException):
        return _http_error(exc.status_code)
    return ConvoluError(_INTERNAL)


def problem_response(exc: Exception, request_id: str, **extensions: object) -> Response:
    """The response for any exception, with Retry-After where waiting helps.

    `extensions` are further members of the body (RFC 9457, 3.2).
    """
    error = to_error(exc)
    headers = dict(getattr(exc, "headers", None) or {})
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    body = orjson.dumps(problem(error) | {"request_id": request_id} | extensions)
    return Response(body, error.status, headers, media_type="application/problem+json")


class ProblemMiddleware:
    """Gives each request an id and answers what nobody else caught; sits inside CORS.

    Inside, so that a page on another origin can read errors too. A client may bring its own
    X-Request-ID; every response carries one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, _without_traceback(send))
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as exc:
            if started:
                raise
            if to_error(exc).status == 500:
                logger.exception("request %s failed", request_id)
            await problem_response(exc, request_id)(scope, receive, send_with_id)


def handle_framework_errors(app: FastAPI) -> None:
    """Route the framework's own errors (404, 405, validation) through the same mapping."""

    async def respond(request: Request, exc: Exception) -> Response:
        return problem_response(exc, request.state.request_id)

    app.add_exception_handler(HTTPException, respond)
    app.add_exception_handler(RequestValidationError, respond)


def documented(*errors: type[ConvoluError]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI `responses` for the errors that a route may answer with, grouped by status."""
    codes: dict[int, list[str]] = {}
    every: tuple[type[ConvoluError], ...] = (*errors, ConvoluError)
    for error in every:
        codes.setdefault(error.status, []).append(f"`{error.code}`: {error.title}")
    return {
        status: {
            "description": "; ".join(lines),
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
        for status, lines in codes.items()
    }


def _http_error(status: int) -> ConvoluError:
    error = ConvoluError(
        {
            404: "There is nothing at this path. GET /docs lists what there is.",
            405: "This path does not take that method. GET /docs lists what there is.",
        }.get(status, HTTPStatus(status).description or HTTPStatus(status).phrase)
    )
    error.status = status
    error.title = HTTPStatus(status).phrase
    error.code = error.title.lower().replace(" ", "_").replace("-", "_")
    return error


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value, "ascii")
    return uuid.uuid4().hex


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
