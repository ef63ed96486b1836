"""Configs: files that describe a run, and the objects that they are read as."""

from mainspring.config.config import Config
from mainspring.config.config_dict import ConfigDict
from mainspring.config.new_style import read_base
from mainspring.config.override import DictAction

__all__ = ["Config", "ConfigDict", "DictAction", "read_base"]
