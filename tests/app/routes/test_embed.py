from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient
from starlette.types import Message, Scope

from app.classifier import Classifier
from app.errors import NoEmbedding, Overloaded
from app.held_bodies import HeldBodies
from app.keys import new_key
from app.metrics import Metrics
from app.preprocess import pixels_from
from app.registry import Registry
from app.routes.embed import embed
from app.routes.predict import predict
from app.settings import Settings
from tests.app.pooled import DIM, POOLED, holed_model, pooled_model
from tests.app.routes.test_predict import BAD_REQUESTS, TIMES, data_url
from tests.conftest import BLUE, GREEN, RED, MakeClient, check_problem, colour_model, encode

WHITE = encode(Image.new("RGB", (8, 8), (255, 255, 255)))


@pytest.fixture
def models_folder(tmp_path: Path) -> Path:
    """A folder with a model that has an embedding, the default one, and two that have none."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "colours.onnx").write_bytes(colour_model())
    (folder / "pooled.onnx").write_bytes(pooled_model())
    (folder / "holed.onnx").write_bytes(holed_model())
    return folder


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client(default_model="pooled")


def noise(seed: int) -> bytes:
    random = np.random.default_rng(seed)
    return encode(random.integers(0, 256, (30, 40, 3), np.uint8))


def by_onnx_runtime(images: list[bytes]) -> NDArray[np.float32]:
    """What the model file puts out as `embedding`, without any code of the service's but pixels."""
    batch = np.stack([pixels_from(image, POOLED.preprocess) for image in images])
    session = onnxruntime.InferenceSession(pooled_model())
    embeddings: NDArray[np.float32] = session.run(["embedding"], {"image": batch})[0]
    return embeddings


def test_an_embedding_is_what_the_network_put_out_to_the_bit(client: TestClient) -> None:
    response = client.post("/embed", files={"file": noise(1)})
    assert response.status_code == 200
    answer = response.json()
    assert list(answer) == ["model", "version", "dim", "embedding"]
    assert answer["model"] == "pooled"
    assert answer["version"] == Classifier(pooled_model()).version
    assert answer["dim"] == len(answer["embedding"]) == DIM
    expected = by_onnx_runtime([noise(1)])[0]
    assert np.array(answer["embedding"], np.float32).tobytes() == expected.tobytes()
    assert np.ptp(expected) > 0


def test_its_numbers_are_the_shortest_decimals_that_read_back_as_the_same_float32(
    client: TestClient,
) -> None:
    text = client.post("/embed", content=noise(2)).text.partition('"embedding":[')[2]
    printed = text.removesuffix("]}").split(",")
    expected = by_onnx_runtime([noise(2)])[0]
    assert [float(one) for one in printed] == [float(str(number)) for number in expected]
    assert max(len(one.strip("-0.").replace(".", "")) for one in printed) <= 9


def test_many_images_keep_their_order_and_a_bad_one_spoils_only_itself(client: TestClient) -> None:
    images = [noise(seed) for seed in range(40)]  # three batches
    files = [("file", (f"{number}.png", image)) for number, image in enumerate(images)]
    files[7] = ("file", ("7.txt", b"no image"))
    answer = client.post("/embed", files=files).json()
    assert list(answer) == ["model", "version", "dim", "results"]
    assert answer["dim"] == DIM
    results = answer["results"]
    assert [one["filename"] for one in results] == [name for _, (name, _) in files]
    assert results[7]["error"]["code"] == "unsupported_image"
    assert list(results[7]) == ["filename", "error"]
    expected = by_onnx_runtime(images)
    for number, one in enumerate(results):
        if number != 7:
            assert np.array(one["embedding"], np.float32).tobytes() == expected[number].tobytes()


def test_the_three_ways_give_the_same_answer_to_the_byte(client: TestClient) -> None:
    responses = [
        client.post("/embed", files={"file": RED}),
        client.post("/embed", content=RED),
        client.post("/embed", json={"image": data_url(RED)}),
        client.post("/embed", json={"image": base64.b64encode(RED).decode()}),
    ]
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1


