"""The packages of OpenMMLab that register their classes with a call instead of by locations."""

from __future__ import annotations

__all__ = ["MODULE2PACKAGE"]

MODULE2PACKAGE = {
    "mmaction": "mmaction2",
    "mmcls": "mmcls",
    "mmdet": "mmdet",
    "mmdet3d": "mmdet3d",
    "mmedit": "mmedit",
    "mmfewshot": "mmfewshot",
    "mmflow": "mmflow",
    "mmgen": "mmgen",
    "mmhuman3d": "mmhuman3d",
    "mmagic": "mmagic",
    "mmocr": "mmocr",
    "mmpose": "mmpose",
    "mmpretrain": "mmpretrain",
    "mmrazor": "mmrazor",
    "mmrotate": "mmrotate",
    "mmseg": "mmsegmentation",
    "mmselfsup": "mmselfsup",
    "mmtrack": "mmtrack",
    "mmyolo": "mmyolo",
}
"""Name of the module to the name that pip knows."""
