"""Shortcuts around torch, NumPy and Python, each with a plain twin that gives the same bits.

``MAINSPRING_FAST=0`` in the environment turns all of them off.
"""

from __future__ import annotations

import os

__all__ = ["is_enabled"]

_ENABLED = os.environ.get("MAINSPRING_FAST", "1") != "0"


def is_enabled() -> bool:
    """Whether shortcuts are taken."""
    return _ENABLED