@pytest.mark.parametrize("name", list(BAD_REQUESTS))
def test_bad_input_gets_the_very_error_that_predict_gives(client: TestClient, name: str) -> None:
    request, status, code = BAD_REQUESTS[name]
    refused, by_predict = (
        client.post(path, **request)  # type: ignore[arg-type]
        for path in ("/embed", "/predict")
    )
    check_problem(refused, status)
    assert refused.json()["code"] == code
    assert refused.json() | {"request_id": ""} == by_predict.json() | {"request_id": ""}
    assert client.post("/embed", content=RED).status_code == 200


def test_a_model_without_an_embedding_says_so_before_it_reads_the_body(client: TestClient) -> None:
    response = client.post("/embed?model=colours", content=b"no image")
    check_problem(response, 422)
    assert response.json()["code"] == "no_embedding"
    assert "ends in global pooling" in response.json()["detail"]
    assert client.post("/predict?model=colours", content=RED).status_code == 200


def test_a_version_that_came_while_the_body_was_read_may_have_no_embedding(
    models_folder: Path,
) -> None:
    settings = Settings(models=models_folder)
    registry = Registry(settings, Metrics())
    registry.load()

    async def receive() -> Message:
        (models_folder / "pooled.onnx").write_bytes(colour_model())
        await registry.refresh()
        await registry.refresh()  # at the second look the file is no longer being written
        return {"type": "http.request", "body": RED, "more_body": False}

    async def send(message: Message) -> None:
        pytest.fail(f"answered with {message}")

    async def ask() -> None:
        scope: Scope = {"query_string": b"model=pooled", "headers": [], "state": {}}
        await embed(registry, settings, HeldBodies(1_000_000), scope, receive, send)

    try:
        with pytest.raises(NoEmbedding):
            asyncio.run(ask())
    finally:
        registry.close()


@pytest.mark.parametrize(("size", "status"), [(1000, 415), (1001, 413)])
def test_a_body_is_read_up_to_the_limit(make_client: MakeClient, size: int, status: int) -> None:
    client = make_client(default_model="pooled", max_upload_bytes=1000)
    check_problem(client.post("/embed", content=b"x" * size), status)


@pytest.mark.parametrize(("count", "status"), [(3, 200), (4, 413)])
def test_a_request_holds_images_up_to_the_limit(
    make_client: MakeClient, count: int, status: int
) -> None:
    client = make_client(default_model="pooled", max_images_per_request=3)
    assert client.post("/embed", files=[("file", RED)] * count).status_code == status


def test_what_there_is_no_room_for_is_503(make_client: MakeClient) -> None:
    client = make_client(default_model="pooled", max_held_bytes=len(RED) - 1)
    response = client.post("/embed", content=RED)
    check_problem(response, 503)
    assert response.json()["code"] == "overloaded"
    assert response.headers["retry-after"] == "1"


@pytest.mark.parametrize("endpoint", [embed, predict])
def test_a_full_queue_refuses_before_it_reads_the_body(
    models_folder: Path, endpoint: Callable[..., Awaitable[None]]
) -> None:
    settings = Settings(models=models_folder, max_queue_size=1)
    registry = Registry(settings, Metrics())
    registry.load()

    async def never(*_: object) -> Message:
        pytest.fail("it reads, or answers")

    async def ask() -> None:
        waiting = registry.get("pooled").batcher.submit([RED]).answered  # in this turn of the loop
        scope: Scope = {"query_string": b"model=pooled", "headers": [], "state": {}}
        with pytest.raises(Overloaded, match="1 images are waiting"):
            await endpoint(registry, settings, HeldBodies(1_000_000), scope, never, never)
        await waiting

    try:
        asyncio.run(ask())
    finally:
        registry.close()


