"""Which item of a list an expression puts at an index, and what changes of lists do to indices."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mainspring.config.python_writes import Write

__all__ = ["Step", "item_of_display", "undo_list_change"]


@dataclass(frozen=True, slots=True)
class Step:
    """One key of a path.

    Attributes:
        name: The key.
        length: Length of the list that it is an index of, where that is known.
        position: Which argument of a call it is, where that is known.
    """

    name: str
    length: int | None = None
    position: int | None = None

    @property
    def index(self) -> int | None:
        """The key as an index of a list."""
        return int(self.name) if self.name.isdecimal() else None

    def at(self, index: int, length: int | None) -> Step:
        """The same item in a list of another length."""
        return Step(str(index), length)


def undo_list_change(write: Write, step: Step) -> tuple[Step, ast.expr | None]:
    """Where an item was before a change such as ``pipeline.append(...)``.

    Args:
        write: The change.
        step: The index after it.

    Returns:
        The index before it, without the length of the list where that is not known; and the item
        itself, if the change brought it.
    """
    index, length = step.index, step.length
    if index is None or length is None:
        return step, None
    added: Sequence[ast.expr] | None = None
    position = length - 1
    if write.change in ("append", "insert") and write.value is not None:
        added = (write.value,)
        if write.change == "insert":
            position = _from_start(write.position, length - 1)
    elif write.change in ("extend", "+="):
        added = _items(write.value)
        position = length - len(added or ())
    elif write.change == "pop":
        position = _from_start(write.position, length + 1)
        return step.at(index + (index >= position), length + 1), None
    if added is None:
        return step.at(index, None), None
    if position <= index < position + len(added):
        return step, added[index - position]
    shift = len(added) if index >= position else 0
    return step.at(index - shift, length - len(added)), None


def item_of_display(value: ast.expr, step: Step) -> tuple[ast.expr, Step | None] | None:
    """The item that a list, a sum of lists or a part of a list has at an index.

    Args:
        value: The expression.
        step: The index.

    Returns:
        The item, and no step; or another list, and the index in that; or the expression itself, if
        it cannot be known. ``None`` when there is no such item.
    """
    if isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Slice):
        return _in_slice(value, value.slice, step)
    parts = list(_parts(value))
    index = step.index
    if not parts or index is None:
        return None
    lengths = [_length(part) for part in parts]
    unknown = lengths.count(None)
    if unknown == 1 and step.length is not None:
        rest = step.length - sum(length or 0 for length in lengths)
        lengths = [rest if length is None else length for length in lengths]
    for part, length in zip(parts, lengths, strict=True):
        if length is None:
            return value, None
        if index < length:
            if isinstance(part, ast.Starred):
                return part.value, step.at(index, length)
            return part, None
        index -= length
    return None


def _length(part: ast.expr) -> int | None:
    """How many items a part of a list makes."""
    if not isinstance(part, ast.Starred):
        return 1
    cut = part.value.slice if isinstance(part.value, ast.Subscript) else None
    if not isinstance(cut, ast.Slice) or cut.step is not None:
        return None
    start = 0 if cut.lower is None else _number(cut.lower)
    stop = _number(cut.upper)
    known = start is not None and stop is not None and 0 <= start <= stop
    return stop - start if known and start is not None and stop is not None else None


def _in_slice(value: ast.Subscript, cut: ast.Slice, step: Step) -> tuple[ast.expr, Step | None]:
    start = 0 if cut.lower is None else _number(cut.lower)
    stop = None if cut.upper is None else _number(cut.upper)
    computed = cut.upper is not None and stop is None
    index = step.index
    if start is None or start < 0 or cut.step is not None or computed or index is None:
        return value, None
    length = None if step.length is None else step.length + start
    if length is not None and stop is not None:
        length = length - stop if stop < 0 else None
    return value.value, step.at(index + start, length)


def _number(node: ast.expr | None) -> int | None:
    try:
        value = None if node is None else ast.literal_eval(node)
    except (ValueError, SyntaxError):
        return None
    return value if isinstance(value, int) else None


def _from_start(position: ast.expr | None, length: int) -> int:
    """A position that may count from the end, of ``insert`` or ``pop``, counted from the start."""
    number = -1 if position is None else _number(position)
    if number is None:
        return length
    return max(0, number + length) if number < 0 else min(number, length)


def _items(value: ast.expr | None) -> list[ast.expr] | None:
    """The items of a list that is written out."""
    if not isinstance(value, ast.List | ast.Tuple):
        return None
    starred = any(isinstance(item, ast.Starred) for item in value.elts)
    return None if starred else value.elts


def _parts(value: ast.expr) -> Iterator[ast.expr]:
    """The items of a list; a list inside whose items are not written out is starred."""
    if isinstance(value, ast.List | ast.Tuple):
        for item in value.elts:
            if isinstance(item, ast.Starred) and isinstance(item.value, ast.List | ast.Tuple):
                yield from _parts(item.value)
            else:
                yield item
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        for side in (value.left, value.right):
            inner = list(_parts(side))
            whole = isinstance(side, ast.List | ast.Tuple | ast.BinOp)
            yield from inner if whole else [ast.copy_location(ast.Starred(side, ast.Load()), side)]
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult):
        times = _number(value.right)
        items = _items(value.left)
        if times is not None and items is not None:
            yield from itertools.chain.from_iterable([items] * min(times, 1000))
