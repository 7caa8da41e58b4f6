"""The part that every rival shares: an encoded picture → pixels → probabilities, as users write it.

Runs in each rival's own environment, so it knows Pillow, NumPy and ONNX Runtime, and nothing of
Convolu. `tuned` is what a reader of these libraries' manuals adds for speed; both ways are written
here once, so that rivals differ in their server alone.
"""

from __future__ import annotations

import argparse
import io
import json
import os
from typing import Any

# It reports to its maker on Linux unless told not to before it loads; a benchmark must not.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime
from PIL import Image

ANSWERS = 10  # classes in a JSON answer; a thousand of them would measure the JSON
ENVIRONMENT = "PEER_WORK"  # how worker processes learn what they serve


class PictureModel:
    """An ONNX file whose input is float32 N×side×side×C from 0 to 1."""

    def __init__(self, model: str, side: int, mode: str, tuned: bool) -> None:
        self.side, self.mode, self.tuned = side, mode, tuned
        options = onnxruntime.SessionOptions()
        if tuned:  # one process per core: more threads than that only get in each other's way
            options.intra_op_num_threads = 1
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def pixels(self, data: bytes) -> Any:
        """Encoded picture → float32 side×side×C."""
        size = (self.side, self.side)
        image: Image.Image = Image.open(io.BytesIO(data))
        if self.tuned:  # a JPEG may be decoded smaller; other formats ignore it
            image.draft(self.mode, size)
            image = image.convert(self.mode).resize(size, Image.Resampling.BILINEAR)
        else:  # Pillow's own choice is bicubic, which reads twice as far
            image = image.convert(self.mode).resize(size)
        return np.asarray(image, np.float32).reshape(self.side, self.side, -1) / 255

    def probabilities(self, batch: Any) -> Any:
        """float32 N×side×side×C → float32 N×K."""
        return self._session.run(None, {self._input: batch})[0]


def answer(probabilities: Any) -> dict[str, float]:
    """The most probable classes of one picture, as tutorials return them."""
    best = np.argsort(-probabilities)[:ANSWERS]
    return {str(index): float(probabilities[index]) for index in best}


def arguments(parser: argparse.ArgumentParser | None = None) -> argparse.Namespace:
    """The command line of every rival; the work is kept in the environment for its processes."""
    parser = parser or argparse.ArgumentParser()
    parser.add_argument("--model", required=True, help="ONNX file")
    parser.add_argument("--side", type=int, required=True, help="of the input, in pixels")
    parser.add_argument("--mode", choices=["L", "RGB"], required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tuned", action="store_true")
    given = parser.parse_args()
    work = {
        "model": os.path.abspath(given.model),
        "side": given.side,
        "mode": given.mode,
        "tuned": given.tuned,
    }
    os.environ[ENVIRONMENT] = json.dumps(work)
    return given


def model_from_environment() -> PictureModel:
    """What `arguments` kept, in a worker process."""
    return PictureModel(**json.loads(os.environ[ENVIRONMENT]))
