"""GET /models: what can be asked. GET /models/{name}: everything a model file says of itself.

GET /models/{name}/file: the file. GET /models/{name}/samples/{number}: the pictures of its proof.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from app.decode import sniff
from app.errors import ConvoluError, FileReplaced, InvalidParameter, UnknownModel, UnknownSample
from app.problems import documented
from app.registry import Registry
from app.schemas import ModelCard, ModelList, ModelSummary

PIECE_BYTES = 64 * 1024  # of a file that is sent, in memory at a time

_ONNX = "application/octet-stream"  # it has no media type of its own
_KINDS = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
}

router = APIRouter(tags=["models"])


def _sends(kinds: Iterable[str], *errors: type[ConvoluError]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI `responses` of a route that sends bytes of one of these media types."""
    answers = documented(*errors)
    binary = {"schema": {"type": "string", "format": "binary"}}
    answers[200] |= {"content": dict.fromkeys(kinds, binary)}
    return answers


@router.get("/models", summary="List the models", responses=documented())
async def models(request: Request) -> ModelList:
    """Every model in service, by name."""
    registry: Registry = request.app.state.registry
    return ModelList(
        inside=request.app.state.inside,
        models=[
            ModelSummary(
                name=model.name,
                version=model.version,
                default=model is registry.default,
                proven=model.proven,
                description=model.card.description,
                labels=model.card.labels,
                accuracy=model.card.metrics.accuracy if model.card.metrics else None,
                samples=len(model.card.proof.images) if model.card.proof else 0,
                embedding_dim=model.embedding_dim,
            )
            for model in registry.models
        ],
    )


@router.get("/models/{name}", summary="Show a model's card", responses=documented(UnknownModel))
async def model(name: str, request: Request) -> ModelCard:
    """One model's card: labels, preprocessing, layers, metrics, how it was made."""
    registry: Registry = request.app.state.registry
    found = registry.get(name)
    card = found.card.model_dump(mode="json", exclude={"proof"})
    if found.card.proof is not None:
        proof = found.card.proof
        card["proof"] = {"tolerance": proof.tolerance, "images": len(proof.images)}
    return ModelCard(
        name=found.name,
        version=found.version,
        default=found is registry.default,
        proven=found.proven,
        embedding_dim=found.embedding_dim,
        card=card,
    )


@router.get(
    "/models/{name}/file",
    summary="Download a model",
    response_class=Response,
    responses=_sends([_ONNX], UnknownModel, FileReplaced),
)
async def file(name: str, request: Request) -> Response:
    """The ONNX file of exactly the version that is in service, with its card and its proof."""
    registry: Registry = request.app.state.registry
    found = registry.get(name)
    size = await asyncio.to_thread(_check, found.path, found.version)
    headers = {
        "Content-Disposition": f"attachment; filename*=utf-8''{quote(found.path.name)}",
        "Content-Length": str(size),
        "ETag": f'"{found.version}"',
    }
    pieces = _pieces(found.path, found.version)
    return StreamingResponse(pieces, headers=headers, media_type=_ONNX)


@router.get(
    "/models/{name}/samples/{number}",
    summary="Show a picture of a model's proof",
    response_class=Response,
    responses=_sends(_KINDS.values(), UnknownModel, UnknownSample, InvalidParameter),
)
async def sample(name: str, number: int, request: Request) -> Response:
    """Picture `number`, from 1 on, of those that the model must answer as it did in training."""
    registry: Registry = request.app.state.registry
    proof = registry.get(name).card.proof
    samples = len(proof.images) if proof else 0
    if proof is None or not 1 <= number <= samples:
        raise UnknownSample(f"This model has {samples} pictures, numbered from 1.")
    data = proof.images[number - 1].data
    return Response(data, media_type=_KINDS[sniff(data) or ""])


def _check(path: Path, version: str) -> int:
    """The size of the file in bytes. Raises FileReplaced if it is another version's."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            size = file.tell()
    except OSError as exc:
        raise _replaced(version) from exc
    if not digest.hexdigest().startswith(version):
        raise _replaced(version)
    return size


def _pieces(path: Path, version: str) -> Iterator[bytes]:
    """The file, piece by piece; the last is held back until all are known to be of the version.

    What is written to the file meanwhile ends the download, and never completes it.
    """
    digest = hashlib.sha256()
    last = b""
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            if last:
                yield last
            digest.update(piece)
            last = piece
    if not digest.hexdigest().startswith(version):
        raise _replaced(version)
    yield last


def _replaced(version: str) -> FileReplaced:
    return FileReplaced(
        f"Version {version} serves, but its file has been replaced or removed. If the new one can "
        "be served it will be in a few seconds: ask GET /models for its version."
    )
