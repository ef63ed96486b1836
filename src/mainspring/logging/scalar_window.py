"""Scalars that are still on an accelerator: they stay there until somebody looks.

Reading a tensor of an accelerator waits for everything that it still has to do. So what an
iteration records is kept by reference, and when a log line (or anything else) asks for a value, all
waiting tensors of a device are stacked and copied to the host once. Tensors of the CPU are read at
once: that waits for nothing and is cheaper than keeping them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mainspring.errors import ArgumentTypeError, ArgumentValueError

if TYPE_CHECKING:
    import torch

__all__ = ["ScalarWindow", "as_scalar"]

Sink = Callable[[str, float, float], None]

_NUMBER = (int, float)


class ScalarWindow:
    """Scalars that wait to be read, in the order in which they were recorded.

    Args:
        sink: Called with name, value and count of each scalar once it is read.
        capacity: So many scalars are read without being asked for.

    Attributes:
        waiting: Name, value and count of those that were not read yet.
    """

    def __init__(self, sink: Sink, capacity: int = 8192) -> None:
        self._sink = sink
        self._capacity = capacity
        self.waiting: list[tuple[str, Any, float]] = []

    def add(self, name: str, value: Any, count: float = 1) -> None:
        """Record a number, or a tensor of an accelerator that nobody writes to any more."""
        if not self.waiting and isinstance(value, _NUMBER):
            self._sink(name, value, count)
            return
        self.waiting.append((name, value, count))
        if len(self.waiting) >= self._capacity:
            self.read()

    def read(self) -> None:
        """Read all waiting scalars, with one copy for each device and type."""
        if not self.waiting:
            return
        import torch

        waiting, self.waiting = self.waiting, []
        groups: dict[tuple[Any, Any], list[int]] = {}
        for index, (_, value, _) in enumerate(waiting):
            if isinstance(value, torch.Tensor):
                groups.setdefault((value.device, value.dtype), []).append(index)
        numbers: dict[int, Any] = {}
        for indices in groups.values():
            stacked = torch.stack([waiting[index][1] for index in indices])
            numbers.update(zip(indices, stacked.tolist(), strict=True))  # waits for the device
        for index, (name, value, count) in enumerate(waiting):
            self._sink(name, numbers.get(index, value), count)


def as_scalar(name: str, value: Any) -> Any:
    """A recorded value as a Python number, or as a 0-dim tensor if it is on an accelerator.

    Args:
        name: Its name, for messages.
        value: Number, or tensor or array with one element.

    Raises:
        ArgumentValueError: It has several elements, or none.
        ArgumentTypeError: It is nothing of this kind.
    """
    if getattr(value, "is_cpu", None) is not None:
        return _read_or_keep(name, value)
    if isinstance(value, _NUMBER):
        return value
    if hasattr(value, "item") and hasattr(value, "size"):
        if value.size != 1:
            raise ArgumentValueError(f"{name} has {value.size} elements, but a scalar has one")
        value = value.item()
    if not isinstance(value, _NUMBER):
        raise ArgumentTypeError(
            f"{name} is a {type(value).__name__}, not a number or a tensor with one element"
        )
    return value


def _read_or_keep(name: str, tensor: torch.Tensor) -> Any:
    if tensor.is_cpu and tensor.dim() == 0 and type(tensor).__name__ == "Tensor":
        return tensor.item()
    if tensor.numel() != 1:
        raise ArgumentValueError(
            f"{name} has {tensor.numel()} elements (shape {tuple(tensor.shape)}), but a scalar has "
            "one"
        )
    whole = getattr(type(tensor), "full_tensor", None)
    if whole is not None:
        # A norm of sharded gradients is spread over the ranks; this is a collective of all ranks.
        tensor = whole(tensor)
    if tensor.is_cpu:
        return tensor.item()
    tensor = tensor.detach()
    # What was written to in place before, such as a running mean, will be again: copy it, on the
    # device and without waiting.
    if tensor.is_inference() or tensor._version:
        tensor = tensor.clone()
    return tensor.reshape(()) if tensor.dim() else tensor
