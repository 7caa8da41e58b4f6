"""In how many pieces a PNG or a GIF comes, found out before Pillow reads them one by one in Python.

Ten megabytes have room for 830,000 empty chunks or five million blocks of one byte: two seconds and
hundreds of megabytes for a picture of one pixel. Knows nothing of what is in the pieces.
"""

from __future__ import annotations

from app.errors import InvalidImage

# Ten megabytes in a GIF's usual blocks of 255 bytes are 40,000, in a PNG's usual chunks 1,250.
MAX_PIECES = 100_000

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


def check_pieces(data: bytes, format_name: str) -> None:
    """Raises InvalidImage for more chunks, blocks or stray bytes than any encoder writes."""
    count = {"PNG": _png_chunks, "GIF": _gif_blocks}.get(format_name)
    if count is not None and count(data) > MAX_PIECES:
        raise InvalidImage(
            f"A {format_name} may come in at most {MAX_PIECES} pieces; this one is in more. "
            "Save it again."
        )


def _png_chunks(data: bytes) -> int:
    """Chunks as PNG (ISO 15948, 5.3) has them: four bytes of length, a type, data, a checksum."""
    at, chunks = 8, 0
    while at < len(data) and chunks <= MAX_PIECES:
        chunks += 1
        if data[at + 4 : at + 8] == b"IEND":  # whatever follows is not read
            break
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return chunks


def _gif_blocks(data: bytes) -> int:
    """Blocks as GIF89a (15 to 27) has them, each of a length and so many bytes; 0 ends a row.

    Up to the second image: the rest is not read.
    """
    at, pieces, images = 13 + _colours(data[10:11]), 0, 0
    while at < len(data) and pieces <= MAX_PIECES:
        kind = data[at]
        pieces += 1
        if kind == _TRAILER:
            break
        if kind == _EXTENSION:
            at += 2  # what kind of extension
        elif kind == _IMAGE:
            images += 1
            if images == 2:
                break
            at += 11 + _colours(data[at + 9 : at + 10])  # its place, colours, bits of a code
        else:  # a stray byte: Pillow looks at the next
            at += 1
            continue
        while at < len(data) and data[at] and pieces <= MAX_PIECES:
            at += 1 + data[at]
            pieces += 1
        at += 1
    return pieces


def _colours(flags: bytes) -> int:
    """Bytes of a table of colours, if there is one."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0
