"""`mainspring profile CONFIG`: where the time of an iteration goes, and what to change."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from mainspring.cli.common import tell
from mainspring.cli.trial_options import add_trial_parser, count, require_writable, trial_config

__all__ = ["add_parser", "run"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_trial_parser(
        verbs,
        "profile",
        run,
        short="say where the time of an iteration goes",
        long="Train some iterations, print where their time goes, and say what to change. On a "
        "GPU each part waits for the device, so that iterations are slower than in training. "
        "Nothing is written to the work directory.",
    )
    add = parser.add_argument
    add("--iterations", type=count, default=30, metavar="N", help="iterations to time (30)")
    add("--warmup", type=count, default=5, metavar="N", help="iterations before them (5)")
    add(
        "--trace",
        metavar="FILE",
        help="write a Chrome trace of three iterations, as .json or .json.gz",
    )


def run(options: argparse.Namespace) -> None:
    """Profile, and print the report.

    Raises:
        ConfigError: The config or an option has a mistake.
    """
    require_writable("--trace", options.trace, ends=(".json", ".json.gz"))
    cfg = trial_config(options)

    from mainspring.tools.profiling import applicable, best_advice, profile_as_text, profile_run

    measured = profile_run(cfg, options.iterations, options.warmup, options.trace)
    advice = [
        dataclasses.replace(item, lines=tuple(applicable(cfg, item.lines)))
        for item in best_advice(measured)
    ]
    told = {**dataclasses.asdict(measured), "achieved": measured.achieved, "advice": advice}
    tell(options, told, profile_as_text(measured, advice))