def test_without_its_default_model_it_is_not_ready(make_client: MakeClient) -> None:
    client = make_client(default_model="gone")
    check_problem(client.post("/embed", content=RED), 503)
    assert client.post("/embed?model=pooled", content=RED).status_code == 200


def test_it_needs_a_key_though_the_files_under_its_path_need_none(
    make_client: MakeClient, tmp_path: Path
) -> None:
    key, line = new_key("somebody")
    (tmp_path / "keys").write_text(line)
    client = make_client(default_model="pooled", api_keys_file=tmp_path / "keys")
    check_problem(client.post("/embed", content=RED), 401)
    assert client.get("/embed/client.js").status_code == 200
    headers = {"authorization": f"Bearer {key}"}
    assert client.post("/embed", content=RED, headers=headers).status_code == 200


def test_an_embedding_with_a_hole_in_it_is_an_error_of_that_image(client: TestClient) -> None:
    files = [("file", WHITE), ("file", RED), ("file", WHITE)]
    results = client.post("/embed?model=holed", files=files).json()["results"]
    assert [one.get("embedding") for one in results] == [[1, 1, 1], None, [1, 1, 1]]
    assert results[1]["error"]["code"] == "internal"
    assert "NaN or infinity" in results[1]["error"]["detail"]
    check_problem(client.post("/embed?model=holed", content=RED), 500)
    assert client.post("/predict?model=holed", content=RED).status_code == 200


def test_an_answer_says_where_its_time_went(client: TestClient) -> None:
    response = client.post("/embed", content=RED)
    assert re.fullmatch(TIMES, response.headers["server-timing"])
    assert "server-timing" not in client.post("/embed", content=b"no image").headers


def test_both_routes_at_once_get_what_they_get_alone(client: TestClient) -> None:
    """Their images wait in one queue and share runs; nobody gets the other's numbers."""
    asked = [(path, noise(seed)) for seed in range(25) for path in ("/predict", "/embed")]
    alone = [client.post(path, content=image).content for path, image in asked]
    together: dict[int, bytes] = {}

    def ask(number: int) -> None:
        path, image = asked[number]
        together[number] = client.post(path, content=image).content

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[number] for number in range(len(asked))] == alone


def test_models_say_how_many_numbers_an_embedding_has(client: TestClient) -> None:
    models = client.get("/models").json()["models"]
    dims = {model["name"]: model["embedding_dim"] for model in models}
    assert dims == {"colours": None, "holed": 3, "pooled": DIM}
    assert [client.get(f"/models/{name}").json()["embedding_dim"] for name in dims] == [None, 3, 5]


def test_the_document_says_when_there_is_none(client: TestClient) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/embed"]["post"]
    assert "`no_embedding`" in operation["responses"]["422"]["description"]
    assert [one["name"] for one in operation["parameters"]] == ["model"]


def test_a_request_is_counted_under_its_route_and_model_and_predicts_nothing(
    client: TestClient,
) -> None:
    client.post("/embed", files=[("file", RED), ("file", GREEN), ("file", BLUE[:40])])
    client.post("/embed?model=colours", content=RED)
    lines = client.get("/metrics").text.splitlines()
    assert 'convolu_requests_total{model="pooled",route="/embed",status="200"} 1.0' in lines
    assert 'convolu_requests_total{model="colours",route="/embed",status="422"} 1.0' in lines
    assert 'convolu_batch_size_images_sum{model="pooled"} 3.0' in lines
    failed = 'convolu_image_failures_total{code="invalid_image",model="pooled"} 1.0'
    assert failed in lines
    assert not [line for line in lines if line.startswith("convolu_predictions_total{")]


def test_a_line_of_the_log_names_the_route(
    client: TestClient, capfd: pytest.CaptureFixture[str]
) -> None:
    client.post("/embed", content=RED)
    client.get("/healthz")
    routes = [json.loads(line)["route"] for line in capfd.readouterr().out.splitlines()]
    assert routes == ["/embed", "/healthz"]
