"""Picture files → rows of pixels, one behind the other in one file, through the service's own path.

Knows nothing of labels or parts. Needs memory for what is decoded at the moment, not for all.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.decode import MEGAPIXEL, MIB, DecodeBudget
from app.errors import ConvoluError
from app.preprocess import Pixels, Preprocess, pixels_from
from training.data.tree import Skipped

Progress = Callable[[int, int], None]  # pictures read so far, and of how many

Stamp = tuple[int, int, int]  # bytes, nanoseconds of its last change, and of its inode's

THREADS = 4  # Pillow gives up the interpreter's lock while it decodes and resizes
AT_ONCE = 256  # pictures whose pixels wait to be written: 38 MB at 224 pixels
MAX_FILE_BYTES = 128 * MIB  # a film that was put among the pictures is not read
BUDGET_BYTES = 512 * MIB  # for all that is decoded at once, as in the service


@dataclass(frozen=True)
class Row:
    """What is known of a picture once it is read; `stamp` changes when its file does."""

    path: str
    stamp: Stamp
    sha256: str  # of the file
    pixels_hash: str


def write_rows(
    folder: Path,
    paths: Sequence[str],
    preprocess: Preprocess,
    file: BinaryIO,
    known: Mapping[tuple[str, Stamp], tuple[Row, Pixels]],
    progress: Progress | None,
) -> tuple[list[Row], list[Skipped]]:
    """Write the pixels of all that can be read to `file`, in order; those `known` are not decoded.

    Returns what is known of each row, and of the others why they have none.
    """
    rows: list[Row] = []
    unreadable: list[Skipped] = []
    budget = DecodeBudget(50 * MEGAPIXEL, BUDGET_BYTES)

    def read(path: str) -> tuple[Row, Pixels] | Skipped:
        try:
            stamp = stamp_of(folder / path)
            if (path, stamp) in known:
                return known[path, stamp]
            if stamp[0] > MAX_FILE_BYTES:
                return Skipped(path, f"it has more than {MAX_FILE_BYTES // MIB} MiB")
            data = (folder / path).read_bytes()
            pixels = pixels_from(data, preprocess, budget)
        except ConvoluError as exc:
            return Skipped(path, str(exc))
        except OSError as exc:
            return Skipped(path, f"it cannot be opened: {exc.strerror}")
        pixels_hash = hashlib.blake2b(pixels.tobytes(), digest_size=16).hexdigest()
        return Row(path, stamp, hashlib.sha256(data).hexdigest(), pixels_hash), pixels

    with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
        warnings.filterwarnings("ignore", module=r"PIL\.")  # of what is broken and still readable
        if progress is not None:
            progress(0, len(paths))
        for start in range(0, len(paths), AT_ONCE):
            for result in pool.map(read, paths[start : start + AT_ONCE]):
                if isinstance(result, Skipped):
                    unreadable.append(result)
                else:
                    row, pixels = result
                    rows.append(row)
                    file.write(pixels.tobytes())
            if progress is not None:
                progress(min(start + AT_ONCE, len(paths)), len(paths))
    return rows, unreadable


def stamp_of(path: Path) -> Stamp:
    """Size and times of a file: no tool that puts back the first time puts back the second.

    Zeros where it cannot be asked.
    """
    try:
        stat = os.stat(path)
    except OSError:
        return 0, 0, 0
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
