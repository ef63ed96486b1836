"""`mainspring report RUN [RUN ...]`: a page about runs, from the files that they left."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mainspring.cli.common import refuse_overrides
from mainspring.cli.trial_options import count, require_writable

__all__ = ["add_parser", "run"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "report",
        help="draw a page about one run or several",
        description="Draw a page about one run or several: curves, checkpoints, classes, "
        "predictions, time, warnings, changes of the config. It is one file that needs no network.",
    )
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="work directory of a run, or a folder of such"
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="where it goes (default: report.html in the work directory; of several runs, here)",
    )
    parser.add_argument(
        "--watch", action="store_true", help="show it in a browser instead, and keep it up to date"
    )
    parser.add_argument(
        "--port", type=count, default=8765, metavar="N", help="with --watch: port (8765)"
    )
    parser.set_defaults(run=run, overrides=[])


def run(options: argparse.Namespace) -> None:
    """Draw the page, or show it.

    Raises:
        ConfigError: A word changes a config, or the file cannot be written.
        VisualizationError: A folder holds no run.
    """
    refuse_overrides(options, "report draws runs as they are", "give work directories")
    require_writable("--out", options.out)

    from mainspring.report import runs_in, write_report
    from mainspring.report.watch import serve

    folders = [folder for given in options.runs for folder in runs_in(given)]
    if options.watch:
        serve(folders, options.port)
        return
    home = folders[0] if len(folders) == 1 else Path()
    print(write_report(folders, options.out or home / "report.html"))
