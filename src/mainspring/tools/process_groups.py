"""Groups of processes: those that a trial or a run of a sweep starts, its data workers included."""

from __future__ import annotations

import contextlib
import os
import signal

__all__ = ["kill_group"]


def kill_group(process: int) -> None:
    """End a process and all of its group by force, if they are still there.

    Args:
        process: The number of the process that leads the group.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)
