from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.pretrained.torch_file import FORMAT, MAGIC, state_dict

ORDERED_DICT = b"ccollections\nOrderedDict\n)R"


def plain(value: Any) -> bytes:
    """The opcodes of a plain value, without the first two and the last."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(
    key: str,
    shape: Sequence[int],
    strides: Sequence[int],
    offset: int = 0,
    storage: bytes = b"ctorch\nFloatStorage\n",
    kind: str = "storage",
    view: Any = None,
) -> bytes:
    """The opcodes that torch writes for a tensor."""
    reference = plain(kind) + storage + plain(key) + plain("cpu") + plain(8) + plain(view)
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + (b"(" + reference + b"tQ")
        + (plain(offset) + plain(tuple(shape)) + plain(tuple(strides)))
        + (plain(False) + ORDERED_DICT + b"tR")
    )


def torch_file(
    tensors: dict[str, bytes],
    storages: dict[str, NDArray[Any]],
    magic: int = MAGIC,
    version: int = FORMAT,
    end: bytes = b"",
) -> bytes:
    """A file as torch wrote them before 1.6; `end` are further opcodes of the state dict."""
    items = b"".join(plain(name) + opcodes for name, opcodes in tensors.items())
    metadata = b"}" + plain("_metadata") + ORDERED_DICT + b"s" + b"b"  # an attribute of the dict
    return b"".join(
        [
            pickle.dumps(magic, 2),
            pickle.dumps(version, 2),
            pickle.dumps({"little_endian": True}, 2),
            b"\x80\x02" + ORDERED_DICT + b"(" + items + b"u" + metadata + end + b".",
            pickle.dumps(list(storages), 2),
            *(len(one).to_bytes(8, "little") + one.tobytes() for one in storages.values()),
        ]
    )


NUMBERS = np.arange(6, dtype=np.float32) / 3
GOOD = torch_file({"weight": tensor("a", (2, 3), (3, 1))}, {"a": NUMBERS})


def test_a_tensor_comes_back_as_it_was() -> None:
    (name, found), *others = state_dict(GOOD).items()
    assert (name, others) == ("weight", [])
    assert found.dtype == np.float32
    assert found.tolist() == NUMBERS.reshape(2, 3).tolist()


def test_strides_and_offset_say_how_a_tensor_lies_in_its_storage() -> None:
    data = torch_file({"turned": tensor("a", (2, 2), (1, 3), offset=1)}, {"a": NUMBERS})
    assert state_dict(data)["turned"].tolist() == NUMBERS[[[1, 4], [2, 5]]].tolist()


def test_several_storages_and_whole_numbers_without_a_dimension() -> None:
    data = torch_file(
        {
            "one": tensor("b", (6,), (1,)),
            "counter": tensor("a", (), (), storage=b"ctorch\nLongStorage\n"),
            "same": tensor("b", (3,), (2,)),
        },
        {"a": np.array([7], np.int64), "b": NUMBERS},
    )
    found = state_dict(data)
    assert list(found) == ["one", "counter", "same"]
    assert found["counter"].dtype == np.int64
    assert found["counter"] == 7
    assert found["same"].tolist() == NUMBERS[::2].tolist()


def test_what_is_read_is_the_callers_own() -> None:
    found = state_dict(
        torch_file({"a": tensor("k", (6,), (1,)), "b": tensor("k", (6,), (1,))}, {"k": NUMBERS})
    )
    found["a"][:] = 0
    assert found["b"].tolist() == NUMBERS.tolist()


HOSTILE = {
    "runs a command": "cos\nsystem\n",
    "runs a command in another way": "cposix\nsystem\n",
    "evaluates": "cbuiltins\neval\n",
    "opens a file": "cio\nopen\n",
    "reaches for attributes": "cbuiltins\ngetattr\n",
    "loads as torch does": "ctorch\nload\n",
    "rebuilds another tensor": "ctorch._utils\n_rebuild_parameter\n",
    "unpickles": "c_pickle\nloads\n",
    "reaches through the dict": "ccollections\nOrderedDict.fromkeys\n",
}


@pytest.mark.parametrize("what", list(HOSTILE))
def test_a_pickle_that_names_anything_else_is_refused_before_it_is_called(
    what: str, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    call = HOSTILE[what].encode() + b"(" + plain(f"touch {trace}") + b"tR" + b"0"
    with pytest.raises(ValueError, match=r"it names \S+, which no state dict needs"):
        state_dict(torch_file({}, {}, end=call))
    assert not trace.exists()


@pytest.mark.parametrize("position", range(5))
def test_each_of_the_five_pickles_is_held_to_it(position: int, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    call = b"\x80\x02cos\nsystem\n(" + plain(f"touch {trace}") + b"tR."
    pickles = [pickle.dumps(MAGIC, 2), pickle.dumps(FORMAT, 2), pickle.dumps({}, 2)]
    pickles += [b"\x80\x02" + ORDERED_DICT + b".", pickle.dumps([], 2)]
    pickles[position] = call
    with pytest.raises(ValueError, match=r"it names os\.system"):
        state_dict(b"".join(pickles))
    assert not trace.exists()


BROKEN = {
    "nothing": b"",
    "a zip archive, as torch writes today": b"PK\x03\x04" + bytes(60),
    "another magic": torch_file({}, {}, magic=1),
    "another version": torch_file({}, {}, version=1002),
    "beyond the storage": torch_file({"w": tensor("a", (2, 3), (3, 2))}, {"a": NUMBERS}),
    "before the storage": torch_file({"w": tensor("a", (2,), (-1,))}, {"a": NUMBERS}),
    "an offset beyond": torch_file({"w": tensor("a", (1,), (1,), offset=6)}, {"a": NUMBERS}),
    "more than its storage, by strides of 0": torch_file(
        {"w": tensor("a", (3, 6), (0, 1))}, {"a": NUMBERS}
    ),
    "no storage": torch_file({"w": tensor("b", (1,), (1,))}, {"a": NUMBERS}),
    "a part of a storage": torch_file(
        {"w": tensor("a", (1,), (1,), view=("b", 0, 1))}, {"a": NUMBERS}
    ),
    "another kind of reference": torch_file(
        {"w": tensor("a", (1,), (1,), kind="module")}, {"a": NUMBERS}
    ),
    "half precision": torch_file(
        {"w": tensor("a", (1,), (1,), storage=b"ctorch\nHalfStorage\n")}, {"a": NUMBERS}
    ),
    "no tensor": torch_file({"w": plain(1)}, {}),
    "no dict": b"".join(map(pickle.dumps, [MAGIC, FORMAT, {}, [1], []])),
}


@pytest.mark.parametrize("what", list(BROKEN))
def test_what_is_no_plain_state_dict_is_an_error(what: str) -> None:
    with pytest.raises(ValueError, match=r"not a state dict in torch's format before 1\.6"):
        state_dict(BROKEN[what])


@given(st.integers(0, len(GOOD) - 1))
def test_a_file_that_ends_early_is_an_error(length: int) -> None:
    with pytest.raises(ValueError, match="not a state dict"):
        state_dict(GOOD[:length])


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_a_wrong_byte_gives_an_error_or_arrays_and_nothing_else(place: int, byte: int) -> None:
    data = bytearray(GOOD)
    data[place] = byte
    try:
        found = state_dict(bytes(data))
    except ValueError:
        return
    assert all(array.nbytes <= NUMBERS.nbytes for array in found.values())
