from __future__ import annotations

import pytest

from app.errors import Overloaded
from app.held_bodies import HeldBodies, Hold


def test_as_much_as_the_limit_is_held_and_one_byte_more_is_refused() -> None:
    bodies = HeldBodies(10)
    with Hold(bodies) as one, Hold(bodies) as other:
        one.take(4)
        other.take(6)
        with pytest.raises(Overloaded, match="At most 10 bytes") as refused:
            one.take(1)
    assert refused.value.limit == "held_bytes"


def test_what_a_request_held_is_free_when_it_ends_however_it_ends() -> None:
    bodies = HeldBodies(10)
    with Hold(bodies) as greedy:
        greedy.take(10)
        with pytest.raises(Overloaded):
            greedy.take(1)
    assert bodies.bytes == 0
    with Hold(bodies) as next_one:
        next_one.take(10)
