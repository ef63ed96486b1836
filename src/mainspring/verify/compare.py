"""Where two observations part: the first thing seen that differs, and the first tensor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mainspring.verify.observation import Entry, Observation

__all__ = ["Difference", "compare", "differing_tensor", "relative_difference"]

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


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
    seen = list(_differing_entries(left, right, after))
    tensors = list(_differing_tensors(left, right))
    found = []
    for differences in (seen, tensors):
        if differences:
            name, what, iteration = differences[0]
            found.append(Difference(name, what, len(differences) - 1, iteration))
    return found


_Found = tuple[str, str, int | None]


def _differing_entries(left: Observation, right: Observation, after: int) -> Iterator[_Found]:
    ours, theirs = _by_place(left, after), _by_place(right, after)
    for place in dict.fromkeys([*ours, *theirs]):
        first, second = ours.get(place), theirs.get(place)
        if first is None or second is None:
            where = "the first" if second is None else "the second"
            yield place[1], f"only in {where}", place[0]
        elif not _same(first.value, second.value):
            yield place[1], f"{_shown(first.value)} against {_shown(second.value)}", place[0]


def _by_place(observation: Observation, after: int) -> dict[tuple[int, str], Entry]:
    return {
        (entry.iteration, entry.name): entry
        for entry in observation.log
        if entry.iteration > after or not entry.iteration
    }


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, float) and isinstance(second, float):
        return first.hex() == second.hex() or (math.isnan(first) and math.isnan(second))
    return type(first) is type(second) and bool(first == second)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, int | float) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _differing_tensors(left: Observation, right: Observation) -> Iterator[_Found]:
    for name in dict.fromkeys([*left.tensors, *right.tensors]):
        first, second = left.tensors.get(name), right.tensors.get(name)
        if first is None or second is None:
            yield name, f"only in {'the first' if second is None else 'the second'}", None
            continue
        what = differing_tensor(first, second)
        if what is not None:
            yield name, what, None


def differing_tensor(first: Tensor, second: Tensor) -> str | None:
    """How two tensors differ, in words; ``None`` if every bit is equal.

    Args:
        first: A tensor on the CPU.
        second: Another one.
    """
    if first.shape != second.shape or first.dtype != second.dtype:
        return f"{_kind(first)} against {_kind(second)}"
    first, second = _flat(first), _flat(second)
    size = first.element_size()
    if first.is_complex() or size not in _INTEGERS:
        return None if torch.equal(first, second) else "the values differ"
    bits = _INTEGERS[size]
    unequal = first.view(bits) != second.view(bits)
    if first.is_floating_point():
        unequal &= ~(first.isnan() & second.isnan())
    count = int(unequal.sum())
    if not count:
        return None
    said = f"{count} of {unequal.numel()} values differ"
    if not first.is_floating_point():
        return said
    pair = first[unequal].double(), second[unequal].double()
    largest = float((pair[0] - pair[1]).abs().max())
    said += f", by up to {largest:.3g}"
    if size < 8 and math.isfinite(largest):
        steps = _ordered(first[unequal].view(bits)) - _ordered(second[unequal].view(bits))
        said += f" ({int(steps.abs().max())} units in the last place)"
    return said


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _flat(tensor: Tensor) -> Tensor:
    plain = tensor.detach()
    if plain.is_quantized:
        plain = plain.dequantize()
    if plain.layout != torch.strided:
        plain = plain.to_dense()
    return plain.contiguous().reshape(-1)


def _ordered(bits: Tensor) -> Tensor:
    """Integers that are ordered as the floating-point numbers with these bits."""
    sign = torch.iinfo(bits.dtype).min
    wide = bits.long()
    return torch.where(wide < 0, sign - wide, wide)


def relative_difference(first: Tensor, second: Tensor, floor: float = 0.0) -> float:
    """Norm of the difference over the norm of the first, or over `floor` where that is larger.

    Args:
        first: A tensor.
        second: One of the same shape.
        floor: Norm below which a tensor counts as nothing but rounding.
    """
    if first.shape != second.shape:
        return math.inf
    first, second = _flat(first).double(), _flat(second).double()
    distance = float((first - second).norm())
    if distance == 0.0:
        return 0.0
    scale = max(float(first.norm()), floor)
    return distance / scale if scale else math.inf
