"""Sweeps: the runs that a config with `sweep` values describes, run one by one and compared."""

from mainspring.tools.sweeps.choices import Axis, Choice, axis_of_word
from mainspring.tools.sweeps.expand import Combination, combinations
from mainspring.tools.sweeps.grid import Grid, grid_runs
from mainspring.tools.sweeps.metrics import Metric, metric_for
from mainspring.tools.sweeps.processes import Processes, train_command
from mainspring.tools.sweeps.record import Record, Run
from mainspring.tools.sweeps.scalars import Measured, Scalars
from mainspring.tools.sweeps.search import Search, check_optuna
from mainspring.tools.sweeps.table import format_table, ranked, write_results

__all__ = [
    "Axis",
    "Choice",
    "Combination",
    "Grid",
    "Measured",
    "Metric",
    "Processes",
    "Record",
    "Run",
    "Scalars",
    "Search",
    "axis_of_word",
    "check_optuna",
    "combinations",
    "format_table",
    "grid_runs",
    "metric_for",
    "ranked",
    "train_command",
    "write_results",
]
