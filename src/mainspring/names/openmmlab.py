"""The packages of OpenMMLab that register their classes with a call instead of by locations."""

from __future__ import annotations

__all__ = ["MODULE2PACKAGE"]

_ALIKE = (
    *("mmcls", "mmdet", "mmdet3d", "mmedit", "mmfewshot", "mmflow", "mmgen"),
    *("mmhuman3d", "mmagic", "mmocr", "mmpose", "mmpretrain", "mmrazor", "mmrotate"),
    *("mmselfsup", "mmtrack", "mmyolo"),
)

MODULE2PACKAGE = {name: name for name in _ALIKE} | {
    "mmaction": "mmaction2",
    "mmseg": "mmsegmentation",
}
"""Name of the module to the name that pip knows."""
