"""The table of hostile requests: forms, JSON, raw bodies, query parameters, and their answers."""

from __future__ import annotations

import base64
import gzip
import json
from typing import NamedTuple
from urllib.parse import quote

from tests.abuse.conftest import MARKER
from tests.abuse.pictures import HOSTILE_TEXT, archive, picture, with_chunk
from tests.abuse.wire import BOUNDARY, Headers, form, parts
from tests.conftest import RED

LIMIT = 10 * 1024 * 1024  # bytes of a body, as the service has it by default
OK = (200, None)
NO_FILE, BAD_FORM, EMPTY = (400, "no_file"), (400, "bad_multipart"), (400, "empty_body")
BAD_JSON, BAD_BASE64 = (400, "bad_json"), (400, "bad_base64")
NO_IMAGE, NO_TYPE = (415, "unsupported_image"), (415, "unsupported_media_type")
TOO_LARGE, TOO_MANY = (413, "body_too_large"), (413, "too_many_images")
BAD_QUERY, NO_MODEL = (422, "invalid_parameter"), (404, "unknown_model")

RED_64 = base64.b64encode(RED)
OTHER = b'Content-Disposition: form-data; name="a"'
DISPOSITION = b'Content-Disposition: form-data; name="file"'
HTML, PNG = b"\r\nContent-Type: text/html", b"\r\nContent-Type: image/png"
JSON = [("Content-Type", "application/json")]
RAW = [("Content-Type", "application/octet-stream")]
GZIP = [*RAW, ("Content-Encoding", "gzip")]
URLENCODED = [("Content-Type", "application/x-www-form-urlencoded")]
FORM = [("Content-Type", f"multipart/form-data; boundary={BOUNDARY.decode()}")]


class Row(NamedTuple):
    """A request, and what answers it: the status, and the code of the error if it is one."""

    name: str
    answer: tuple[int, str | None]
    body: bytes
    headers: Headers = RAW
    path: str = "/predict"
    bound_seconds: float = 2.0  # ten times what it takes, or more: a busy machine may do


def typed(content_type: str) -> Headers:
    return [("Content-Type", content_type)]


def row(name: str, answer: tuple[int, str | None], made: tuple[bytes, Headers]) -> Row:
    return Row(name, answer, *made)


def image_json(image: object) -> bytes:
    return json.dumps({"image": image}).encode()


