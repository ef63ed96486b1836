"""What a trial leaves to be compared: tensors by name, and what it saw in the order of time."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mainspring.structures.nested_digest import leaf_in_short, named_leaves

__all__ = ["Entry", "Observation"]

_TENSORS = "tensors.pt"
_REST = "observation.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that a trial saw.

    Attributes:
        iteration: Iteration, counted from 1; 0 for what belongs to none.
        name: What it is, such as ``loss`` or ``batch inputs.0``.
        value: A number, or a text; of tensors a digest.
    """

    iteration: int
    name: str
    value: Any


@dataclass(slots=True)
class Observation:
    """What a trial leaves.

    Attributes:
        tensors: The state at its end, by name.
        log: What it saw, in the order of time.
        facts: What the trial says about itself.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    log: list[Entry] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def add(self, iteration: int, name: str, value: Any) -> None:
        """Note something that was seen.

        Args:
            iteration: Iteration, counted from 1.
            name: What it is.
            value: Anything; containers are followed, and of tensors digests are kept.
        """
        for path, leaf in named_leaves(value, dotted=True):
            full = f"{name} {path.removeprefix('.')}".rstrip()
            self.log.append(Entry(iteration, full, leaf_in_short(leaf)))

    def write(self, folder: str | Path) -> None:
        """Write a file of tensors and one of JSON; the latter in the end.

        Args:
            folder: Where; created if it is missing.
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        on_cpu = {name: tensor.detach().cpu() for name, tensor in self.tensors.items()}
        torch.save(on_cpu, target / _TENSORS)
        rest = {"log": [dataclasses.astuple(entry) for entry in self.log], "facts": self.facts}
        (target / _REST).write_text(json.dumps(rest), encoding="utf-8")

    @classmethod
    def read(cls, folder: str | Path) -> Observation:
        """The inverse of `write`.

        Args:
            folder: Where it was written.

        Raises:
            FileNotFoundError: Nothing was written there.
        """
        rest = json.loads((Path(folder) / _REST).read_text(encoding="utf-8"))
        tensors = torch.load(Path(folder) / _TENSORS, weights_only=True)
        return cls(tensors, [Entry(*entry) for entry in rest["log"]], rest["facts"])
