"""Leaves it to the system when what tests write reaches the disk.

Waiting for the disk matters when a machine stops. What a killed process wrote is kept by the system
either way, and tests of a disk that refuses replace `os.fsync` themselves.
"""

from __future__ import annotations

import os

__all__ = ["leave_writing_to_the_system"]


def leave_writing_to_the_system() -> None:
    """Let `os.fsync` of this process, and of those forked from it, only look at the descriptor."""
    os.fsync = os.fstat  # type: ignore[assignment]
