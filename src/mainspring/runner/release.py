"""Give back what a run left in the process or on the disk."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring import fileio
from mainspring.logging import MessageHub, MMLogger
from mainspring.registry import DefaultScope
from mainspring.runner.building.environment import shared_timestamp
from mainspring.runner.console.startup_log import config_dump_path
from mainspring.runner.work_dir_lock import LOCK
from mainspring.visualization import Visualizer

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["StartFiles", "claim", "naming", "new_timestamp", "release_run"]

_OWNERS = (MMLogger, MessageHub, DefaultScope, Visualizer)
_claimed: dict[str, object] = {}
naming = threading.Lock()
"""Held from the choice of a name to its claim, so that no other thread chooses it, too."""


def claim(experiment_name: str) -> object:
    """Keep a name for a run until it is released, also while nothing of it is there yet.

    Args:
        experiment_name: Name of the run.

    Returns:
        By which the claim is known: a later run may have the name again.
    """
    claimed = _claimed[experiment_name] = object()
    return claimed


def new_timestamp(work_dir: str, name_at: Callable[[str], str]) -> str:
    """The time of a start, as `shared_timestamp` has it, that no start before has or is named by.

    Args:
        work_dir: Where the start writes into a directory with the time as its name.
        name_at: The name of the run for a time.
    """

    def is_taken(stamp: str) -> bool:
        name = name_at(stamp)
        has_parts = any(owner.check_instance_created(name) for owner in _OWNERS)
        return has_parts or name in _claimed or os.path.lexists(os.path.join(work_dir, stamp))

    return shared_timestamp(is_taken)


def release_run(experiment_name: str, claimed: object = None) -> None:
    """Release the logger, message hub, visualizer and scope of a run.

    The collector may do it at any moment, so no context variable is set: see `ManagerMeta`.

    Args:
        experiment_name: Name under which they were made.
        claimed: What `claim` returned; if the name is that of another run by now, nothing happens.
    """
    if claimed is not None and _claimed.get(experiment_name) is not claimed:
        return
    if Visualizer.check_instance_created(experiment_name):
        Visualizer.get_instance(experiment_name).close()
    for owner in _OWNERS:
        owner.release_instance(experiment_name)
    _claimed.pop(experiment_name, None)


class StartFiles:
    """The files that a start of a run makes before it trains, to be undone if it never does.

    Args:
        files: Files that may be written over.
        directories: Directories that may be created, outer ones first.
        log_dir: The one of them that is the start's own.
    """

    def __init__(self, files: Iterable[Path], directories: Iterable[Path], log_dir: Path) -> None:
        self._before = {
            path: path.read_bytes() if path.is_file() and not path.is_symlink() else None
            for path in files
        }
        self._log_dir = log_dir
        self._new_directories = [path for path in directories if not path.exists()]

    @classmethod
    def of_run(cls, runner: Runner) -> StartFiles:
        """The files that a runner makes while it is constructed."""
        work_dir = Path(runner.work_dir)
        log_dir = Path(runner.log_dir)
        missing = [path for path in reversed(work_dir.parents) if not path.exists()]
        return cls(
            [config_dump_path(runner), work_dir / LOCK], [*missing, work_dir, log_dir], log_dir
        )

    def discard(self) -> None:
        """Put earlier contents back and remove what was created, and nothing that came since."""
        for path, content in self._before.items():
            if content is not None:
                fileio.put(content, path)
            else:
                path.unlink(missing_ok=True)
        if self._log_dir in self._new_directories:
            shutil.rmtree(self._log_dir, ignore_errors=True)
        for path in reversed(self._new_directories):
            with suppress(OSError):
                path.rmdir()
