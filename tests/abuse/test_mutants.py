"""Twenty thousand damaged pictures over HTTP: each is an answer or a refusal, and none costs."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.abuse.conftest import Service, check_flat, connections_to_each
from tests.abuse.hunt import hunt
from tests.abuse.mutants import mutant, seeds
from tests.abuse.wire import Connection, ask

WARM_UP, MUTANTS = 2000, 20_000
# Damaged headers announce large pictures, and malloc keeps what they took: 35 to 60 MB here. A
# service that kept 10 KB of each of a worker's 10,000 pictures would be found out.
MOST_MEGABYTES = 100


@pytest.fixture(scope="module", autouse=True)
def _sound_seeds(service: Service) -> None:
    """A mutant of a picture that was broken to begin with would tell nothing."""
    for name, data in seeds().items():
        assert ask(service.port, data).status_code == 200, name


def test_no_mutant_is_a_fault_or_leaves_anything_behind(service: Service) -> None:
    with connections_to_each(service, 2) as connections:
        assert hunt(connections, range(WARM_UP)) == []
        before = service.workers()
        assert hunt(connections, range(WARM_UP, WARM_UP + MUTANTS)) == []
    check_flat(service, before, MOST_MEGABYTES)
    assert service.temporary_files() == []


def test_a_mutant_is_made_again_from_its_number_alone() -> None:
    assert [mutant(number) for number in range(200)] == [mutant(number) for number in range(200)]
    assert len({mutant(number)[1] for number in range(2000)}) > 1900


class _Faulty(BaseHTTPRequestHandler):
    """Stands for a service that a certain picture crashes."""

    protocol_version = "HTTP/1.1"
    served = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500 if self.served == 17 else 422)
        self.send_header("Content-Length", "0")
        self.end_headers()
        type(self).served += 1
        self.close_connection = self.served == 30

    def log_message(self, *_: object) -> None:
        """Quiet."""


def test_the_hunt_names_the_mutant_that_was_a_fault_and_the_one_that_was_the_end() -> None:
    with HTTPServer(("127.0.0.1", 0), _Faulty) as server:
        threading.Thread(target=server.serve_forever).start()
        with Connection(server.server_port) as connection:
            wrong = hunt([connection], range(100))
        server.shutdown()
    assert wrong == [
        f"mutant(17), once {mutant(17)[0]}: 500",
        f"mutant(30), once {mutant(30)[0]}: the connection was closed",
    ]
