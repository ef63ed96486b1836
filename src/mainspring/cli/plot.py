"""`mainspring plot CONFIG`: the schedules of a run, before it trains."""

from __future__ import annotations

import argparse
from typing import Any

from mainspring.cli.common import tell
from mainspring.cli.trial_options import add_trial_parser, require_picture, trial_config

__all__ = ["add_parser", "run"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_trial_parser(
        verbs,
        "plot",
        run,
        short="show the schedules of a run",
        long="Show how learning rates, momenta and whatever else is scheduled change over a run. "
        "Nothing is trained, and nothing is written to the work directory.",
    )
    add = parser.add_argument
    add("--lr", action="store_true", help="learning rates only")
    add("-o", "--out", metavar="FILE", help="draw them into a file, such as lr.png")


def run(options: argparse.Namespace) -> None:
    """Show the schedules.

    Raises:
        ConfigError: The config or an option has a mistake.
    """
    require_picture("--out", options.out)
    cfg = trial_config(options)

    from mainspring.tools.preview import plot_schedules, schedules_as_text, schedules_of

    found = schedules_of(cfg, only_rates=options.lr)
    tell(options, found, schedules_as_text(found))
    if options.out is not None:
        plot_schedules(found, options.out)
        if options.format == "text":
            print(f"\ndrawn into {options.out}")
