"""Sweeps: the runs that a config with `sweep` values describes, run one by one and compared."""

from mainspring.sweeps.choices import Axis, Choice, axis_of_word
from mainspring.sweeps.expand import Combination, combinations
from mainspring.sweeps.grid import Grid, grid_runs
from mainspring.sweeps.metrics import metric_for
from mainspring.sweeps.processes import Processes, train_command
from mainspring.sweeps.record import Metric, Record, Run
from mainspring.sweeps.scalars import Measured, Scalars
from mainspring.sweeps.search import Search, check_optuna
from mainspring.sweeps.table import format_table, ranked, write_results

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
