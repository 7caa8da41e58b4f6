"""Convolu and its rivals: how each is started, and what a request to each looks like.

Rivals run in environments of their own, `.venv-peers/NAME`, made from `peers/NAME.txt`; their code
is in `peers/`. Data for a loop; starts nothing itself. Knows nothing of what is measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.load import Post, form

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "benchmarks" / "pictures"
PEERS = ROOT / "benchmarks" / "peers"
ENVIRONMENTS = ROOT / ".venv-peers"


@dataclass(frozen=True)
class Work:
    """A network of `benchmarks.networks` and a picture for it."""

    name: str
    network: str
    side: int  # pixels
    mode: str  # Pillow's: L or RGB
    picture: Path
    images: int = 1  # in one request; rivals take one as documented
    seconds: int = 3  # of each run of wrk: time for the slowest to answer often
    connections: tuple[int, ...] = (1, 16, 64)


_DIGIT = Work("digit", "mnist-1conv", 28, "L", ROOT / "docs" / "images" / "seven.png")
_WORKS = (
    _DIGIT,
    Work("photo", "cifar10-simple", 32, "RGB", PICTURES / "photo.jpg"),
    Work("photo-12mp", "cifar10-simple", 32, "RGB", PICTURES / "photo-12mp.jpg", seconds=6),
    Work("photo-224", "mobilenetv2", 224, "RGB", PICTURES / "photo.jpg"),
    # From 64 connections 1,024 images would be more than may wait, and most be refused.
    replace(_DIGIT, name="16 digits", images=16, connections=(1, 16)),
)
WORKS = {work.name: work for work in _WORKS}


@dataclass(frozen=True)
class Server:
    """One way to serve a network. `tuned` rivals have what their own manuals advise for speed."""

    name: str
    tuned: bool
    command: Callable[[Work, Path, int], list[str]]  # folder of write_networks, port
    post: Callable[[Work], Post]

    @property
    def title(self) -> str:
        """As it stands in tables."""
        return f"{self.name}, tuned" if self.tuned else self.name


def convolu(network: str, models: Path, port: int, workers: int) -> list[str]:
    """The command that serves a folder of models, `network` to those who name none."""
    return [
        *(sys.executable, "-m", "app", "serve", "--models", str(models), "--port", str(port)),
        *("--workers", str(workers), "--default-model", network),
    ]


def _convolu(work: Work, networks: Path, port: int) -> list[str]:
    return convolu(work.network, networks, port, workers=2)


def _bare(_work: Work, _networks: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.bare", str(port)]


def _form(work: Work) -> Post:
    return Post("/predict", *form(work.picture.read_bytes(), work.images))


def _triton_request(work: Work) -> Post:
    """Header in JSON, picture and answer as they are: what Triton's own client sends."""
    data = work.picture.read_bytes()
    image = {
        "name": "image",
        "datatype": "UINT8",
        "shape": [1, len(data)],
        "parameters": {"binary_data_size": len(data)},
    }
    output = {"name": "probabilities", "parameters": {"binary_data": True}}
    header = json.dumps({"inputs": [image], "outputs": [output]}).encode()
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(header)),
    }
    return Post("/v2/models/classifier/infer", headers, header + data)


def _peer(
    name: str,
    environment: str,
    script: str,
    tuned: bool,
    post: Callable[[Work], Post] = _form,
    batch: dict[str, int] | None = None,
) -> Server:
    """A rival; `batch` holds, by work, the batches that make it faster when tuned."""

    def command(work: Work, networks: Path, port: int) -> list[str]:
        extra = ["--tuned"] if tuned else []
        if tuned and batch and work.name in batch:
            extra += ["--batch", str(batch[work.name])]
        return [
            *(str(ENVIRONMENTS / environment / "bin" / "python"), str(PEERS / script)),
            *("--model", str(networks / "plain" / f"{work.network}.onnx")),
            *("--side", str(work.side), "--mode", work.mode, "--port", str(port), *extra),
        ]

    return Server(name, tuned, command, post)


# Gathering costs LitServe a tenth on digits and gains it three tenths on `photo`; on the other two
# the difference is smaller than what two runs differ by.
LITSERVE_BATCH = {"photo": 16, "photo-12mp": 16, "photo-224": 16}

BARE = Server("uvicorn alone", False, _bare, _form)  # the floor that Convolu stands on
CONVOLU = Server("Convolu", False, _convolu, _form)
SERVERS = (
    CONVOLU,
    *(
        server
        for tuned in (False, True)
        for server in (
            _peer("FastAPI", "tutorial", "fastapi_tutorial.py", tuned),
            _peer("LitServe", "litserve", "litserve_server.py", tuned, batch=LITSERVE_BATCH),
            _peer("Triton", "triton", "triton_server.py", tuned, post=_triton_request),
        )
    ),
)
