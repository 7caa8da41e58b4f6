from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message

from app.preprocess import pixels_from
from app.routes.images import query_values
from app.routes.inside import MAX_WAITING
from tests.app.inside import nets
from tests.conftest import (
    BLUE,
    GREEN,
    RED,
    MakeClient,
    check_problem,
    colour_card,
    colour_model,
    foreign_model,
)

ROUTES = ["/seen", "/inside", "/explain"]


@pytest.mark.parametrize("route", ROUTES)
def test_an_image_may_come_in_each_of_the_three_ways(client: TestClient, route: str) -> None:
    answers = [
        client.post(route, content=RED),
        client.post(route, files={"file": RED}),
        client.post(route, json={"image": base64.b64encode(RED).decode()}),
    ]
    assert [answer.status_code for answer in answers] == [200] * 3
    for answer in answers:
        body = answer.json()
        assert list(body)[:2] == ["model", "version"]
        assert body["model"] == "colours"
        assert body["version"] == client.post("/predict", content=RED).json()["version"]


def test_seen_are_the_very_pixels_that_the_network_gets(client: TestClient) -> None:
    image = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(image, "PNG")
    body = client.post("/seen", content=image.getvalue()).json()
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(body["png"]))))
    assert (pixels == pixels_from(image.getvalue(), colour_card().preprocess)).all()
    assert (body["width"], body["height"], body["channels"]) == (4, 4, 3)
    assert [step["name"] for step in body["steps"]] == ["decode", "resize"]
    assert body["steps"][0]["did"]["stored"] == [256, 256]
    assert all(step["milliseconds"] >= 0 for step in body["steps"])


def test_grey_pixels_are_seen_in_grey(make_client: MakeClient, models_folder: Path) -> None:
    (models_folder / "patch.onnx").write_bytes(nets.patch_net("flat"))
    body = make_client().post("/seen?model=patch", content=RED).json()
    assert body["channels"] == 1
    assert Image.open(io.BytesIO(base64.b64decode(body["png"]))).mode == "L"


def test_inside_tells_of_every_layer_and_of_the_answer(client: TestClient) -> None:
    body = client.post("/inside", content=RED).json()
    assert [layer["name"] for layer in body["layers"]] == ["mean", "probabilities"]
    assert body["layers"][0]["values"] == [255, 0, 0]
    assert body["logits"] == [2, 0, 0]
    first = client.post("/predict", content=RED).json()["predictions"][0]
    assert body["best"] == 0
    assert body["probabilities"][0] == first["probability"]
    assert "maps" not in body


def test_a_layer_and_a_channel_are_asked_for_by_query(
    make_client: MakeClient, models_folder: Path
) -> None:
    (models_folder / "gap.onnx").write_bytes(nets.gap_net())
    client = make_client()
    plain = client.post("/inside?model=gap", content=RED).json()
    with_maps = client.post("/inside?model=gap&layer=r2", content=RED).json()
    with_window = client.post("/inside?model=gap&layer=r2&channel=4", content=RED).json()
    assert set(with_maps) - set(plain) == {"maps"}
    assert set(with_window) - set(with_maps) == {"window"}
    assert with_maps["maps"]["shape"] == [6, 5, 5]
    assert with_window["window"]["channel"] == 4


def test_explain_explains_the_class_and_the_method_that_are_asked_for(
    make_client: MakeClient, models_folder: Path
) -> None:
    (models_folder / "gap.onnx").write_bytes(nets.gap_net())
    client = make_client()
    body = client.post("/explain?model=gap&class=고양이", content=RED).json()
    assert (body["label"], body["method"], body["exact"]) == ("고양이", "cam", True)
    body = client.post("/explain?model=gap&method=occlusion", content=RED).json()
    assert (body["method"], body["exact"], body["passes"]) == ("occlusion", False, 49)
    assert body["methods"] == ["cam", "occlusion"]


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ("/inside?layer=none", "layer: the layers of this model are mean, probabilities."),
        ("/inside?layer=", "layer: the layers of this model are mean, probabilities."),
        ("/inside?layer=mean&channel=0", "channel: this layer has no channels."),
        ("/inside?channel=0", "channel: it needs a layer too"),
        ("/inside?layer=mean&channel=-1", "channel: expected a whole number"),
        ("/inside?layer=mean&channel=", "channel: expected a whole number"),
        ("/inside?layer=mean&channel=٣", "channel: expected a whole number"),
        ("/inside?layer=mean&channel=1000000", "channel: expected a whole number"),
        ("/explain?class=violet", "class: the classes of this model are red, green, blue."),
        ("/explain?class=", "class: the classes of this model are red, green, blue."),
        ("/explain?method=magic", "method: expected one of auto, cam, unroll, occlusion."),
        ("/explain?method=unroll", "method: this model allows auto, cam, occlusion."),
        ("/explain?" + "a=1&" * 21, "query: at most 20 parameters"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_with_what_would(
    client: TestClient, url: str, detail: str
) -> None:
    response = client.post(url, content=RED)
    check_problem(response, 422)
    assert response.json()["code"] == "invalid_parameter"
    assert response.json()["detail"].startswith(detail)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "empty_body"),
        (b"no image", 415, "unsupported_image"),
        (RED[:40], 422, "invalid_image"),
    ],
)
def test_a_broken_image_is_refused_as_everywhere(
    client: TestClient, route: str, content: bytes, status: int, code: str
) -> None:
    response = client.post(route, content=content)
    check_problem(response, status)
    assert response.json()["code"] == code


