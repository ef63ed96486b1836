"""From an ``init_cfg`` to initialised weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from torch import nn

from mainspring.errors import did_you_mean, mark_user_mistake
from mainspring.registry import WEIGHT_INITIALIZERS

__all__ = ["InitCfg", "initialize"]

InitCfg: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def initialize(module: nn.Module, init_cfg: InitCfg) -> None:
    """Initialise a module as an ``init_cfg`` says.

    Args:
        module: Module to initialise.
        init_cfg: A dict or a list of dicts, worked off in order. ``type`` names an initialiser of
            the registry ``WEIGHT_INITIALIZERS`` and the other keys are its arguments, except
            ``override``: a dict or a list of dicts with ``name``, the attribute to initialise as a
            whole, and the ``type`` and arguments for it. An override of nothing but ``name`` uses
            the initialiser that it stands in.

    Raises:
        TypeError: Something is no dict where one is expected.
        ValueError: An override lacks ``name``, or has arguments but no ``type``.
        RuntimeError: The module has no attribute with the name of an override.
    """
    if isinstance(init_cfg, Mapping):
        entries: Sequence[Any] = [init_cfg]
    elif isinstance(init_cfg, list | tuple):
        entries = init_cfg
    else:
        entries = [init_cfg]
    for entry in entries:
        if not isinstance(entry, Mapping):
            raise mark_user_mistake(
                TypeError(f"init_cfg must be a dict or a list of dict, but got {entry!r}")
            )
    for entry in entries:
        # The copy keeps the caller's config, and configs that share this dict, as they are.
        cfg = dict(copy.deepcopy(entry))
        override = cfg.pop("override", None)
        _initialize(module, cfg)
        if override is not None:
            cfg.pop("layer", None)
            _initialize_override(module, override, cfg)


def _initialize(module: nn.Module, cfg: dict[str, Any], wholemodule: bool = False) -> None:
    initializer = WEIGHT_INITIALIZERS.build(cfg)
    initializer.wholemodule = wholemodule
    initializer(module)


def _initialize_override(module: nn.Module, override: Any, cfg: dict[str, Any]) -> None:
    if not isinstance(override, Mapping | list):
        raise mark_user_mistake(
            TypeError(f"override must be a dict or a list of dict, but got {override!r}")
        )
    for item in [override] if isinstance(override, Mapping) else override:
        own = dict(item)
        name = own.pop("name", None)
        if name is None:
            raise mark_user_mistake(
                ValueError(f'`override` must contain the key "name", but got {dict(item)}')
            )
        if own and "type" not in own:
            raise mark_user_mistake(
                ValueError(f'`override` of {name!r} has arguments but no "type": {own}')
            )
        if not hasattr(module, name):
            hint = did_you_mean(name, (child for child, _ in module.named_children()))
            raise mark_user_mistake(
                RuntimeError(
                    f"module did not have attribute {name}, but init_cfg of "
                    f"{type(module).__name__} overrides it" + (f"; {hint}" if hint else "")
                )
            )
        _initialize(getattr(module, name), own or dict(cfg), wholemodule=True)
