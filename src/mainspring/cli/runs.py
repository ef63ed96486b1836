"""`mainspring runs [DIR]`: the runs below a folder, how they went and in what they differ."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.cli.common import add_verb, tell

if TYPE_CHECKING:
    from mainspring.config.diff import Difference
    from mainspring.tools.runs import RunSummary

__all__ = ["add_parser", "run"]

_MOST_CHANGES = 3


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        verbs,
        "runs",
        run,
        short="list the runs below a folder",
        long="List the runs below a folder, oldest first: how each stands, how long it "
        "took, its best metric, and in what its config differs from that of the run above.",
        changes=argparse.SUPPRESS,
        refusal=("runs takes a folder, but got {!r}", "give --sort KEY to choose an order"),
        folder={"nargs": "?", "default": "work_dirs", "metavar": "DIR"},
    )
    add = parser.add_argument
    text = "began, name, state, seconds, best, or the name of a loss or metric"
    add("--sort", default="began", metavar="KEY", help=text)
    add("--reverse", action="store_true", help="begin with the greatest")


def run(options: argparse.Namespace) -> None:
    """List the runs.

    Raises:
        ConfigError: Words are left that change a config, or no run has what to sort by.
        FileNotFoundError: There is no such folder.
    """
    from mainspring.tools.runs import find_runs, sorted_runs

    found = find_runs(options.folder)
    if options.sort != "began" or options.reverse:
        found = sorted_runs(found, options.sort, descending=options.reverse)
    lines = _lines(found, Path(options.folder)) if found else [f"{options.folder}: no runs"]
    as_json = [
        {**each.as_json(), "changes": {it.path: _described(it) for it in each.changes}}
        for each in found
    ]
    tell(options, as_json, "\n".join(lines))


def _lines(runs: list[RunSummary], root: Path) -> Iterator[str]:
    from mainspring.cli.printing import paint
    from mainspring.columns import as_duration, as_number, counted, in_columns
    from mainspring.output import is_terminal

    rows = [("run", "state", "began", "took", "done", "best", "last")]
    for each in runs:
        best = each.best
        done, unit = (each.iter, "iteration") if each.epoch is None else (each.epoch, "epoch")
        progress = "" if done is None else counted(done, unit)
        rows.append(
            (
                "." if each.path == root else str(each.path.relative_to(root)),
                each.state,
                time.strftime("%Y-%m-%d %H:%M", time.localtime(each.began)),
                "" if each.seconds is None else as_duration(each.seconds),
                progress,
                "" if best is None else f"{best['metric']} {as_number(best['score'])}",
                "".join(f"{name} {as_number(each.last[name])}" for name in list(each.last)[:1]),
            )
        )
    room = shutil.get_terminal_size().columns if is_terminal() else None
    heads, *lines = in_columns(rows, right=[3], spare=[6, 3, 4, 2], room=room)
    yield paint(heads, "title")
    for line, each in zip(lines, runs, strict=True):
        yield line
        if each.reason:
            yield paint(f"    {each.reason}", "removed")
        for change in each.changes[:_MOST_CHANGES]:
            verb = "" if change.kind == "removed" else "= "
            yield paint(f"    {change.path} {verb}{_described(change)}", change.kind)
        if len(each.changes) > _MOST_CHANGES:
            yield f"    and {len(each.changes) - _MOST_CHANGES} more: mainspring diff"


def _described(change: Difference) -> str:
    from mainspring.cli.printing import in_one_line

    return "is not set" if change.kind == "removed" else in_one_line(change.right, 60)
