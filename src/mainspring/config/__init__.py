"""Configs: files that describe a run, and the objects that they are read as."""

from mainspring.config.config import Config
from mainspring.config.config_dict import ConfigDict
from mainspring.config.edit import edit
from mainspring.config.node import Node
from mainspring.config.override import DictAction
from mainspring.config.sweep import choice, loguniform, sweep, uniform
from mainspring.config.words import (
    ByEpoch,
    ByIteration,
    Factory,
    L,
    available,
    copy,
    eager,
    env,
    include,
    later,
    read_base,
)
from mainspring.names import allow_packages

__all__ = [
    "ByEpoch",
    "ByIteration",
    "Config",
    "ConfigDict",
    "DictAction",
    "Factory",
    "L",
    "Node",
    "allow_packages",
    "available",
    "choice",
    "copy",
    "eager",
    "edit",
    "env",
    "include",
    "later",
    "loguniform",
    "read_base",
    "sweep",
    "uniform",
]
