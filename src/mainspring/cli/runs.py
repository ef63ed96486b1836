"""`mainspring runs [DIR]`: the runs below a folder, how they went and in what they differ."""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.cli.common import add_format_option, refuse_overrides
from mainspring.json_text import json_text

if TYPE_CHECKING:
    from mainspring.config.diff import Difference
    from mainspring.tools.runs import RunSummary

__all__ = ["add_parser", "run"]

_MOST_CHANGES = 3


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "runs",
        help="list the runs below a folder",
        description="List the runs below a folder, oldest first: how each stands, how long it "
        "took, its best metric, and in what its config differs from that of the run above.",
    )
    parser.add_argument("folder", nargs="?", default="work_dirs", metavar="DIR")
    parser.add_argument(
        "--sort",
        default="began",
        metavar="KEY",
        help="began, name, state, seconds, best, or the name of a loss or metric",
    )
    parser.add_argument("--reverse", action="store_true", help="begin with the greatest")
    add_format_option(parser)
    parser.add_argument("overrides", nargs="*", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """List the runs.

    Raises:
        ConfigError: Words are left that change a config, or no run has what to sort by.
        FileNotFoundError: There is no such folder.
    """
    from mainspring.tools.runs import find_runs, sorted_runs

    refuse_overrides(options, "runs takes a folder", "give --sort KEY to choose an order")
    found = find_runs(options.folder)
    if options.sort != "began" or options.reverse:
        found = sorted_runs(found, options.sort, descending=options.reverse)
    if options.format == "json":
        print(json_text([_as_json(each) for each in found], indent=2))
    elif found:
        _print_table(found, Path(options.folder))
    else:
        print(f"{options.folder}: no runs")


def _print_table(runs: list[RunSummary], root: Path) -> None:
    from mainspring.cli.printing import paint
    from mainspring.columns import as_duration, as_number, in_columns
    from mainspring.output import is_terminal

    rows = [("run", "state", "began", "took", "done", "best", "last")]
    for each in runs:
        best = each.best
        rows.append(
            (
                "." if each.path == root else str(each.path.relative_to(root)),
                each.state,
                time.strftime("%Y-%m-%d %H:%M", time.localtime(each.began)),
                "" if each.seconds is None else as_duration(each.seconds),
                _progress(each),
                "" if best is None else f"{best['metric']} {as_number(best['score'])}",
                "".join(f"{name} {as_number(each.last[name])}" for name in list(each.last)[:1]),
            )
        )
    room = shutil.get_terminal_size().columns if is_terminal() else None
    heads, *lines = in_columns(rows, right=[3], spare=[6, 3, 4, 2], room=room)
    print(paint(heads, "title"))
    for line, each in zip(lines, runs, strict=True):
        print(line)
        if each.reason:
            print(paint(f"    {each.reason}", "removed"))
        for change in each.changes[:_MOST_CHANGES]:
            print(paint(f"    {change.path} {_described(change)}", change.kind))
        if len(each.changes) > _MOST_CHANGES:
            print(f"    and {len(each.changes) - _MOST_CHANGES} more: mainspring diff")


def _described(change: Difference) -> str:
    from mainspring.cli.printing import in_one_line

    return "is not set" if change.kind == "removed" else f"= {in_one_line(change.right, 60)}"


def _progress(run: RunSummary) -> str:
    if run.epoch is not None:
        return f"{run.epoch} epochs"
    return "" if run.iter is None else f"{run.iter} iterations"


def _as_json(run: RunSummary) -> dict[str, Any]:
    changes = {change.path: _described(change).removeprefix("= ") for change in run.changes}
    return {**run.as_json(), "changes": changes}
