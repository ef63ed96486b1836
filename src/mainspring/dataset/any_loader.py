"""What a run asks of any loader, whoever made it: length, epoch, the loaders inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import is_dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset, IterableDataset, Sampler, SequentialSampler

from mainspring.errors import ConfigError, DataError

__all__ = [
    "empty_loader_error",
    "is_batch",
    "is_named_loaders",
    "length_of",
    "loaders_inside",
    "no_batch_error",
    "refuse_no_loader",
    "refuse_without_length",
    "set_loader_epoch",
    "workers_stand_ready",
]

_DEEPEST = 3


def length_of(loader: Any) -> int | None:
    """Batches of a pass; ``None`` for a stream, which does not know.

    Raises:
        ConfigError: What it says is no number of batches.
    """
    if isinstance(loader, TorchDataLoader) and type(loader.sampler) is SequentialSampler:
        refuse_without_length(loader.dataset)
    try:
        return len(loader)
    except (TypeError, ValueError, NotImplementedError, AttributeError):
        with suppress(TypeError, NotImplementedError, AttributeError):
            raise ConfigError(
                f"the length of {type(loader).__name__} is {type(loader).__len__(loader)!r}",
                help="let __len__ return a whole number of batches; leave it out for a stream",
            ) from None
        return None


def set_loader_epoch(loader: Any, epoch: int) -> None:
    """Tell a loader, or else its sampler, which epoch begins."""
    batch_sampler: Any = getattr(loader, "batch_sampler", None)
    owners: tuple[Any, ...] = (
        loader,
        getattr(loader, "sampler", None),
        getattr(batch_sampler, "sampler", None),
    )
    told = next((owner for owner in owners if hasattr(owner, "set_epoch")), None)
    if told is not None:
        told.set_epoch(epoch)


def no_batch_error(section: str) -> DataError:
    """The error for a pass through a loader that was over before its first batch.

    Args:
        section: The config's name of the loader.
    """
    return DataError(
        f"{section} gives no batch",
        config_path=section,
        help="the data set or stream is empty, at its end already, or smaller than one batch with "
        "drop_last=True",
    )


def refuse_no_loader(section: str, loader: Any) -> None:
    """Refuse what gives no batches.

    Args:
        section: The config's name of the loader.
        loader: What stands there.

    Raises:
        ConfigError: It is a plain value, or a data set, whose items would pass for batches.
        DataError: It has no batch.
    """
    is_dataset = isinstance(loader, Dataset) and not isinstance(loader, IterableDataset)
    if loader is None or isinstance(loader, str | int | float) or is_dataset:
        shown = f"a data set, {type(loader).__name__}" if is_dataset else repr(loader)
        advice = "give a loader: DataLoader(dataset, batch_size=...)"
        raise ConfigError(f"{section} is {shown}", config_path=section, help=advice)
    if length_of(loader) == 0:
        raise no_batch_error(section)


def workers_stand_ready(loader: Any) -> bool:
    """Whether workers of the pass before are there to go on."""
    return getattr(loader, "_iterator", None) is not None


def empty_loader_error(loader: TorchDataLoader[Any]) -> DataError:
    """The error for a loader that has no batch."""
    name, items = type(loader.dataset).__name__, len(loader.dataset)  # type: ignore[arg-type]  # - map-style
    if not items:
        return DataError(
            f"the data set {name} is empty", help="check its paths and filters: no item is left"
        )
    return DataError(
        f"the {items} items of {name} make no batch",
        help="with drop_last=True, a loader needs at least batch_size items on every rank",
    )


def refuse_without_length(dataset: Any) -> None:
    """Refuse a map-style data set of which no order can be made.

    Args:
        dataset: The data set of a loader that has no sampler of a user's own.

    Raises:
        ConfigError: It has no length.
    """
    if not isinstance(dataset, IterableDataset) and not hasattr(dataset, "__len__"):
        raise ConfigError(
            f"{type(dataset).__name__} has no length",
            help="give it __len__, derive it from torch's IterableDataset, or pass a sampler",
        )


def is_named_loaders(section: Any) -> bool:
    """Whether a loader section is a dict from name to loader rather than one loader's settings."""
    return (
        isinstance(section, Mapping)
        and bool(section)
        and not {"dataset", "type", "loaders"} & section.keys()
        and not any(isinstance(item, Tensor | np.ndarray | str) for item in section.values())
        and all(isinstance(item, Mapping) or hasattr(item, "__iter__") for item in section.values())
    )


def is_batch(value: Any) -> bool:
    """Whether an entry of a list is a batch, rather than a loader or the section of one."""
    if isinstance(value, Mapping):
        return not {"dataset", "type", "loaders"} & value.keys() and not is_named_loaders(value)
    parts = value if isinstance(value, list | tuple) else [value]
    is_object = hasattr(value, "to") or (is_dataclass(value) and not hasattr(value, "__iter__"))
    return is_object or any(isinstance(part, Tensor | np.ndarray) for part in parts)


def loaders_inside(loader: Any) -> list[Any]:
    """The loaders that an object of a user's own iterates over: torch's, ours, those with state.

    They are looked for in its attributes, and in dicts and lists there; each once, in that order.

    Args:
        loader: What is iterated; nothing is inside of a loader that knows its own position.
    """
    found: list[Any] = []

    def look(value: Any, depth: int) -> None:
        if _is_loader(value):
            if all(value is not other for other in found):
                found.append(value)
        elif depth < _DEEPEST and not isinstance(value, type | Dataset | Sampler):
            for inner in _held_by(value):
                look(inner, depth + 1)

    if not _is_loader(loader):
        look(loader, 0)
    return found


def _is_loader(value: Any) -> bool:
    has_position = all(hasattr(value, name) for name in ("__iter__", "load_state_dict"))
    is_part = isinstance(value, Dataset | Sampler | nn.Module)
    return isinstance(value, TorchDataLoader) or (has_position and not is_part)


def _held_by(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list | tuple):
        yield from value[:100]  # a list of batches is no list of loaders
    else:
        yield from getattr(value, "__dict__", {}).values()
