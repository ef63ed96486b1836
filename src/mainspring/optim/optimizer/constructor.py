"""From the ``optim_wrapper`` section and a model to the optimizer wrapper."""

from __future__ import annotations

import copy
import inspect
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from mainspring.errors import ConfigError, did_you_mean, mark_user_mistake
from mainspring.fast.eager_optimizers import spare_compiler
from mainspring.logging import IN_FILE, print_log, warn
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
from mainspring.registry.recorded import POSITIONAL_KEY

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

    Example:
        >>> sgd = dict(type="SGD", lr=0.1, weight_decay=0.01)
        >>> settings = dict(type="OptimWrapper", optimizer=sgd)
        >>> make = DefaultOptimWrapperConstructor(settings, paramwise_cfg=dict(bias_decay_mult=0))
        >>> groups = make(nn.Linear(2, 1)).param_groups
        >>> [group["weight_decay"] for group in groups]
        [0.01, 0.0, 0.01]
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
        defaults = _defaults_of(self.optimizer_cfg.get("type"))
        self.base_lr: float | None = self.optimizer_cfg.get("lr", defaults.get("lr"))
        self.base_wd: float | None = self.optimizer_cfg.get(
            "weight_decay", defaults.get("weight_decay")
        )
        self._grouped: tuple[list[Any], int, set[int]] = [], 0, set()
        self._warns_of_shared = bool(self.paramwise_cfg.get("bypass_duplicate", False))
        self._validate_cfg()

    def _validate_cfg(self) -> None:
        is_derived = type(self) is not DefaultOptimWrapperConstructor
        check_paramwise_cfg(self.paramwise_cfg, self.base_wd, own_rules=is_derived)

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
        # One shared by several modules, as tied weights are, belongs to the first of them.
        known = self._parameters_with_group(params)
        for name, parameter in module.named_parameters(recurse=False):
            place = ParamPlace(
                f"{prefix}.{name}" if prefix else name, parameter, module, bool(is_dcn_module)
            )
            if id(parameter) in known:
                print_log(
                    f"{place.name} is shared with a parameter that has a group already: skipped",
                    logger="current",
                    level=logging.WARNING if self._warns_of_shared else logging.DEBUG,
                )
                continue
            if not parameter.requires_grad:
                print_log(f"{place.name} is frozen: no group", "current", logging.DEBUG)
                continue
            settings = settings_of_parameter(place, self.paramwise_cfg, self.base_lr, self.base_wd)
            params.append({"params": [parameter], **settings})
            known = self._parameters_with_group(params)
            for key, value in settings.items():
                print_log(
                    f"paramwise_options -- {place.name}:{key}={value}", "current", logging.DEBUG
                )
        in_dcn = _is_deformable_conv(module)
        for child_name, child in module.named_children():
            child_prefix = f"{prefix}.{child_name}" if prefix else child_name
            self.add_params(params, child, prefix=child_prefix, is_dcn_module=in_dcn)

    def _parameters_with_group(self, params: list[dict[str, Any]]) -> set[int]:
        """Ids of the parameters in groups, of which only those that are new are looked at."""
        groups, count, known = self._grouped
        if groups is not params:
            count, known = 0, set[int]()
        known.update(id(parameter) for group in params[count:] for parameter in group["params"])
        self._grouped = params, len(params), known
        return known

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
        if not self.paramwise_cfg:
            _give_parameters(settings, some_parameters(model, model.parameters()))
            optimizer = _build_optimizer(settings, self.optimizer_cfg)
        else:
            params: list[dict[str, Any]] = []
            self.add_params(params, model)
            _give_parameters(settings, some_parameters(model, params))
            optimizer = _build_optimizer(settings, self.optimizer_cfg)
            if type(self) is DefaultOptimWrapperConstructor:  # another may have rules of its own
                _check_custom_keys(self.paramwise_cfg, model, optimizer)
            frozen = sum(not parameter.requires_grad for parameter in model.parameters())
            print_log(summary_of_groups(optimizer, frozen), "current", extra=IN_FILE)
        wrapper_cfg = {"type": "OptimWrapper", **self.optim_wrapper_cfg}
        return OPTIM_WRAPPERS.build(wrapper_cfg, default_args={"optimizer": optimizer})


