"""A window that slides over a padded image, seen one place of the window at a time.

Knows nothing of what is computed under it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.inside.geometry import Window


class Slide:
    """`window` on its way over `source`, which gives `output`; all are N×C×H×W."""

    def __init__(self, window: Window | None, source: NDArray[Any], output: NDArray[Any]) -> None:
        assert window is not None
        self._window = window
        self._inner = source.shape[2:]
        self._outer = output.shape[2:]

    def padded(self, image: NDArray[Any], value: float) -> NDArray[Any]:
        """As far as the last window reaches, also where it was rounded up (ceil_mode)."""
        window, widths = self._window, []
        for i in (0, 1):
            reach = (self._outer[i] - 1) * window.strides[i]
            reach += (window.size[i] - 1) * window.dilation[i] + 1
            before = window.pads[i]
            widths.append((before, max(0, reach - before - self._inner[i])))
        return np.pad(image, ((0, 0), (0, 0), *widths), constant_values=value)

    def views(self, padded: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """For each place in the window what lies there: arrays of the output's size."""
        window = self._window
        for y in range(window.size[0]):
            for x in range(window.size[1]):
                slices = [
                    slice(start, start + (outer - 1) * stride + 1, stride)
                    for start, outer, stride in zip(
                        (y * window.dilation[0], x * window.dilation[1]),
                        self._outer,
                        window.strides,
                        strict=True,
                    )
                ]
                yield padded[:, :, slices[0], slices[1]]

    def cut(self, padded: NDArray[Any]) -> NDArray[Any]:
        """The image without its padding."""
        top, left = self._window.pads[:2]
        return padded[:, :, top : top + self._inner[0], left : left + self._inner[1]]
