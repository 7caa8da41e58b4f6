"""Damaged pictures without end, each made again from its number alone."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
from PIL import Image

from tests.app.pictures import corners, stored
from tests.app.test_decode_damage import with_right_checksums
from tests.conftest import encode

# Where lengths, counts and sizes overflow, or end.
NUMBERS = (
    *(0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000),
    *(0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF),
)
HEADER_BYTES = 64


@cache
def seeds() -> dict[str, bytes]:
    """Small sound pictures, of every format and of many modes."""
    small, other = Image.fromarray(corners(18, 26)), Image.new("RGB", (26, 18), "magenta")
    two: dict[str, object] = {"save_all": True, "append_images": [other]}
    return {
        "JPEG": encode(small, "JPEG"),
        "JPEG, progressive": encode(small, "JPEG", progressive=True),
        "JPEG, turned": stored(6, "JPEG", corners(18, 26)),
        "JPEG, CMYK": encode(small.convert("CMYK"), "JPEG"),
        "MPO": encode(small, "MPO", **two),
        "PNG": encode(small),
        "PNG, 16 bits": encode(np.arange(468, dtype=np.uint16).reshape(18, 26) * 140),  # type: ignore[arg-type]
        "PNG, palette": encode(small.convert("P"), transparency=3),
        "PNG, alpha": encode(small.convert("RGBA")),
        "PNG, one bit": encode(small.convert("1")),
        "PNG, turned": stored(6, "PNG", corners(18, 26)),
        "APNG": encode(small, "PNG", **two),
        "WebP": stored(6, "WEBP", corners(18, 26)),
        "WebP, lossless": encode(small.convert("RGBA"), "WEBP", lossless=True),
        "WebP, animated": encode(small, "WEBP", **two),
        "GIF": encode(small, "GIF"),
        "GIF, animated": encode(small, "GIF", **two, disposal=2),
        "BMP": encode(small, "BMP"),
        "BMP, palette": encode(small.convert("P"), "BMP"),
        "AVIF": stored(6, "AVIF", corners(18, 26)),
        "AVIF, animated": encode(small, "AVIF", **two, speed=10),
    }


def mutant(number: int) -> tuple[str, bytes]:
    """The mutant of that number: the name of the picture it was, and its bytes."""
    chance = random.Random(number)
    name = chance.choice(list(seeds()))
    data = bytearray(seeds()[name])
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        chance.choice(MUTATIONS)(data, chance)
    if name.startswith(("PNG", "APNG")) and chance.random() < 0.5:  # damage behind a sound checksum
        data = bytearray(with_right_checksums(bytes(data)))
    return name, bytes(data) or b"\0"  # no bytes at all are another case


def _flip_a_bit(data: bytearray, chance: random.Random) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _set_a_byte(data: bytearray, chance: random.Random) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.choice((0, 0xFF, chance.randrange(256)))


def _write_a_number(data: bytearray, chance: random.Random) -> None:
    size = chance.choice((1, 2, 4))
    number = chance.choice(NUMBERS) % 256**size
    at = chance.randrange(min(HEADER_BYTES, len(data)) or 1)
    data[at : at + size] = number.to_bytes(size, chance.choice(("big", "little")))


def _drop_a_block(data: bytearray, chance: random.Random) -> None:
    block = _block(data, chance)
    del data[block]


def _double_a_block(data: bytearray, chance: random.Random) -> None:
    block = _block(data, chance)
    data[block.start : block.start] = data[block] * chance.choice((1, 1, 50))


def _insert_noise(data: bytearray, chance: random.Random) -> None:
    at = _block(data, chance).start
    data[at:at] = chance.randbytes(chance.randrange(1, 40))


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data) + 1) :]


def _splice(data: bytearray, chance: random.Random) -> None:
    """The beginning of this picture, the end of another."""
    other = seeds()[chance.choice(list(seeds()))]
    data[_block(data, chance).start :] = other[chance.randrange(len(other)) :]


def _block(data: bytearray, chance: random.Random) -> slice:
    start = chance.randrange(len(data) + 1)
    return slice(start, start + chance.randrange(1, 64))


MUTATIONS = (
    *(_flip_a_bit, _flip_a_bit, _set_a_byte, _set_a_byte, _write_a_number, _write_a_number),
    *(_drop_a_block, _double_a_block, _insert_noise, _cut, _splice),
)
