"""A state dict that torch wrote → NumPy arrays, without torch and without trust.

Only torch's format before 1.6, which is no zip archive: five pickles, then the numbers of each
storage. A pickle may call whatever it names; here it can name four things, and two of them can be
called: an OrderedDict, and a note of where a tensor lies. Knows nothing of networks.
"""

from __future__ import annotations

import io
import math
import pickle
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAGIC = 0x1950A86A20F9469CFC6C
FORMAT = 1001


class _Storage(NamedTuple):
    dtype: str
    key: str


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int  # all three in elements, not bytes
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            "collections.OrderedDict": OrderedDict,
            "torch._utils._rebuild_tensor_v2": _tensor,
            "torch.FloatStorage": "<f4",
            "torch.LongStorage": "<i8",
        }
        if f"{module}.{name}" not in allowed:
            raise ValueError(f"it names {module}.{name}, which no state dict needs")
        return allowed[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _device, _length, view = pid
        if kind != "storage" or view is not None:
            raise ValueError(f"it refers to {kind!r}; expected whole storages")
        return _Storage(dtype, key)


def _tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_unused: Any
) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


def state_dict(data: bytes) -> dict[str, NDArray[Any]]:
    """The content of a torch file → its tensors by name, float32 or int64, in torch's axis order.

    Raises ValueError if the file is anything else than a plain state dict.
    """
    file = io.BytesIO(data)
    try:
        magic, version, _system, tensors, keys = (_Unpickler(file).load() for _ in range(5))
        if (magic, version) != (MAGIC, FORMAT):
            raise ValueError(f"it begins with {magic!r} and {version!r}")
        dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
        storages = {key: _storage(file, dtypes[key]) for key in keys}
        return {name: _array(tensor, storages) for name, tensor in tensors.items()}
    except Exception as exc:  # what a broken pickle raises is anything
        raise ValueError(f"not a state dict in torch's format before 1.6: {exc}") from exc


def _storage(file: io.BytesIO, dtype: str) -> NDArray[Any]:
    length = int.from_bytes(file.read(8), "little")
    content = file.read(length * np.dtype(dtype).itemsize)
    return np.frombuffer(content, dtype, length)  # ValueError where the file ends early


def _array(tensor: _Tensor, storages: dict[str, NDArray[Any]]) -> NDArray[Any]:
    storage = storages[tensor.storage.key]
    if math.prod(tensor.shape) > len(storage):  # with strides of 0 it could be of any size
        raise ValueError(f"a tensor of {tensor.shape} lies in a storage of {len(storage)}")
    return np.ndarray(  # ValueError where it would reach beyond its storage
        tensor.shape,
        storage.dtype,
        storage.data,
        tensor.offset * storage.itemsize,
        tuple(stride * storage.itemsize for stride in tensor.strides),
    ).copy()
