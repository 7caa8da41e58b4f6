from __future__ import annotations

import base64
import json
import re
import threading
import time

import numpy as np
import orjson
import pytest
from starlette.testclient import TestClient

from app.classifier import Classifier
from app.routes.predict import parse_query, predictions
from tests.conftest import (
    BLUE,
    COLOURS,
    GREEN,
    RED,
    MakeClient,
    check_problem,
    colour_model,
    encode,
)

FORM = "application/x-www-form-urlencoded"  # what curl says with --data-binary


def data_url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def test_a_multipart_file_is_answered_with_sorted_predictions(client: TestClient) -> None:
    response = client.post("/predict", files={"file": ("red.png", RED, "image/png")})
    assert response.status_code == 200
    answer = response.json()
    assert list(answer) == ["model", "version", "predictions"]
    assert answer["model"] == "colours"
    assert answer["version"] == Classifier(colour_model()).version
    assert [row["label"] for row in answer["predictions"]] == ["red", "green", "blue"]
    assert sum(row["probability"] for row in answer["predictions"]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("content_type", ["image/png", "application/octet-stream", FORM, None])
def test_raw_bytes_are_taken_whatever_they_are_called(
    client: TestClient, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    response = client.post("/predict", content=GREEN, headers=headers)
    assert response.json()["predictions"][0]["label"] == "green"


@pytest.mark.parametrize("text", [base64.b64encode(BLUE).decode(), data_url(BLUE)])
def test_json_takes_base64_and_data_urls(client: TestClient, text: str) -> None:
    response = client.post("/predict", json={"image": text})
    assert response.json()["predictions"][0]["label"] == "blue"


def test_the_three_ways_give_the_same_answer_to_the_byte(client: TestClient) -> None:
    responses = [
        client.post("/predict", files={"file": RED}),
        client.post("/predict", content=RED),
        client.post("/predict", json={"image": data_url(RED)}),
    ]
    assert len({response.content for response in responses}) == 1


def test_many_images_are_answered_in_order_and_a_bad_one_spoils_only_itself(
    client: TestClient,
) -> None:
    files = [
        ("file", ("a.png", RED)),
        ("file", ("b.txt", b"no image")),
        ("file", ("c.png", BLUE[:40])),
        ("file", ("d.png", BLUE)),
    ]
    answer = client.post("/predict", files=files).json()
    assert list(answer) == ["model", "version", "results"]
    results = answer["results"]
    assert [result["filename"] for result in results] == ["a.png", "b.txt", "c.png", "d.png"]
    assert [results[at]["predictions"][0]["label"] for at in (0, 3)] == ["red", "blue"]
    errors = [results[at]["error"] for at in (1, 2)]
    assert [error["code"] for error in errors] == ["unsupported_image", "invalid_image"]
    assert [error["status"] for error in errors] == [415, 422]


@pytest.mark.parametrize(("top_k", "count"), [(1, 1), (2, 2), (3, 3), (4, 3), (999_999_999, 3)])
def test_top_k_says_how_many_and_more_than_there_are_means_all(
    client: TestClient, top_k: int, count: int
) -> None:
    response = client.post(f"/predict?top_k={top_k}", content=RED)
    assert len(response.json()["predictions"]) == count


@pytest.mark.parametrize(
    "top_k", ["0", "-1", "1.5", "five", "", "NaN", "1e3", "٣", "1" + "0" * 9, "9" * 5000]
)
def test_a_top_k_that_is_no_count_is_422(client: TestClient, top_k: str) -> None:
    response = client.post("/predict", params={"top_k": top_k}, content=RED)
    assert response.status_code == 422
    assert response.json()["code"] == "invalid_parameter"


@pytest.mark.parametrize(("classes", "shown"), [(2, 2), (10, 10), (11, 5), (1000, 5)])
def test_without_top_k_all_classes_up_to_ten_are_shown_else_five(classes: int, shown: int) -> None:
    probabilities = np.full(classes, 1 / classes, np.float32)
    assert len(predictions([str(i) for i in range(classes)], probabilities, None)) == shown


def test_equal_probabilities_keep_the_order_of_the_labels() -> None:
    rows = predictions(COLOURS, np.array([0.25, 0.5, 0.25], np.float32), None)
    assert [row["label"] for row in rows] == ["green", "red", "blue"]


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-7, 0.99999994, 1.17549435e-38])
def test_a_probability_is_the_shortest_decimal_that_reads_back_as_the_same_float32(
    value: float,
) -> None:
    probability = np.float32(value)
    row = predictions(["a", "b"], np.array([probability, 0], np.float32), 1)
    text = orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    printed = text.split('"probability":')[1].rstrip("}]")
    assert np.float32(float(printed)) == probability
    shortest = np.format_float_scientific(probability, unique=True, trim="-")
    assert len(printed.replace(".", "").lstrip("0").split("e")[0]) <= len(
        shortest.split("e")[0].replace(".", "")
    )


