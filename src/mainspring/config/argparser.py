"""A command line with one option for each leaf of a config."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

__all__ = ["add_args"]


def add_args(
    parser: argparse.ArgumentParser, cfg: Any, prefix: str = ""
) -> argparse.ArgumentParser:
    """Add an option for each leaf of a config.

    Strings, numbers and booleans take one value, lists take several of the type of their first
    item, dicts are descended into. Empty lists and leaves of other types get no option.

    Args:
        parser: Parser to add to.
        cfg: The config.
        prefix: What stands before the names of the options, such as ``model.``.

    Returns:
        The same parser.
    """
    for key, value in cfg.items():
        name = f"--{prefix}{key}"
        if isinstance(value, bool):
            parser.add_argument(name, action="store_true")
        elif isinstance(value, str | int | float):
            parser.add_argument(name, type=type(value))
        elif isinstance(value, Mapping):
            add_args(parser, value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple) and value:
            parser.add_argument(name, type=type(value[0]), nargs="+")
    return parser
