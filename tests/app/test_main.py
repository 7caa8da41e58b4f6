from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.errors import ModelRefused
from app.keys import new_key
from app.main import create_app
from tests.conftest import RED, MakeClient, check_problem


def test_the_factory_reads_its_settings_from_the_environment(
    models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVOLU_MODELS", str(models_folder))
    with TestClient(create_app()) as client:
        assert client.post("/predict", content=RED).json()["model"] == "colours"


def test_a_service_without_any_model_does_not_start(tmp_path: Path) -> None:
    from app.settings import Settings

    with pytest.raises(ModelRefused), TestClient(create_app(Settings(models=tmp_path))):
        pass


def test_every_reference_in_the_openapi_document_leads_somewhere(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    text = json.dumps(document)
    references = {part.split('"')[0] for part in text.split('"$ref": "#/components/schemas/')[1:]}
    assert references
    assert references <= set(document["components"]["schemas"])


def test_the_document_says_how_an_image_may_be_sent(client: TestClient) -> None:
    post = client.get("/openapi.json").json()["paths"]["/predict"]["post"]
    assert set(post["requestBody"]["content"]) == {
        "multipart/form-data",
        "image/*",
        "application/octet-stream",
        "application/json",
    }
    assert {parameter["name"] for parameter in post["parameters"]} == {"model", "top_k"}
    for response in post["responses"].values():
        assert response["content"]


def test_the_document_asks_for_a_key_where_there_are_keys(
    make_client: MakeClient, tmp_path: Path
) -> None:
    key, line = new_key("generator")
    (tmp_path / "keys").write_text(line)
    client = make_client(api_keys_file=tmp_path / "keys")
    document = client.get("/openapi.json", headers={"x-api-key": key}).json()
    assert document["components"]["securitySchemes"] == {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    assert document["security"] == [{"bearer": []}, {"header": []}]  # either
    open_paths = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if operation.get("security") == []
    }
    assert open_paths == {"/healthz", "/readyz"}


def test_without_keys_the_document_asks_for_none(client: TestClient) -> None:
    text = client.get("/openapi.json").text
    assert "securitySchemes" not in text
    assert '"security"' not in text


def test_a_page_of_an_allowed_origin_may_ask(make_client: MakeClient) -> None:
    client = make_client(cors_origins="http://localhost:5173")
    preflight = client.options(
        "/predict",
        headers={
            "origin": "http://localhost:5173",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        },
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert "access-control-allow-credentials" not in preflight.headers
    answer = client.post("/predict", content=RED, headers={"origin": "http://localhost:5173"})
    readable = answer.headers["access-control-expose-headers"].split(", ")
    assert set(readable) == {"Retry-After", "Server-Timing", "X-Request-ID"}


def test_below_another_apps_path_the_service_answers_the_same(client: TestClient) -> None:
    """There the request takes the way through FastAPI's own layers, which also know the route."""
    outer = TestClient(Starlette(routes=[Mount("/x", app=client.app)]))
    direct, mounted = client.post("/predict", content=RED), outer.post("/x/predict", content=RED)
    assert mounted.content == direct.content
    assert mounted.headers["x-request-id"]
    check_problem(outer.post("/x/predict", content=b"no image"), 415)
    assert outer.get("/x/models").json() == client.get("/models").json()


def test_what_predict_does_not_take_is_answered_by_fastapi(client: TestClient) -> None:
    check_problem(client.get("/predict"), 405)
    assert client.get("/predict").headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/predict/", "/healthz/", "/docs/", "/web", "/models/"])
def test_no_path_redirects(client: TestClient, path: str) -> None:
    """A redirect would repeat whatever the client calls the host."""
    response = client.get(path, headers={"host": "elsewhere.example"}, follow_redirects=False)
    check_problem(response, 404)
    assert "elsewhere" not in str(response.headers)


@pytest.mark.parametrize("path", ["/", "/docs", "/web/main.js"])
@pytest.mark.parametrize(
    "ranges", ["bytes=0-0", "bytes=0-0,2-2", "bytes=9-1", "bytes=a", "lines=1"]
)
def test_a_file_is_sent_whole_whatever_range_is_asked_for(
    client: TestClient, path: str, ranges: str
) -> None:
    response = client.get(path, headers={"range": ranges})
    assert response.status_code == 200
    assert response.content == client.get(path).content


def test_what_pillow_warns_of_is_not_logged(make_client: MakeClient) -> None:
    make_client()
    # In tests a warning is an error.
    warnings.warn_explicit("tag 274", UserWarning, "TiffImagePlugin.py", 946, "PIL.TiffImagePlugin")
    with pytest.raises(UserWarning):
        warnings.warn_explicit("ours", UserWarning, "preprocess.py", 1, "app.preprocess")
