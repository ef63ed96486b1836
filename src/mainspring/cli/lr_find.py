"""`mainspring lr-find CONFIG`: which learning rate, by a range test."""

from __future__ import annotations

import argparse
from typing import Any

from mainspring.cli.trial_options import PICTURES, add_trial_parser, count, trial_config

__all__ = ["add_parser", "run"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_trial_parser(
        verbs,
        "lr-find",
        run,
        short="find a learning rate",
        long="Train with a learning rate that rises from iteration to iteration until the loss "
        "diverges (Smith, 2017), and suggest one. Weights are not kept, and nothing is written to "
        "the work directory.",
    )
    add = parser.add_argument
    add("--from", dest="lowest", type=float, default=1e-7, metavar="LR", help="first one (1e-7)")
    add("--to", dest="highest", type=float, default=10.0, metavar="LR", help="last one (10)")
    add("--iterations", type=count, default=100, metavar="N", help="how many to try (100)")
    add("--plot", metavar="FILE", help="draw the curve into a file, such as lr.png")


def run(options: argparse.Namespace) -> None:
    """Test, and print curve and suggestion.

    Raises:
        ConfigError: The config or an option has a mistake.
    """
    cfg = trial_config(options, "plot", PICTURES)

    from mainspring.tools.profiling import (
        applicable,
        plot_range_test,
        range_test,
        range_test_as_json,
        range_test_as_text,
    )

    test = range_test(cfg, options.lowest, options.highest, options.iterations)
    if options.format == "json":
        print(range_test_as_json(test))
    else:
        line = None if test.line is None else " ".join(applicable(cfg, [test.line]))
        print(range_test_as_text(test, line))
    if options.plot is not None:
        plot_range_test(test, options.plot)
