"""From the ``optim_wrapper`` section and a model to the optimizer wrapper."""

from __future__ import annotations

import copy
import inspect
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from mainspring.errors import ConfigError, mark_user_mistake
from mainspring.logging import print_log
from mainspring.optim.optimizer.param_groups import (
    ParamPlace,
    check_paramwise_cfg,
    settings_of_parameter,
)
from mainspring.registry import (
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
)

__all__ = ["DefaultOptimWrapperConstructor", "build_optim_wrapper"]


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class DefaultOptimWrapperConstructor:
    """Makes an optimizer wrapper for a model, with settings for single parameters if asked for.

    Without `paramwise_cfg` all parameters are one group; with it, each is a group of its own.

    Args:
        optim_wrapper_cfg: Dict with ``optimizer`` (a dict) and the arguments of the wrapper, whose
            ``type`` is ``OptimWrapper`` by default.
        paramwise_cfg: Rules for single parameters: ``custom_keys``, ``bias_lr_mult``,
            ``bias_decay_mult``, ``norm_decay_mult``, ``dwconv_decay_mult``, ``flat_decay_mult``,
            ``dcn_offset_lr_mult``, ``bypass_duplicate``.

    Raises:
        TypeError: The section is no dict.
        ConfigError: It names no optimizer, or a rule makes no sense.
    """

    def __init__(
        self, optim_wrapper_cfg: Mapping[str, Any], paramwise_cfg: Mapping[str, Any] | None = None
    ) -> None:
        _check_dict("optim_wrapper", optim_wrapper_cfg)
        if "optimizer" not in optim_wrapper_cfg:
            raise ConfigError(
                "optim_wrapper names no optimizer",
                config_path="optim_wrapper",
                help="add optimizer=dict(type='SGD', lr=0.1)",
            )
        section = {key: optim_wrapper_cfg[key] for key in optim_wrapper_cfg}
        _check_dict("optim_wrapper.optimizer", section["optimizer"])
        if paramwise_cfg is not None:
            _check_dict("optim_wrapper.paramwise_cfg", paramwise_cfg)
        self.optimizer_cfg: Any = copy.copy(section.pop("optimizer"))
        self.optim_wrapper_cfg: dict[str, Any] = section
        self.paramwise_cfg: dict[str, Any] = {} if paramwise_cfg is None else dict(paramwise_cfg)
        self.base_lr: float | None = self.optimizer_cfg.get("lr", None)
        self.base_wd: float | None = self.optimizer_cfg.get("weight_decay", None)
        self._validate_cfg()

    def _validate_cfg(self) -> None:
        check_paramwise_cfg(self.paramwise_cfg, self.base_wd)

    def _is_in(self, param_group: Mapping[str, Any], param_group_list: list[Any]) -> bool:
        """Whether a parameter of a group is in one of several groups."""
        wanted = set(param_group["params"])
        return any(not wanted.isdisjoint(group["params"]) for group in param_group_list)

    def add_params(
        self,
        params: list[dict[str, Any]],
        module: nn.Module,
        prefix: str = "",
        is_dcn_module: bool | None = None,
    ) -> None:
        """Add a group for each parameter of a module and its children; for subclasses to override.

        Args:
            params: The groups; added to in place.
            module: The module.
            prefix: Name of the module in the model.
            is_dcn_module: Whether it belongs to a deformable convolution.
        """
        bypass = self.paramwise_cfg.get("bypass_duplicate", False)
        known = {id(item) for group in params for item in group["params"]} if bypass else set()
        for name, parameter in module.named_parameters(recurse=False):
            place = ParamPlace(
                f"{prefix}.{name}" if prefix else name, parameter, module, bool(is_dcn_module)
            )
            if id(parameter) in known:
                print_log(
                    f"{place.name} is shared with a parameter that has a group already: skipped",
                    logger="current",
                    level=logging.WARNING,
                )
                continue
            if not parameter.requires_grad:
                print_log(f"{place.name} is frozen: no group", "current", logging.DEBUG)
                continue
            settings = settings_of_parameter(place, self.paramwise_cfg, self.base_lr, self.base_wd)
            params.append({"params": [parameter], **settings})
            if bypass:
                known.add(id(parameter))
            for key, value in settings.items():
                print_log(
                    f"paramwise_options -- {place.name}:{key}={value}", "current", logging.DEBUG
                )
        in_dcn = _is_deformable_conv(module)
        for child_name, child in module.named_children():
            child_prefix = f"{prefix}.{child_name}" if prefix else child_name
            self.add_params(params, child, prefix=child_prefix, is_dcn_module=in_dcn)

    def __call__(self, model: nn.Module) -> Any:
        """Make the optimizer and its wrapper.

        Args:
            model: The model, wrapped or not.

        Returns:
            The optimizer wrapper.
        """
        if hasattr(model, "module") and isinstance(model.module, nn.Module):
            model = model.module
        settings = {key: self.optimizer_cfg[key] for key in self.optimizer_cfg}
        first_argument = _first_argument(settings.get("type"))
        if not self.paramwise_cfg:
            settings[first_argument] = model.parameters()
            optimizer = _build_optimizer(settings, self.optimizer_cfg)
        else:
            params: list[dict[str, Any]] = []
            self.add_params(params, model)
            settings[first_argument] = params
            optimizer = _build_optimizer(settings, self.optimizer_cfg)
            frozen = sum(not parameter.requires_grad for parameter in model.parameters())
            print_log(summary_of_groups(optimizer, frozen), logger="current")
        wrapper_cfg = {"type": "OptimWrapper", **self.optim_wrapper_cfg}
        return OPTIM_WRAPPERS.build(wrapper_cfg, default_args={"optimizer": optimizer})


