"""All combinations of what a config sweeps, as runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mainspring.errors import MetricError, did_you_mean
from mainspring.tools.sweeps.choices import folder_names, run_names
from mainspring.tools.sweeps.expand import Combination
from mainspring.tools.sweeps.metrics import Metric
from mainspring.tools.sweeps.record import Run, Status

__all__ = ["Followed", "Grid", "Report", "grid_runs"]

Report = Callable[[str], None]
"""Prints a line."""


def grid_runs(combinations: Sequence[Combination], folder: Path) -> list[Run]:
    """A run for each combination, with a work directory that is named after it.

    Args:
        combinations: The combinations.
        folder: The directory of the sweep.
    """
    choices = [each.choices for each in combinations]
    named = zip(combinations, run_names(choices), folder_names(choices), strict=True)
    return [Run(name, folder / own, c.words, c.choices, c.digest) for c, name, own in named]


class Followed:
    """Runs that are followed, with a line for each that starts or ends.

    Args:
        runs: The runs.
        metric: What runs are compared by.
        report: Prints a line.
        total: How many there will be.

    Attributes:
        runs: Those so far.
        metric: What they are compared by.
    """

    def __init__(self, runs: Sequence[Run], metric: Metric, report: Report, total: int) -> None:
        self.runs = list(runs)
        self.metric = metric
        self._print = report
        self._total = total

    def _report(self, run: Run, said: str) -> None:
        number = next(index for index, each in enumerate(self.runs, 1) if each is run)
        self._print(f"[{number}/{self._total}] {run.name}: {said}")

    def started(self, run: Run) -> None:
        """Say that a run starts."""
        verb = "continues" if run.continues else "starts"
        self._report(run, f"{verb}, output in {run.output}")

    def should_stop(self, run: Run) -> bool:
        """Whether a run is not worth going on with; each is, unless a class says otherwise."""
        return False

    def ended(self, run: Run, status: Status, exit_code: int | None) -> None:
        """Note and say how a run ended."""
        run.end(status, exit_code, self.metric)
        record, name = run.record, self.metric.name_in(run.scalars)
        said = "" if record.best is None else f", best {name} {record.best:.6g}"
        if status == "failed":
            said = f", {run.exit_reason}: {run.last_line}".removesuffix(": ")
        elif status == "finished" and (instead := self._measured_instead(run)) is not None:
            said = f", but it did not measure {self.metric.name!r}: {instead}"
        self._report(run, f"{status} after {record.seconds:.0f} s{said}")

    def _measured_instead(self, run: Run) -> str | None:
        """What a run measured, where that is not what runs are compared by."""
        if self.metric.name is None or self.metric.name_in(run.scalars) is not None:
            return None
        return f"it measured {', '.join(run.scalars.names) or 'nothing'}"

    def _check_measured(self, run: Run) -> None:
        """End a sweep whose runs do not measure what they are compared by.

        Args:
            run: A run that has finished.

        Raises:
            MetricError: The run did not measure it; with the metrics that it did.
        """
        name, instead = str(self.metric.name), self._measured_instead(run)
        if instead is not None:
            near = did_you_mean(name, run.scalars.names)
            raise MetricError(
                f"runs are compared by the metric {name!r}, which {run.folder} did not measure: "
                f"{instead}",
                help=f"{near + ' ' if near else ''}say --metric and --resume to go on",
            )


class Grid(Followed):
    """Follows the runs of a sweep over all combinations.

    Args:
        runs: The runs.
        metric: What they are compared by.
        report: Prints a line.
    """

    def __init__(self, runs: Sequence[Run], metric: Metric, report: Report) -> None:
        super().__init__(runs, metric, report, len(runs))
        self._is_measured = False

    def take_up(self) -> None:
        """Continue what an earlier sweep left: finished runs are left out.

        Raises:
            ConfigError: A work directory holds a run of another config.
        """
        for run in self.runs:
            run.take_up()

    def waiting(self) -> Iterator[Run]:
        """The runs that are not finished."""
        for run in self.runs:
            if run.record.status == "finished":
                self._report(run, "already finished")
            else:
                yield run

    def ended(self, run: Run, status: Status, exit_code: int | None) -> None:
        """Note and say how a run ended.

        Raises:
            MetricError: The first run that finished did not measure what runs are compared by.
        """
        super().ended(run, status, exit_code)
        if status == "finished" and not self._is_measured:
            self._check_measured(run)
            self._is_measured = True