ENDING = b"\r\n--" + BOUNDARY
FORMS = [
    Row("no boundary", BAD_FORM, form(RED)[0], typed("multipart/form-data")),
    Row("an empty boundary", BAD_FORM, form(RED)[0], typed("multipart/form-data; boundary=")),
    Row("another boundary", BAD_FORM, form(RED)[0], typed("multipart/form-data; boundary=x")),
    Row("257 bytes", BAD_FORM, RED, typed("multipart/form-data; boundary=" + "x" * 257)),
    Row("a boundary of Latin-1", BAD_FORM, RED, typed("multipart/form-data; boundary=ä\x80")),
    Row("backslashes", BAD_FORM, RED, typed('multipart/form-data; boundary="' + "\\" * 5000)),
    Row("1,000 options", BAD_FORM, RED, typed("multipart/form-data" + ";a=b" * 1000)),
    Row("a preamble of 9 MB", BAD_FORM, bytes(9_000_000) + b"\r\n" + form(RED)[0], FORM),
    Row("a preamble of dashes", BAD_FORM, b"-" * 9_000_000 + form(RED)[0], FORM),
    Row("an epilogue of dashes", OK, form(RED)[0] + b"-" * 9_000_000, FORM),
    Row("an epilogue of line ends", OK, form(RED)[0] + b"\r\n" * 4_500_000, FORM),
    row("10,000 headers", BAD_FORM, parts((DISPOSITION + b"\r\na: b" * 10_000, RED))),
    row("a header of 5 MB", BAD_FORM, parts((DISPOSITION + b"\r\na: " + b"b" * 5_000_000, RED))),
    row(
        "10,000 fields",
        BAD_FORM,
        parts(*[(OTHER, b"")] * 10_000),
    ),
    row("1,001 files", TOO_MANY, form(*[RED] * 1001)),
    row("one file too many", TOO_MANY, form(*[RED] * 65)),
    row("as many files as may be", OK, form(*[RED] * 64)),
    row("a file name of 10 KB", BAD_FORM, form(RED, filename=MARKER * 1000)),
    row("no parts", NO_FILE, parts()),
    row("a part without headers", NO_FILE, parts((b"", RED))),
    row("a part without a name", NO_FILE, parts((b"Content-Disposition: form-data", RED))),
    row("a field of text", NO_IMAGE, parts((DISPOSITION, MARKER.encode()))),
    row("an empty file", EMPTY, form(b"")),
    row("no file chosen", EMPTY, form(b"", filename="")),
    row("another name", NO_FILE, parts((b'Content-Disposition: form-data; name="files"', RED))),
    row("FILE", NO_FILE, parts((b'Content-Disposition: form-data; name="FILE"', RED))),
    row(
        "base64 in a part",
        NO_IMAGE,
        parts((DISPOSITION + b"\r\nContent-Transfer-Encoding: base64", RED_64)),
    ),
    row(
        "a part that says it is HTML",
        OK,
        parts((DISPOSITION + HTML, RED)),
    ),
    row(
        "SVG that says it is a PNG",
        NO_IMAGE,
        parts((DISPOSITION + PNG, b"<svg/>")),
    ),
    row("9 MB of line ends", NO_IMAGE, form(b"\r\n" * 4_500_000)),
    row("9 MB of beginnings of the boundary", NO_IMAGE, form((ENDING[:-1] + b"\r") * 900_000)),
    row("a picture full of beginnings", OK, form(with_chunk(b"tEXt", b"a\0" + ENDING[:-1] * 999))),
    Row("cut before the end", BAD_FORM, form(RED)[0][:-12], FORM),
    Row("cut in the file", BAD_FORM, form(RED)[0][:-40], FORM),
    Row("cut in a header", BAD_FORM, form(RED)[0][:40], FORM),
    Row("the end alone", NO_FILE, b"--" + BOUNDARY + b"--\r\n", FORM),
    Row("line feeds alone", BAD_FORM, form(RED)[0].replace(b"\r\n", b"\n"), FORM),
]

FILENAMES = {
    "upwards": "../../../../etc/passwd",
    "absolute": "/etc/passwd",
    "NUL": f"{MARKER}\x00.png",
    "4 KB": MARKER + "a" * 4000,
    "right to left": f"{MARKER}\u202egnp.exe",
    "a script": f"<script>{MARKER}</script>",
    "ANSI": f"\x1b[2J{MARKER}",
    "a format": f"%s%n{{0}}${{jndi:ldap://{MARKER}}}",
    "nothing": "",
}

