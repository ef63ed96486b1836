"""`mainspring convert OLD NEW`: write a config of an older format as a recorded one."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from mainspring.cli.common import make_importable
from mainspring.errors import ConfigError

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Write a config of an older format as recorded files: dicts with a type become calls, bases become
imports, what a file merges becomes edit(...) lines. The new config is read and compared with the
old one before anything is written. Lines that a person should look at are printed."""


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "convert",
        help="write a config of an older format as a recorded one",
        description=_DESCRIPTION,
    )
    parser.add_argument("old", metavar="OLD", help="config file: .py, .yaml, .json or .toml")
    parser.add_argument(
        "new", metavar="NEW", help="new .py file, or a directory for it and its bases"
    )
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module that registers names which the config uses; may be given several times",
    )
    parser.add_argument("--flat", action="store_true", help="write one file, without bases")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    parser.set_defaults(run=run, overrides=[])


def run(options: argparse.Namespace) -> None:
    """Convert.

    Raises:
        ConfigError: The config cannot be read or converted, a file is there already, or a module
            of ``--import`` cannot be imported.
    """
    if options.overrides:
        raise ConfigError(
            f"convert takes no changes, but got {options.overrides[0]!r}",
            help="change the new config, or give the change to `mainspring train`",
        )
    from mainspring.config.convert import convert
    from mainspring.utils import import_modules_from_strings

    make_importable(Path.cwd(), Path(options.old).resolve().parent)
    for module in options.modules:
        try:
            import_modules_from_strings(module)
        except ImportError as error:
            raise ConfigError(f"--import {module}: {error}") from error
    report = convert(options.old, options.new, flat=options.flat, force=options.force)
    remarks, rest = "\n".join(map(str, report.remarks)), str(report)
    is_coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    if remarks and is_coloured:
        rest = rest.replace(remarks, f"\x1b[33m{remarks}\x1b[0m", 1)
    print(rest)
    if not options.modules and any("no package gives" in r.text for r in report.remarks):
        print("help: --import MODULE makes names known that a module of yours registers")
