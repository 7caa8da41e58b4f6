"""What Triton's Python backend runs: encoded pictures in, probabilities out.

triton_server.py copies it into the model repository as `model.py`, with picture_model.py beside it.
Knows nothing of Convolu.
"""

from __future__ import annotations

import os
import sys
from typing import Any

# The backend's interpreter knows no virtual environment and heeds no PYTHONPATH.
sys.path.insert(0, os.environ["PEER_SITE_PACKAGES"])

import numpy as np
import triton_python_backend_utils as triton
from picture_model import model_from_environment


class TritonPythonModel:
    """The name and the methods that the backend looks for."""

    def initialize(self, args: dict[str, str]) -> None:  # noqa: ARG002
        self.model = model_from_environment()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer requests that were gathered into one call."""
        pictures = [self._pixels(request) for request in requests]
        if self.model.tuned:
            rows = self.model.probabilities(np.stack(pictures))
            return [_response(row[None]) for row in rows]
        return [_response(self.model.probabilities(pixels[None])) for pixels in pictures]

    def _pixels(self, request: Any) -> Any:
        data = triton.get_input_tensor_by_name(request, "image").as_numpy()  # uint8 1×bytes
        return self.model.pixels(data.tobytes())


def _response(probabilities: Any) -> Any:  # float32 1×K
    return triton.InferenceResponse([triton.Tensor("probabilities", probabilities)])
