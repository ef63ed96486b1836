"""`mainspring batch-size-find CONFIG`: which batch sizes fit, and how fast they are."""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
from typing import Any

from mainspring.cli.common import tell
from mainspring.cli.trial_options import add_trial_parser, count, trial_config
from mainspring.output import is_terminal

__all__ = ["add_parser", "run"]

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_trial_parser(
        verbs,
        "batch-size-find",
        run,
        short="find the batch sizes that fit and the one that pays",
        long="Double the batch size until memory runs out, search between the last two, and print "
        "how fast each is. Nothing is written to the work directory.",
    )
    add = parser.add_argument
    add("--max", dest="largest", type=count, metavar="N", help="largest to try")
    text = "limit, such as 4GiB (default: what a GPU has, or 80%% of the free memory)"
    add("--memory", type=amount, metavar="SIZE", help=text)


def amount(word: str) -> int:
    """Bytes of an amount such as ``500MiB``, ``4G`` or ``1000000``; units are powers of 1024.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", word.strip().lower())
    if found is None or not float(found.group(1)):
        raise argparse.ArgumentTypeError(f"{word!r} is no amount of memory such as 4GiB")
    return int(float(found.group(1)) * _UNITS[found.group(2)])


def run(options: argparse.Namespace) -> None:
    """Search, and print the table.

    Raises:
        ConfigError: The config or an option has a mistake.
    """
    cfg = trial_config(options)

    from mainspring.tools.profiling import batch_sizes_as_text, find_batch_size

    def say(tried: Any) -> None:
        if is_terminal(sys.stderr):
            print(f"tried {tried.size}", file=sys.stderr)

    search = find_batch_size(cfg, options.largest, options.memory, say)
    found = {"largest": search.largest, "suggested": search.suggested}
    tell(options, {**dataclasses.asdict(search), **found}, batch_sizes_as_text(search))
