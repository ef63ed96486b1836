"""What a run has measured so far: the scalars that `LocalVisBackend` writes."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Measured", "Scalars", "best_of"]

_OF_TRAINING = ("iter", "lr", "base_lr")
_OF_NO_INTEREST = ("step", "time", "data_time", "epoch", "iter", "memory")


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
        for path in sorted(self._folder.glob("*/vis_data/scalars.json")):
            if path.parts[-3] in self._ignored:
                continue
            begin = self._read.get(path, 0)
            with path.open("rb") as file:
                file.seek(begin)
                new = file.read()
            # The last line may be half written.
            complete = new[: new.rfind(b"\n") + 1]
            self._read[path] = begin + len(complete)
            for line in complete.splitlines():
                self._add(line)

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

    def _add(self, line: bytes) -> None:
        try:
            values: Any = json.loads(line)
        except ValueError:
            return
        if not isinstance(values, dict):
            return
        step = values.get("step")
        of_training = any(name.rpartition("/")[2] in _OF_TRAINING for name in values)
        table = self.training if of_training else self.validation
        for name, value in values.items():
            plain = isinstance(value, int | float) and not isinstance(value, bool)
            if plain and name.rpartition("/")[2] not in _OF_NO_INTEREST:
                measured = Measured(step if isinstance(step, int) else 0, float(value))
                table.setdefault(name, []).append(measured)


def best_of(values: list[Measured], *, maximize: bool) -> Measured | None:
    """The best of several values; NaN is none.

    Args:
        values: The values.
        maximize: Whether greater is better.
    """
    finite = [value for value in values if not math.isnan(value.value)]
    if not finite:
        return None
    choose = max if maximize else min
    return choose(finite, key=lambda measured: measured.value)
