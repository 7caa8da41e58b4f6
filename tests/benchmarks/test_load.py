from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from app.multipart import parse_multipart
from benchmarks.load import Post, form, free_port, running, session_megabytes
from benchmarks.servers import convolu
from tests.conftest import RED


def test_a_form_of_the_benchmark_is_a_form_to_the_service() -> None:
    headers, body = form(RED, 3)
    boundary = headers["Content-Type"].partition("boundary=")[2].encode()
    assert [upload.data for upload in parse_multipart(body, boundary, 3, 128)] == [RED] * 3


def test_a_server_runs_from_its_first_answer_to_the_end_of_the_block(
    models_folder: Path, tmp_path: Path
) -> None:
    port = free_port()
    post = Post("/predict", *form(RED))
    with (tmp_path / "log").open("wb") as log:
        command = convolu("colours", models_folder, port, workers=1)
        with running(command, port, post, {}, log) as service:
            assert 0 < service.ready_seconds < 120
            assert 20 < session_megabytes(service.pid) < 1000
    with pytest.raises(ProcessLookupError):
        os.kill(service.pid, 0)


def test_a_server_that_ends_before_it_answers_is_no_result(tmp_path: Path) -> None:
    with (
        (tmp_path / "log").open("wb") as log,
        pytest.raises(RuntimeError, match="did not come to answer"),
        running([sys.executable, "-c", ""], free_port(), Post("/", {}, b""), {}, log),
    ):
        pass
