from __future__ import annotations

from starlette.testclient import TestClient

from tests.conftest import GREEN, RED


def counted(client: TestClient) -> dict[str, float]:
    """Every sample of GET /metrics: its name with labels → its value."""
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_requests_are_counted_by_route_model_and_status(client: TestClient) -> None:
    client.post("/predict", content=RED)
    client.post("/predict", content=GREEN)
    client.post("/predict", content=b"no image")
    client.post("/predict?model=none", content=RED)
    counts = counted(client)
    requests = 'convolu_requests_total{model="%s",route="/predict",status="%s"}'
    assert counts[requests % ("colours", 200)] == 2
    assert counts[requests % ("colours", 415)] == 1
    assert counts[requests % ("", 404)] == 1
    seconds = 'convolu_request_duration_seconds_%s{model="colours",route="/predict"}'
    assert counts[seconds % "count"] == 3
    assert 0 < counts[seconds % "sum"] < 60


def test_batches_are_counted_with_their_images_and_their_wait(client: TestClient) -> None:
    files = [("file", (f"{number}.png", RED)) for number in range(5)]
    assert client.post("/predict", files=files).status_code == 200
    counts = counted(client)
    assert counts['convolu_batch_size_images_sum{model="colours"}'] == 5
    assert counts['convolu_batch_size_images_count{model="colours"}'] == 1
    assert counts['convolu_batch_size_images_bucket{le="4.0",model="colours"}'] == 0
    assert counts['convolu_queue_duration_seconds_count{model="colours"}'] == 1


def test_paths_that_do_not_exist_add_one_label_value_not_one_each(client: TestClient) -> None:
    for number in range(50):
        client.get(f"/random/{number}?model={number}")
        client.post(f"/predict?model={number}", content=RED)
    names = [name for name in counted(client) if name.startswith("convolu_requests_total")]
    assert sorted(names) == [
        'convolu_requests_total{model="",route="/predict",status="404"}',
        'convolu_requests_total{model="",route="other",status="404"}',
    ]