JSONS = [
    Row("nothing", EMPTY, b"", JSON),
    *(
        Row(f"JSON, {name}", BAD_JSON, body, JSON)
        for name, body in {
            "none": b'{"image": ' + MARKER.encode(),
            "NUL": b"\x00",
            "two": image_json("aa") * 2,
            "a list": json.dumps([MARKER]).encode(),
            "100,000 lists": b"[" * 100_000,
            "100,000 objects": b'{"a":' * 100_000,
            "5,000 digits": b'{"image": ' + b"9" * 5000 + b"}",
            "NaN": b'{"image": NaN}',
            "no image": b"{}",
            "a number": image_json(1),
            "null": image_json(None),
            "an object": image_json({"$ref": MARKER}),
            "a list of 10,000": image_json([MARKER] * 10_000),
            "a URL beside": json.dumps({"url": f"http://169.254.169.254/{MARKER}"}).encode(),
            "not UTF-8": b'{"image": "\xff\xfe"}',
        }.items()
    ),
    *(
        Row(f"base64, {name}", BAD_BASE64, image_json(text), JSON)
        for name, text in {
            "none": MARKER + "!",
            "URL-safe": base64.urlsafe_b64encode(b"\xff\xfe\xfd" * 9).decode(),
            "one digit": "A",
            "padding inside": "QQ==QQ==",
            "surrogates": "\ud800",
            "a URL": f"http://169.254.169.254/{MARKER}",
            "a file": f"file:///etc/{MARKER}",
            "data: of text": "data:text/plain,AAAA",
            "data: of 1 MB": "data:image/png;" + "a=b;" * 250_000 + "base64,AAAA",
        }.items()
    ),
    Row("an image of nothing", EMPTY, image_json(""), JSON),
    Row("base64 in lines", OK, image_json(base64.encodebytes(RED).decode()), JSON),
    Row(
        "two images, the last counts",
        OK,
        b'{"image": 1, ' + image_json(RED_64.decode())[1:],
        JSON,
    ),
    Row("10 MB as base64", NO_IMAGE, image_json("A" * (LIMIT // 3 * 4)), JSON),
    Row("20 MB as base64", TOO_LARGE, image_json("A" * 20_000_000), JSON),
    Row("base64 of a ZIP", NO_IMAGE, image_json(base64.b64encode(archive()).decode()), JSON),
]

BODIES = [
    Row("nothing at all", EMPTY, b""),
    Row("one byte", NO_IMAGE, b"a"),
    Row("no type", OK, RED, []),
    Row(
        "5 MB of a field",
        NO_IMAGE,
        b"a=" + b"b" * 5_000_000,
        typed("application/x-www-form-urlencoded"),
    ),
    Row("100,000 fields", NO_IMAGE, b"a=b;" * 100_000, URLENCODED),
    Row("text", NO_TYPE, HOSTILE_TEXT.encode(), typed("text/plain")),
    Row("XML", NO_TYPE, b"<a/>", typed("application/xml")),
    Row("a type of 5 KB", NO_TYPE, RED, typed(f"{MARKER}/" + "a" * 5000)),
    Row("gzip", NO_TYPE, gzip.compress(RED), GZIP),
    Row(
        "gzip of 9 MB",
        NO_TYPE,
        gzip.compress(bytes(9_000_000)),
        [*RAW, ("Content-Encoding", "gzip")],
    ),
    Row("gzip twice", NO_TYPE, RED, [*RAW, ("Content-Encoding", "gzip, gzip")]),
    Row("unknown coding", NO_TYPE, RED, [*RAW, ("Content-Encoding", MARKER)]),
    Row("identity", OK, RED, [*RAW, ("Content-Encoding", "identity")]),
    Row("exactly the limit", OK, picture("PNG").ljust(LIMIT, b"\0")),
    Row("one byte over", TOO_LARGE, picture("PNG").ljust(LIMIT + 1, b"\0")),
]

QUERIES = [
    *(
        Row(f"top_k={text[:20]}", BAD_QUERY, RED, RAW, f"/predict?top_k={quote(text)}")
        for text in (
            "0",
            "-1",
            "1.5",
            "1e3",
            "NaN",
            "",
            " 1",
            "١",
            "0x1",
            "9" * 10,
            "9" * 5000,
            MARKER,
        )
    ),
    Row("top_k=999999999", OK, RED, RAW, "/predict?top_k=999999999"),
    Row("top_k twice", OK, RED, RAW, "/predict?top_k=0&top_k=1"),
    *(
        Row(f"model={name[:20]}", NO_MODEL, RED, RAW, f"/predict?model={quote(name, safe='')}")
        for name in (
            "../../etc/passwd",
            "models/mosaic.onnx",
            "mosaic\0",
            "mosaic\r\nX-Evil: 1",
            HOSTILE_TEXT,
            "MOSAIC",
            "a" * 5000,
            "__class__",
            "{name}",
        )
    ),
    Row("model=", OK, RED, RAW, "/predict?model="),
    Row("unknown parameters", OK, RED, RAW, f"/predict?{MARKER}=1&debug=true"),
    Row("broken escapes", OK, RED, RAW, "/predict?%=%zz&%ff=%c0%af"),
    Row("1,000 parameters", BAD_QUERY, RED, RAW, "/predict?" + "a&" * 1000),
]

REQUESTS = [*FORMS, *JSONS, *BODIES, *QUERIES]
