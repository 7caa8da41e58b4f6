from __future__ import annotations

from pathlib import Path

from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.conftest import MakeClient


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
