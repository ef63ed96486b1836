"""Where two runs part, by the scalars that they logged."""

from __future__ import annotations

from pathlib import Path

from mainspring.errors import ConfigError
from mainspring.logging.digest_comparison import Comparison, Difference, things_of
from mainspring.logging.scalar_lines import ScalarLine, scalar_files

__all__ = ["compare_scalars", "scalar_files"]

_Lines = dict[tuple[str, int], dict[str, str]]
"""Numbers in hexadecimal by name, by (``"train"`` or ``"val"``, step)."""


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
        if things := things_of(left[kind, step], right[kind, step]):
            names = left[kind, step].keys() | right[kind, step].keys()
            found.first = [Difference(step, 0, f"{kind} scalars", things, len(names))]
            found.likely = (
                "logged numbers cannot tell: they show effects, and means of several iterations"
            )
            break
        if kind == "train":
            found.equal_until = step
    return found


def _read(path: str | Path) -> _Lines:
    lines: _Lines = {}
    for file in scalar_files(path):
        parsed = filter(None, map(ScalarLine.parse, file.read_bytes().splitlines()))
        of_start = {
            (line.kind, line.step): {name: value.hex() for name, value in line.numbers.items()}
            for line in parsed
            if line.step is not None
        }
        begin = next((step for kind, step in of_start if kind == "train"), None)
        # What earlier starts logged from the step on at which this one begins was done anew.
        redone = False
        for kind, step in list(lines):
            redone = redone or (kind == "train" and begin is not None and step >= begin)
            if redone:
                del lines[kind, step]
        lines.update(of_start)
    return lines
