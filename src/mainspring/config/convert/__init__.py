"""Convert configs of the older formats to recorded ones."""

from __future__ import annotations

from mainspring.config.convert.compare import same_config
from mainspring.config.convert.conversion import convert
from mainspring.config.convert.report import ConversionReport, Remark

__all__ = ["ConversionReport", "Remark", "convert", "same_config"]
