"""Runners by name."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mainspring.registry import Registry

__all__ = ["RUNNERS", "RUNNER_BUILDERS", "DefaultRunnerConstructor", "build_runner"]

RUNNERS = Registry("mmcv runner", scope="mainspring")
RUNNER_BUILDERS = Registry("mmcv runner builder", scope="mainspring")


@RUNNER_BUILDERS.register_module()
class DefaultRunnerConstructor:
    """Builds a runner from its dict.

    Args:
        runner_cfg: The dict, with ``type``.
        default_args: Arguments that it does not give.
    """

    def __init__(
        self, runner_cfg: dict[str, Any], default_args: Mapping[str, Any] | None = None
    ) -> None:
        if not isinstance(runner_cfg, dict):
            raise TypeError(f"runner_cfg should be a dict, but got {type(runner_cfg)}")
        self.runner_cfg = runner_cfg
        self.default_args = default_args

    def __call__(self) -> Any:
        """Build it."""
        return RUNNERS.build(self.runner_cfg, default_args=self.default_args)


def build_runner(cfg: Mapping[str, Any], default_args: Mapping[str, Any] | None = None) -> Any:
    """Build a runner.

    Args:
        cfg: ``type`` and arguments; ``constructor`` may name another way of building.
        default_args: Arguments that `cfg` does not give.
    """
    runner_cfg = copy.deepcopy(dict(cfg))
    constructor = runner_cfg.pop("constructor", "DefaultRunnerConstructor")
    arguments = {"type": constructor, "runner_cfg": runner_cfg, "default_args": default_args}
    return RUNNER_BUILDERS.build(arguments)()