@pytest.mark.parametrize("route", ROUTES)
def test_one_image_is_looked_at_not_two(client: TestClient, route: str) -> None:
    response = client.post(route, files=[("file", ("a", RED)), ("file", ("b", GREEN))])
    check_problem(response, 413)
    assert response.json()["code"] == "too_many_images"


@pytest.mark.parametrize("route", ROUTES)
def test_an_unknown_model_is_404(client: TestClient, route: str) -> None:
    response = client.post(f"{route}?model=none", content=RED)
    check_problem(response, 404)
    assert response.json()["code"] == "unknown_model"


def test_a_body_larger_than_it_may_be_is_refused(make_client: MakeClient) -> None:
    client = make_client(max_upload_bytes=len(RED))
    assert client.post("/seen", content=RED).status_code == 200
    check_problem(client.post("/seen", content=RED + b"\0"), 413)


@pytest.mark.parametrize("route", ROUTES)
def test_switched_off_there_is_nothing(make_client: MakeClient, route: str) -> None:
    client = make_client(inside=False)
    check_problem(client.post(route, content=RED), 404)
    assert client.get("/models").json()["inside"] is False
    assert route not in client.get("/openapi.json").json()["paths"]
    assert client.post("/predict", content=RED).status_code == 200


def test_switched_on_the_list_of_models_says_so(client: TestClient) -> None:
    assert client.get("/models").json()["inside"] is True


def test_a_foreign_model_with_a_card_beside_it_can_be_looked_into(
    make_client: MakeClient, models_folder: Path
) -> None:
    (models_folder / "foreign.onnx").write_bytes(foreign_model())
    card = {
        "labels": ["red", "green", "blue"],
        "preprocess": {"height": 4, "width": 4},
        "normalise": {"mean": [0, 0, 0], "std": [1, 1, 1], "layout": "NCHW"},
        "output": "logits",
    }
    (models_folder / "foreign.json").write_text(json.dumps(card))
    client = make_client()
    body = client.post("/inside?model=foreign", content=RED).json()
    assert body["layers"][0]["values"] == [1, 0, 0] == body["logits"]
    body = client.post("/explain?model=foreign", content=BLUE).json()
    assert (body["label"], body["exact"], body["logit"]) == ("blue", True, 1)


def test_a_file_that_changed_under_the_service_is_not_ready(
    make_client: MakeClient, models_folder: Path
) -> None:
    client = make_client(watch_seconds=3600)
    (models_folder / "colours.onnx").write_bytes(colour_model(gain=3))
    response = client.post("/inside", content=RED)
    check_problem(response, 503)
    assert response.json()["code"] == "not_ready"
    assert response.headers["retry-after"] == "1"
    assert client.post("/predict", content=RED).status_code == 200


def test_answers_stay_the_same_to_the_bit_while_somebody_looks_inside(
    make_client: MakeClient, models_folder: Path
) -> None:
    (models_folder / "gap.onnx").write_bytes(nets.gap_net())
    client = make_client()
    images = [RED, GREEN, BLUE]
    alone = [client.post("/predict?model=gap", content=image).content for image in images]
    looks: list[int] = []

    def look() -> None:
        for _ in range(10):
            looks.append(client.post("/inside?model=gap&layer=r2", content=RED).status_code)
            looks.append(
                client.post("/explain?model=gap&method=occlusion", content=RED).status_code
            )

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        beside = [client.post("/predict?model=gap", content=image).content for image in images]
        assert beside == alone
    for thread in threads:
        thread.join()
    assert looks == [200] * 40


async def asked(app: ASGIApp, path: str) -> tuple[int, bool]:
    """One request to the app itself → its status, and whether its body was asked for."""
    statuses: list[int] = []
    wanted = False

    async def receive() -> Message:
        nonlocal wanted
        wanted = True
        return {"type": "http.request", "body": RED, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}
    await app(scope | {"state": {}}, receive, send)
    return statuses[0], wanted


def test_as_many_wait_as_may_and_one_more_is_refused_before_its_body_is_read(
    client: TestClient,
) -> None:
    async def all_in_one_turn_of_the_loop(count: int) -> list[tuple[int, bool]]:
        return await asyncio.gather(*(asked(client.app, "/explain") for _ in range(count)))

    assert client.portal is not None
    answers = client.portal.call(all_in_one_turn_of_the_loop, MAX_WAITING + 3)
    assert answers == [(200, True)] * (MAX_WAITING + 1) + [(503, False)] * 2
    assert client.portal.call(all_in_one_turn_of_the_loop, 1) == [(200, True)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", {}),
        (b"layer=a&layer=b", {"layer": "b"}),
        (b"class=%EA%B3%A0%EC%96%91%EC%9D%B4", {"class": "고양이"}),
        (b"class=a%26b+c", {"class": "a&b c"}),
        (b"layer", {"layer": ""}),
        (b"\xff=\xfe", {"ÿ": "þ"}),
    ],
)
def test_a_query_is_read_as_browsers_write_it(query: bytes, expected: dict[str, str]) -> None:
    assert query_values(query) == expected
