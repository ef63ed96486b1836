"""Configs and models of installed packages, by names such as ``mmdet::yolo/yolov3.py``."""

from mainspring.hub.hub import get_config, get_model

__all__ = ["get_config", "get_model"]
