"""`mainspring new NAME --from TASK`: a project that trains at once."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from mainspring.cli.common import add_verb, tell
from mainspring.cli.trial_options import require_folder
from mainspring.tools.new import TASKS, write_project

__all__ = ["add_parser", "run"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = add_verb(
        verbs,
        "new",
        run,
        short="write a project that trains at once",
        long="Write a folder with a config, a data set, a model, a test and a README, which "
        "trains at once, in seconds, on data that it makes.",
        refusal=("new takes a folder, but got {!r}", "change the config that it writes"),
        folder={"metavar": "NAME", "help": "the new folder"},
    )
    parser.add_argument(
        "--from", dest="task", choices=TASKS, required=True, help="what kind of task it is"
    )


def run(options: argparse.Namespace) -> None:
    """Write the project.

    Raises:
        ConfigError: There is something in the folder, or it cannot be made.
    """
    require_folder("NAME", options.folder)
    files = list(map(str, write_project(Path(options.folder), options.task)))
    next_step = f"cd {shlex.quote(options.folder)}; mainspring train config.py"
    found = {"folder": options.folder, "files": files}
    tell(options, found, "\n".join([*files, "", next_step]), indent=None)
