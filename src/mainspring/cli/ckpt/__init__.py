"""`mainspring ckpt`: look at checkpoint files, compare them, and make others of them."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from typing import Any

from mainspring.cli.ckpt import comparing, converting, looking
from mainspring.errors import CheckpointError, ConfigError, mark_user_mistake

__all__ = ["add_parser"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "ckpt",
        help="list, verify, compare, average and convert checkpoints",
        description="Look at checkpoint files, compare them and make others of them; nothing of a "
        "file is run.",
    )
    inner = parser.add_subparsers(
        title="what to do", metavar="WHAT", dest="what_of_ckpt", required=True
    )
    for module in (looking, comparing, converting):
        for added, function in module.add_parsers(inner):
            added.set_defaults(run=functools.partial(_run, function), overrides=[])


def _run(function: Callable[[argparse.Namespace], None], options: argparse.Namespace) -> None:
    """Do what was asked for; what is wrong with a file is the user's to know, without traceback."""
    if options.overrides:
        raise ConfigError(f"ckpt takes files, but got {options.overrides[0]!r}")
    try:
        function(options)
    except (CheckpointError, OSError) as error:
        raise mark_user_mistake(error) from None
