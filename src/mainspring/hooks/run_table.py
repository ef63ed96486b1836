"""How a training is going, as rows of a table that grows on standard output.

Columns come in when there is something to show in them, and those that matter least are left out
where the terminal is narrow. The file of the log has everything.
"""

from __future__ import annotations

import math
import operator
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mainspring.columns import as_duration, as_number
from mainspring.comparison import is_number
from mainspring.hooks.iter_timer_hook import IterTimerHook
from mainspring.hooks.metric_rule import Rule, UnknownRuleError, infer_rule, is_better, worst_score
from mainspring.hooks.run import Run
from mainspring.logging import ON_TERMINAL
from mainspring.logging.run_record import read_record, record_files
from mainspring.output import is_terminal, uses_colour

__all__ = [
    "Cell",
    "GrowingTable",
    "RunTable",
    "Watched",
    "console_width",
    "number_of",
    "training_cells",
]

_QUIET_SECONDS = 10.0
"""Within an epoch, a row at least this long after the last line, unless an interval was given."""

_SECONDS_TO_READ = 0.1
"""Between rows on a terminal, where each log step has one."""

_OF_THE_RUN = frozenset(("base_lr", "epoch", "iter", "step", "eta", "time", "data_time", "memory"))
_PLACE, _LOSSES, _RATES, _METRICS, _PACE, _TIME = range(6)


class Cell(NamedTuple):
    """A value of a row.

    Attributes:
        name: Head of its column.
        value: What stands in it.
        group: Columns of a group stand together, groups in ascending order.
        rank: How soon the column is left out where there is no room; 0 is the last.
        width: Least width of the column.
        form: Writes the value.
    """

    name: str
    value: Any
    group: int
    rank: int
    width: int = 0
    form: Callable[[Any], str] = str

    @property
    def text(self) -> str:
        """What stands in it."""
        return self.form(self.value)


def console_width() -> int:
    """Columns of the terminal; 80 where there is none."""
    return shutil.get_terminal_size().columns


_rank = operator.attrgetter("rank")


class GrowingTable:
    """Lines up rows whose columns may come in later; each change is a new line of heads."""

    def __init__(self) -> None:
        self._columns: dict[str, Cell] = {}
        self._room = 0
        self._shown: dict[str, int] = {}

    def lines(self, cells: Sequence[Cell], room: int) -> list[str]:
        """A row as a line, below a line of heads if the columns have changed.

        Args:
            cells: The row; columns that it lacks stay empty.
            room: Most characters of a line.
        """
        texts = {cell.name: cell.text for cell in cells if cell.name in self._shown}
        lines = []
        if (
            room != self._room
            or any(cell.name not in self._columns for cell in cells)
            or any(len(text) > self._shown[name] for name, text in texts.items())
        ):
            texts = {cell.name: cell.text for cell in cells}
            for cell in cells:
                least = self._columns.get(cell.name, cell).width
                width = max(len(cell.name), len(texts[cell.name]), least)
                self._columns[cell.name] = cell._replace(width=width)
            self._room = room
            self._shown = {column.name: column.width for column in self._fitting(room)}
            heads = "  ".join(name.rjust(width) for name, width in self._shown.items())
            lines.append(f"\x1b[1m{heads}\x1b[0m" if uses_colour() else heads)
        row = [texts.get(name, "").rjust(width) for name, width in self._shown.items()]
        return [*lines, "  ".join(row).rstrip()]

    def _fitting(self, room: int) -> list[Cell]:
        """The columns that matter most of those for which there is room, in order."""
        taken, kept = -2, list[Cell]()
        for column in sorted(self._columns.values(), key=_rank):
            if not kept or taken + 2 + column.width <= room:
                kept.append(column)
                taken += 2 + column.width
        order = list(self._columns.values())
        return sorted(kept, key=lambda column: (column.group, order.index(column)))


