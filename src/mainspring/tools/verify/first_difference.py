"""Where two observations part: the first thing seen that differs, and the first tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mainspring.comparison import MISSING, different, in_short, pairs
from mainspring.structures.tensor_difference import kind_of_tensor, tensor_difference
from mainspring.tools.verify.observation import Observation

__all__ = ["Difference", "compare", "differing_tensor"]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first of several things that differ.

    Attributes:
        name: What differs.
        what: How, in words.
        others: How many further things of the same kind differ.
        iteration: Iteration in which it was seen; ``None`` for the state in the end.
    """

    name: str
    what: str
    others: int = 0
    iteration: int | None = None

    def __str__(self) -> str:
        place = f"iteration {self.iteration}, " if self.iteration else ""
        more = f" (and {self.others} more differ)" if self.others else ""
        return f"{place}{self.name}: {self.what}{more}"

    @property
    def is_batch(self) -> bool:
        """Whether it is what the loader gave."""
        return self.name.startswith("batch")


def compare(left: Observation, right: Observation, *, after: int = 0) -> list[Difference]:
    """Compare two observations bit for bit.

    Args:
        left: What is expected.
        right: What is compared with it.
        after: Only what was seen after so many iterations counts.

    Returns:
        The first thing that differs in the order of time, and the first tensor; nothing if all is
        equal.
    """
    ours, theirs = (
        {(e.iteration, e.name): e.value for e in side.log if e.iteration > after or not e.iteration}
        for side in (left, right)
    )
    found = []
    if entries := different(ours, theirs, _same):
        (iteration, name), one, other = entries[0]
        said = _only_in(one, other) or f"{in_short(one)} against {in_short(other)}"
        found.append(Difference(name, said, len(entries) - 1, iteration))
    tensors = [
        (name, what)
        for name, one, other in pairs(left.tensors, right.tensors)
        if (what := _only_in(one, other) or differing_tensor(one, other)) is not None
    ]
    if tensors:
        found.append(Difference(*tensors[0], len(tensors) - 1))
    return found


def _only_in(one: Any, other: Any) -> str | None:
    if one is MISSING or other is MISSING:
        return f"only in {'the first' if other is MISSING else 'the second'}"
    return None


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, float) and isinstance(second, float):
        return first.hex() == second.hex()  # which is the same for any NaN
    return type(first) is type(second) and bool(first == second)


def differing_tensor(first: Tensor, second: Tensor) -> str | None:
    """How two tensors differ, in words; ``None`` if every bit is equal.

    Args:
        first: A tensor on the CPU.
        second: Another one.
    """
    if first.shape != second.shape or first.dtype != second.dtype:
        return f"{kind_of_tensor(first)} against {kind_of_tensor(second)}"
    found = tensor_difference(first, second, bits=True)
    if found is None:
        return None
    if first.is_complex():
        return "the values differ"
    said = f"{found.count} of {first.numel()} values differ"
    if first.is_floating_point():
        said += f", by up to {found.largest:.3g}"
    if found.units is not None:
        said += f" ({found.units} units in the last place)"
    return said
