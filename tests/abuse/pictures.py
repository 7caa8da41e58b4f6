"""Pictures that no camera writes, made in code: bombs, torsos, liars, and formats in disguise.

Each generator is deterministic and returns encoded bytes.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from functools import cache

import numpy as np
from PIL import ExifTags, Image

from tests.abuse.conftest import MARKER
from tests.app.pictures import chunk, corners, gradient, png
from tests.conftest import encode

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"]
MEGABYTE = 1_000_000
HOSTILE_TEXT = (
    f"{MARKER}\r\n\x1b[31m\x00${{jndi:ldap://127.0.0.1/{MARKER}}}<script>{MARKER}</script>%n%s"
)


@cache
def picture(format_name: str, **options: object) -> bytes:
    """An ordinary picture, 64 × 48."""
    return encode(gradient(), format_name, **options)


def gif_of_frames(count: int) -> bytes:
    data = encode(Image.new("L", (1, 1), 200), "GIF")
    frame = data[data.index(b",\x00\x00\x00\x00") : -1]
    return data[:-1] + frame * (count - 1) + b";"


def apng(announced: int, broken: bool = False) -> bytes:
    """A still picture that says it is an animation of so many frames."""
    control = struct.pack(">IIIIIHHBB", 0, 4, 4, 9 if broken else 0, 0, 1, 1, 0, 0)
    frames = chunk(b"acTL", struct.pack(">II", announced, 0)), chunk(b"fcTL", control)
    return png(4, 4, 8, 0, b"\x00\x99\x99\x99\x99" * 4, *frames)


def with_chunk(name: bytes, data: bytes, count: int = 1) -> bytes:
    """A PNG with further chunks before its pixels."""
    return png(4, 4, 8, 0, b"\x00\x99\x99\x99\x99" * 4, chunk(name, data) * count)


def unfolds(size: int) -> bytes:
    """zlib's smallest stream of so many zeros: a thousandth of them."""
    return zlib.compress(bytes(size), 9)


def with_exif(text: str, format_name: str = "JPEG") -> bytes:
    """A picture whose camera, author and comment are `text`."""
    exif = Image.Exif()
    for tag in (ExifTags.Base.ImageDescription, ExifTags.Base.Make, ExifTags.Base.Artist):
        exif[tag] = text
    return encode(gradient(), format_name, exif=exif)


def with_segments(marker: int, content: bytes, count: int = 1) -> bytes:
    """A JPEG with further segments before its picture."""
    segment = struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
    return picture("JPEG")[:2] + segment * count + picture("JPEG")[2:]


def icc(size: int) -> bytes:
    """A JPEG with a colour profile of noise, in as many segments as it takes."""
    noise = np.random.default_rng(1).bytes(size)
    return encode(gradient(), "JPEG", icc_profile=noise)


def patched(data: bytes, at: int, replacement: bytes) -> bytes:
    return data[:at] + replacement + data[at + len(replacement) :]


def bmp(offset: int, value: int, size: int = 4) -> bytes:
    """A BMP, one field of its header set to `value`."""
    return patched(picture("BMP"), offset, (value % 256**size).to_bytes(size, "little"))


def jpeg_frame(kind: int, precision: int = 8) -> bytes:
    """A JPEG whose frame says it is of another kind: lossless, arithmetic, 12 bits."""
    data = picture("JPEG")
    at = data.index(b"\xff\xc0")
    return patched(patched(data, at + 1, bytes([kind])), at + 4, bytes([precision]))


def avif_announcing(width: int, height: int) -> bytes:
    """An AVIF whose item property lies about its size."""
    data = picture("AVIF")
    at = data.index(b"ispe") + 8
    return patched(data, at, struct.pack(">II", width, height))


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr(zipfile.ZipInfo("index.html"), f"<script>{MARKER}</script>")
    return file.getvalue()


def polyglots() -> dict[str, bytes]:
    """Pictures that are also something else to whoever serves them back."""
    script = f"<html><script>{MARKER}()</script></html>".encode()
    gif = picture("GIF")
    return {
        "JPEG that ends in HTML": picture("JPEG") + script,
        "JPEG with PHP in a comment": with_segments(0xFE, b"<?php " + script + b" ?>"),
        "GIF that is JavaScript": gif[:-1] + b"!\xfe\x10*/=1;alert(1);///\x00;",
        "GIF that ends in JavaScript": gif + b"/*" + script + b"*/",
        "PNG that is a ZIP": picture("PNG") + archive(),
        "BMP that ends in HTML": picture("BMP") + script,
        "WebP that ends in HTML": picture("WEBP") + script,
    }


def strangers() -> dict[str, bytes]:
    """What Pillow could open, or a browser run, and the service must not."""
    image = Image.fromarray(corners())
    written = {
        name: encode(image, name)
        for name in ("TIFF", "TGA", "ICNS", "ICO", "SGI", "JPEG2000", "PCX", "PPM", "DDS", "PDF")
    }
    return written | {
        "EPS": encode(image, "EPS"),
        "Ghostscript": b"%!PS\nuserdict /setpagedevice undef\n(%pipe%id) (w) file\n" + b"%" * 99,
        "ImageTragick": b"push graphic-context\nfill 'url(https://127.0.0.1/\"|id\")'\n",
        "MSL": b'<?xml version="1.0"?><image><read filename="/etc/passwd"/></image>',
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "SVG, deep entities": b'<!DOCTYPE s [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><svg>&b;</svg>',
        "PSD": b"8BPS\x00\x01"
        + bytes(6)
        + b"\x00\x03\x00\x00\x00\x01\x00\x00\x00\x01\x00\x08\x00\x03",
        "FLI": struct.pack("<IHHHH", 128, 0xAF11, 1, 8, 8) + bytes(116),
        "FITS": b"SIMPLE  =                    T".ljust(2880),
        "HEIC": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
        "MP4": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2",
        "ZIP": archive(),
        "gzip": zlib.compress(bytes(MEGABYTE), wbits=31),
        "tar": b"picture.png".ljust(257, b"\x00") + b"ustar\x0000" + bytes(248),
        "ELF": b"\x7fELF\x02\x01\x01" + bytes(57),
        "Windows program": b"MZ\x90\x00" + bytes(60),
        "EICAR": rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*",
        "pickle": b"cposix\nsystem\n(S'id'\ntR.",
        "HTML": f"<!doctype html><script>{MARKER}()</script>".encode(),
        "hostile text": HOSTILE_TEXT.encode(),
        "one byte": b"\xff",
        "zeros": bytes(5000),
    }


def head(format_name: str, percent: int) -> bytes:
    """The beginning of a picture; the signature always."""
    data = picture(format_name)
    return data[: max(12, len(data) * percent // 100)]


def without_adobe(data: bytes) -> bytes:
    """A JPEG of four colours without the segment that says they are inverted."""
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]


def mpo() -> bytes:
    """Two pictures in one file, as some phones write them."""
    image = Image.fromarray(gradient())
    return encode(image, "MPO", save_all=True, append_images=[image.rotate(90)])
