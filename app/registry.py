"""The folder of models: load, prove, look up by name.

A file that cannot be served is refused with its reason and stands in nobody's way. Knows nothing of
HTTP.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from app.batcher import Batcher
from app.card import Card
from app.classifier import Classifier
from app.errors import ModelRefused, NotReady, UnknownModel
from app.metrics import Metrics
from app.settings import Settings

logger = logging.getLogger("convolu")


@dataclass(frozen=True)
class Model:
    """A model in service."""

    name: str  # its file's name without .onnx
    version: str  # the first 12 hex digits of the file's SHA-256
    proven: bool
    card: Card
    batcher: Batcher


class Registry:
    """The models in service and the files that were refused."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._models: dict[str, Model] = {}
        self.refused: dict[str, str] = {}  # file name → reason
        self.loaded = False

    def load(self) -> None:
        """Load every *.onnx of the folder, in the order of their names.

        Raises ModelRefused if not one of them can be served.
        """
        folder = self._settings.models
        for path in sorted(folder.glob("*.onnx")):
            try:
                self._models[path.stem] = self._open(path)
            except (ModelRefused, OSError) as exc:
                self.refused[path.name] = str(exc)
                logger.error("%s is refused: %s", path, exc)
        if not self._models:
            reasons = "; ".join(f"{file}: {reason}" for file, reason in self.refused.items())
            raise ModelRefused(
                f"No model can be served from {folder}: {reasons or 'it holds no *.onnx file'}. "
                "Put a model there or point --models (CONVOLU_MODELS) at a folder that has one."
            )
        self.loaded = True
        if self.default is None:
            logger.error("the default model %s is not in service", self._settings.default_model)

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

    def _open(self, path: Path) -> Model:
        beside = path.with_suffix(".json")
        classifier = Classifier(path.read_bytes(), beside.read_bytes() if beside.exists() else None)
        batcher = Batcher(
            classifier,
            self._settings.max_batch_size,
            self._settings.max_queue_size,
            on_batch=partial(self._metrics.count_batch, path.stem),
        )
        return Model(path.stem, classifier.version, classifier.proven, classifier.card, batcher)
