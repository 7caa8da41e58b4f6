from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from starlette.testclient import TestClient

from tests.conftest import GREEN, RED, MakeClient


def counted(client: TestClient) -> dict[str, float]:
    """Every sample of GET /metrics: its name with labels → its value."""
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def alone(script: str, folder: Path) -> str:
    """What a script prints in a process of its own, that counts into files of this folder."""
    return subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


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


def test_predictions_are_counted_by_class_and_confidence(client: TestClient) -> None:
    for image in (RED, RED, GREEN):
        client.post("/predict", content=image)
    counts = counted(client)
    predicted = 'convolu_predictions_total{label="%s",model="colours"}'
    assert counts[predicted % "red"] == 2
    assert counts[predicted % "green"] == 1
    confidence = 'convolu_confidence_bucket{le="%s",model="colours"}'
    assert counts[confidence % "0.7"] == 0  # they get 0.787
    assert counts[confidence % "0.8"] == 3


def test_images_that_fail_are_counted_by_their_code(client: TestClient) -> None:
    client.post("/predict", content=b"no image")
    client.post("/predict", content=RED[:40])
    counts = counted(client)
    failures = 'convolu_image_failures_total{code="%s",model="colours"}'
    assert counts[failures % "unsupported_image"] == 1
    assert counts[failures % "invalid_image"] == 1


def test_what_is_refused_for_overload_is_counted_by_the_limit_that_was_met(
    make_client: MakeClient,
) -> None:
    client = make_client(max_held_bytes=len(RED) - 1)
    assert client.post("/predict", content=RED).status_code == 503
    assert counted(client)['convolu_shed_total{limit="held_bytes"}'] == 1


def test_the_state_of_a_worker_is_there_from_the_start(client: TestClient) -> None:
    counts = counted(client)
    assert counts["convolu_workers"] == 1
    assert counts["convolu_resident_memory_bytes"] > 20e6
    assert counts['convolu_queue_images{model="colours"}'] == 0
    assert counts["convolu_refused_models"] == 0
    version = client.get("/models").json()["models"][0]["version"]
    assert counts[f'convolu_model_workers{{model="colours",version="{version}"}}'] == 1


def test_a_worker_that_ended_leaves_its_counts_and_one_file_for_all(tmp_path: Path) -> None:
    """In a process of its own: prometheus-client looks for its folder when it is imported."""
    script = """
import os, sys
from pathlib import Path
from app.metrics import Metrics, everything, forget_worker
from prometheus_client import generate_latest
folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        metrics = Metrics()
        metrics.count_request("/predict", "colours", 200, 0.1)
        metrics.set_state({"colours": 5}, 0)
        os._exit(0)
    os.waitpid(pid, 0)
    forget_worker(pid)
page = generate_latest(everything()).decode()
print(sorted(path.name for path in folder.iterdir()))
print(page)
"""
    files, page = alone(script, tmp_path).split("\n", 1)
    assert files == "['counter_ended.db', 'histogram_ended.db']"
    assert 'convolu_requests_total{model="colours",route="/predict",status="200"} 3.0' in page
    assert 'duration_seconds_count{model="colours",route="/predict"} 3.0' in page
    assert "convolu_queue_images" not in page


def test_the_page_can_be_made_while_a_worker_begins_to_count(tmp_path: Path) -> None:
    """Its files are there and whole before its first count: an empty one is not readable."""
    script = """
import os
from pathlib import Path
from app.metrics import Metrics
folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
files = lambda: sorted((path.name, path.stat().st_size) for path in folder.iterdir())
metrics = Metrics()
before = files()
metrics.count_request("/predict", "colours", 200, 0.1)
metrics.count_shed("queue")
metrics.set_state({"colours": 5}, 0)
print(len(before), before == files(), b'status="200"} 1.0' in metrics.page())
"""
    assert alone(script, tmp_path) == "3 True True\n"


def test_the_page_can_be_made_while_workers_end(tmp_path: Path) -> None:
    script = """
import os, threading
from app.metrics import Metrics, forget_worker
metrics = Metrics()
def workers_end():
    for _ in range(60):
        pid = os.fork()
        if pid == 0:
            Metrics().count_request("/predict", "colours", 200, 0.1)
            os._exit(0)
        os.waitpid(pid, 0)
        forget_worker(pid)
ending = threading.Thread(target=workers_end)
ending.start()
pages = 0
while ending.is_alive() or not pages:
    metrics.page()
    pages += 1
assert pages > 10, pages
print(metrics.page().decode().count('status="200"} 60.0'))
"""
    assert alone(script, tmp_path) == "1\n"
