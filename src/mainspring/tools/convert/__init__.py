"""Convert configs of the older formats to recorded ones."""

from __future__ import annotations

from mainspring.tools.convert.conversion import convert
from mainspring.tools.convert.equality import same_config
from mainspring.tools.convert.report import ConversionReport, Remark

__all__ = ["ConversionReport", "Remark", "convert", "same_config"]