class Watched:
    """The metric by which a run is judged, and its best value.

    Args:
        metric: Its name; ``None`` takes the first whose name tells which values are better.
        rule: Which values are better; ``None`` as the name tells.
    """

    def __init__(self, metric: str | None = None, rule: Rule | None = None) -> None:
        self.metric = metric
        self.rule: Rule | None = rule
        self.best: dict[str, Any] | None = None

    @classmethod
    def of_run(cls, runner: Run) -> Watched:
        """What a hook of the run watches: the best checkpoint, or when to stop."""
        watched = cls()
        for hook in runner.hooks:
            entries = getattr(getattr(hook, "best", None), "entries", None)
            if entries:
                watched = cls(entries[0].metric, entries[0].rule)
                break
            if isinstance(getattr(hook, "monitor", None), str):
                rule = getattr(hook, "rule", None)
                watched = cls(hook.monitor, rule if rule in ("greater", "less") else None)
        if runner._resume:
            watched._recall(runner)
        return watched

    def _recall(self, runner: Run) -> None:
        """Take over what the start before this one had seen."""
        earlier = [
            file for file in record_files(runner.work_dir) if runner.timestamp not in str(file)
        ]
        best = read_record(earlier[-1]).get("best") if earlier else None
        if not isinstance(best, dict) or best.get("iter", 0) > runner.iter:
            return
        if self.metric in (None, best.get("metric")) and self.rule in (None, best.get("rule")):
            self.metric, self.rule, self.best = best["metric"], best["rule"], best

    def see(self, metrics: Mapping[str, Any], epoch: int | None, iteration: int) -> bool:
        """Take the metrics of a validation over; whether they are the best so far.

        Args:
            metrics: Numbers by name.
            epoch: Epochs done; ``None`` where they are not counted.
            iteration: Iterations done.
        """
        for name in metrics if self.metric is None or self.rule is None else ():
            if self.metric not in (None, name):
                continue
            try:
                self.metric, self.rule = name, infer_rule(name)
            except UnknownRuleError:
                continue
            break
        value = metrics.get(self.metric or "")
        rule = self.rule
        if rule is None or value is None:
            return False
        if not is_better(value, self.best["score"] if self.best else worst_score(rule), rule):
            return False
        self.best = {"metric": self.metric, "score": float(value), "rule": rule}
        self.best |= {"epoch": epoch, "iter": iteration}
        return True


def training_cells(scalars: Mapping[str, Any]) -> list[Cell]:
    """What was recorded of a training: losses, rates, and how fast it is.

    Args:
        scalars: Numbers by name, without the mode; ``time`` and ``data_time`` are seconds of an
            iteration, ``memory`` is in MB.
    """
    cells, rank = [], 10
    for name, value in scalars.items():
        if name in _OF_THE_RUN or not is_number(value):
            continue
        if name.endswith("lr"):
            cells.append(Cell(name, value, _RATES, 4 if name == "lr" else 9, 0, "{:.2e}".format))
        else:
            rank += 1
            own_rank = 1 if name == "loss" else rank
            cells.append(Cell(name, value, _LOSSES, own_rank, 7, as_number))
    cells.sort(key=_rank)
    seconds: Any = scalars.get("time")
    if is_number(seconds) and seconds > 0:
        cells.append(Cell("it/s", 1 / seconds, _PACE, 5, 5, _as_rate))
        waiting = min(scalars.get("data_time", 0.0) / seconds, 1)
        cells.append(Cell("data", waiting, _PACE, 6, 4, "{:.0%}".format))
    if is_number(scalars.get("memory")):
        cells.append(Cell("mem", f"{scalars['memory'] / 1024:.1f}G", _PACE, 7, 5))
    return cells


def number_of(value: Any) -> Any:
    """A number as Python's, also of a tensor or array with one element; ``None`` of all else."""
    if getattr(value, "shape", None) is not None and math.prod(value.shape) == 1:
        value = value.item()
    return value if is_number(value) else None


