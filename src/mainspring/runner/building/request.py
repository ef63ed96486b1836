"""What a run is asked for: its config, its name, and whether to continue an earlier one."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from mainspring.config import Config, ConfigDict
from mainspring.errors import ConfigError

__all__ = ["as_config", "named_run", "resume_request"]


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
        raise ConfigError.of_value(
            "resume", resume_from, "give True, False or the file of a checkpoint"
        )
    if load_from and not isinstance(load_from, str | Path):
        raise ConfigError.of_value("load_from", load_from, "give the file of a checkpoint")
    if not isinstance(resume_from, str | Path):
        return bool(resume_from), load_from
    if load_from is not None:
        raise ConfigError(
            "resume names a checkpoint and load_from another one",
            config_path="resume",
            help="leave load_from out",
        )
    return True, str(resume_from)


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
