"""Encoded images → one answer for each: a row of the network's output, or the error it met.

A broken image spoils only itself, and a fault of ours is an answer too. Knows nothing of queues,
of threads or of HTTP.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.classifier import Classifier
from app.errors import ConvoluError, Overloaded
from app.preprocess import Pixels

Answer = NDArray[np.float32] | ConvoluError  # probabilities, or an embedding, or what was wrong

LATER = "Send the request again after the seconds that Retry-After says."
_NO_NUMBER = "The network answered this image with NaN or infinity: the fault is in its weights."


def pixels_or_error(classifier: Classifier, data: bytes) -> Pixels | ConvoluError:
    """Decode one image to the pixels of its network; never raises."""
    try:
        return classifier.pixels_from(data)
    except ConvoluError as error:
        # Its traceback holds the image, and up to a batch of them would wait with it.
        return type(error)(str(error))
    except MemoryError:
        return Overloaded(f"There is no memory left to decode this image. {LATER}", "memory")
    except Exception as exc:
        return _unexpected(exc)


def answers(
    classifier: Classifier, prepared: Sequence[Pixels | ConvoluError], embed: Sequence[bool]
) -> list[Answer]:
    """Run the pixels among `prepared` as one batch; one answer per image, in order.

    An answer is a row of probabilities, or an embedding where `embed` says so. Never raises.
    """
    whole = [
        (one, wanted)
        for one, wanted in zip(prepared, embed, strict=True)
        if not isinstance(one, ConvoluError)
    ]
    rows = iter(_rows_or_errors(classifier, whole))
    return [one if isinstance(one, ConvoluError) else next(rows) for one in prepared]


def _rows_or_errors(classifier: Classifier, whole: list[tuple[Pixels, bool]]) -> list[Answer]:
    if not whole:
        return []
    pixels, embed = zip(*whole, strict=True)
    try:
        if not any(embed):
            return _rows(classifier.classify(np.stack(pixels)))
        probabilities, embeddings = classifier.classify_and_embed(np.stack(pixels))
    except Exception as exc:
        return [_unexpected(exc)] * len(whole)
    both = zip(embed, _rows(probabilities), _rows(embeddings), strict=True)
    return [embedding if wanted else row for wanted, row, embedding in both]


def _rows(output: NDArray[np.float32]) -> list[Answer]:
    """A row for each image; one with NaN or infinity in it is no answer, nor can JSON carry it."""
    if math.isfinite(np.vdot(output, output)):  # all at once in 1 µs; a row alone takes 2
        return list(output)
    return [row if np.isfinite(row).all() else ConvoluError(_NO_NUMBER) for row in output]


def _unexpected(exc: Exception) -> ConvoluError:
    error = ConvoluError("The service failed on this image; the fault is in its log.")
    error.__cause__ = exc
    return error
