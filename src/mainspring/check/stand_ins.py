"""What parts of a run are constructed with where nothing real is there, and copies to try."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from mainspring.config.config_dict import duplicate
from mainspring.config.places import key_in, value_at
from mainspring.walk import items_of

__all__ = ["MANY", "StandIn", "copied", "leaves"]

Path = tuple[str, ...]

MANY = 2**31
"""As many batches, epochs or samples as no run asks for."""


def copied(spec: Any, without: Path = ()) -> Any:
    """A copy of the dicts and lists of a description, without the key at a path."""
    new = duplicate(spec, {})
    holder = value_at(new, without[:-1]) if without else None
    if isinstance(holder, dict):
        dict.pop(holder, key_in(holder, without[-1]), None)
    return new


def leaves(spec: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of all keys, inner ones first."""
    for key, value in items_of(spec):
        here = (*path, str(key))
        yield from leaves(value, here)
        if isinstance(spec, dict) and key not in ("type", "_scope_", "dataset"):
            yield here


class Batches(list[Any]):
    """A loader of more batches than any run asks for."""

    sample_rng = "sample"

    def __len__(self) -> int:
        return MANY


class StandIn:
    """What a loop needs of a runner while it is constructed."""

    def __init__(self) -> None:
        self.loader = Batches([None])
        self.visualizer = self
        self.model = SimpleNamespace(val_step=None, test_step=None)

    def ready_dataloader(self, loader: Any, _section: str = "") -> Any:
        """The loader as it is."""
        return loader

    def ready_evaluator(self, evaluator: Any, _mode: str) -> Any:
        """The evaluator as it is."""
        return evaluator
