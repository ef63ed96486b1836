"""`mainspring convert OLD NEW`: write a config of an older format as a recorded one."""

from __future__ import annotations

import argparse
from typing import Any

from mainspring.cli.common import (
    add_allow_option,
    add_import_option,
    add_verb,
    import_registering,
    make_importable,
    telling_result,
)
from mainspring.output import uses_colour

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Write a config of an older format as recorded files: dicts with a type become calls, bases become
imports, what a file merges becomes edit(...) lines. The new config is read and compared with the
old one before anything is written. Lines that a person should look at are printed."""


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        verbs,
        "convert",
        run,
        short="write a config of an older format as a recorded one",
        long=_DESCRIPTION,
        refusal=(
            "convert takes no changes, but got {!r}",
            "change the new config, or give the change to `mainspring train`",
        ),
        old={"metavar": "OLD", "help": "config file: .py, .yaml, .json or .toml"},
        new={"metavar": "NEW", "help": "new .py file, or a directory for it and its bases"},
    )
    add_import_option(parser)
    add = parser.add_argument
    add("--flat", action="store_true", help="write one file, without bases")
    add("--force", action="store_true", help="replace files that are there")
    add_allow_option(parser)


def run(options: argparse.Namespace) -> None:
    """Convert.

    Raises:
        ConfigError: The config cannot be read or converted, a file is there already, or a module
            of ``--import`` cannot be imported.
    """
    from mainspring.tools.convert import convert

    make_importable(options.old)
    import_registering(options.modules)
    with telling_result(options) as told:
        report = convert(options.old, options.new, flat=options.flat, force=options.force)
        told.append(report.as_json())
        remarks, rest = "\n".join(map(str, report.remarks)), str(report)
        if remarks and uses_colour():
            rest = rest.replace(remarks, f"\x1b[33m{remarks}\x1b[0m", 1)
        print(rest)
        if not options.modules and any("no package gives" in r.text for r in report.remarks):
            print("help: --import MODULE makes names known that a module of yours registers")
