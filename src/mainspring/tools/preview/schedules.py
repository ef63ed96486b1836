"""The schedules of a run: learning rates, momenta and others over its iterations."""

from __future__ import annotations

from typing import Any

from mainspring.columns import as_number, in_columns, sparkline
from mainspring.errors import ConfigError
from mainspring.hooks.run import Run
from mainspring.optim.scheduler.preview import PlannedValues, planned_values
from mainspring.tools.profiling.planned_run import PlannedTrial, run_trial
from mainspring.tools.trial import EnoughError
from mainspring.visualization.curves import Line, draw_panels

__all__ = ["plot_schedules", "schedules_as_text", "schedules_of"]

_WIDTH = 48


def schedules_of(cfg: Any, *, only_rates: bool = False, points: int = 400) -> PlannedValues:
    """The values that the schedulers of a config will give; nothing is trained.

    Args:
        cfg: The config; not changed, as its work directory is not.
        only_rates: Whether to leave out what is no learning rate.
        points: How many points to give.

    Raises:
        ConfigError: The config has a mistake, or does not tell the length of the run.
    """
    watch = _Look(points)
    run_trial(cfg, watch, 1)
    assert watch.found is not None
    if not only_rates:
        return watch.found
    rates = {
        name: values
        for name, values in watch.found.values.items()
        if name.partition(" (")[0].rpartition(".")[2] == "lr"
    }
    return PlannedValues(watch.found.iterations, rates)


class _Look(PlannedTrial):
    """Looks at the schedulers when all is built, and ends the run before it begins."""

    def __init__(self, points: int) -> None:
        self.points = points
        self.found: PlannedValues | None = None

    def training_begins(self, runner: Run) -> None:
        if self.max_iters <= 0:
            raise ConfigError(
                "the length of the run is not known, because its loader has none",
                config_path="train_cfg",
                help="train by max_iters",
            )
        epochs = int(getattr(runner.train_loop, "max_epochs", 0) or 0)
        by_epoch = epochs > 1 or bool(getattr(runner.train_loop, "by_epoch", True))
        self.found = planned_values(
            runner.optim_wrapper,
            runner.param_schedulers,
            max_iters=self.max_iters,
            epoch_length=max(self.max_iters // max(epochs, 1), 1) if by_epoch else None,
            points=self.points,
        )
        raise EnoughError


def schedules_as_text(found: PlannedValues) -> str:
    """A line for each schedule: its curve, and where it begins, is highest and ends.

    Args:
        found: The values.
    """
    rows = [("", "", "first", "highest", "last")]
    for name, values in found.values.items():
        first, highest, last = map(as_number, (values[0], max(values), values[-1]))
        rows.append((name, sparkline(values, _WIDTH), first, highest, last))
    lines = in_columns(rows, right=(2, 3, 4))
    return "\n".join([f"{found.iterations[-1] + 1} iterations", *lines])


def plot_schedules(found: PlannedValues, path: str) -> None:
    """Draw the schedules into a file, a panel for each parameter.

    Args:
        found: The values.
        path: File to write; its ending says the format.

    Raises:
        ImportError: matplotlib is not installed.
    """
    panels: dict[str, list[Line]] = {}
    for name, values in found.values.items():
        line = (found.iterations, values, {"linewidth": 1.5, "label": name})
        panels.setdefault(name.partition(" (")[0], []).append(line)
    draw_panels(panels, path, columns=1, size=(7, 2.6), from_zero=True)
