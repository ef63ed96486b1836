"""`mainspring new NAME --from TASK`: a project that trains at once."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

from mainspring.cli.common import add_format_option, refuse_overrides
from mainspring.cli.trial_options import require_folder
from mainspring.tools.new import TASKS, write_project

__all__ = ["add_parser", "run"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "new",
        help="write a project that trains at once",
        description="Write a folder with a config, a data set, a model, a test and a README, which "
        "trains at once, in seconds, on data that it makes.",
    )
    parser.add_argument("folder", metavar="NAME", help="the new folder")
    parser.add_argument(
        "--from", dest="task", choices=TASKS, required=True, help="what kind of task it is"
    )
    add_format_option(parser)
    parser.set_defaults(run=run, overrides=[])


def run(options: argparse.Namespace) -> None:
    """Write the project.

    Raises:
        ConfigError: There is something in the folder, or it cannot be made.
    """
    refuse_overrides(options, "new takes a folder", "change the config that it writes")
    require_folder("NAME", options.folder)
    files = write_project(Path(options.folder), options.task)
    if options.format == "json":
        print(json.dumps({"folder": options.folder, "files": list(map(str, files))}))
        return
    for path in files:
        print(path)
    print(f"\ncd {shlex.quote(options.folder)}; mainspring train config.py")
