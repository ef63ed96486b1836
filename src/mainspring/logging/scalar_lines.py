"""Lines of the file of scalars that `LocalVisBackend` writes of a run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.comparison import is_number

__all__ = ["Curve", "Curves", "ScalarLine", "read_curves", "scalar_files"]

_OF_TRAINING = ("iter", "lr", "base_lr")
_PLACES = ("step", "iter", "epoch")
_NO_RESULTS = ("step", "time", "data_time", "eta", "memory", "epoch", "iter")


@dataclass(frozen=True, slots=True)
class ScalarLine:
    """What was logged at once.

    Attributes:
        kind: ``"train"`` or ``"val"``.
        step: Epoch or iteration; ``None`` where it is not told.
        numbers: The numbers by name, without times, memory and counts of iterations.
    """

    kind: str
    step: int | None
    numbers: dict[str, float]

    @classmethod
    def parse(cls, line: bytes) -> ScalarLine | None:
        """Read a line; ``None`` for one that is damaged.

        Args:
            line: The line.
        """
        values = _numbers_of(line)
        if values is None:
            return None
        short = {name: name.rpartition("/")[2] for name in values}
        step = values.get("step")
        return cls(
            "train" if any(name in _OF_TRAINING for name in short.values()) else "val",
            step if isinstance(step, int) else None,
            {
                name: float(value)
                for name, value in values.items()
                if is_number(value) and short[name].removeprefix("val_") not in _NO_RESULTS
            },
        )


@dataclass(slots=True)
class Curve:
    """One scalar of a run.

    Attributes:
        iterations: Where it was measured; rising.
        values: Its values there; all finite.
    """

    iterations: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def _begin_at(self, iteration: float) -> None:
        """Forget what was measured from an iteration on."""
        while self.iterations and self.iterations[-1] >= iteration:
            self.iterations.pop()
            self.values.pop()

    def _append(self, iteration: float, value: float) -> None:
        self._begin_at(iteration)
        self.iterations.append(iteration)
        self.values.append(float(value))


@dataclass(slots=True)
class Curves:
    """All scalars of a run.

    Attributes:
        train: Those of training by name, over iterations.
        val: Those of validation by name, over the iterations after which it took place.
        epochs: Epochs in which training was logged, over iterations.
    """

    train: dict[str, Curve] = field(default_factory=dict)
    val: dict[str, Curve] = field(default_factory=dict)
    epochs: Curve = field(default_factory=Curve)

    @property
    def names(self) -> list[str]:
        """The names of all scalars, those of training first."""
        return list(dict.fromkeys([*self.train, *self.val]))

    def _begin_at(self, iteration: float) -> None:
        """Forget what a start that went on from here measures again."""
        for curve in (*self.train.values(), *self.val.values(), self.epochs):
            curve._begin_at(iteration)


def read_curves(files: Iterable[Path], epoch_length: float | None = None) -> Curves:
    """What a run measured, in all its starts.

    Lines of training have an ``iter``. A line without one belongs to a validation, whose ``step``
    may count epochs; the training line before it tells where it took place. Lines that are damaged,
    as the last one of a killed run may be, are left out.

    Args:
        files: The files of scalars, oldest start first.
        epoch_length: Iterations of an epoch, if they are known: a validation took place at the end
            of one, behind the last line of training.
    """
    curves = Curves()
    last: float | None = None
    for file in files:
        is_begun = False
        for text in file.read_bytes().splitlines():
            row = _numbers_of(text)
            if row is None:
                continue
            is_train = is_number(row.get("iter"))
            here = float(row["iter"] if is_train else row.get("step", 0) if last is None else last)
            if is_train and not is_begun:
                curves._begin_at(here)
                is_begun = True
            last = here if is_train else last
            if not is_train and epoch_length:
                here = math.ceil(here / epoch_length) * epoch_length
            kind, table = ("train/", curves.train) if is_train else ("val/", curves.val)
            for name, value in row.items():
                if is_number(value) and math.isfinite(value) and name not in _PLACES:
                    table.setdefault(name.removeprefix(kind), Curve())._append(here, value)
            if is_train and is_number(row.get("epoch")):
                curves.epochs._append(here, row["epoch"])
    return curves


def _numbers_of(line: bytes) -> dict[str, Any] | None:
    """What a line holds by name; ``None`` for one that is damaged."""
    try:
        values: Any = json.loads(line)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None


def scalar_files(path: str | Path) -> list[Path]:
    """The files of scalars of a run, oldest start first.

    Args:
        path: Its work directory, or the log directory of one start.
    """
    own = Path(path) / "vis_data" / "scalars.json"
    return [own] if own.is_file() else sorted(Path(path).glob("*/vis_data/scalars.json"))
