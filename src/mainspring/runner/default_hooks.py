"""The hooks that every run has, and how a config changes them."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from typing import Any

from mainspring.errors import ConfigError
from mainspring.hooks import CheckpointHook

__all__ = ["DEFAULT_HOOKS", "with_default_hooks"]

DEFAULT_HOOKS: dict[str, dict[str, Any]] = {
    "runtime_info": {"type": "RuntimeInfoHook"},
    "timer": {"type": "IterTimerHook"},
    "sampler_seed": {"type": "DistSamplerSeedHook"},
    "logger": {"type": "LoggerHook"},
    "divergence": {"type": "DivergenceHook"},
    "param_scheduler": {"type": "ParamSchedulerHook"},
    "checkpoint": {"type": "CheckpointHook", "interval": 1},
}


def with_default_hooks(changes: Mapping[str, Any] | None, by_epoch: bool | None) -> list[Any]:
    """The default hooks after a config's changes; on a terminal, one that shows a bar as well.

    Args:
        changes: By name: a hook or its dict replaces or adds one, ``None`` removes it.
        by_epoch: Whether training counts in epochs. A checkpoint hook that does not say what it
            counts in counts as training does.

    Raises:
        ConfigError: `changes` is no dict.
    """
    if changes is not None and not isinstance(changes, Mapping):
        raise ConfigError(
            f"default_hooks is a {type(changes).__name__}",
            config_path="default_hooks",
            help="give a dict from name to hook; further hooks go into custom_hooks",
        )
    hooks: dict[str, Any] = copy.deepcopy(DEFAULT_HOOKS)
    if by_epoch is False:
        hooks["checkpoint"] = {"type": "CheckpointHook", "by_epoch": False, "interval": -1}
    if sys.stdout.isatty():
        hooks["progress"] = {"type": "ProgressHook"}
    hooks.update(changes or {})
    return [_counting_as_training(hook, by_epoch) for hook in hooks.values() if hook is not None]


def _counting_as_training(hook: Any, by_epoch: bool | None) -> Any:
    if by_epoch is not False or not isinstance(hook, Mapping):
        return hook
    kind = hook.get("type")
    names = ("CheckpointHook", "mmengine.CheckpointHook")
    if (kind in names or kind is CheckpointHook) and "by_epoch" not in hook:
        hook = copy.copy(hook)
        hook["by_epoch"] = False
    return hook
