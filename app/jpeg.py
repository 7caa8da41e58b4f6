"""What the markers of a JPEG tell before any decoder reads it (ITU-T T.81, annex B).

A decoder's time and memory depend on how a JPEG is built, not only on how many pixels it has: this
finds out, in microseconds, and refuses files that are built to be slow. Knows nothing of pixels.
"""

from __future__ import annotations

import re

from app.errors import InvalidImage

# Each scan goes over all blocks again, and one that refines may be 12 bytes long: 16 ms over 25
# megapixels, and 10 MB have room for 800,000. libjpeg writes 10, patient encoders two dozen.
MAX_SCANS = 50
# Pillow joins the pieces of EXIF anew with each: 500,000 segments in 10 MB would take half a
# minute. Cameras write a dozen, the largest depth map about a hundred.
MAX_SEGMENTS = 500
MAX_STRAY_BYTES = 65_536  # between segments, where Pillow goes byte by byte: 0.4 s per megabyte

# Parameters follow each of these: not the restarts (D0 … D7), not the start (D8), not 00, 01 or FF.
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")
_END, _SCAN = 0xD9, 0xDA
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}


def holds_all_coefficients(data: bytes) -> bool:
    """Whether decoding keeps the whole picture as coefficients, whatever the scale asked for.

    So it is when the file is progressive, and when its colours lie in scans of their own.
    Raises InvalidImage for more scans, segments or stray bytes than any encoder writes.
    """
    at, components, scans, stray_bytes = 2, 0, 0, 0
    apart = False
    for _ in range(MAX_SEGMENTS):
        marker = _MARKER.search(data, at)
        if marker is None or data[marker.start() + 1] == _END:
            return apart
        code = data[marker.start() + 1]
        stray_bytes += 0 if scans else marker.start() - at
        if stray_bytes > MAX_STRAY_BYTES:
            raise _built_to_be_slow(f"{MAX_STRAY_BYTES} bytes between its segments")
        at = marker.end()
        if code in _FRAMES:
            components = int.from_bytes(data[at + 7 : at + 8])
            apart = code in _PROGRESSIVE
        elif code == _SCAN:
            scans += 1
            apart = apart or int.from_bytes(data[at + 2 : at + 3]) < components
            if not apart:
                return False  # all colours in one scan: nothing behind it is read
            if scans > MAX_SCANS:
                raise _built_to_be_slow(f"{MAX_SCANS} scans")
        at += max(2, int.from_bytes(data[at : at + 2]))
    raise _built_to_be_slow(f"{MAX_SEGMENTS} segments")


def _built_to_be_slow(limit: str) -> InvalidImage:
    return InvalidImage(f"A JPEG may have at most {limit}; this one has more. Save the image anew.")
