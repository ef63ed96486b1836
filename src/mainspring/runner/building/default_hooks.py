"""The hooks that every run has, and how a config changes them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mainspring.errors import ConfigError
from mainspring.hooks import CheckpointHook, DivergenceHook, ProgressHook
from mainspring.output import is_terminal

__all__ = ["DEFAULT_HOOKS", "hooks_of"]

DEFAULT_HOOKS: dict[str, dict[str, Any]] = {
    "runtime_info": {"type": "RuntimeInfoHook"},
    "timer": {"type": "IterTimerHook"},
    "sampler_seed": {"type": "DistSamplerSeedHook"},
    "logger": {"type": "LoggerHook"},
    "divergence": {"type": DivergenceHook},
    "param_scheduler": {"type": "ParamSchedulerHook"},
    "checkpoint": {"type": "CheckpointHook", "interval": 1},
}


def _default(changes: Mapping[str, Any] | None, by_epoch: bool | None) -> dict[str, Any]:
    """The default hooks after a config's changes; on a terminal, one that shows a bar as well."""
    is_dict = isinstance(changes, Mapping | None)
    if not is_dict or "type" in (changes or ()):
        found = "describes one hook" if is_dict else f"is a {type(changes).__name__}"
        raise ConfigError(
            f"default_hooks {found}, but it is a dict from name to hook",
            config_path="default_hooks",
            help="further hooks go into custom_hooks = [...]",
        )
    hooks: dict[str, Any] = copy.deepcopy(DEFAULT_HOOKS)
    if by_epoch is False:
        hooks["checkpoint"] = {"type": "CheckpointHook", "by_epoch": False, "interval": -1}
    if is_terminal():
        hooks["progress"] = {"type": ProgressHook}
    hooks.update(changes or {})
    return {
        name: _counting_as_training(hook, by_epoch)
        for name, hook in hooks.items()
        if hook is not None
    }


def hooks_of(default: Any, custom: Any, by_epoch: bool | None) -> dict[str, Any]:
    """All hooks of a run by the config path that describes them.

    Args:
        default: The section ``default_hooks``.
        custom: The section ``custom_hooks``.
        by_epoch: Whether training counts in epochs. A checkpoint hook that does not say what it
            counts in counts as training does.

    Raises:
        ConfigError: A section is nothing of its kind, or an entry is no hook.
    """
    if custom is not None and not isinstance(custom, list | tuple):
        shown = "a dict" if isinstance(custom, Mapping) else repr(custom)
        raise ConfigError(
            f"custom_hooks is {shown}, but it is a list of hooks",
            config_path="custom_hooks",
            help="write custom_hooks = [...]",
        )
    hooks = {f"default_hooks.{name}": hook for name, hook in _default(default, by_epoch).items()}
    hooks |= {f"custom_hooks.{index}": hook for index, hook in enumerate(custom or ())}
    for path, hook in hooks.items():
        if hook is None or isinstance(hook, bool | int | float | str | list | tuple):
            raise ConfigError(
                f"{path} is {hook!r}, which is no hook",
                config_path=path,
                help=f"write dict(type={hook!r})" if isinstance(hook, str) else "give a dict",
            )
    return hooks


def _counting_as_training(hook: Any, by_epoch: bool | None) -> Any:
    if by_epoch is not False or not isinstance(hook, Mapping):
        return hook
    kind = hook.get("type")
    names = ("CheckpointHook", "mmengine.CheckpointHook")
    if (kind in names or kind is CheckpointHook) and "by_epoch" not in hook:
        hook = copy.copy(hook)
        hook["by_epoch"] = False
    return hook
