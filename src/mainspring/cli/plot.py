"""`mainspring plot CONFIG`: the schedules of a run, before it trains."""

from __future__ import annotations

import argparse
from typing import Any

from mainspring.cli.trial_options import PICTURES, add_trial_parser, require_writable, trial_config

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
    add("--out", metavar="FILE", help="draw them into a file, such as lr.png")


def run(options: argparse.Namespace) -> None:
    """Show the schedules.

    Raises:
        ConfigError: The config or an option has a mistake.
    """
    require_writable("--out", options.out, ends=PICTURES)
    cfg = trial_config(options)

    from mainspring.tools.preview import (
        plot_schedules,
        schedules_as_json,
        schedules_as_text,
        schedules_of,
    )

    found = schedules_of(cfg, only_rates=options.lr)
    print(schedules_as_json(found) if options.format == "json" else schedules_as_text(found))
    if options.out is not None:
        plot_schedules(found, options.out)
        if options.format == "text":
            print(f"\ndrawn into {options.out}")
