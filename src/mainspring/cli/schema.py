"""`mainspring schema`: the JSON Schema of configs, for editors."""

from __future__ import annotations

import argparse
from typing import Any

from mainspring.cli.common import (
    add_import_option,
    import_registering,
    make_importable,
    refuse_overrides,
)

__all__ = ["add_parser", "run"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "schema",
        help="print the JSON Schema of configs",
        description="Print the JSON Schema of YAML and JSON configs, by which editors complete and "
        "check them. It knows what is registered: --import MODULE adds what a module of yours is.",
    )
    add_import_option(parser)
    parser.set_defaults(run=run, overrides=[])


def run(options: argparse.Namespace) -> None:
    """Print the schema.

    Raises:
        ConfigError: A module of ``--import`` cannot be imported, or words are left.
    """
    import json

    from mainspring.check.json_schema import json_schema

    refuse_overrides(options, "schema takes no config", "it is of all configs")
    make_importable(".")
    import_registering(options.modules)
    print(json.dumps(json_schema(), indent=1))
