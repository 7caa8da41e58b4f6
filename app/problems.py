"""Everything that goes wrong → one response shape: `application/problem+json` (RFC 9457).

One function makes the body, one mapping chooses it, for Convolu's own errors, for the framework's
and for faults. The body never repeats the input; a fault's details go to the log alone.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app.errors import (
    BadRequest,
    ConvoluError,
    HeadersTooLarge,
    InvalidParameter,
    Overloaded,
    Unauthorized,
)

# What any request may be answered with, whatever its route.
_ANYWHERE: tuple[type[ConvoluError], ...] = (
    BadRequest,
    Unauthorized,
    HeadersTooLarge,
    Overloaded,
    ConvoluError,
)
_MAX_DETAIL = 700  # characters: the whole body stays under 1 KB
_INTERNAL = "The fault is in the service's log under this request_id."
_REQUEST_ID = {
    "X-Request-ID": {
        "description": "The request's own if it brought a sound one; it is in the log too.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    }
}
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which to send it again.",
        "required": True,
        "schema": {"type": "integer"},
    }
}


def problem(error: ConvoluError) -> dict[str, Any]:
    """The error as RFC 9457 has it, without the request it belongs to."""
    return {
        "type": "about:blank",
        "title": error.title,
        "status": error.status,
        "detail": str(error)[:_MAX_DETAIL],
        "code": error.code,
    }


def problem_body(error: ConvoluError, request_id: str, **extensions: object) -> bytes:
    """The body of a response that tells of an error; `extensions` are RFC 9457, 3.2."""
    return orjson.dumps(problem(error) | {"request_id": request_id} | extensions)


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
    """The response for any exception, with Retry-After where waiting helps."""
    error = to_error(exc)
    headers = dict(getattr(exc, "headers", None) or {})
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    body = problem_body(error, request_id, **extensions)
    return Response(body, error.status, headers, media_type="application/problem+json")


def handle_framework_errors(app: FastAPI) -> None:
    """Route what is raised below FastAPI through the same mapping: its own errors and ours."""

    async def respond(request: Request, exc: Exception) -> Response:
        return problem_response(exc, request.state.request_id)

    for kind in (ConvoluError, HTTPException, RequestValidationError, Exception):
        app.add_exception_handler(kind, respond)


def documented(*errors: type[ConvoluError]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI `responses`: the errors that a route may answer with by status, and all headers."""
    by_status: dict[int, list[type[ConvoluError]]] = {}
    every: tuple[type[ConvoluError], ...] = (*errors, *_ANYWHERE)
    for error in dict.fromkeys(every):
        by_status.setdefault(error.status, []).append(error)
    answers: dict[int | str, dict[str, Any]] = {200: {"headers": _REQUEST_ID}}
    for status, kinds in by_status.items():
        waiting_helps = all(kind.retry_after_seconds for kind in kinds)
        answers[status] = {
            "description": "; ".join(f"`{kind.code}`: {kind.title}" for kind in kinds),
            "headers": _REQUEST_ID | (_RETRY_AFTER if waiting_helps else {}),
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
    return answers


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
