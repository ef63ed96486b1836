"""What the visualization package raises."""

from __future__ import annotations

from mainspring.errors import ConfigError

__all__ = ["VisualizationError", "missing_package"]


class VisualizationError(ConfigError, AssertionError, RuntimeError):
    """Something that cannot be drawn or recorded as it was asked for."""


def missing_package(error: ImportError, wanted_by: str, install: str) -> ImportError:
    """The error to raise where an optional package is missing.

    Args:
        error: What importing it raised.
        wanted_by: What needs it.
        install: What to give to ``pip install``.
    """
    return ImportError(
        f"{wanted_by} needs {error.name or 'a package'}, which is not installed ({error})\n"
        f"  help: pip install {install}",
        name=error.name,
        path=error.path,
    )
