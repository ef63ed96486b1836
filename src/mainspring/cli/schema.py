"""`mainspring schema`: the JSON Schema of configs, for editors."""

from __future__ import annotations

import argparse
from typing import Any

from mainspring.cli.common import add_import_option, add_verb, import_registering, make_importable

__all__ = ["add_parser", "run"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        verbs,
        "schema",
        run,
        short="print the JSON Schema of configs",
        long="Print the JSON Schema of YAML and JSON configs, by which editors complete and "
        "check them. It knows what is registered: --import MODULE adds what a module of yours is.",
        refusal=("schema takes no config, but got {!r}", "it is of all configs"),
        has_format=False,
    )
    add_import_option(parser)


def run(options: argparse.Namespace) -> None:
    """Print the schema.

    Raises:
        ConfigError: A module of ``--import`` cannot be imported, or words are left.
    """
    import json

    from mainspring.check.json_schema import json_schema

    make_importable(".")
    import_registering(options.modules)
    print(json.dumps(json_schema(), indent=1))
