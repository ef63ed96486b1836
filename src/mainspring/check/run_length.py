"""How long a run is, and what it counts in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mainspring.config.lazy import LazyAttr, LazyObject

__all__ = ["RunLength", "counts_epochs", "run_length", "type_name", "whole_number"]

_LOOPS = {"EpochBasedTrainLoop": True, "WorkflowTrainLoop": True, "IterBasedTrainLoop": False}


@dataclass(frozen=True, slots=True)
class RunLength:
    """How long a run is.

    Attributes:
        by_epoch: Whether it counts epochs rather than iterations; ``None`` if that is unknown.
        total: Its length in what it counts; ``None`` if that is unknown.
    """

    by_epoch: bool | None
    total: int | None

    @property
    def unit(self) -> str:
        """What it counts."""
        return "epochs" if self.by_epoch else "iterations"

    def __str__(self) -> str:
        unit = self.unit[:-1] if self.total == 1 else self.unit
        return f"{self.total} {unit}"


def counts_epochs(arguments: Mapping[Any, Any]) -> bool | None:
    """Whether a ``train_cfg`` without type counts epochs; ``None`` if it does not say.

    Args:
        arguments: What it says.
    """
    if isinstance(arguments.get("by_epoch"), bool):
        return bool(arguments["by_epoch"])
    if "max_epochs" in arguments or "max_iters" in arguments:
        return "max_epochs" in arguments
    return None


def run_length(train_cfg: Any, arguments: Mapping[Any, Any], loop: Any) -> RunLength:
    """How long a run is.

    Args:
        train_cfg: The section.
        arguments: Its arguments by name.
        loop: The class of its loop; ``None`` if that is unknown.
    """
    by_epoch = counts_epochs(arguments)
    if isinstance(train_cfg, dict) and dict.__contains__(train_cfg, "type"):
        by_epoch = _LOOPS.get(type_name(train_cfg) or "")
        counted = getattr(loop, "by_epoch", None)
        by_epoch = counted if isinstance(counted, bool) else by_epoch
    if by_epoch is None:
        return RunLength(None, None)
    total = whole_number(arguments.get("max_epochs" if by_epoch else "max_iters"))
    return RunLength(by_epoch, total)


def whole_number(value: Any) -> int | None:
    """A value if it is a whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def type_name(spec: Any) -> str | None:
    """The bare name of what a call or dict calls, without importing it.

    Args:
        spec: The call or dict.
    """
    kind = dict.get(spec, "type") if isinstance(spec, dict) else spec
    if isinstance(kind, str):
        return kind.rpartition(".")[2]
    if isinstance(kind, LazyObject | LazyAttr):
        return str(kind).rpartition(".")[2]
    name = getattr(kind, "__name__", None)
    return name if isinstance(name, str) else None
