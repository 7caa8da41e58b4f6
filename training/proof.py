"""Which pictures a model file carries to prove itself with.

Knows nothing of networks: what they answer is not asked here.
"""

from __future__ import annotations

import numpy as np

from training.data import Data
from training.png import png

MOST_CLASSES = 10  # a picture each: enough to show a wrong order of colours, axes or labels
MOST_BYTES = 64 * 1024  # of an original file; of a larger one goes what the model sees of it


def proof_images(data: Data) -> list[bytes]:
    """One test image of each of the first classes; for digits also one large, dark on light paper.

    Originals where they are small, because they prove the resizing too; else PNGs of the pixels.
    """
    firsts = [
        int(np.argmax(data.y_test == index)) for index in range(len(data.labels))[:MOST_CLASSES]
    ]
    images = [_encoded(data, first) for first in firsts]
    if data.preprocess.layout == "digit":
        large = np.pad(
            data.x_test[firsts[-1]].repeat(5, axis=0).repeat(5, axis=1), ((9, 31), (40, 5), (0, 0))
        )
        images.append(png(255 - large))
    return images


def _encoded(data: Data, index: int) -> bytes:
    if data.test_files is not None:
        original = data.test_files[index]
        if original.stat().st_size <= MOST_BYTES:
            return original.read_bytes()
    return png(data.x_test[index])