def _first_argument(optimizer_type: Any) -> str:
    """Under which name an optimizer takes the parameters."""
    if isinstance(optimizer_type, str):
        in_scope = OPTIMIZERS.in_current_scope()[0].look_up(optimizer_type).found
        optimizer_type = in_scope or OPTIMIZERS.look_up(optimizer_type).found
    # What cannot be found is reported where the optimizer is built.
    if optimizer_type is None:
        return "params"
    return next(iter(inspect.signature(optimizer_type).parameters), "params")


def _build_optimizer(settings: dict[str, Any], written: Any) -> Any:
    """Build, remembering the dict that the user wrote for the place of an error."""
    try:
        return OPTIMIZERS.build(settings)
    except Exception as error:
        error.__mainspring_spec__ = written  # type: ignore[attr-defined]  # - read by the runner
        raise


def _is_deformable_conv(module: nn.Module) -> bool:
    names = {base.__name__ for base in type(module).__mro__}
    return bool(names & {"DeformConv2d", "ModulatedDeformConv2d"})


def summary_of_groups(optimizer: torch.optim.Optimizer, frozen: int = 0) -> str:
    """How many parameters are trained with which learning rate and weight decay, as a table.

    Args:
        optimizer: The optimizer.
        frozen: How many parameters of the model are left out because they are frozen.
    """
    kinds: Counter[tuple[Any, Any]] = Counter()
    for group in optimizer.param_groups:
        kinds[group.get("lr"), group.get("weight_decay")] += len(group["params"])
    lines = ["Parameter groups of the optimizer:", "  parameters  lr            weight_decay"]
    for (rate, decay), count in kinds.items():
        lines.append(f"  {count:10d}  {_short(rate):12}  {_short(decay)}")
    if frozen:
        lines.append(f"  {frozen:10d}  frozen, left out")
    return "\n".join(lines)


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _check_dict(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        wrong = f"{name} should be a dict, but is {value!r} ({type(value).__name__})"
        raise mark_user_mistake(TypeError(wrong))


def build_optim_wrapper(model: nn.Module, cfg: Mapping[str, Any]) -> Any:
    """Make an optimizer wrapper from its section.

    Args:
        model: The model.
        cfg: The section: ``optimizer``, ``type``, ``constructor``, ``paramwise_cfg`` and arguments
            of the wrapper. It is not changed.

    Returns:
        The wrapper; whatever a constructor of the user's own makes.
    """
    section = {key: cfg[key] for key in cfg}
    constructor = section.pop("constructor", "DefaultOptimWrapperConstructor")
    paramwise_cfg = section.pop("paramwise_cfg", None)
    made = OPTIM_WRAPPER_CONSTRUCTORS.build(
        {"type": constructor, "optim_wrapper_cfg": section, "paramwise_cfg": paramwise_cfg}
    )
    return made(model)
