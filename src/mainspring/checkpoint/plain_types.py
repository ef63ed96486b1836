"""Makes sure that what is saved can be read again: tensors and plain types.

`torch.load(file, weights_only=True)` takes nothing else, and neither does `load_file`. A hook or a
data set that remembers some other object would turn every checkpoint of its run into a file that
cannot be resumed, which nobody would notice before it is needed. So it is refused when it is saved.

Numbers and arrays of NumPy are written as tensors with a mark, and are read as what they were.
"""

from __future__ import annotations

import copy
import io
import pickle
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mainspring.config import ConfigDict
from mainspring.errors import CheckpointError
from mainspring.output import MASK, Secret

__all__ = ["as_plain_types", "as_they_were"]

_MARK = "mainspring.numpy"
_LARGEST_CLAIM = 1 << 30
_LEAVES = (type(None), bool, int, float, complex, str, bytes, torch.Tensor, torch.nn.Parameter)


def as_plain_types(content: Any) -> Any:
    """What is written for some content.

    Args:
        content: What is to be saved; left as it is.

    Returns:
        The same object wherever it is of plain types already. Numbers and text of classes of their
        own, such as enumerations, become plain ones, parts of configs plain dicts.

    Raises:
        CheckpointError: It holds an object that could not be read again; says where.
    """
    return _plain(content, "checkpoint")


def as_they_were(content: Any) -> Any:
    """Content of a file with its NumPy values, which `as_plain_types` had written as tensors.

    Args:
        content: What was read; dicts and lists are changed in place.

    Raises:
        CheckpointError: A tensor claims far more memory than the file holds.
    """
    if isinstance(content, dict):
        if _MARK in content:
            array = content[_MARK].cpu().numpy()
            array = array.view(content.get("dtype", array.dtype))
            return array[()] if content["is_number"] else array
        for key, value in content.items():
            content[key] = as_they_were(value)
    elif isinstance(content, list):
        content[:] = [as_they_were(value) for value in content]
    elif type(content) is tuple:
        return tuple(as_they_were(value) for value in content)
    elif (
        isinstance(content, torch.Tensor)
        and content.layout == torch.strided
        # It may repeat the little memory that the file holds for it.
        and content.nbytes > max(_LARGEST_CLAIM, content.untyped_storage().nbytes())
    ):
        raise CheckpointError(
            f"a tensor says that it has {content.numel():,} values, and the file holds "
            f"{content.untyped_storage().nbytes():,} bytes of it"
        )
    return content


def _plain(value: Any, place: str) -> Any:
    if isinstance(value, ConfigDict):
        value = value.to_dict()
    kind = type(value)
    if kind in _LEAVES:
        return value
    if kind in (dict, OrderedDict, Counter):
        return _plain_dict(value, place)
    if kind in (list, tuple, set):
        items = [_plain(item, f"{place}[{index}]") for index, item in enumerate(value)]
        return value if _are_same(items, value) else kind(items)
    if kind is np.ndarray or isinstance(value, np.generic):
        marked = _marked(value)
        if marked is not None:
            return marked
    for plain, converted in _CONVERTED.items():
        if isinstance(value, plain):
            return converted(value)
    if not _is_read_again(value):
        raise CheckpointError(
            f"{place} is a {kind.__module__}.{kind.__qualname__}: a checkpoint that holds it could "
            "not be read again",
            help="keep tensors, arrays, numbers, text, and lists, tuples, sets and dicts of them "
            "(list(...) of a deque, dict(...) of a defaultdict, str(...) of a path, get_state() of "
            "a generator), and make the object of them when they are loaded",
        )
    return value


def _plain_dict(value: Any, place: str) -> Any:
    keys = [
        key.item() if isinstance(key, np.generic) else _plain(key, f"the key {key!r} of {place}")
        for key in value
    ]
    items = [_plain(item, f"{place}[{key!r}]") for key, item in value.items()]
    if _are_same(keys, value) and _are_same(items, value.values()):
        return value
    changed = copy.copy(value)  # with the attributes of a state dict, such as versions of modules
    changed.clear()
    changed.update(zip(keys, items, strict=True))
    return changed


def _are_same(items: list[Any], before: Any) -> bool:
    return all(item is old for item, old in zip(items, before, strict=True))


def _marked(value: Any) -> dict[str, Any] | None:
    """A number or an array of numbers of NumPy; ``None`` for other arrays."""
    array = np.array(value, order="C")
    if array.dtype.kind not in "biufc":
        return None
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    mark: dict[str, Any] = {"is_number": isinstance(value, np.generic)}
    if array.dtype.kind == "u" and array.itemsize > 1:
        # Unsigned tensors cannot be pickled by themselves, as they are between processes.
        mark["dtype"] = str(array.dtype)
        array = array.view(f"i{array.itemsize}")
    try:
        return {_MARK: torch.from_numpy(array), **mark}
    except TypeError:  # of a precision that torch does not have
        return None


_CONVERTED: dict[type, Callable[[Any], Any]] = {
    Secret: lambda _: MASK,
    str: str.__str__,
    int: int,
    float: float,
}


def _is_read_again(value: Any) -> bool:
    """Whether safe loading takes an object of some other type, such as `torch.Size`."""
    file = io.BytesIO()
    try:
        torch.save(value, file)
        file.seek(0)
        torch.load(file, weights_only=True)
    except (pickle.PickleError, TypeError, AttributeError):
        return False
    return True
