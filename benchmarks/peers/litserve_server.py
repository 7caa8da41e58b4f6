"""A rival: LitServe, with the four verbs of its documentation.

    PYTHON benchmarks/peers/litserve_server.py --model FILE --side 28 --mode L --port PORT [--tuned]

`--batch 16` gathers requests. PYTHON is that of an environment with litserve.txt. Knows
nothing of Convolu.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import signal
from multiprocessing.util import get_temp_dir
from typing import Any

import litserve
import numpy as np
from picture_model import answer, arguments, model_from_environment

WORKERS = 2
BATCH_TIMEOUT_SECONDS = 0.002


class OneByOne(litserve.LitAPI):  # type: ignore[misc]
    """A picture at a time, from the form's field `file`."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        self.model = model_from_environment()

    def decode_request(self, request):  # type: ignore[no-untyped-def]
        # Without an annotation, because with one LitServe reads JSON.
        return self.model.pixels(request["file"].file.read())

    def predict(self, pixels: Any) -> Any:
        return self.model.probabilities(pixels[None])[0]

    def encode_response(self, probabilities: Any) -> Any:
        return answer(probabilities)


class Batched(OneByOne):
    """All that come within the time-out, in one run."""

    def batch(self, pictures: list[Any]) -> Any:
        return np.stack(pictures)

    def predict(self, batch: Any) -> Any:
        return self.model.probabilities(batch)

    def unbatch(self, rows: Any) -> list[Any]:
        return list(rows)


def end(*_: object) -> None:
    """End with all children; LitServe alone leaves some that spin on a queue that is gone."""
    for child in multiprocessing.active_children():
        child.kill()
    shutil.rmtree(get_temp_dir(), ignore_errors=True)
    os._exit(0)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=1, help="most pictures in one run")
    given = arguments(parser)
    if given.batch > 1:
        api = Batched(max_batch_size=given.batch, batch_timeout=BATCH_TIMEOUT_SECONDS)
    else:
        api = OneByOne()
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=WORKERS)
    get_temp_dir()  # made here, children share it, and `end` can remove it
    signal.signal(signal.SIGTERM, end)
    server.run(
        host="127.0.0.1",
        port=given.port,
        num_api_servers=WORKERS,
        generate_client_file=False,
        log_level="warning" if given.tuned else "info",
    )


if __name__ == "__main__":
    main()
