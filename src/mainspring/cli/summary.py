"""`mainspring summary CONFIG`: the modules of a model, and what a training step takes."""

from __future__ import annotations

import argparse
from typing import Any

from mainspring.cli.common import tell
from mainspring.cli.trial_options import add_trial_parser, count, trial_config

__all__ = ["add_parser", "run"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_trial_parser(
        verbs,
        "summary",
        run,
        short="list the modules of a model",
        long="Make one training step on the first batch, and list the modules with the shapes of "
        "their outputs, parameters and FLOPs, and the memory of the step. Weights are not kept, "
        "and nothing is written to the work directory.",
    )
    parser.add_argument(
        "--depth", type=count, default=3, metavar="N", help="how deep to go into modules (3)"
    )


def run(options: argparse.Namespace) -> None:
    """List the modules.

    Raises:
        ConfigError: The config or an option has a mistake.
    """
    cfg = trial_config(options)

    from mainspring.tools.preview import summary_as_text, summary_of

    found = summary_of(cfg)
    tell(options, found, summary_as_text(found, options.depth))