def _as_rate(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _part_of(name: str, done: int, total: int) -> Cell:
    return Cell(name, f"{done}/{total}", _PLACE, 0, 2 * len(str(total)) + 1)


class RunTable:
    """Rows of a training: one for each epoch, or for each log step, with its validation.

    Args:
        runner: The run.
        every_step: Whether each log step has a row; else they have one every ten seconds at most.
    """

    def __init__(self, runner: Run, *, every_step: bool) -> None:
        self.watched = Watched.of_run(runner)
        self.scalars: dict[str, Any] = {}
        self.metrics: dict[str, float] = {}
        self._quiet = _QUIET_SECONDS
        if every_step:
            self._quiet = _SECONDS_TO_READ if is_terminal() else 0.0
        self._table = GrowingTable()
        self._room, self._measured_at = console_width(), time.monotonic()
        self._by_epoch = bool(getattr(runner.train_loop, "by_epoch", True))
        self._began = self._shown_at = time.monotonic()
        self._epoch_began_at = self._iteration_of_row = self._logged_at = runner.iter
        self._waiting: list[Cell] | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether a row waits for the metrics of a validation that may follow."""
        return self._waiting is not None

    def step(self, runner: Run, scalars: Mapping[str, Any], *, is_last: bool = False) -> None:
        """A log step: the numbers are noted, and shown if a row is due.

        Args:
            runner: The run.
            scalars: What was logged, by name without the mode.
            is_last: Whether the epoch ends with this iteration.
        """
        self.scalars, self._logged_at = dict(scalars), runner.iter + 1
        if is_last and self._by_epoch:  # the row of the epoch tells it
            return
        if time.monotonic() - self._shown_at >= self._quiet:
            self._waiting = self._place(runner, runner.iter + 1) + training_cells(scalars)
            if self._by_epoch:
                self.flush(runner)

    def begin_epoch(self, runner: Run) -> None:
        """An epoch begins."""
        self.flush(runner)
        self._epoch_began_at = runner.iter

    def end_epoch(self, runner: Run) -> None:
        """An epoch is over: its means are shown, once it is known whether a validation follows."""
        done = runner.iter - self._epoch_began_at
        if not self._by_epoch or not done:
            return
        means = {
            name.removeprefix("train/"): history.current()
            if name.endswith("lr")
            else history.mean(done)
            for name, history in runner.message_hub.log_scalars.items()
            if name.startswith("train/")
        }
        self.scalars = {**self.scalars, **means}
        self._waiting = self._place(runner, runner.iter, 1) + training_cells(self.scalars)

    def end(self, runner: Run) -> None:
        """The training is over: its last numbers are shown, if they were not."""
        self.flush(runner)
        if self._logged_at > self._iteration_of_row:
            self._waiting = self._place(runner, self._logged_at, 1) + training_cells(self.scalars)
            self.flush(runner)

    def validated(self, runner: Run, metrics: Mapping[str, Any]) -> None:
        """Show the row that waits, with the metrics of a validation.

        Args:
            runner: The run.
            metrics: Numbers by name.
        """
        numbers = {name: number_of(value) for name, value in metrics.items()}
        self.metrics = {name: value for name, value in numbers.items() if value is not None}
        epoch = runner.epoch if self._by_epoch else None
        is_best = self.watched.see(self.metrics, epoch, runner.iter)
        row = self._waiting
        if row is None:
            row = self._place(runner, runner.iter)
            row += [] if self._by_epoch else training_cells(self.scalars)
        self._waiting = row + self._metric_cells(is_best)
        self.flush(runner)

    def _metric_cells(self, is_best: bool) -> list[Cell]:
        cells, rank = [], 30
        for name, value in self.metrics.items():
            rank += 1
            is_watched = name == self.watched.metric
            mark = "" if not is_watched else "*" if is_best else " "
            own_rank = 2 if is_watched else 8 if "loss" in name else rank
            cells.append(Cell(self._head(name), as_number(value) + mark, _METRICS, own_rank, 7))
        return cells

    def _head(self, metric: str) -> str:
        """What a metric is called beside the numbers of training, which may have its name."""
        return f"val_{metric}" if metric in self.scalars else metric

    def last(self) -> dict[str, float]:
        """The last losses and metrics by name."""
        losses = {
            name: float(value)
            for name, value in self.scalars.items()
            if is_number(value) and not name.endswith("lr") and name not in _OF_THE_RUN
        }
        return {**losses, **{self._head(name): float(self.metrics[name]) for name in self.metrics}}

    def in_short(self) -> list[str]:
        """The newest numbers, what matters most first."""
        cells = training_cells(self.scalars) + self._metric_cells(is_best=False)
        cells.sort(key=_rank)
        units = {"it/s": "{} it/s", "data": "data {}"}
        return [
            units.get(cell.name, f"{cell.name} {{}}").format(cell.text.strip()) for cell in cells
        ]

    def _place(self, runner: Run, iteration: int, running: int = 0) -> list[Cell]:
        """Where the run is; `running` is 1 where the loop has not counted the epoch yet."""
        self._iteration_of_row = iteration
        if not self._by_epoch:
            return [_part_of("iter", iteration, runner.max_iters)]
        epoch = runner.epoch + max(running, iteration > runner.iter)
        longest = len(str(runner.max_iters))
        return [
            _part_of("epoch", epoch, runner.max_epochs),
            Cell("iter", iteration, _PLACE, 20, longest),
        ]

    def flush(self, runner: Run) -> None:
        """Show the row that waits, if there is one."""
        row, self._waiting = self._waiting, None
        if row is None:
            return
        self._shown_at = time.monotonic()
        row.append(Cell("time", self._shown_at - self._began, _TIME, 3, 5, as_duration))
        if self._shown_at - self._measured_at > _SECONDS_TO_READ:
            self._room, self._measured_at = console_width(), self._shown_at
        timer = next((hook for hook in runner.hooks if isinstance(hook, IterTimerHook)), None)
        eta = None if timer is None else timer.seconds_left
        if not is_terminal() and eta is not None:
            row.append(Cell("left", eta, _TIME, 3, 5, as_duration))
        for line in self._table.lines(row, self._room):
            runner.logger.info(line, extra=ON_TERMINAL)
