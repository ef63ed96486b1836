"""From the rules of ``paramwise_cfg`` to the settings of one parameter; pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from mainspring.errors import ConfigError, did_you_mean, mark_user_mistake
from mainspring.logging import warn
from mainspring.optim.optimizer.norm_layers import is_norm

__all__ = ["ParamPlace", "check_paramwise_cfg", "matching_custom_key", "settings_of_parameter"]

RULES = (
    "custom_keys",
    "bias_lr_mult",
    "bias_decay_mult",
    "norm_decay_mult",
    "dwconv_decay_mult",
    "flat_decay_mult",
    "dcn_offset_lr_mult",
    "bypass_duplicate",
)


@dataclass(frozen=True)
class ParamPlace:
    """A parameter and where it stands in the model.

    Attributes:
        name: Full dotted name.
        parameter: The parameter.
        module: The module that owns it.
        in_dcn: Whether that module belongs to a deformable convolution.
    """

    name: str
    parameter: nn.Parameter
    module: nn.Module
    in_dcn: bool

    @property
    def short_name(self) -> str:
        """Name within its module, such as ``bias``."""
        return self.name.rpartition(".")[2]

    @property
    def in_norm(self) -> bool:
        """Whether the module normalises."""
        return is_norm(self.module)

    @property
    def in_depthwise_conv(self) -> bool:
        """Whether the module is a depthwise convolution."""
        return isinstance(self.module, nn.Conv2d) and self.module.in_channels == self.module.groups


def check_paramwise_cfg(
    paramwise_cfg: Mapping[str, Any], weight_decay: float | None, *, own_rules: bool = False
) -> None:
    """Check the rules.

    Args:
        paramwise_cfg: The rules.
        weight_decay: Weight decay of the optimizer; ``None`` when it has none.
        own_rules: Whether there may be rules that only a constructor of the user's own knows.

    Raises:
        ConfigError: Custom keys are no dicts, a decay is scaled that there is not, or a rule is
            misspelt.
        TypeError: ``custom_keys`` is no dict.
    """
    custom = paramwise_cfg.get("custom_keys", {})
    if not isinstance(custom, Mapping):
        wrong = TypeError(f"custom_keys is a dict, not {type(custom).__name__}")
        raise mark_user_mistake(wrong)
    for key, settings in custom.items():
        if not isinstance(settings, Mapping):
            raise ConfigError(
                f"custom_keys[{key!r}] is {settings!r}",
                config_path="optim_wrapper.paramwise_cfg.custom_keys",
                help="give a dict such as dict(lr_mult=0.1)",
            )
    own = {f"custom_keys.{key}.": settings for key, settings in custom.items()}
    for inner, settings in {"": paramwise_cfg, **own}.items():
        for rule, factor in settings.items():
            if rule.endswith("_mult") and isinstance(factor, str):
                path = f"optim_wrapper.paramwise_cfg.{inner}{rule}"
                raise ConfigError.of_value(path, factor, "give a number")
    scaled = [key for key in paramwise_cfg if key.endswith("decay_mult")]
    if scaled == ["flat_decay_mult"] and weight_decay is None:
        warn("flat_decay_mult has no effect: the optimizer has no weight_decay")
        scaled = []
    scaled += [key for key, settings in custom.items() if "decay_mult" in settings]
    if scaled and weight_decay is None:
        raise ConfigError(
            f"paramwise_cfg scales the weight decay ({scaled[0]}), but the optimizer has none",
            config_path="optim_wrapper.paramwise_cfg",
            help="give the optimizer weight_decay=...",
        )
    for key in () if own_rules else paramwise_cfg:
        close = did_you_mean(key, RULES) if key not in RULES else None
        if close:
            raise ConfigError(
                f"paramwise_cfg has no rule {key!r}",
                config_path=f"optim_wrapper.paramwise_cfg.{key}",
                help=close,
            )


def matching_custom_key(name: str, custom_keys: Mapping[str, Any]) -> str | None:
    """The custom key of a parameter: the longest that is part of its name, ties by alphabet."""
    for key in sorted(sorted(custom_keys), key=len, reverse=True):
        if key in name:
            return key
    return None


def settings_of_parameter(
    place: ParamPlace, rules: Mapping[str, Any], base_lr: float | None, base_wd: float | None
) -> dict[str, Any]:
    """What the rules say of one parameter: ``lr``, ``weight_decay`` and other group settings.

    Args:
        place: The parameter.
        rules: The ``paramwise_cfg``.
        base_lr: Learning rate of the optimizer.
        base_wd: Weight decay of the optimizer.
    """
    custom_keys = rules.get("custom_keys", {})
    key = matching_custom_key(place.name, custom_keys)
    if key is not None:
        return _custom_settings(custom_keys[key], base_lr, base_wd)
    settings: dict[str, Any] = {}
    is_plain_bias = place.short_name == "bias" and not (place.in_norm or place.in_dcn)
    if base_lr is not None:
        if is_plain_bias and "bias_lr_mult" in rules:
            settings["lr"] = base_lr * rules["bias_lr_mult"]
        in_offset = place.in_dcn and isinstance(place.module, nn.Conv2d)
        if in_offset and "conv_offset" in place.name and "dcn_offset_lr_mult" in rules:
            settings["lr"] = base_lr * rules["dcn_offset_lr_mult"]
    if base_wd is not None:
        multiplier = _decay_multiplier(place, rules)
        if multiplier is not None:
            settings["weight_decay"] = base_wd * multiplier
    return settings


def _custom_settings(
    custom: Mapping[str, Any], base_lr: float | None, base_wd: float | None
) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if base_lr is not None:
        settings["lr"] = base_lr * custom.get("lr_mult", 1.0)
    if base_wd is not None:
        settings["weight_decay"] = base_wd * custom.get("decay_mult", 1.0)
    return {**settings, **custom}


def _decay_multiplier(place: ParamPlace, rules: Mapping[str, Any]) -> float | None:
    """The first rule for weight decay that is given and applies: norm, bias, depthwise, flat."""
    is_bias = place.short_name == "bias" and not place.in_dcn
    is_flat = place.parameter.ndim == 1 and not place.in_dcn
    applying = (
        ("norm_decay_mult", place.in_norm),
        ("bias_decay_mult", is_bias),
        ("dwconv_decay_mult", place.in_depthwise_conv),
        ("flat_decay_mult", is_flat),
    )
    for rule, applies in applying:
        if applies and rules.get(rule) is not None:
            multiplier: float = rules[rule]
            return multiplier
    return None
