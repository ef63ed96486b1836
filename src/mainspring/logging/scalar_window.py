"""Scalars that were logged but not read yet: tensors stay where they are until somebody looks.

Reading a tensor on the host waits for the device. So what an iteration logs is kept by reference,
and when a log line (or anything else) asks for a value, all waiting tensors of a device are stacked
and copied to the host once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["ScalarWindow"]

_CAPACITY = 1024

Sink = Callable[[str, float, float], None]


class ScalarWindow:
    """Waiting scalars in the order in which they were logged.

    Args:
        sink: Called with name, value and count for each scalar once it is read.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._waiting: list[tuple[str, Any, float]] = []
        self._records: list[tuple[str, Mapping[str, Any]]] = []

    def add(self, name: str, value: Any, count: float = 1) -> None:
        """Keep one value."""
        if self._records:
            self._unpack_records()
        self._waiting.append((name, value, count))
        if len(self._waiting) >= _CAPACITY:
            self.read()

    def record(self, prefix: str, values: Mapping[str, Any]) -> None:
        """Keep the values of an iteration, under ``prefix/name`` each."""
        if any(getattr(value, "requires_grad", False) for value in values.values()):
            values = {name: _without_graph(value) for name, value in values.items()}
        self._records.append((prefix, values))
        if len(self._records) >= _CAPACITY:
            self.read()

    def _unpack_records(self) -> None:
        for prefix, values in self._records:
            for name, value in values.items():
                if isinstance(value, Mapping):
                    self._waiting.append((f"{prefix}/{name}", value["value"], value["count"]))
                else:
                    self._waiting.append((f"{prefix}/{name}", value, 1))
        self._records.clear()

    def read(self) -> None:
        """Read all waiting values, tensors with one copy for each device and type."""
        self._unpack_records()
        waiting, self._waiting = self._waiting, []
        torch = sys.modules.get("torch")
        read: dict[int, float] = {}
        if torch is not None:
            groups: dict[Any, list[int]] = {}
            for index, (_, value, _) in enumerate(waiting):
                if isinstance(value, torch.Tensor):
                    groups.setdefault((value.device, value.dtype), []).append(index)
            for indices in groups.values():
                tensors = [waiting[index][1].detach().reshape(()) for index in indices]
                read.update(zip(indices, torch.stack(tensors).tolist(), strict=True))
        for index, (name, value, count) in enumerate(waiting):
            number = read.get(index)
            if number is None:
                number = value.item() if hasattr(value, "item") else value
            self._sink(name, float(number), count)


def _without_graph(value: Any) -> Any:
    """A tensor that does not keep the graph of its iteration alive while it waits."""
    return value.detach() if hasattr(value, "detach") else value
