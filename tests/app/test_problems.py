from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app import errors
from app.errors import ConvoluError, Overloaded
from app.problems import problem, to_error
from tests.conftest import RED, MakeClient, check_problem, faulty_model

ORIGIN = "https://page.example"


def every_error() -> list[type[ConvoluError]]:
    return [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and kind is not int and issubclass(kind, ConvoluError)
    ]


def test_every_route_answers_what_it_cannot_do_in_the_one_shape(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/predict", "/models", "/models/{name}", "/healthz", "/readyz"} <= set(paths)
    for path, operations in paths.items():
        url = path.replace("{name}", "no-such-model")
        for method in ("get", "post", "put", "delete", "patch", "options"):
            if method not in operations:
                check_problem(client.request(method, url), 405)
    for url in ("/", "/docs", "/web/page.css", "/docs/assets/swagger-ui.css"):
        check_problem(client.put(url), 405)


@pytest.mark.parametrize("url", ["/nothing", "/models/none", "/web/none.js", "/web/../main.py"])
def test_what_is_not_there_is_404_in_the_one_shape(client: TestClient, url: str) -> None:
    check_problem(client.get(url), 404)


def test_every_error_has_a_code_and_title_of_its_own() -> None:
    kinds = every_error()
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert len({kind.title for kind in kinds}) == len(kinds)


def test_every_error_is_documented_where_it_may_be_the_answer(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    elsewhere = {
        errors.UnknownSample: "/models/{name}/samples/{number}",
        errors.FileReplaced: "/models/{name}/file",
        errors.OpaqueModel: "/inside",
        errors.NoEmbedding: "/embed",
    }
    for kind in every_error():
        if kind is not errors.ModelRefused:
            (operation,) = paths[elsewhere.get(kind, "/predict")].values()
            assert f"`{kind.code}`" in operation["responses"][str(kind.status)]["description"], kind


def test_every_error_code_is_explained_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    for kind in every_error():
        if kind is not errors.ModelRefused:
            assert f"`{kind.code}`" in page, kind


def test_a_long_message_is_cut_so_that_the_body_stays_small() -> None:
    assert len(problem(ConvoluError("ä" * 100_000))["detail"]) < 1000


def test_errors_of_every_kind_can_be_read_by_a_page_of_an_allowed_origin(
    make_client: MakeClient, models_folder: Path
) -> None:
    (models_folder / "faulty.onnx").write_bytes(faulty_model())
    client = make_client(cors_origins=ORIGIN)
    headers = {"origin": ORIGIN}
    responses = [
        client.post("/predict?model=faulty", headers=headers, content=RED),
        client.get("/nothing", headers=headers),
        client.delete("/predict", headers=headers),
        client.post("/predict", headers=headers),
        client.post("/predict?top_k=0", headers=headers, content=RED),
        client.post("/predict", headers=headers, content=b"no image"),
    ]
    assert [r.status_code for r in responses] == [500, 404, 405, 400, 422, 415]
    for response in responses:
        assert response.headers["access-control-allow-origin"] == ORIGIN
        assert "Retry-After" in response.headers["access-control-expose-headers"]
        check_problem(response, response.status_code)


@pytest.mark.parametrize("origin", ["https://page.example.evil.com", "null", "http://page.example"])
def test_a_page_of_another_origin_is_not_let_in(make_client: MakeClient, origin: str) -> None:
    client = make_client(cors_origins=ORIGIN)
    response = client.post("/predict", content=RED, headers={"origin": origin})
    assert "access-control-allow-origin" not in response.headers


def test_without_origins_there_are_no_cors_headers(client: TestClient) -> None:
    response = client.post("/predict", content=RED, headers={"origin": ORIGIN})
    assert "access-control-allow-origin" not in response.headers


def test_every_answer_forbids_content_sniffing(client: TestClient) -> None:
    for url in ("/healthz", "/", "/nothing", "/docs/assets/swagger-ui.css"):
        assert client.get(url).headers["x-content-type-options"] == "nosniff"


def test_an_error_of_ours_is_passed_on_as_it_is() -> None:
    error = Overloaded("x", "memory")
    assert to_error(error) is error
