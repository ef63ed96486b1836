"""What the verbs that run a config share: their options and how they change the config."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.errors import ConfigError

if TYPE_CHECKING:
    from mainspring.config import Config

__all__ = ["add_config_options", "load_config", "looks_like_override"]


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every verb that runs a config."""
    parser.add_argument("--work-dir", metavar="DIR", help="where checkpoints and logs go")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="changes to the config, as MMEngine's tools take them",
    )
    parser.add_argument(
        "--launcher",
        choices=["none", "pytorch", "slurm", "mpi"],
        help="how the processes of this run are started (default: as the config says)",
    )
    parser.add_argument("--local_rank", "--local-rank", type=int, help=argparse.SUPPRESS)


def looks_like_override(word: str) -> bool:
    """Whether a word of the command line is ``key=value`` rather than a path."""
    key = word.partition("=")[0]
    return "=" in word and all(part.isidentifier() or part.isdigit() for part in key.split("."))


def load_config(options: argparse.Namespace, overrides: Sequence[str]) -> Config:
    """Read the config and apply what the command line says.

    Raises:
        ConfigError: The config cannot be read, or a word is no ``key=value``.
    """
    from mainspring.config import Config

    if options.local_rank is not None:
        os.environ.setdefault("LOCAL_RANK", str(options.local_rank))
    _make_importable(Path.cwd(), Path(options.config).resolve().parent)
    cfg = Config.fromfile(options.config)
    changes: dict[str, Any] = {}
    for word in [*options.cfg_options, *overrides]:
        if not looks_like_override(word):
            raise ConfigError(f"{word!r} is no change of the config", help="write key=value")
        key, _, value = word.partition("=")
        changes[key] = parse_value(value)
    if changes:
        cfg.merge_from_dict(changes)
    if options.launcher is not None:
        cfg.launcher = options.launcher
    if options.work_dir is not None:
        cfg.work_dir = options.work_dir
    elif cfg.get("work_dir") is None:
        cfg.work_dir = str(Path("work_dirs") / Path(options.config).stem)
    return cfg


def _make_importable(*folders: Path) -> None:
    """Let configs name modules that lie in the working directory or beside the config."""
    for folder in map(str, folders):
        if folder not in sys.path:
            sys.path.append(folder)


def parse_value(text: str) -> Any:
    """A value of the command line: as ``--cfg-options`` reads it."""
    from mainspring.config import DictAction

    return DictAction.parse_value(text)
