"""The folder of models: load, prove, swap when a file changes, forget when it goes.

A file that cannot be served is refused with its reason and stands in nobody's way: what was in
service under its name goes on. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app import memory
from app.batcher import Batcher
from app.card import Card
from app.classifier import Classifier
from app.decode import DecodeBudget
from app.errors import ModelRefused, NotReady, UnknownModel
from app.metrics import Metrics
from app.settings import Settings

logger = logging.getLogger("convolu")

Signature = tuple[tuple[int, int, int] | None, ...]  # of a model and the card beside it


@dataclass(frozen=True)
class Model:
    """A model in service."""

    name: str  # its file's name without .onnx
    version: str  # the first 12 hex digits of the file's SHA-256
    proven: bool
    embedding_dim: int | None
    card: Card
    batcher: Batcher
    path: Path  # of its file, which may be another version's by now


class Registry:
    """The models in service and the files that were refused.

    All but `load` belongs on the event loop: a model got from it there may be used until the next
    `await`, and the one that is taken out of service has answered all that it was given.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        # One for all models: each decodes on a thread of its own.
        self._decode_budget = DecodeBudget(settings.max_pixels, settings.max_decode_bytes)
        self._models: dict[str, Model] = {}
        self._known: dict[str, Signature] = {}  # file name → as it was when served or refused
        self._changed: dict[str, Signature] = {}  # file name → as it was at the last look
        self.refused: dict[str, str] = {}  # file name → reason
        self.loaded = False

    def load(self) -> None:
        """Load every *.onnx of the folder, in the order of their names.

        Raises ModelRefused if not one of them can be served.
        """
        folder = self._settings.models
        for file, signature in _signatures(folder).items():
            model = self._open_or_refuse(file, signature)
            if model is not None:
                self._put(model)
        if not self._models:
            reasons = "; ".join(f"{file}: {reason}" for file, reason in self.refused.items())
            raise ModelRefused(
                f"No model can be served from {folder}: {reasons or 'it holds no *.onnx file'}. "
                "Put a model there or point --models (CONVOLU_MODELS) at a folder that has one."
            )
        self.loaded = True
        if self.default is None:
            logger.error("the default model %s is not in service", self._settings.default_model)

    async def refresh(self) -> None:
        """Serve what has come or changed, forget what has gone.

        A file that changed since the last look may still be written: it is loaded at the first
        look that finds it as the look before did. If the folder itself cannot be read, all stays.
        """
        found = await asyncio.to_thread(_signatures, self._settings.models)
        if not found and not self._settings.models.is_dir():
            return  # a volume that is gone for a moment, not models that were removed
        for file in self._known.keys() - found.keys():
            await self._forget(file)
        changed = {file: one for file, one in found.items() if self._known.get(file) != one}
        settled = [file for file, one in changed.items() if self._changed.get(file) == one]
        self._changed = changed
        for file in settled:
            model = await asyncio.to_thread(self._open_or_refuse, file, found[file])
            if model is not None:
                old = self._put(model)
                logger.warning("%s: version %s is in service", model.name, model.version)
                await self._retire(old)
        if settled:
            await asyncio.to_thread(memory.give_back)

    def get(self, name: str | None) -> Model:
        """The model of that name, or the default one. Raises UnknownModel or NotReady."""
        if name is not None:
            model = self._models.get(name)
            if model is None:
                raise UnknownModel(f"The models here are: {', '.join(self._models)}.")
            return model
        if self.default is None:
            raise NotReady(
                "The default model is not in service; GET /readyz says why. "
                "Name one of GET /models in ?model=."
            )
        return self.default

    @property
    def default(self) -> Model | None:
        """What answers a request that names no model: the one set, else the first by name."""
        if self._settings.default_model is not None:
            return self._models.get(self._settings.default_model)
        return next(iter(self._models.values()), None)

    @property
    def models(self) -> list[Model]:
        """All models in service, by name."""
        return list(self._models.values())

    def close(self) -> None:
        """Answer what waits and end every batcher."""
        for model in self._models.values():
            model.batcher.close()

    def _put(self, model: Model) -> Model | None:
        """Bring it into service; what it takes the place of."""
        old = self._models.get(model.name)
        self._models = dict(sorted({**self._models, model.name: model}.items()))
        self._metrics.set_version(model.name, model.version, old.version if old else None)
        return old

    async def _forget(self, file: str) -> None:
        del self._known[file]
        self.refused.pop(file, None)
        model = self._models.pop(Path(file).stem, None)
        if model is not None:
            logger.warning("%s: out of service, its file is gone", model.name)
            self._metrics.set_version(model.name, None, model.version)
            await self._retire(model)

    async def _retire(self, model: Model | None) -> None:
        if model is not None:
            await asyncio.to_thread(model.batcher.close)

    def _open_or_refuse(self, file: str, signature: Signature) -> Model | None:
        """Load and prove it; None if it is refused, which `refused` and the log then say."""
        self._known[file] = signature
        model, reason = None, ""
        try:
            model = self._open(self._settings.models / file)
        except (ModelRefused, OSError) as exc:
            reason = str(exc)
        except MemoryError:
            reason = (
                f"loading and proving it takes more than {self._settings.max_model_bytes} bytes "
                "of memory (CONVOLU_MAX_MODEL_BYTES)"
            )
        # A new dict each time: this may be another thread than the one that reads it.
        others = {name: why for name, why in self.refused.items() if name != file}
        self.refused = others | {file: reason} if reason else others
        if reason:
            logger.error("%s is refused: %s", file, reason)
        return model

    def _open(self, path: Path) -> Model:
        beside = path.with_suffix(".json")
        for one in (path, beside):
            if not one.resolve().is_relative_to(path.parent.resolve()):
                raise ModelRefused("it is a link to outside the folder of models")
            if one.exists() and one.stat().st_size > self._settings.max_model_bytes:
                raise MemoryError
        with memory.at_most(self._settings.max_model_bytes):
            classifier = Classifier(
                path.read_bytes(),
                beside.read_bytes() if beside.exists() else None,
                self._decode_budget,
            )
        batcher = Batcher(
            classifier,
            self._settings.max_batch_size,
            self._settings.max_queue_size,
            self._settings.max_queue_seconds,
            on_batch=partial(self._metrics.count_batch, path.stem, tuple(classifier.card.labels)),
        )
        return Model(
            path.stem,
            classifier.version,
            classifier.proven,
            classifier.embedding_dim,
            classifier.card,
            batcher,
            path,
        )


def _signatures(folder: Path) -> dict[str, Signature]:
    """Every model file of the folder, by name, with what shows that it or its card has changed."""
    return {
        path.name: (_signature(path), _signature(path.with_suffix(".json")))
        for path in sorted(folder.glob("*.onnx"))
    }


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
