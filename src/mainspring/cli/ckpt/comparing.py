"""`mainspring ckpt diff`: where two checkpoints differ."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mainspring.cli.common import add_format_option, tell

if TYPE_CHECKING:
    from mainspring.checkpoint import Comparison, Difference

__all__ = ["add_parsers"]

_DIFFERENT = 1
_SHOWN_NAMES = 10


def add_parsers(inner: Any) -> list[tuple[Any, Any]]:
    """Add the parser; returns it with its function."""
    parser = inner.add_parser(
        "diff",
        help="where two checkpoints differ",
        description="Compare two checkpoints value by value. The exit code is 0 if they are equal, "
        "1 if they differ.",
    )
    parser.add_argument("left", metavar="A")
    parser.add_argument("right", metavar="B")
    parser.add_argument(
        "--top", type=_count, default=20, metavar="N", help="weights to show (default: 20)"
    )
    parser.add_argument("--weights", action="store_true", help="compare nothing but weights")
    add_format_option(parser)
    return [(parser, _diff)]


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is negative")
    return number


def _diff(options: argparse.Namespace) -> None:
    from mainspring.checkpoint import compare_checkpoints, read_checkpoint

    left, right = read_checkpoint(options.left), read_checkpoint(options.right)
    found = compare_checkpoints(left, right)
    if options.weights:
        found = {key: part for key, part in found.items() if key == "state_dict"}
    are_equal = all(part.are_equal for part in found.values())
    lines = [f"A: {options.left}\nB: {options.right}"] if not are_equal else []
    for key, part in found.items():
        lines += _lines(key, part, options.top)
    tell(options, {"equal": are_equal, **_as_json(found)}, "\n".join(lines))
    if not are_equal:
        raise SystemExit(_DIFFERENT)


def _lines(key: str, part: Comparison, top: int) -> Iterator[str]:
    sides = ((part.only_left, "A"), (part.only_right, "B"))
    counts = [f"{len(part.different)} of {part.compared} values differ"] if part.compared else []
    counts += [f"{len(names)} only in {file}" for names, file in sides if names]
    said = f"equal ({part.compared} values)" if part.are_equal else ", ".join(counts)
    said = f"{'weights' if key == 'state_dict' else key}: {said}"
    if key not in ("state_dict", "meta"):
        # Where a part differs most, or where it has another shape or kind.
        for first in part.different[:1]:
            if first.largest is None:
                said += f"; first {first.path}: {first.left} -> {first.right}"
            else:
                said += f"; largest difference {first.largest:.3g} at {first.path}"
        yield said
        return
    yield said
    for names, file in sides:
        for name in names[:_SHOWN_NAMES]:
            yield f"  only in {file}: {name}"
        if len(names) > _SHOWN_NAMES:
            yield f"  only in {file}: {len(names) - _SHOWN_NAMES} more"
    if key == "state_dict":
        yield from _weights(part.different, top)
        return
    for each in part.different:
        yield f"  {each.path}: {each.left} -> {each.right}"


def _weights(different: tuple[Difference, ...], top: int) -> Iterator[str]:
    shown = different[:top]
    width = max((len(each.path) for each in shown), default=0)
    if shown:
        yield f"  {'':<{width}}  {'max abs':>9}  {'relative':>9}  values"
    for each in shown:
        if each.largest is None or each.relative is None:
            yield f"  {each.path:<{width}}  {each.left} -> {each.right}"
            continue
        kinds = f"{each.left} -> {each.right}" if each.left != each.right else each.left
        many = f"{each.count} of " if each.count is not None else ""
        numbers = f"{each.largest:>9.3g}  {each.relative:>9.3g}"
        yield f"  {each.path:<{width}}  {numbers}  {many}{kinds}"
    if len(different) > top:
        yield f"  and {len(different) - top} more: --top {len(different)} shows all"


def _as_json(found: dict[str, Comparison]) -> dict[str, Any]:
    return {
        key: {
            "compared": part.compared,
            "only_a": list(part.only_left),
            "only_b": list(part.only_right),
            "different": [
                {
                    "path": each.path,
                    "a": each.left,
                    "b": each.right,
                    "max_abs": each.largest,
                    "relative": each.relative,
                    "count": each.count,
                }
                for each in part.different
            ],
        }
        for key, part in found.items()
    }
