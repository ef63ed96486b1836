"""Where two runs part, by the scalars that they logged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mainspring.errors import ConfigError
from mainspring.logging.digest_comparison import Comparison, Difference, Thing

__all__ = ["compare_scalars", "scalar_files"]

_OF_TRAINING = ("iter", "lr", "base_lr")
_NOT_COMPARED = ("step", "time", "data_time", "eta", "memory")

_Lines = dict[tuple[str, int], dict[str, str]]
"""Numbers in hexadecimal by name, by (``"train"`` or ``"val"``, step)."""


def scalar_files(path: str | Path) -> list[Path]:
    """The files of scalars of a run, oldest start first.

    Args:
        path: Its work directory, or the log directory of one start.
    """
    folder = Path(path)
    own = folder / "vis_data" / "scalars.json"
    return [own] if own.is_file() else sorted(folder.glob("*/vis_data/scalars.json"))


def compare_scalars(a: str | Path, b: str | Path) -> Comparison:
    """Compare the numbers that two runs logged at the same steps, bit for bit; no times, no memory.

    Args:
        a: Work directory of one run, or the log directory of one start.
        b: That of the other.

    Raises:
        ConfigError: They logged nothing at the same steps.
    """
    left, right = _read(a), _read(b)
    common = [step for step in left if step in right]
    if not common:
        raise ConfigError(f"{str(a)!r} and {str(b)!r} have logged nothing at the same steps")
    lasts = tuple(
        max((step for kind, step in lines if kind == "train"), default=0) for lines in (left, right)
    )
    compared = [step for step in common if step[0] == "train"] or common
    found = Comparison("scalars", len(compared), (lasts[0], lasts[1]))
    for kind, step in common:
        things = tuple(_things(left[kind, step], right[kind, step]))
        if things:
            names = left[kind, step].keys() | right[kind, step].keys()
            found.first = [Difference(step, 0, f"{kind} scalars", things, len(names))]
            found.likely = (
                "logged numbers cannot tell: they show effects, and means of several iterations"
            )
            break
        if kind == "train":
            found.equal_until = step
    return found


def _things(a: Mapping[str, str], b: Mapping[str, str]) -> list[Thing]:
    names = [*a, *(name for name in b if name not in a)]
    return [Thing(name, a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name)]


def _read(path: str | Path) -> _Lines:
    lines: _Lines = {}
    for file in scalar_files(path):
        of_start = dict(_lines_of(file))
        begin = next((step for kind, step in of_start if kind == "train"), None)
        _drop_redone(lines, begin)
        lines.update(of_start)
    return lines


def _drop_redone(lines: _Lines, begin: int | None) -> None:
    """Drop what earlier starts logged from the step on at which a later one begins."""
    redone = False
    for kind, step in list(lines):
        redone = redone or (kind == "train" and begin is not None and step >= begin)
        if redone:
            del lines[kind, step]


def _lines_of(file: Path) -> Iterator[tuple[tuple[str, int], dict[str, str]]]:
    for line in file.read_bytes().splitlines():
        try:
            values: Any = json.loads(line)
        except ValueError:
            continue
        if not isinstance(values, dict) or not isinstance(values.get("step"), int):
            continue
        names = {name: name.rpartition("/")[2] for name in values}
        is_training = any(name in _OF_TRAINING for name in names.values())
        numbers = {
            name: float(value).hex()
            for name, value in values.items()
            if isinstance(value, int | float) and names[name] not in _NOT_COMPARED
        }
        yield ("train" if is_training else "val", values["step"]), numbers
