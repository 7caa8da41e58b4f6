"""Request body → encoded images: multipart, raw bytes or JSON with base64.

Bodies are limited while they stream in: nothing over the limit is ever held. Knows nothing of what
an image is; the names below are ASGI's and HTTP's own.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re

from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from app.errors import (
    BadBase64,
    BadJson,
    BodyTooLarge,
    EmptyBody,
    RequestTimeout,
    UnsupportedMediaType,
)
from app.held_bodies import Hold
from app.multipart import REMEDY, Upload, parse_multipart

# What --data-binary says when it is told nothing; such a body is taken for the image itself.
_RAW = {"", "application/octet-stream", "application/x-www-form-urlencoded"}
DEADLINE = "deadline"  # in a request's state: the loop's time by which all of it must be here
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)


async def read_uploads(
    scope: Scope,
    receive: Receive,
    hold: Hold,
    max_upload_bytes: int,
    max_images: int,
    max_parts: int,
) -> list[Upload]:
    """Read the request to its end: one Upload or more, none of them empty by omission.

    Raises EmptyBody, NoFile, BadMultipart, BadJson, BadBase64, BodyTooLarge, TooManyImages,
    UnsupportedMediaType, Overloaded, or RequestTimeout if the server's deadline passes;
    ClientDisconnect if the client leaves midway.
    """
    content_type, content_length = _headers(scope)
    media_type, options = parse_options_header(content_type)
    kind = media_type.decode("latin-1").lower()
    is_json = kind == "application/json"
    if not (is_json or kind in _RAW or kind.startswith("image/") or kind == "multipart/form-data"):
        raise UnsupportedMediaType(REMEDY)
    # base64 takes four bytes to say three
    limit = max_upload_bytes * 4 // 3 + 1024 if is_json else max_upload_bytes
    deadline = scope.get("state", {}).get(DEADLINE)
    if deadline is None:
        body = await read_body(receive, hold, limit, content_length)
    else:
        body = await _read_body_until(deadline, receive, hold, limit, content_length)
    if not body:
        raise EmptyBody(REMEDY)
    if kind == "multipart/form-data":
        return parse_multipart(body, options.get(b"boundary", b""), max_images, max_parts)
    if is_json:
        return [Upload(parse_json(body, max_upload_bytes))]
    return [Upload(body)]


async def _read_body_until(
    deadline: float, receive: Receive, hold: Hold, max_bytes: int, content_length: int | None
) -> bytes:
    try:
        async with asyncio.timeout_at(deadline):
            return await read_body(receive, hold, max_bytes, content_length)
    except TimeoutError as exc:
        raise RequestTimeout(
            "The body took too long to arrive. Send it again, or a smaller one."
        ) from exc


async def read_body(
    receive: Receive, hold: Hold, max_bytes: int, content_length: int | None = None
) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as it is known to be over `max_bytes`.

    Raises Overloaded if it does not fit beside the other bodies that are held.
    """
    if content_length is not None and content_length > max_bytes:
        raise _body_too_large(max_bytes)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise _body_too_large(max_bytes)
        hold.take(len(chunk))
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def parse_json(body: bytes, max_upload_bytes: int) -> bytes:
    """`{"image": "<base64 or data: URL>"}` → encoded image.

    Raises BadJson, BadBase64, EmptyBody or BodyTooLarge.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise BadJson('Expected {"image": "<base64>"}; the body is not JSON.') from exc
    text = request.get("image") if isinstance(request, dict) else None
    if not isinstance(text, str):
        raise BadJson('Expected {"image": "<base64>"}; there is no string under "image".')
    if text.lstrip()[:5].lower() == "data:":
        prefix = _DATA_URL.match(text.lstrip())
        if prefix is None:
            raise BadBase64(
                "Expected a data: URL with base64, such as data:image/png;base64,iVBORw0KGgo=."
            )
        text = text.lstrip()[prefix.end() :]
    try:
        # Tools wrap lines (RFC 2045) and drop the padding (RFC 4648, 3.2); both are unambiguous.
        text = "".join(text.split()).rstrip("=")
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise BadBase64(
            'Expected base64 of RFC 4648 section 4 (A-Z a-z 0-9 + /) under "image".'
        ) from exc
    if not data:
        raise EmptyBody('The image under "image" has no bytes.')
    if len(data) > max_upload_bytes:
        raise _body_too_large(max_upload_bytes)
    return data


def _headers(scope: Scope) -> tuple[bytes, int | None]:
    """The type and the length that are announced. Raises UnsupportedMediaType."""
    content_type, content_length = b"", None
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
        elif name == b"content-encoding" and value.lower() not in (b"", b"identity"):
            # Ten megabytes can unfold to ten gigabytes, and pictures are compressed already.
            raise UnsupportedMediaType("Send the body uncompressed, without Content-Encoding.")
        elif name == b"content-length" and value.isdigit():
            content_length = int(value[:19])  # more digits are too many bytes whatever they say
    return content_type, content_length


def _body_too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"At most {max_bytes} bytes are read. Scale the image down or save it as JPEG."
    )
