"""What happens to the model between its construction and the first step."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from mainspring.checkpoint.apply import unwrap
from mainspring.checkpoint.sharded import is_sharded
from mainspring.dist import broadcast, is_distributed
from mainspring.errors import ConfigError, did_you_mean
from mainspring.logging import print_log
from mainspring.model import (
    is_model_wrapper,
    turn_on_activation_checkpointing,
    turn_on_efficient_conv_bn_eval,
)
from mainspring.names import holds_data_names
from mainspring.runner.building.compiled_step import use_compiled_step
from mainspring.strategy import DDPStrategy, SingleDeviceStrategy

__all__ = ["compile_step", "prepare_model", "wrap_for_processes"]


def wrap_for_processes(
    model: nn.Module, wrapper_cfg: Mapping[str, Any] | None, cfg: Any, distributed: bool
) -> nn.Module:
    """Place the model and wrap it for several processes, unless it is wrapped already.

    Raises:
        ConfigError: A wrapped model and ``model_wrapper_cfg`` are both given.
    """
    if is_model_wrapper(model):
        state, instead = "wrapped", "the bare model"
    elif is_sharded(model):
        state, instead = "spread over the processes", "a model that is not sharded"
    elif distributed:
        return DDPStrategy(
            wrapper_cfg, cfg.get("sync_bn"), cfg.get("find_unused_parameters", False)
        ).wrap(model)
    else:
        return SingleDeviceStrategy().wrap(model)
    if wrapper_cfg is not None:
        raise ConfigError(
            f"model_wrapper_cfg is given, but the model is {state} already",
            config_path="model_wrapper_cfg",
            help=f"leave it out, or give {instead}",
        )
    return model


def prepare_model(model: nn.Module, cfg: Any) -> None:
    """Initialise the weights, alike on all ranks, and apply the model options of the config.

    The options are ``activation_checkpointing`` and ``efficient_conv_bn_eval``, lists of module
    names.

    Raises:
        ConfigError: The parameters cannot be trained.
    """
    inner: Any = unwrap(model)
    if any(not is_lazy(item) and item.is_inference() for item in inner.parameters()):
        raise ConfigError(
            "the model has parameters that were made within torch.inference_mode(), which cannot "
            "be trained",
            config_path="model",
            help="make the model outside of it",
        )
    if hasattr(inner, "init_weights"):
        if not getattr(inner, "is_init", False):
            inner.init_weights()
        if is_distributed() and not is_sharded(inner):
            for tensor in inner.state_dict().values():
                broadcast(tensor)
    for option, turn_on in (
        ("activation_checkpointing", turn_on_activation_checkpointing),
        ("efficient_conv_bn_eval", turn_on_efficient_conv_bn_eval),
    ):
        if cfg.get(option) is not None:
            turn_on(inner, cfg.get(option))


def compile_step(model: nn.Module, cfg: Any, optim_wrapper: Any) -> None:
    """Compile what the config's ``compile`` says.

    | ``compile``                     | what is compiled                                          |
    |---------------------------------|-----------------------------------------------------------|
    | ``True``, ``"forward"``         | the forward pass                                          |
    | ``"loss"``                      | the forward pass with the sum of the losses               |
    | ``"step"``                      | forward, backward, clipping and optimizer, in one graph   |
    | ``["backbone", "neck.convs"]``  | these modules, each for itself; also one by its name      |
    | ``dict(target=..., mode=...)``  | one of these, with arguments of `torch.compile`           |

    Args:
        model: The model, in its wrapper if it has one.
        cfg: The config.
        optim_wrapper: What updates the model.

    Raises:
        ConfigError: There is nothing of that name, or `torch.compile` has no such setting.
    """
    options = cfg.get("compile", False)
    if holds_data_names(options):
        raise ConfigError(
            f"compile has the options {options['options']!r}, which may name programs, and data "
            "names none",
            config_path="compile",
            help="numbers and true or false are taken; say others in a config that is a program",
        )
    if not options or (isinstance(options, Mapping) and options.get("disable")):
        return
    settings = {str(key): options[key] for key in options} if isinstance(options, Mapping) else {}
    given = options if isinstance(options, str | list | tuple) else "forward"
    target = settings.pop("target", given)
    settings.pop("disable", None)
    if not isinstance(options, bool | str | list | tuple | Mapping):
        raise _mistake(f"compile is {options!r}")
    _check_settings(settings)
    inner: Any = unwrap(model)
    modules = dict(inner.named_modules())
    if isinstance(target, list | tuple):
        for name in map(str, target):
            if name not in modules:
                hint = did_you_mean(name, modules)
                raise _mistake(f"the model has no module {name!r} to compile", hint)
        for name in target:
            _compile_module(modules[str(name)], settings)
    elif target == "step":
        if not use_compiled_step(inner, optim_wrapper, settings):
            return
    elif target in modules:
        _compile_module(modules[target], settings)
    else:
        method = "_run_forward" if target == "loss" else str(target)
        if not callable(getattr(inner, method, None)):
            hint = did_you_mean(method, ("forward", "loss", "step", *modules))
            raise _mistake(f"the model has no {target!r} to compile", hint)
        setattr(inner, method, torch.compile(getattr(inner, method), **settings))
    print_log(f"{target} of the model will be compiled at the first iteration", logger="current")


def _check_settings(settings: Mapping[str, Any]) -> None:
    """See that `torch.compile` takes the settings, before anything is changed."""
    known = [name for name in inspect.signature(torch.compile).parameters if name != "model"]
    for name in settings:
        if name not in known:
            raise _mistake(
                f"compile has no setting {name!r}",
                did_you_mean(name, ("target", *known)) or f"it has target, {', '.join(known)}",
            )
    try:
        torch.compile(lambda: None, **settings)
    except (RuntimeError, TypeError) as error:
        raise _mistake(f"torch.compile refuses these settings: {error}", "") from error


def _compile_module(module: nn.Module, settings: Mapping[str, Any]) -> None:
    """Compile a module for itself, in place: `torch.nn.Module.compile`, for all modules.

    That method passes over modules that come with torch, such as `torch.nn.Sequential`, without a
    word.
    """
    call: Any = module._call_impl

    def called(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    compiled: Any = torch.compile(called, **settings)
    module._compiled_call_impl = compiled


def _mistake(message: str, hint: str | None = None) -> ConfigError:
    default = "it is True, 'forward', 'loss', 'step', a list of modules, or a dict"
    return ConfigError(message, config_path="compile", help=default if hint is None else hint)
