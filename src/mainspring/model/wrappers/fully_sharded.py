"""A model whose parameters are spread over the processes (the first FSDP of torch)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.distributed import ProcessGroup
from torch.distributed.fsdp import (
    BackwardPrefetch,
    CPUOffload,
    FullyShardedDataParallel,
    MixedPrecision,
    ShardingStrategy,
)

from mainspring.errors import ConfigError, close_names, mark_user_mistake
from mainspring.model.base_model.steps import ModelSteps
from mainspring.names import import_named, origin_of
from mainspring.registry import FUNCTIONS, MODEL_WRAPPERS

__all__ = ["MMFullyShardedDataParallel"]


@MODEL_WRAPPERS.register_module(force=True)
class MMFullyShardedDataParallel(FullyShardedDataParallel):
    """`torch.distributed.fsdp.FullyShardedDataParallel` with the steps of a model.

    Strings and dicts stand for torch's objects, so that a config can name them.

    Args:
        module: A model with ``data_preprocessor``, ``parse_losses``, ``val_step``, ``test_step``.
        process_group: Processes to shard over, or a dict that builds the group (``type`` a name of
            the registry ``FUNCTIONS``).
        sharding_strategy: Member of `ShardingStrategy` or its name, such as ``"FULL_SHARD"``.
        cpu_offload: Whether parameters wait on the CPU, or a `CPUOffload`.
        auto_wrap_policy: Which modules become units: a function, its name in ``FUNCTIONS`` or
            dotted path, or a dict with ``type`` and keyword arguments for it.
        backward_prefetch: Member of `BackwardPrefetch` or its name.
        mixed_precision: `MixedPrecision`, or a dict of its arguments with types by name, such as
            ``dict(param_dtype="float16")``.
        param_init_fn: How to initialise modules on the meta device: a function, or its name.
        use_orig_params: Whether the original parameters stay visible, as optimizer groups need.
        **kwargs: Other arguments of the base class. ``ignored_modules`` may be names, and
            ``ignored_parameters`` are passed on as ``ignored_states``.

    Raises:
        ConfigError: A name is unknown.
        TypeError: An argument has another type than documented.

    Example:
        >>> model_wrapper_cfg = dict(type="MMFullyShardedDataParallel", use_orig_params=True)
    """

    _run_forward = ModelSteps._run_forward

    def __init__(
        self,
        module: nn.Module,
        process_group: Mapping[str, Any] | ProcessGroup | None = None,
        sharding_strategy: str | ShardingStrategy | None = None,
        cpu_offload: bool | CPUOffload | None = None,
        auto_wrap_policy: str | Mapping[str, Any] | Callable[..., Any] | None = None,
        backward_prefetch: str | BackwardPrefetch | None = None,
        mixed_precision: Mapping[str, Any] | MixedPrecision | None = None,
        param_init_fn: str | Mapping[str, Any] | Callable[[nn.Module], None] | None = None,
        use_orig_params: bool = True,
        **kwargs: Any,
    ) -> None:
        group: Any = process_group
        if isinstance(group, Mapping):
            group = FUNCTIONS.build(group)
        if "ignored_parameters" in kwargs:
            names = kwargs.pop("ignored_parameters")
            kwargs["ignored_states"] = _by_name(names, dict(module.named_parameters()))
        if kwargs.get("ignored_modules"):
            kwargs["ignored_modules"] = _by_name(
                kwargs["ignored_modules"], dict(module.named_modules())
            )
        super().__init__(
            module=module,
            process_group=group,
            sharding_strategy=_member(ShardingStrategy, sharding_strategy, "sharding_strategy"),
            cpu_offload=_cpu_offload(cpu_offload),
            auto_wrap_policy=_function("auto_wrap_policy", auto_wrap_policy),
            backward_prefetch=_member(BackwardPrefetch, backward_prefetch, "backward_prefetch"),
            mixed_precision=_mixed_precision(mixed_precision),
            param_init_fn=_function("param_init_fn", param_init_fn),
            use_orig_params=use_orig_params,
            **kwargs,
        )

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, torch.Tensor]:
        """Preprocess, compute the losses, and let the optimizer wrapper update the parameters.

        Args:
            data: A batch, as the loader gives it.
            optim_wrapper: `mainspring.optim.OptimWrapper`.
        """
        model: Any = self.module
        log_vars: dict[str, torch.Tensor]
        with optim_wrapper.optim_context(self):
            data = model.data_preprocessor(data, True)
            losses = self._run_forward(data, mode="loss")
        loss, log_vars = model.parse_losses(losses)
        optim_wrapper.update_params(loss)
        return log_vars

    def val_step(self, data: Any) -> list[Any]:
        """Predict on a batch of the validation set."""
        return self._predict(data)

    def test_step(self, data: Any) -> list[Any]:
        """Predict on a batch of the test set."""
        return self._predict(data)

    def _predict(self, data: Any) -> list[Any]:
        # Through the wrapper's forward, which gathers the parameters.
        model: Any = self.module
        predictions: list[Any] = self._run_forward(
            model.data_preprocessor(data, False), mode="predict"
        )
        return predictions


def _member(kind: Any, value: Any, argument: str) -> Any:
    """A member of an enumeration, given as it is or by name."""
    if value is None or isinstance(value, kind):
        return value
    if not isinstance(value, str):
        raise mark_user_mistake(
            TypeError(f"{argument} must be str or enum of `{kind.__name__}`, but got {value!r}")
        )
    if value not in kind.__members__:
        known = list(kind.__members__)
        raise ConfigError(
            f"{argument}={value!r} is no {kind.__name__}",
            help=f"use one of {', '.join(close_names(value, known) or known)}",
        )
    return kind[value]


def _cpu_offload(value: Any) -> CPUOffload | None:
    if isinstance(value, bool):
        return CPUOffload(offload_params=value)
    if value is None or isinstance(value, CPUOffload):
        return value
    raise mark_user_mistake(
        TypeError(f"`cpu_offload` should be `None`, `bool` or `CPUOffload`, but got {value!r}")
    )


def _mixed_precision(value: Any) -> MixedPrecision | None:
    if value is None or isinstance(value, MixedPrecision):
        return value
    if not isinstance(value, Mapping):
        raise mark_user_mistake(
            TypeError(
                f"`mixed_precision` should be `None`, `dict` or `MixedPrecision`, but got {value!r}"
            )
        )
    return MixedPrecision(**{key: _dtype(key, item) for key, item in value.items()})


def _dtype(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    found = getattr(torch, value.removeprefix("torch."), None)
    if not isinstance(found, torch.dtype):
        raise ConfigError(
            f"mixed_precision has {key}={value!r}, which is no type of torch",
            help="such as 'float16' or 'bfloat16'",
        )
    return found


def _function(argument: str, value: Any) -> Any:
    """A function given as it is, by name, or as a dict with its name and keyword arguments."""
    if value is None or callable(value):
        return value
    if isinstance(value, str):
        return _named_function(argument, value)
    if isinstance(value, Mapping):
        arguments = dict(value)
        kind = arguments.pop("type", None)
        found = _named_function(argument, kind) if isinstance(kind, str) else kind
        if callable(found):
            return functools.partial(found, **arguments)
    raise mark_user_mistake(
        TypeError(f"`{argument}` should be a str, a callable, a dict or None, but got {value!r}")
    )


def _named_function(argument: str, name: str) -> Callable[..., Any]:
    found = FUNCTIONS.get(name)
    if found is None and "." in name:
        found = import_named(name, origin_of(name))
    if found is None:
        raise ConfigError(f"`{argument}` names {name!r}, which is not in the function registry")
    function: Callable[..., Any] = found
    return function


def _by_name(items: Iterable[Any], named: Mapping[str, Any]) -> list[Any]:
    """Replace names by what they stand for."""
    found = []
    for item in items:
        if isinstance(item, str) and item not in named:
            raise ConfigError(
                f"the model has no {item!r}", help=f"close: {close_names(item, named)}"
            )
        found.append(named[item] if isinstance(item, str) else item)
    return found
