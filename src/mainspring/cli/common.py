"""What the verbs that run a config share: their options and how they change the config."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.errors import ConfigError

if TYPE_CHECKING:
    from mainspring.config import Config

__all__ = [
    "add_config_options",
    "load_config",
    "looks_like_override",
    "make_importable",
    "read_config",
]

_PATH = r"[^\W\d]\w*(\.\w+)*"
_OVERRIDE = re.compile(rf"~{_PATH}|\+?{_PATH}\+?=.*", re.DOTALL)


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
    parser.add_argument(
        "--allow",
        nargs="+",
        action="extend",
        default=[],
        metavar="PACKAGE",
        help="packages that dumps, JSON, YAML and changes may name, beside those that are known",
    )
    parser.add_argument("--local_rank", "--local-rank", type=int, help=argparse.SUPPRESS)


def looks_like_override(word: str) -> bool:
    """Whether a word of the command line changes the config, rather than naming a file."""
    return _OVERRIDE.fullmatch(word) is not None


def load_config(options: argparse.Namespace, overrides: Sequence[str]) -> Config:
    """Read the config and apply what the command line says.

    Args:
        options: The options of `add_config_options`, and ``config``.
        overrides: Changes, see `mainspring.config.Config.override`.

    Raises:
        ConfigError: The config cannot be read, or a change cannot be applied.
    """
    from mainspring.config.sweep import refuse_unchosen
    from mainspring.utils.allow import allow_packages

    allow_packages(*options.allow)
    if options.local_rank is not None:
        os.environ.setdefault("LOCAL_RANK", str(options.local_rank))
    cfg = read_config(options.config, overrides)
    _merge_cfg_options(cfg, options.cfg_options)
    if options.launcher is not None:
        cfg.launcher = options.launcher
    if options.work_dir is not None:
        cfg.work_dir = options.work_dir
    elif cfg.get("work_dir") is None:
        name = Path(options.config).name.replace(":", "_").replace(".py", "")
        cfg.work_dir = str(Path("work_dirs") / Path(name).stem)
    refuse_unchosen(cfg)
    return cfg


def read_config(path: str, overrides: Sequence[str] = ()) -> Config:
    """Read a config whose modules lie in the working directory, beside it, or are installed.

    Args:
        path: The config file, perhaps with ``:function``.
        overrides: Changes, see `mainspring.config.Config.override`.

    Raises:
        ConfigError: The config cannot be read, or a change cannot be applied.
    """
    from mainspring.config import Config

    file = path.rpartition(":")[0] if ":" in path and not os.path.exists(path) else path
    make_importable(Path.cwd(), Path(file).resolve().parent)
    return Config.fromfile(path, overrides=overrides)


def _merge_cfg_options(cfg: Config, words: Sequence[str]) -> None:
    """``--cfg-options``, as MMEngine's tools take them: new keys are allowed."""
    from mainspring.config import DictAction

    changes: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"{word!r} is no change of the config", help="write key=value")
        changes[key] = DictAction.parse_value(value)
    if changes:
        cfg.merge_from_dict(changes)


def make_importable(*folders: Path) -> None:
    """Let configs name modules that lie in the working directory or beside the config."""
    for folder in map(str, folders):
        if folder not in sys.path:
            sys.path.append(folder)
