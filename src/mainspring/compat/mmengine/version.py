"""The version that MMEngine's users ask for."""

from __future__ import annotations

import re

from mainspring.version import MMENGINE_VERSION

__all__ = ["__version__", "parse_version_info", "version_info"]

__version__ = MMENGINE_VERSION.partition("+")[0]


def parse_version_info(version: str) -> tuple[int | str, ...]:
    """A version as a tuple: ``"1.3.0rc1"`` is ``(1, 3, 0, "rc1")``."""
    return tuple(
        int(part) if part.isdigit() else part for part in re.findall(r"rc\d+|\d+", version)
    )


version_info = parse_version_info(__version__)
