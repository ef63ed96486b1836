"""`mainspring report RUN [RUN ...]`: a page about runs, from the files that they left."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mainspring.cli.common import add_verb, tell
from mainspring.cli.trial_options import port, require_writable
from mainspring.errors import ConfigError

__all__ = ["add_parser", "run"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    where = "work directory of a run, or a folder of such"
    parser = add_verb(
        verbs,
        "report",
        run,
        short="draw a page about one run or several",
        long="Draw a page about one run or several: curves, checkpoints, classes, "
        "predictions, time, warnings, changes of the config. It is one file that needs no network.",
        refusal=("report draws runs as they are, but got {!r}", "give work directories"),
        runs={"nargs": "+", "metavar": "RUN", "help": where},
    )
    add = parser.add_argument
    text = "where it goes (default: report.html in the work directory; of several runs, here)"
    add("-o", "--out", metavar="FILE", help=text)
    add("--watch", action="store_true", help="show it in a browser instead, and keep it up to date")
    add("--port", type=port, default=8765, metavar="N", help="with --watch: port (8765)")


def run(options: argparse.Namespace) -> None:
    """Draw the page, or show it.

    Raises:
        ConfigError: A word changes a config, or the file cannot be written.
        VisualizationError: A folder holds no run.
    """
    require_writable("--out", options.out, ends=[".html"])
    if options.watch and options.out is not None:
        raise ConfigError(
            "--watch shows the page and writes none", help="leave out --out, or --watch"
        )

    from mainspring.report import runs_in, write_report
    from mainspring.report.watch import serve

    folders = [folder for given in options.runs for folder in runs_in(given)]
    if options.watch:
        serve(folders, options.port)
        return
    home = folders[0] if len(folders) == 1 else Path()
    page = write_report(folders, options.out or home / "report.html")
    tell(options, {"report": page, "runs": folders}, str(page), indent=None)
