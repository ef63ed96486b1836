"""What a run is asked for: its config, its name, and whether to continue an earlier one."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

from mainspring.config import Config, ConfigDict
from mainspring.errors import ConfigError, did_you_mean

__all__ = ["as_config", "check_log_level", "named_run", "resume_request"]


def as_config(cfg: Any) -> Config:
    """A copy of the config of a run; an empty one where there is none.

    Args:
        cfg: A config, a dict or ``None``.
    """
    if cfg is None:
        return Config({})
    if isinstance(cfg, Config):
        return copy.deepcopy(cfg)
    return Config(ConfigDict(copy.deepcopy(dict(cfg))))


def resume_request(resume_from: bool | str, load_from: str | None) -> tuple[bool, str | None]:
    """Unite the two spellings: ``resume=path``, and ``resume=True`` with ``load_from=path``.

    Args:
        resume_from: Whether to resume, or what.
        load_from: Checkpoint to load.

    Returns:
        Whether to resume, and the checkpoint, if one is named.

    Raises:
        ConfigError: Each names a checkpoint, or one of them is nothing of that kind.
    """
    if resume_from == "auto":  # the word of the command line
        resume_from = True
    if not isinstance(resume_from, bool | str | Path | int | None):
        raise ConfigError(
            f"resume is {resume_from!r}",
            config_path="resume",
            help="give True, False or the file of a checkpoint",
        )
    if load_from and not isinstance(load_from, str | Path):
        raise ConfigError(
            f"load_from is {load_from!r}",
            config_path="load_from",
            help="give the file of a checkpoint",
        )
    if not isinstance(resume_from, str | Path):
        return bool(resume_from), load_from
    if load_from is not None:
        raise ConfigError(
            "resume names a checkpoint and load_from another one",
            config_path="resume",
            help="leave load_from out",
        )
    return True, str(resume_from)


def check_log_level(level: Any) -> None:
    """Refuse a level that logging does not know.

    Raises:
        ConfigError: It does not.
    """
    known = logging.getLevelNamesMapping()
    if isinstance(level, str) and level.upper() not in known:
        raise ConfigError(
            f"log_level is {level!r}",
            config_path="log_level",
            help=did_you_mean(level, known) or f"it is {' or '.join(map(repr, known))}",
        )


def named_run(given: str | None, cfg: Config, timestamp: str) -> str:
    """The name of a run: the one that is given, or that of the config file, and the time.

    Args:
        given: Name that the user gives.
        cfg: The config.
        timestamp: Time of the start.
    """
    if given is not None:
        return f"{given}_{timestamp}"
    if cfg.filename:
        return f"{Path(cfg.filename).stem}_{timestamp}"
    return timestamp
