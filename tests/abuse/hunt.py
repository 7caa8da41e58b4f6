"""Send mutants to a service from several connections, and note every answer that may not be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.abuse.mutants import mutant
from tests.abuse.wire import Connection, request

ALLOWED = {200, 413, 415, 422}
MODELS = ("mosaic", "digits")


def hunt(connections: list[Connection], numbers: range) -> list[str]:
    """What went wrong, each with the number that makes the mutant again."""
    count = len(connections)
    with ThreadPoolExecutor(count) as pool:
        parts = [numbers[start::count] for start in range(count)]
        return [line for lines in pool.map(_hunt, connections, parts) for line in lines]


def _hunt(connection: Connection, numbers: range) -> list[str]:
    wrong: list[str] = []
    for number in numbers:
        name, data = mutant(number)
        connection.send(request(data, path=f"/predict?model={MODELS[number // 7 % 2]}"))
        answer = connection.answer()
        if answer is None:
            return [*wrong, f"mutant({number}), once {name}: the connection was closed"]
        if answer.status_code not in ALLOWED:
            wrong.append(f"mutant({number}), once {name}: {answer.status_code}")
    return wrong
