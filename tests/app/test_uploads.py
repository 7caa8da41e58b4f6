"""Request bodies → encoded images: by Content-Type, within limits, never half of one."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from app.errors import (
    BadBase64,
    BadJson,
    BadMultipart,
    BodyTooLarge,
    ConvoluError,
    EmptyBody,
    NoFile,
    TooManyImages,
    UnsupportedMediaType,
)
from app.held_bodies import HeldBodies, Hold
from app.multipart import Upload
from app.uploads import parse_json, read_body, read_uploads

IMAGE = bytes(range(256))
LIMIT = 1000
REMEDY = re.escape("curl -F file=@picture.png")
FORM_TYPE = "multipart/form-data; boundary=frontier"


def form(*files: bytes) -> bytes:
    head = b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return b"".join(head + data + b"\r\n" for data in files) + b"--frontier--\r\n"


def as_json(data: bytes) -> bytes:
    return json.dumps({"image": base64.b64encode(data).decode()}).encode()


def receiver(chunks: Iterable[bytes], leaves: bool = False) -> Receive:
    """A client that sends these chunks, the last one as the last; or leaves after them."""
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    if leaves:
        messages.append({"type": "http.disconnect"})
    else:
        messages[-1]["more_body"] = False
    waiting = iter(messages)

    async def receive() -> Message:
        return next(waiting)  # asking for more than there is would be StopIteration

    return receive


async def silent() -> Message:
    raise AssertionError("the body was asked for")


def read(
    *chunks: bytes,
    content_type: str | bytes | None = None,
    content_length: int | bytes | None = None,
    content_encoding: bytes | None = None,
    limit: int = LIMIT,
    max_images: int = 4,
    receive: Receive | None = None,
) -> list[Upload]:
    headers = [(b"host", b"localhost")]
    if content_type is not None:
        value = content_type if isinstance(content_type, bytes) else content_type.encode("latin-1")
        headers.append((b"content-type", value))
    if content_length is not None:
        length = content_length if isinstance(content_length, bytes) else b"%d" % content_length
        headers.append((b"content-length", length))
    if content_encoding is not None:
        headers.append((b"content-encoding", content_encoding))
    scope = {"type": "http", "headers": headers}
    hold = Hold(HeldBodies(10 * limit + 4096))
    return run(read_uploads(scope, receive or receiver(chunks), hold, limit, max_images, 128))


def run(reading: Awaitable[list[Upload]]) -> list[Upload]:
    async def finish() -> list[Upload]:
        return await reading

    return asyncio.run(finish())


# --- Content types ---


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "image/png",
        "image/jpeg",
        "image/x-whatever",
        "IMAGE/PNG",
        " image/png ",
        "image/png; charset=binary",
        "image/svg+xml",  # the bytes decide, not the name
        "application/octet-stream",
        "Application/Octet-Stream",
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-8",
    ],
)
def test_a_raw_body_is_the_image_itself(content_type: str | None) -> None:
    assert read(IMAGE, content_type=content_type) == [Upload(IMAGE, None)]


@pytest.mark.parametrize(
    "content_type",
    [
        FORM_TYPE,
        'multipart/form-data; boundary="frontier"',
        "Multipart/Form-Data; BOUNDARY=frontier",
        "multipart/form-data;boundary=frontier;charset=utf-8",
        "multipart/form-data; charset=utf-8; boundary=frontier",
    ],
)
def test_a_form_gives_its_files(content_type: str) -> None:
    uploads = read(form(IMAGE, b"second"), content_type=content_type)
    assert uploads == [Upload(IMAGE, "a"), Upload(b"second", "a")]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
    ],
)
def test_json_gives_its_image(content_type: str) -> None:
    assert read(as_json(IMAGE), content_type=content_type) == [Upload(IMAGE, None)]


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "text/plain; charset=utf-8",
        "application/xml",
        "application/json-patch+json",
        "application/jsonx",
        "application/problem+json",
        "application/pdf",
        "video/mp4",
        "multipart/mixed; boundary=frontier",
        "multipart/form-data-x; boundary=frontier",
        "image",
        "xximage/png",
        "*/*",
        b"\xff\xfe\xfd",
        b"\xe4/\xf6; boundary=\xfc",
    ],
)
def test_any_other_type_is_refused_before_the_body_is_read(content_type: str | bytes) -> None:
    with pytest.raises(UnsupportedMediaType, match=REMEDY):
        read(content_type=content_type, receive=silent)


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"gzip, identity", b"GZIP", b"\xff"])
def test_a_compressed_body_is_refused_before_it_is_read(encoding: bytes) -> None:
    with pytest.raises(UnsupportedMediaType, match="uncompressed, without Content-Encoding"):
        read(content_encoding=encoding, receive=silent)


@pytest.mark.parametrize("encoding", [b"", b"identity", b"Identity"])
def test_an_encoding_that_changes_nothing_is_none(encoding: bytes) -> None:
    assert read(IMAGE, content_encoding=encoding) == [Upload(IMAGE)]


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=other",
        'multipart/form-data; boundary="frontier',
        "multipart/form-data; boundary=" + "x" * 257,
        "multipart/form-data; boundary=" + "\\" * 10_000,
        'multipart/form-data; boundary="' + "\\" * 10_000,
        "multipart/form-data" + ";a=b" * 1000,
        "multipart/form-data; bound\xe4ry=frontier",
        "multipart/form-data; boundary*=UTF-8''frontier",
    ],
)
def test_a_form_without_its_own_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(BadMultipart):
        read(form(IMAGE), content_type=content_type)


def test_the_other_refusals_of_a_form_come_through() -> None:
    with pytest.raises(NoFile):
        read(form(), content_type=FORM_TYPE)
    assert len(read(form(*[IMAGE] * 2), content_type=FORM_TYPE, max_images=2)) == 2
    with pytest.raises(TooManyImages):
        read(form(*[IMAGE] * 2), content_type=FORM_TYPE, max_images=1)


@pytest.mark.parametrize("content_type", [None, "image/png", "application/json", FORM_TYPE])
@pytest.mark.parametrize("chunks", [(b"",), (b"", b"", b"")])
def test_an_empty_body_is_refused(chunks: tuple[bytes, ...], content_type: str | None) -> None:
    with pytest.raises(EmptyBody, match=REMEDY):
        read(*chunks, content_type=content_type)


# --- Limits of the body ---


RAW_TYPES = [None, "image/png", "application/octet-stream", FORM_TYPE]


def of_length(length: int, content_type: str | None) -> bytes:
    """A good body of that many bytes."""
    if content_type != FORM_TYPE:
        return bytes(length)
    return form(bytes(length - len(form(b""))))


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("content_type", RAW_TYPES)
def test_a_body_of_exactly_the_limit_is_read(content_type: str | None, announced: bool) -> None:
    body = of_length(LIMIT, content_type)
    length = LIMIT if announced else None
    assert len(read(body, content_type=content_type, content_length=length)) == 1


@pytest.mark.parametrize("content_type", RAW_TYPES)
@pytest.mark.parametrize("excess", [1, 10**15])
def test_a_body_announced_over_the_limit_is_refused_before_it_is_received(
    content_type: str | None, excess: int
) -> None:
    with pytest.raises(BodyTooLarge, match=f"At most {LIMIT} bytes"):
        read(content_type=content_type, content_length=LIMIT + excess, receive=silent)


@pytest.mark.parametrize("content_type", RAW_TYPES)
@pytest.mark.parametrize("size", [1, 7, 999, 1000, 1001])
def test_a_body_that_streams_over_the_limit_is_refused(size: int, content_type: str | None) -> None:
    body = of_length(LIMIT + 1, content_type)
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    with pytest.raises(BodyTooLarge, match=f"At most {LIMIT} bytes"):
        read(*chunks, content_type=content_type)
    fitting = of_length(LIMIT, content_type)
    assert read(
        *(fitting[start : start + size] for start in range(0, LIMIT, size)),
        content_type=content_type,
    )


def test_nothing_is_received_once_the_limit_is_passed() -> None:
    received = 0

    async def endless() -> Message:
        nonlocal received
        received += 100
        return {"type": "http.request", "body": bytes(100), "more_body": True}

    with pytest.raises(BodyTooLarge):
        read(receive=endless)
    assert received == LIMIT + 100


@pytest.mark.parametrize("announced", [0, 1, LIMIT])
def test_an_announcement_that_is_too_small_does_not_lift_the_limit(announced: int) -> None:
    with pytest.raises(BodyTooLarge):
        read(bytes(LIMIT), b"x", content_length=announced)


@pytest.mark.parametrize("announced", [b"-1", b"+5", b"1e9", b"", b"many", b" 5", b"\xb2", b"0x10"])
def test_an_announcement_that_is_no_number_counts_as_none(announced: bytes) -> None:
    assert read(IMAGE, content_length=announced) == [Upload(IMAGE)]
    with pytest.raises(BodyTooLarge):
        read(bytes(LIMIT + 1), content_length=announced)


@pytest.mark.parametrize("digits", [20, 4300, 4301, 60_000])
def test_an_announcement_of_very_many_digits_is_too_large(digits: int) -> None:
    with pytest.raises(BodyTooLarge):
        read(content_length=b"9" * digits, receive=silent)


JSON_LIMIT = LIMIT * 4 // 3 + 1024


def test_json_may_be_a_third_longer_because_base64_is() -> None:
    spaces = JSON_LIMIT - len(as_json(IMAGE))
    body = as_json(IMAGE) + b" " * spaces
    assert len(body) == JSON_LIMIT > LIMIT
    kind = "application/json"
    assert read(body, content_type=kind) == [Upload(IMAGE)]
    assert read(body, content_type=kind, content_length=JSON_LIMIT) == [Upload(IMAGE)]
    with pytest.raises(BodyTooLarge):
        read(body, b" ", content_type=kind)
    with pytest.raises(BodyTooLarge):
        read(content_type=kind, content_length=JSON_LIMIT + 1, receive=silent)


@pytest.mark.parametrize("limit", [1, 2, 3, 1000, 1001, 1002])
def test_the_largest_image_fits_as_json_and_one_byte_more_does_not(limit: int) -> None:
    kind = "application/json"
    assert read(as_json(bytes(limit)), content_type=kind, limit=limit) == [Upload(bytes(limit))]
    with pytest.raises(BodyTooLarge, match=f"At most {limit} bytes"):
        read(as_json(bytes(limit + 1)), content_type=kind, limit=limit)


@settings(max_examples=50, deadline=None, database=None)
@given(st.lists(st.binary(max_size=30), min_size=1, max_size=20))
def test_chunks_come_together_in_order(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    if whole:
        assert read(*chunks) == [Upload(whole)]
    else:
        with pytest.raises(EmptyBody):
            read(*chunks)


def test_a_message_may_leave_out_what_asgi_lets_it() -> None:
    async def receive() -> Message:
        return {"type": "http.request"}

    assert asyncio.run(read_body(receive, Hold(HeldBodies(10)), 10)) == b""


# --- Clients that leave ---


@pytest.mark.parametrize("chunks", [[], [b""], [IMAGE[:100]], [IMAGE, IMAGE]])
@pytest.mark.parametrize("content_type", [None, "application/json", FORM_TYPE])
def test_a_client_that_leaves_midway_is_not_answered_with_half_an_image(
    content_type: str | None, chunks: list[bytes]
) -> None:
    with pytest.raises(ClientDisconnect):
        read(content_type=content_type, receive=receiver(chunks, leaves=True))


# --- JSON ---


def body_of(image: object) -> bytes:
    return json.dumps({"image": image}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"no JSON",
        b"'image'",
        b'{"image": "QQ=="} and more',
        b'{"image": "QQ==",}',
        b'{"image": QQ==}',
        b"\xff\xfe\xfd",
        b'{"image": "\xff"}',
        b'{"image": "QQ\n=="}',  # a raw line end within a string
        b"[" * 100_000,
        b'{"image":' * 100_000,
        b'{"image": "QQ==", "other": ' + b"[" * 100_000 + b"}",
        b'{"image": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadJson, match="the body is not JSON"):
        parse_json(body, LIMIT)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'["QQ=="]',
        b"1",
        b'"QQ=="',
        b"null",
        b"true",
        b"NaN",
        b"{}",
        b'{"Image": "QQ=="}',
        b'{"url": "http://169.254.169.254/latest/meta-data"}',
        body_of(None),
        body_of(1),
        body_of(1.5),
        body_of(True),
        body_of(float("nan")),
        body_of(["QQ=="]),
        body_of(["QQ=="] * 10_000),
        body_of({"image": "QQ=="}),
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
def test_json_without_a_string_under_image_is_refused(body: bytes) -> None:
    with pytest.raises(BadJson, match='no string under "image"') as caught:
        parse_json(body, LIMIT)
    assert len(str(caught.value)) < 200


BASE64 = base64.b64encode(IMAGE).decode()


@pytest.mark.parametrize(
    ("image", "data"),
    [
        (BASE64, IMAGE),
        ("QQ==", b"A"),
        ("QQ=", b"A"),
        ("QQ", b"A"),
        ("QUI", b"AB"),
        ("++//", b"\xfb\xef\xff"),
        (" QQ== ", b"A"),
        ("Q Q\t=\n=", b"A"),
        (base64.encodebytes(IMAGE).decode(), IMAGE),
        (base64.encodebytes(IMAGE).decode().replace("\n", "\r\n"), IMAGE),
        (f"data:image/png;base64,{BASE64}", IMAGE),
        (f"  data:image/png;base64,{BASE64}\n", IMAGE),
        (f"DATA:image/png;BASE64,{BASE64}", IMAGE),
        ("data:;base64,QQ", b"A"),
        ("data:image/png;name=a.png;base64,QQ==", b"A"),
        ("data:text/html;base64,QQ==", b"A"),
    ],
    ids=lambda value: repr(value)[:32],
)
def test_base64_is_read_with_or_without_padding_lines_and_a_data_url(
    image: str, data: bytes
) -> None:
    assert parse_json(body_of(image), LIMIT) == data


@pytest.mark.parametrize(
    "image",
    [
        "-_-_",  # the alphabet of URLs
        "QQ==QQ==",
        "=QQ=",
        "Q",
        "QQQQQ",
        "QQ!=",
        "QQ\x00=",
        "%51%51%3D%3D",
        "Größe",
        "\ud800",
        "http://169.254.169.254/a.png",
        "../../etc/passwd",
        "data:image/png;base64,-_-_",
        "data:image/png;base64,data:image/png;base64,QQ==",
    ],
)
def test_what_is_not_base64_is_refused(image: str) -> None:
    with pytest.raises(BadBase64, match="RFC 4648"):
        parse_json(body_of(image), LIMIT)


@pytest.mark.parametrize(
    "image",
    [
        "data:",
        "data:,plain",
        "data:image/png,QQ==",
        "data:image/png;base64",
        "data:image/png;base32,QQ==",
        "data:image/svg+xml,%3Csvg/%3E",
        " Data:image/png;charset=utf-8,QQ==",
        "data:" + "a" * 1_000_000 + ";base64,QQ==",
    ],
    ids=lambda image: image[:24],
)
def test_a_data_url_that_is_not_base64_is_refused(image: str) -> None:
    with pytest.raises(BadBase64, match="Expected a data: URL"):
        parse_json(body_of(image), LIMIT)


@pytest.mark.parametrize(
    "image", ["", " \n", "=", "====", "data:image/png;base64,", "data:;base64, ="]
)
def test_an_image_of_no_bytes_is_refused(image: str) -> None:
    with pytest.raises(EmptyBody, match="no bytes"):
        parse_json(body_of(image), LIMIT)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 255])
def test_the_limit_counts_decoded_bytes(limit: int) -> None:
    assert parse_json(as_json(bytes(limit)), limit) == bytes(limit)
    with pytest.raises(BodyTooLarge, match=f"At most {limit} bytes"):
        parse_json(as_json(bytes(limit + 1)), limit)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_may_come_in_any_unicode(encoding: str) -> None:
    assert parse_json('{"image": "QQ==", "note": "ü"}'.encode(encoding), LIMIT) == b"A"


def test_other_keys_are_ignored_and_the_last_of_two_counts() -> None:
    assert parse_json(b'{"image": "!", "top_k": 3, "image": "QQ=="}', LIMIT) == b"A"


@settings(max_examples=100, deadline=None, database=None)
@given(data=st.binary(min_size=1, max_size=300), strip=st.booleans(), wrap=st.booleans())
def test_any_image_survives_base64(data: bytes, strip: bool, wrap: bool) -> None:
    encode: Callable[[bytes], bytes] = base64.encodebytes if wrap else base64.b64encode
    text = encode(data).decode()
    assert parse_json(body_of(text.rstrip("=\n") if strip else text), LIMIT) == data


ALPHABET = "QUFB09+/=-_ \n\t:;,data%é\ud800"


@settings(max_examples=200, deadline=None, database=None)
@given(st.one_of(st.binary(max_size=60), st.text(ALPHABET, max_size=40).map(body_of)))
def test_any_json_gives_an_image_or_a_refusal(body: bytes) -> None:
    try:
        data = parse_json(body, LIMIT)
    except ConvoluError:
        return
    assert data


@settings(max_examples=100, deadline=None, database=None)
@given(content_type=st.binary(max_size=40), body=st.binary(max_size=40))
def test_any_content_type_gives_an_image_or_a_refusal(content_type: bytes, body: bytes) -> None:
    try:
        uploads = read(body, content_type=content_type)
    except ConvoluError:
        return
    assert uploads == [Upload(body)]


def test_no_refusal_repeats_what_was_sent() -> None:
    secret = "c2VjcmV0IQ"
    for body, content_type in (
        (body_of(secret + "!"), "application/json"),
        (b"{" + secret.encode(), "application/json"),
        (b"--" + secret.encode(), FORM_TYPE),
        (secret.encode(), f"text/{secret}"),
    ):
        with pytest.raises(ConvoluError) as caught:
            read(body, content_type=content_type)
        assert secret not in str(caught.value)
