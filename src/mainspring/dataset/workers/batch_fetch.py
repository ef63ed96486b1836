"""Which data sets load a whole batch in one call, as torch's `__getitems__` lets them."""

from __future__ import annotations

from typing import Any

from torch.utils.data import Subset

__all__ = ["loads_batches"]


def loads_batches(dataset: Any) -> bool:
    """Whether a call of the data set's `__getitems__` is more than a loop over its items.

    A `Subset`, or one of this package's wrappers (which name what is inside as
    ``_inner_datasets``), loads batches only if everything inside does:
    otherwise items are loaded, and seeded, one by one. The same holds for a class that overrides
    `__getitem__` below an inherited `__getitems__`, which would pass its override by.

    Args:
        dataset: A map-style data set.
    """
    kind = type(dataset)
    owner, item_owner = (_owner(kind, name) for name in ("__getitems__", "__getitem__"))
    if owner is None or not callable(vars(owner)["__getitems__"]):
        return False
    if item_owner is not None and not issubclass(owner, item_owner):
        return False
    if owner is Subset:
        return loads_batches(dataset.dataset)
    inner = getattr(dataset, "_inner_datasets", None)
    if inner is not None:
        return all(loads_batches(one) for one in inner)
    return True


def _owner(kind: type, name: str) -> type | None:
    """The class that an attribute of a class is from."""
    return next((base for base in kind.__mro__ if name in vars(base)), None)
