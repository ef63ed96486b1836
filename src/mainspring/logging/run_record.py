"""What each start of a training notes of itself: when it began, whether it runs, how it ended."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mainspring.replacing import replacing

__all__ = ["RECORD", "read_record", "record_files", "state_of", "write_record"]

RECORD = "run.json"
"""Name of the file in the log directory of a start."""

_CLOCK_STEP = 5.0
"""Seconds that the time of a file may differ from that of the process that made it."""


def write_record(log_dir: str | Path, record: Mapping[str, Any]) -> None:
    """Write what is known of a start, in place of what was known before.

    Args:
        log_dir: Log directory of the start.
        record: ``state`` (``"running"``, ``"finished"``, ``"stopped"`` or ``"crashed"``), ``began``
            and ``ended`` (seconds since 1970), and more; values that JSON has.

    Raises:
        OSError: The storage refuses.
    """
    own = {"pid": os.getpid(), "host": socket.gethostname()}
    with replacing(Path(log_dir) / RECORD) as file:
        file.write(json.dumps({**own, **record}, indent=1).encode())


def read_record(file: str | Path) -> dict[str, Any]:
    """What `write_record` wrote; empty for a file that is damaged or not there.

    Args:
        file: The file.
    """
    with suppress(OSError, ValueError):
        content = json.loads(Path(file).read_bytes())
        if isinstance(content, dict):
            return content
    return {}


def record_files(work_dir: str | Path) -> list[Path]:
    """The records of a work directory, oldest start first.

    Args:
        work_dir: Work directory of a run.
    """
    return sorted(Path(work_dir).glob(f"*/{RECORD}"))


def state_of(record: Mapping[str, Any]) -> str:
    """How it stands: what was noted last, unless the process that noted it is gone.

    Of a process on another machine nobody here can tell whether it is.

    Args:
        record: The record.
    """
    state = str(record.get("state", "unknown"))
    if state != "running" or record.get("host") != socket.gethostname():
        return state
    return state if _is_alive(record.get("pid"), record.get("began")) else "crashed"


def _is_alive(pid: Any, began: Any) -> bool:
    if not isinstance(pid, int) or not isinstance(began, int | float):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # of another user
    process = Path(f"/proc/{pid}")
    # A process that is younger than the record only has the same number.
    return not process.exists() or process.stat().st_mtime < max(began, 0) + _CLOCK_STEP
