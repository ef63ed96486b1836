"""What a run has measured so far: the scalars that `LocalVisBackend` writes."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from mainspring.logging.scalar_lines import ScalarLine, scalar_files

__all__ = ["Measured", "Scalars", "best_of"]


@dataclass(frozen=True, slots=True)
class Measured:
    """One value of a metric.

    Attributes:
        step: The epoch or iteration after which it was measured.
        value: The value.
    """

    step: int
    value: float


class Scalars:
    """Reads the scalars of a run while it goes on, each line once.

    Args:
        folder: The run's work directory.
        ignored: Log directories in it that are those of earlier runs.
    """

    def __init__(self, folder: Path, ignored: Collection[str] = ()) -> None:
        self.validation: dict[str, list[Measured]] = {}
        self.training: dict[str, list[Measured]] = {}
        self._folder = folder
        self._ignored = frozenset(ignored)
        self._read: dict[Path, int] = {}

    def update(self) -> None:
        """Read what was written since the last time."""
        for path in scalar_files(self._folder):
            if path.parts[-3] in self._ignored:
                continue
            begin = self._read.get(path, 0)
            with path.open("rb") as file:
                file.seek(begin)
                new = file.read()
            # The last line may be half written.
            complete = new[: new.rfind(b"\n") + 1]
            self._read[path] = begin + len(complete)
            for line in filter(None, map(ScalarLine.parse, complete.splitlines())):
                table = self.training if line.kind == "train" else self.validation
                for name, value in line.numbers.items():
                    table.setdefault(name, []).append(Measured(line.step or 0, value))

    def of(self, metric: str) -> list[Measured]:
        """All values of a metric, in order: those of validation, else those of training.

        Args:
            metric: Its name, with or without the name of its data set before a slash.
        """
        for table in (self.validation, self.training):
            for name, values in table.items():
                if name == metric or name.rpartition("/")[2] == metric:
                    return values
        return []

    @property
    def names(self) -> list[str]:
        """The metrics of validation; those of training where nothing was validated."""
        return list(self.validation) or list(self.training)


def best_of(values: list[Measured], *, maximize: bool) -> Measured | None:
    """The best of several values; NaN is none.

    Args:
        values: The values.
        maximize: Whether greater is better.
    """
    finite = [value for value in values if not math.isnan(value.value)]
    choose = max if maximize else min
    return choose(finite, key=lambda measured: measured.value, default=None)
