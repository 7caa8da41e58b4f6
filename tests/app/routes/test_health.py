from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.card import Card, Proof, ProofImage
from app.classifier import Classifier
from app.edge import Edge
from app.main import create_app
from app.metrics import Metrics
from app.registry import Registry
from app.request_log import RequestLog
from app.routes import health
from app.settings import Settings
from tests.conftest import MakeClient, colour_card, encode, faulty_model


def test_a_service_with_its_default_model_is_ready(client: TestClient) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"ready": True, "models": ["colours"], "refused": {}}


def test_a_refused_file_is_named_with_its_reason_and_the_service_stays_ready(
    make_client: MakeClient, models_folder: Path
) -> None:
    (models_folder / "broken.onnx").write_bytes(b"nonsense")
    response = make_client().get("/readyz")
    assert response.status_code == 200
    assert "ONNX Runtime cannot load it" in response.json()["refused"]["broken.onnx"]


def test_a_service_without_its_default_model_is_alive_but_not_ready(
    make_client: MakeClient,
) -> None:
    client = make_client(default_model="gone")
    assert client.get("/healthz").status_code == 200
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["ready"] is False
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["models"] == ["colours"]


def test_a_service_that_has_not_loaded_is_alive_but_not_ready(models_folder: Path) -> None:
    client = TestClient(create_app(Settings(models=models_folder)))  # its lifespan is not run
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503


# --- It is a real prediction, of a picture of the model's proof ---

WHITE = encode(np.full((4, 4, 3), 255, np.uint8))


@contextmanager
def service_of(folder: Path) -> Iterator[tuple[TestClient, Classifier]]:
    """/readyz of a registry that a test can reach into, and the classifier of its model."""
    registry = Registry(Settings(models=folder), Metrics())
    registry.load()
    api = FastAPI()
    api.state.registry = registry
    api.include_router(health.router)
    try:
        client = TestClient(Edge(api, Metrics(), RequestLog()))
        yield client, registry.get(None).batcher.classifier
    finally:
        registry.close()


def card_of(data: bytes, probabilities: list[float]) -> Card:
    return colour_card(
        Proof(images=[ProofImage(data=base64.b64encode(data), probabilities=probabilities)])
    )


def test_a_model_that_answers_otherwise_than_in_training_is_not_ready(
    models_folder: Path,
) -> None:
    with service_of(models_folder) as (client, classifier):
        assert client.get("/readyz").status_code == 200
        classifier.card = card_of(WHITE, [1 / 3, 1 / 3, 1 / 3])
        assert client.get("/readyz").status_code == 200
        classifier.card = card_of(WHITE, [0.5, 0.25, 0.25])
        response = client.get("/readyz")
    assert response.status_code == 503
    assert "answers otherwise than in training" in response.json()["detail"]


def test_a_model_that_fails_on_a_picture_is_not_ready(models_folder: Path) -> None:
    (models_folder / "colours.onnx").write_bytes(faulty_model())
    with service_of(models_folder) as (client, classifier):
        assert client.get("/readyz").status_code == 200  # a blank picture is dark
        classifier.card = card_of(WHITE, [1, 0, 0])
        response = client.get("/readyz")
    assert response.status_code == 503
    assert "failed on a picture" in response.json()["detail"]


def test_a_model_that_never_answers_is_not_ready_and_that_is_said_in_time(
    models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = threading.Event()
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.1)
    with service_of(models_folder) as (client, classifier):
        monkeypatch.setattr(classifier, "classify", lambda _: end.wait(30))
        try:
            response = client.get("/readyz")
        finally:
            end.set()
    assert response.status_code == 503
    assert "has not answered a picture" in response.json()["detail"]
