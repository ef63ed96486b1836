"""What a trial leaves to be compared: tensors by name, and what it saw in the order of time."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mainspring.structures import BaseDataElement

__all__ = ["Entry", "Observation", "describe_leaf", "leaves"]

_TENSORS = "tensors.pt"
_REST = "observation.json"
_DEEPEST = 20


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
        for path, leaf in leaves(value):
            self.log.append(Entry(iteration, f"{name} {path}".rstrip(), describe_leaf(leaf)))

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


def leaves(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The tensors, arrays, numbers and other values in nested data, with the way to each.

    Args:
        value: Any data: mappings, sequences, `BaseDataElement` and other objects are followed.
        path: The way to it, dotted.
        depth: How deep it lies.
    """
    parts = None if depth > _DEEPEST else _parts_of(value)
    if parts is None:
        yield path, value
        return
    for name, part in parts:
        yield from leaves(part, f"{path}.{name}" if path else str(name), depth + 1)


def _parts_of(value: Any) -> list[tuple[Any, Any]] | None:
    """Names and values inside of a container; ``None`` for what is none."""
    if isinstance(value, np.ndarray) and value.dtype == object:
        return list(enumerate(value.reshape(-1)))
    if isinstance(value, Tensor | np.ndarray | str | bytes | int | float | complex | None):
        return None
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    if isinstance(value, BaseDataElement):
        return [*value.metainfo_items(), *value.items()]
    if isinstance(value, type) or callable(value) or hasattr(value, "tobytes"):
        return None
    attributes = getattr(value, "__dict__", None)
    return list(attributes.items()) if attributes else None


def describe_leaf(leaf: Any) -> str | int | float | None:
    """A value as it is compared: numbers as they are, of everything large a digest.

    Args:
        leaf: What `leaves` gave.
    """
    if isinstance(leaf, Tensor):
        if leaf.dim() == 0 and not leaf.is_complex():
            item: int | float = leaf.item()
            return item
        kind = str(leaf.dtype).removeprefix("torch.")
        return f"{kind} {tuple(leaf.shape)} {_digest(_bytes_of(leaf))}"
    if isinstance(leaf, np.ndarray):
        return f"{leaf.dtype} {leaf.shape} {_digest(np.ascontiguousarray(leaf).tobytes())}"
    if isinstance(leaf, np.generic):
        return describe_leaf(leaf.item())
    if leaf is None or isinstance(leaf, int | float | str):
        return leaf
    if isinstance(leaf, bytes):
        return f"bytes {len(leaf)} {_digest(leaf)}"
    if hasattr(leaf, "tobytes"):
        return f"{type(leaf).__name__} {_digest(leaf.tobytes())}"
    shown = repr(leaf)
    return type(leaf).__name__ if " at 0x" in shown else shown


def _bytes_of(tensor: Tensor) -> bytes:
    plain = tensor.detach().cpu()
    if plain.layout != torch.strided or plain.is_quantized:
        plain = plain.dequantize() if plain.is_quantized else plain.to_dense()
    found: bytes = plain.resolve_conj().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
