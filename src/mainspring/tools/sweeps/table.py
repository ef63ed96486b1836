"""The results of a sweep as a table, best run first, and as JSON and CSV files."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mainspring import fileio
from mainspring.columns import as_duration, in_columns
from mainspring.json_text import json_text
from mainspring.tools.sweeps.choices import short_names
from mainspring.tools.sweeps.metrics import Metric
from mainspring.tools.sweeps.record import Run

__all__ = ["format_table", "ranked", "write_results"]

_MOST_METRICS = 5


def ranked(runs: Iterable[Run], metric: Metric) -> list[Run]:
    """The runs, best first; those without a result come last, in their order.

    Args:
        runs: The runs.
        metric: What they are compared by.
    """

    def key(run: Run) -> tuple[bool, float]:
        best = run.record.best
        measured = best is not None and not math.isnan(best)
        complete = measured and run.record.status == "finished"
        score = best if best is not None and measured else 0.0
        return not complete, -score if metric.maximize else score

    return sorted(runs, key=key)


def format_table(runs: Sequence[Run], metric: Metric) -> str:
    """The table that the command prints.

    Args:
        runs: The runs, in the order of the table.
        metric: What they are compared by.
    """
    short = short_names(name for run in runs for name in run.choices)
    compared = _compared(runs, metric)
    others = [name for name in _measured(runs) if name != compared][: _MOST_METRICS - 1]
    heads = [*short.values()]
    heads += [f"best {compared}", f"last {compared}"] if compared else []
    heads += [*others, "time", "status"]
    rows = []
    for run in runs:
        record = run.record
        row = [run.choices[name].label if name in run.choices else "" for name in short]
        if compared:
            row += [_number(record.best), _number(record.last.get(compared))]
        row += [_number(record.last.get(name)) for name in others]
        seconds = record.seconds
        took = f"{seconds:.0f} s" if seconds < 100 else as_duration(round(seconds))
        status = str(record.status)
        if status in ("failed", "interrupted") and record.exit_code is not None:
            status += f", {run.exit_reason}: {run.output}"
        rows.append([*row, took, status])
    rules = ["-" * max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    return "\n".join(in_columns([heads, rules, *rows]))


def write_results(folder: Path, runs: Sequence[Run], metric: Metric) -> dict[str, Any]:
    """Write ``sweep.json`` and ``sweep.csv``; returns the content of the first.

    Args:
        folder: The directory of the sweep.
        runs: The runs, in the order of the table.
        metric: What they are compared by.
    """
    compared = _compared(runs, metric)
    rows = []
    for run in runs:
        choices = {name: choice.value for name, choice in run.choices.items()}
        places = {"work_dir": run.folder, "log": run.output}
        record = {**dataclasses.asdict(run.record), "choices": choices}
        del record["ignored"]
        rows.append({"name": run.name, "choices": choices, **places, **record})
    direction = "maximize" if metric.maximize else "minimize"
    content = {"metric": compared, "direction": direction, "runs": rows}
    fileio.put_text(json_text(content, indent=1) + "\n", folder / "sweep.json")
    fileio.put_text(_as_csv(runs, compared), folder / "sweep.csv")
    return content


def _as_csv(runs: Sequence[Run], compared: str | None) -> str:
    axes = list(dict.fromkeys(name for run in runs for name in run.choices))
    metrics = _measured(runs)
    best = [f"best {compared}", "best step"] if compared else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*axes, *best, *metrics, "seconds", "status", "exit_code", "work_dir", "log"])
    for run in runs:
        record = run.record
        row: list[Any] = [run.choices[a].value if a in run.choices else None for a in axes]
        row += [record.best, record.best_step] if compared else []
        row += [record.last.get(name) for name in metrics]
        row += [record.seconds, record.status, record.exit_code, run.folder, run.output]
        writer.writerow(row)
    return text.getvalue()


def _measured(runs: Iterable[Run]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.record.last))


def _compared(runs: Sequence[Run], metric: Metric) -> str | None:
    """The metric's name where somebody measured it."""
    names = _measured(runs)
    found = metric.name or next(iter(names), None)
    return found if found in names else None


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
