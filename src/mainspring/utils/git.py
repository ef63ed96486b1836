"""The state of the repository around the working directory."""

from __future__ import annotations

import subprocess

__all__ = ["get_git_hash"]


def get_git_hash(fallback: str = "unknown", digits: int | None = None) -> str:
    """The hash of the commit that is checked out in the working directory.

    Args:
        fallback: Result where git or a commit is missing.
        digits: How many digits to keep; all by default.

    Raises:
        TypeError: If ``digits`` is neither ``None`` nor an integer.
    """
    if digits is not None and not isinstance(digits, int):
        raise TypeError(f"digits must be None or an integer, but is {digits!r}")
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return fallback
    return found.stdout.strip()[:digits]
