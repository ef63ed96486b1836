"""Names that other packages import from this path."""

from __future__ import annotations

from mainspring.errors import ConfigParsingError
from mainspring.names.openmmlab import MODULE2PACKAGE

__all__ = ["MODULE2PACKAGE", "PKG2PROJECT", "ConfigParsingError"]

PKG2PROJECT = dict(MODULE2PACKAGE)
"""Name of the module to the name of its project."""
