"""Names for classes and functions, building them from configs, instances by name."""

from mainspring.registry import root
from mainspring.registry.build import (
    build_from_cfg,
    build_model_from_cfg,
    build_runner_from_cfg,
    build_scheduler_from_cfg,
)
from mainspring.registry.default_scope import DefaultScope, init_default_scope
from mainspring.registry.recorded import RecordedCall
from mainspring.registry.registry import Registry
from mainspring.registry.root import *  # noqa: F403 - the registries, as it lists them
from mainspring.registry.statistics import count_registered_modules, traverse_registry_tree

__all__ = [
    "DefaultScope",
    "RecordedCall",
    "Registry",
    "build_from_cfg",
    "build_model_from_cfg",
    "build_runner_from_cfg",
    "build_scheduler_from_cfg",
    "count_registered_modules",
    "init_default_scope",
    "traverse_registry_tree",
]
__all__ += root.__all__