def test_a_model_is_chosen_by_name(make_client: MakeClient, models_folder: object) -> None:
    from pathlib import Path

    assert isinstance(models_folder, Path)
    (models_folder / "second.onnx").write_bytes(colour_model(gain=5))
    client = make_client()
    answers = [
        client.post(f"/predict?model={name}", content=RED).json() for name in ("colours", "second")
    ]
    assert [answer["model"] for answer in answers] == ["colours", "second"]
    assert answers[0]["version"] != answers[1]["version"]


BAD_REQUESTS = {
    "empty body": ({"content": b""}, 400, "empty_body"),
    "form without a file": ({"data": {"x": "y"}, "files": {"other": b"z"}}, 400, "no_file"),
    "empty file": ({"files": {"file": ("a.png", b"")}}, 400, "empty_body"),
    "multipart that stops": (
        {
            "content": b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\nab",
            "headers": {"content-type": "multipart/form-data; boundary=x"},
        },
        400,
        "bad_multipart",
    ),
    "no boundary": (
        {"content": RED, "headers": {"content-type": "multipart/form-data"}},
        400,
        "bad_multipart",
    ),
    "no JSON": (
        {"content": b"{", "headers": {"content-type": "application/json"}},
        400,
        "bad_json",
    ),
    "JSON without image": ({"json": {"picture": "x"}}, 400, "bad_json"),
    "no base64": ({"json": {"image": "*"}}, 400, "bad_base64"),
    "an address": ({"json": {"image": "http://127.0.0.1/"}}, 400, "bad_base64"),
    "text": ({"content": b"hello"}, 415, "unsupported_image"),
    "SVG": ({"content": b"<svg xmlns='http://www.w3.org/2000/svg'/>"}, 415, "unsupported_image"),
    "PDF": ({"content": b"%PDF-1.7"}, 415, "unsupported_image"),
    "a page": (
        {"content": b"<p>", "headers": {"content-type": "text/html"}},
        415,
        "unsupported_media_type",
    ),
    "half a PNG": ({"content": RED[: len(RED) // 2]}, 422, "invalid_image"),
    "unknown model": ({"content": RED, "params": {"model": "none"}}, 404, "unknown_model"),
    "model by path": ({"content": RED, "params": {"model": "../colours"}}, 404, "unknown_model"),
}


@pytest.mark.parametrize("name", list(BAD_REQUESTS))
def test_bad_input_gets_a_clear_error_and_the_next_request_is_served(
    client: TestClient, name: str
) -> None:
    request, status, code = BAD_REQUESTS[name]
    response = client.post("/predict", **request)  # type: ignore[arg-type]
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    assert len(response.content) <= 1024
    assert client.post("/predict", content=RED).status_code == 200


def test_an_unknown_model_is_answered_with_the_known_names(client: TestClient) -> None:
    response = client.post("/predict?model=none", content=RED)
    assert "colours" in response.json()["detail"]
    assert "none" not in response.json()["detail"]


@pytest.mark.parametrize(("size", "status"), [(1000, 415), (1001, 413)])
def test_a_body_is_read_up_to_the_limit_and_no_further(
    make_client: MakeClient, size: int, status: int
) -> None:
    client = make_client(max_upload_bytes=1000)
    assert client.post("/predict", content=b"x" * size).status_code == status
    chunks = (b"x" for _ in range(size))
    assert client.post("/predict", content=chunks).status_code == status


@pytest.mark.parametrize(("count", "status"), [(3, 200), (4, 413)])
def test_a_request_holds_images_up_to_the_limit(
    make_client: MakeClient, count: int, status: int
) -> None:
    client = make_client(max_images_per_request=3)
    response = client.post("/predict", files=[("file", RED)] * count)
    assert response.status_code == status


def test_many_requests_at_once_get_what_they_get_alone(make_client: MakeClient) -> None:
    client = make_client()
    images = [RED, GREEN, BLUE, RED[:50]] * 25
    alone = [client.post("/predict", content=image) for image in images[:4]]
    answers: dict[int, bytes] = {}

    def ask(number: int) -> None:
        answers[number] = client.post("/predict", content=images[number]).content

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, content in answers.items():
        expected = alone[number % 4]
        if expected.status_code == 200:
            assert content == expected.content
        else:
            assert json.loads(content)["code"] == expected.json()["code"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", (None, None)),
        (b"model=a", ("a", None)),
        (b"model=", (None, None)),
        (b"top_k=3&model=a%20b", ("a b", 3)),
        (b"model=a&model=b", ("b", None)),
        (b"unknown=1", (None, None)),
    ],
)
def test_the_query_is_read_as_forms_are(query: bytes, expected: tuple[object, object]) -> None:
    assert parse_query(query) == expected


@pytest.mark.parametrize(("fields", "status"), [(20, 200), (21, 422)])
def test_a_query_of_very_many_parameters_is_422(
    client: TestClient, fields: int, status: int
) -> None:
    response = client.post("/predict?" + "&".join(["top_k=1"] * fields), content=RED)
    assert response.status_code == status
    assert response.json().get("code", "") == ("" if status == 200 else "invalid_parameter")


def test_a_malformed_form_writes_nothing_into_the_log(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert client.post("/predict", content=b"nonsense", headers=headers).status_code == 400
    assert caplog.text == ""


def test_overload_can_be_read_by_a_page_on_another_origin(make_client: MakeClient) -> None:
    """A page that cannot read the 503 cannot know to come again."""
    origin = "https://page.example"
    client = make_client(max_held_bytes=len(RED) - 1, cors_origins=origin)
    response = client.post("/predict", content=RED, headers={"origin": origin})
    check_problem(response, 503)
    assert response.json()["code"] == "overloaded"
    assert response.headers["retry-after"] == "1"
    assert response.headers["access-control-allow-origin"] == origin
    assert "Retry-After" in response.headers["access-control-expose-headers"]
    assert response.headers["vary"] == "Origin"
    roomier = make_client(max_held_bytes=len(RED))
    assert roomier.post("/predict", content=RED).status_code == 200


TIMES = r"queue;dur=(\d+\.\d\d), decode;dur=(\d+\.\d\d), network;dur=(\d+\.\d\d)"


@pytest.mark.parametrize("images", [1, 2, 40])  # a batch is of 16
def test_an_answer_says_where_its_time_went(client: TestClient, images: int) -> None:
    large = encode(np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8))
    began = time.perf_counter()
    response = client.post("/predict", files=[("file", large)] * images)
    seconds = time.perf_counter() - began
    assert response.status_code == 200
    found = re.fullmatch(TIMES, response.headers["server-timing"])
    assert found
    queue, decode, network = (float(milliseconds) for milliseconds in found.groups())
    assert decode > 0.2 * images  # of 180 KB each
    assert queue + decode + network <= seconds * 1000 + 0.03  # of rounding


def test_a_refused_image_has_no_times(client: TestClient) -> None:
    assert "server-timing" not in client.post("/predict", content=b"no image").headers