def some_parameters(model: nn.Module, parameters: Iterable[Any]) -> list[Any]:
    """The parameters, or groups of them, for an optimizer of a model.

    Args:
        model: The model.
        parameters: The parameters.

    Raises:
        ConfigError: There is none.
    """
    found = list(parameters)
    if not found:
        frozen = " that is not frozen" if any(True for _ in model.parameters()) else ""
        raise ConfigError(
            f"{type(model).__name__} has no parameter{frozen}, so an optimizer has nothing to do",
            config_path="optim_wrapper",
            help="train a model with weights; one without can be validated and tested",
        )
    return found


def _check_custom_keys(
    paramwise_cfg: Mapping[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Say which rules for single parameters match none, and refuse settings that nobody reads."""
    path = "optim_wrapper.paramwise_cfg.custom_keys"
    names = [name for name, _ in model.named_parameters()]
    parts = {part for name in names for part in (name, *name.split("."), name.rpartition(".")[0])}
    known = ("lr_mult", "decay_mult", *getattr(optimizer, "defaults", {}))
    misspelt: list[ConfigError] = []
    for key, settings in paramwise_cfg.get("custom_keys", {}).items():
        if not any(key in name for name in names):
            warn(
                ConfigError(
                    f"custom_keys[{key!r}] has no effect: no parameter has {key!r} in its name",
                    config_path=f"{path}.{key}",
                    help=did_you_mean(key, parts),
                )
            )
        for name in settings:
            if name not in known and not _reads(optimizer, name):
                meant = did_you_mean(name, known, cutoff=0.8)
                error = ConfigError(
                    f"custom_keys[{key!r}] has the unknown setting {name!r}",
                    config_path=f"{path}.{key}.{name}",
                    help=meant or "no optimizer reads it; it stands in the group for code of yours",
                )
                if meant:
                    misspelt.append(error)
                else:
                    warn(error)
    if misspelt:
        raise misspelt[0]


def _reads(optimizer: torch.optim.Optimizer, setting: str) -> bool:
    """Whether an optimizer asks its groups for a setting that is none of its arguments."""
    methods = map(inspect.unwrap, filter(inspect.isfunction, vars(type(optimizer)).values()))
    return any(setting in method.__code__.co_consts for method in methods)


def _defaults_of(optimizer_type: Any) -> dict[str, Any]:
    """The learning rate and weight decay that an optimizer has where nothing is said."""
    parameters = _parameters_of(optimizer_type)
    found = ((name, parameters.get(name)) for name in ("lr", "weight_decay"))
    known = {name: parameter.default for name, parameter in found if parameter is not None}
    return {name: value for name, value in known.items() if isinstance(value, float) and value}


def _parameters_of(optimizer_type: Any) -> Mapping[str, inspect.Parameter]:
    """What an optimizer takes; nothing, where it is not found: building it says that."""
    if isinstance(optimizer_type, str):
        in_scope = OPTIMIZERS.in_current_scope()[0].look_up(optimizer_type).found
        optimizer_type = in_scope or OPTIMIZERS.look_up(optimizer_type).found
    return {} if optimizer_type is None else inspect.signature(optimizer_type).parameters


def _give_parameters(settings: dict[str, Any], parameters: Any) -> None:
    """Add the parameters to the settings of an optimizer, as what it takes first."""
    first = next(iter(_parameters_of(settings.get("type")).values()), None)
    if first is not None and first.kind is first.VAR_POSITIONAL:
        settings[POSITIONAL_KEY] = (parameters, *settings.get(POSITIONAL_KEY, ()))
    else:
        settings["params" if first is None else first.name] = parameters


def _build_optimizer(settings: dict[str, Any], written: Any) -> Any:
    """Build, remembering the dict that the user wrote for the place of an error."""
    spare_compiler()
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
    if "optimizer" in section:
        # With a type it reaches the constructor as it is written, not with its recorded calls made.
        section.setdefault("type", "OptimWrapper")
    paramwise_cfg = section.pop("paramwise_cfg", None)
    made = OPTIM_WRAPPER_CONSTRUCTORS.build(
        {"type": constructor, "optim_wrapper_cfg": section, "paramwise_cfg": paramwise_cfg}
    )
    return made(model)
