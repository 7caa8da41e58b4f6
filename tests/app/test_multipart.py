"""Multipart bodies (RFC 7578) → the files in them, to the byte, or a refusal."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.errors import BadMultipart, NoFile, TooManyImages
from app.multipart import Upload, parse_multipart

BOUNDARY = b"----WebKitFormBoundary7MA4YWxkTrZu0gW"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
REMEDY = re.escape("curl -F file=@picture.png")
FILE = b'form-data; name="file"; filename="a.png"'


def part(data: bytes, disposition: bytes | None = FILE, *headers: bytes) -> bytes:
    """One part with its delimiter before it."""
    if disposition is not None:
        headers = (b"Content-Disposition: " + disposition, *headers)
    return b"\r\n".join([b"--" + BOUNDARY, *headers, b"", data]) + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


def parse(body: bytes, max_images: int = 8, max_parts: int = 128) -> list[Upload]:
    return parse_multipart(body, BOUNDARY, max_images, max_parts)


def named(name: str) -> bytes:
    return f'form-data; name="{name}"'.encode()


# --- Good forms ---


def test_one_file_is_read() -> None:
    assert parse(form(part(PNG, FILE, b"Content-Type: image/png"))) == [Upload(PNG, "a.png")]


def test_many_files_keep_their_order() -> None:
    names = ["b.png", "a.png", "c.png", "a.png"]
    parts = [
        part(str(number).encode(), f'form-data; name="file"; filename="{name}"'.encode())
        for number, name in enumerate(names)
    ]
    expected = [Upload(str(number).encode(), name) for number, name in enumerate(names)]
    assert parse(form(*parts)) == expected


def test_other_fields_are_ignored() -> None:
    body = form(
        part(b"5", named("top_k")),
        part(PNG),
        part(b"not this", b'form-data; name="picture"; filename="b.png"'),
        part(b"nor this", named("files")),
        part(b"nor this", named("FILE")),
        part(b"nor this", b"form-data"),
        part(b"nor this", None),
    )
    assert parse(body) == [Upload(PNG, "a.png")]


@pytest.mark.parametrize("other", [part(b"x", None), part(b"x", None, b"Content-Type: image/png")])
def test_a_part_without_a_name_does_not_inherit_one(other: bytes) -> None:
    assert parse(form(part(PNG), other, part(b"y"), other)) == [
        Upload(PNG, "a.png"),
        Upload(b"y", "a.png"),
    ]


def test_a_file_without_a_file_name_counts() -> None:
    assert parse(form(part(PNG, named("file")))) == [Upload(PNG, None)]


def test_a_field_may_stand_without_quotes_and_headers_in_any_case() -> None:
    body = form(part(PNG, None, b"CONTENT-disposition: Form-Data; NAME=file; filename=a.png"))
    assert parse(body) == [Upload(PNG, "a.png")]


def test_an_empty_file_is_one_that_is_there() -> None:
    assert parse(form(part(b""))) == [Upload(b"", "a.png")]


@pytest.mark.parametrize("epilogue", [b"", b"\r\n", b"junk", b"-" * 100_000, part(b"more")])
def test_what_follows_the_form_is_ignored(epilogue: bytes) -> None:
    assert parse(form(part(PNG)) + epilogue) == [Upload(PNG, "a.png")]


@pytest.mark.parametrize("tail", [b"", b"\r\n"])
def test_the_last_line_need_not_end(tail: bytes) -> None:
    assert parse(part(PNG) + b"--" + BOUNDARY + b"--" + tail) == [Upload(PNG, "a.png")]


@pytest.mark.parametrize("kind", [b"text/html", b"application/x-php", b"image/svg+xml", b";;;"])
def test_the_type_that_a_part_claims_is_not_believed(kind: bytes) -> None:
    assert parse(form(part(PNG, FILE, b"Content-Type: " + kind))) == [Upload(PNG, "a.png")]


@pytest.mark.parametrize(
    "boundary", [b"x", b"a;b", b"'()+_,-./:=?", b"-" * 70, b"with space", b"x" * 256]
)
def test_any_boundary_will_do(boundary: bytes) -> None:
    body = form(part(PNG)).replace(BOUNDARY, boundary)
    assert parse_multipart(body, boundary, 1, 128) == [Upload(PNG, "a.png")]


# --- File names ---


@pytest.mark.parametrize(
    ("parameter", "filename"),
    [
        (b'filename="a.png"', "a.png"),
        (b"filename=a.png", "a.png"),
        (b'filename=""', None),
        (b'filename="a b;c.png"', "a b;c.png"),
        (rb'filename="a\"b\".png"', 'a"b".png'),
        (rb'filename="a\\b.png"', r"a\b.png"),
        (b'filename="%22a%22.png"', "%22a%22.png"),
        ('filename="Größe 日本 🐈.png"'.encode(), "Größe 日本 🐈.png"),
        (b'filename="\xff\xfe.png"', "\ufffd\ufffd.png"),
        (b"filename*=UTF-8''sly.png", None),
        (b"filename*=UTF-8''sly.png; filename=\"a.png\"", "a.png"),
        (b"filename=\"a.png\"; filename*=UTF-8''sly.png", "a.png"),
        (b'filename*0="sly"; filename*1=".png"', None),
        (b'filename="a.png"; filename="b.png"', "b.png"),
        (b'filename="C:\\\\photos\\\\a.png"', "a.png"),
        (b'filename="a; name=other"', "a; name=other"),
        (b'filename="' + b"n" * 300 + b'"', "n" * 255),
        (b'filename="' + "ü".encode() * 300 + b'"', "ü" * 255),
    ],
)
def test_a_file_name_is_kept_as_text(parameter: bytes, filename: str | None) -> None:
    disposition = b'form-data; name="file"; ' + parameter
    assert parse(form(part(PNG, disposition))) == [Upload(PNG, filename)]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a\x00.png", "\u202egnp.exe", "<script>", "$(id)"]
)
def test_a_path_in_a_file_name_is_only_text(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    disposition = f'form-data; name="file"; filename="{name}"'.encode()
    assert parse(form(part(PNG, disposition))) == [Upload(PNG, name)]
    assert list(tmp_path.iterdir()) == []


# --- To the byte ---


LOOK_ALIKES = [
    b"\r\n",
    b"\r\n\r\n",
    b"\r",
    b"\n",
    b"--",
    b"\r\n--",
    b"\r\n--" + BOUNDARY[:-1],
    b"\r\n--" + BOUNDARY[:-1] + b"X\r\n",
    b"--" + BOUNDARY,
    b"--" + BOUNDARY + b"--\r\n",
    b"\n--" + BOUNDARY + b"--\r\n",
    b"\r--" + BOUNDARY,
    b"Content-Disposition: form-data; name=file\r\n\r\n",
    BOUNDARY,
    bytes(range(256)),
]


@pytest.mark.parametrize("data", LOOK_ALIKES)
def test_data_that_looks_like_a_boundary_is_data(data: bytes) -> None:
    twice = data + b"|" + data
    assert parse(form(part(data), part(twice))) == [Upload(data, "a.png"), Upload(twice, "a.png")]


@settings(max_examples=120, deadline=None, database=None)
@given(
    st.lists(
        st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(LOOK_ALIKES)), max_size=8).map(
            b"".join
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_data_comes_back_to_the_byte(files: list[bytes]) -> None:
    assume(all(b"\r\n--" + BOUNDARY not in data for data in files))
    uploads = parse(form(*(part(data) for data in files)))
    assert [upload.data for upload in uploads] == files


def test_a_part_with_its_delimiter_s_first_byte_at_every_offset_comes_back() -> None:
    data = b"".join((b"\r\n--" + BOUNDARY)[:length] for length in range(len(BOUNDARY) + 4))
    assert parse(form(part(data))) == [Upload(data, "a.png")]


# --- Refusals ---


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [part(PNG, named("image"))],
        [part(PNG, b'form-data; name="other"; filename="file"')],
        [part(PNG, b'form-data; filename="name=file"')],
        [part(PNG, b"form-data; name*=UTF-8''file")],
        [part(PNG, named("file\x00"))],
        [part(PNG, None)],
    ],
    ids=["empty", "image", "file name", "quoted", "name*", "NUL", "no header"],
)
def test_a_form_without_a_part_named_file_has_no_file(parts: list[bytes]) -> None:
    with pytest.raises(NoFile, match=REMEDY):
        parse(form(*parts))


@pytest.mark.parametrize(
    "boundary",
    [b"", b"other", BOUNDARY[:-1], BOUNDARY + b"x", b"x" * 257, b"\xff\xfe"],
    ids=["none", "other", "too short", "too long", "257 bytes", "garbled"],
)
def test_a_boundary_that_is_not_the_body_s_is_refused(boundary: bytes) -> None:
    with pytest.raises(BadMultipart, match=r"RFC 7578|closing boundary"):
        parse_multipart(form(part(PNG)), boundary, 8, 128)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"\r\n" * 1000,
        b"--",
        PNG,
        b'{"image": ""}',
        b"preamble\r\n" + form(part(PNG)),
        form(part(PNG)).replace(b"\r\n", b"\n"),
        form(part(PNG, FILE, b"no colon")),
        form(part(PNG, FILE, b": no name")),
        form(part(PNG, FILE, b"Bad Name: x")),
        form(part(PNG, b'form-data;\r\n name="file"')),
        part(PNG) + b"--" + BOUNDARY + b"-",
        part(PNG) + b"--" + BOUNDARY,
        part(PNG) + b"--" + BOUNDARY + b"x--\r\n",
    ],
)
def test_a_body_that_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(BadMultipart, match=REMEDY):
        parse(body)


WHOLE = form(part(PNG), part(b"5", named("top_k")), part(b"\r\n--" + BOUNDARY[:9]))
END = len(WHOLE) - len(b"\r\n")  # the form is over with its last hyphen


def test_the_form_that_is_cut_below_is_a_good_one() -> None:
    assert len(parse(WHOLE)) == len(parse(WHOLE[:END])) == 2


@settings(max_examples=150, deadline=None, database=None)
@given(st.integers(0, END - 1))
def test_a_form_cut_anywhere_before_its_end_is_refused(length: int) -> None:
    with pytest.raises((BadMultipart, NoFile)):
        parse(WHOLE[:length])


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(max_size=3)), min_size=1, max_size=4
    )
)
def test_a_garbled_form_gives_files_or_a_refusal(edits: list[tuple[int, bytes]]) -> None:
    body = WHOLE
    for place, replacement in edits:
        body = body[:place] + replacement + body[place + 1 :]
    try:
        uploads = parse(body)
    except (BadMultipart, NoFile):
        return
    assert 1 <= len(uploads) <= 2


@settings(max_examples=150, deadline=None, database=None)
@given(body=st.binary(max_size=100), boundary=st.binary(max_size=4))
def test_any_bytes_and_any_boundary_give_files_or_a_refusal(body: bytes, boundary: bytes) -> None:
    delimiter = b"--" + boundary
    for whole in (body, delimiter + b"\r\n" + body, body + b"\r\n" + delimiter + b"--"):
        try:
            uploads = parse_multipart(whole, boundary, 8, 128)
        except (BadMultipart, NoFile):
            continue
        assert 1 <= len(uploads) <= 8


# --- Limits ---


@pytest.mark.parametrize("most", [1, 2, 5])
def test_as_many_images_as_allowed_are_read_and_one_more_is_refused(most: int) -> None:
    files = [part(PNG), part(b"x", named("other"))] * most
    assert len(parse(form(*files), most)) == most
    with pytest.raises(TooManyImages, match=f"At most {most} images"):
        parse(form(*files, part(PNG)), most)


def test_other_fields_do_not_count_as_images() -> None:
    fields = [part(b"x", named("other"))] * 50
    assert parse(form(*fields, part(PNG), *fields), 1) == [Upload(PNG, "a.png")]


@pytest.mark.parametrize(("others", "fits"), [(7, True), (8, False), (10_000, False)])
def test_a_part_has_at_most_eight_headers(others: int, fits: bool) -> None:
    body = form(part(PNG, FILE, *[b"X-Bomb: x"] * others))
    if fits:
        assert parse(body) == [Upload(PNG, "a.png")]
    else:
        with pytest.raises(BadMultipart):
            parse(body)


@pytest.mark.parametrize(("length", "fits"), [(4000, True), (4300, False), (5_000_000, False)])
def test_a_giant_header_is_refused(length: int, fits: bool) -> None:
    value, name = b"X: " + b"y" * length, b"y" * length + b": x"
    for header in (value, name):
        body = form(part(PNG, FILE, header))
        if fits:
            assert parse(body) == [Upload(PNG, "a.png")]
        else:
            with pytest.raises(BadMultipart):
                parse(body)


@pytest.mark.parametrize("most", [1, 3, 128])
def test_as_many_parts_as_allowed_are_read_and_one_more_is_refused(most: int) -> None:
    fields = [part(b"x", named("other"))] * (most - 1)
    assert parse(form(*fields, part(PNG)), max_parts=most) == [Upload(PNG, "a.png")]
    for last in (part(PNG), part(b"x", named("other")), part(b"x", None)):
        with pytest.raises(BadMultipart, match=f"At most {most} parts"):
            parse(form(part(PNG), *fields, last), max_parts=most)


def test_a_form_of_too_many_parts_is_not_read_to_its_end() -> None:
    body = form(*[part(b"", named("x"))] * 200_000)
    began = time.process_time()
    with pytest.raises(BadMultipart, match="At most 128 parts"):
        parse(body)
    assert time.process_time() - began < 0.1  # seconds; measured: 0.003, and 1.5 without the limit


@pytest.mark.parametrize(
    "body",
    [
        form(part(b"\r\n" * 5_000_000)),
        form(part((b"\r\n--" + BOUNDARY[:-1]) * 250_000)),
        form(part(b"\r" * 10_000_000)),
        form(part(b"\n" * 10_000_000)),
        form(part(PNG)) + b"-" * 10_000_000,
        form(part(PNG)) + b"\r\n" * 5_000_000,
        b"\r\n" * 5_000_000,
        form(*[part(b"", named("x"))] * 20_000),
        form(part(PNG, FILE, b"X: " + b"y" * 10_000_000)),
    ],
    ids=[
        "line ends",
        "look-alikes",
        "returns",
        "new lines",
        "epilogue",
        "epilogue of line ends",
        "preamble",
        "parts",
        "header",
    ],
)
def test_ten_megabytes_made_to_be_slow_are_not(body: bytes) -> None:
    began = time.process_time()
    with suppress(BadMultipart, NoFile):
        parse(body, max_parts=100_000)
    assert time.process_time() - began < 1  # second; measured: 0.15 at most
