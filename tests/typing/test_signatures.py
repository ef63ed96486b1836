"""Everything that a config can name says which arguments it takes, and of which type."""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

import pytest

import mainspring.model
import mainspring.registry
from mainspring.hooks import EMAHook
from mainspring.registry import Registry

PACKAGES = ("dataset", "evaluator", "hooks", "model", "optim", "runner", "visualization")

OPEN = {
    "mainspring.optim.optimizer.optimizers": "optimizers of other packages, imported on use",
    "mainspring.optim.optimizer.zero_optimizer.ZeroRedundancyOptimizer": (
        "arguments of `optimizer_type`"
    ),
    "mainspring.optim.optimizer.optim_wrapper_dict.OptimWrapperDict": "one wrapper for each name",
    "mainspring.optim.scheduler.lr_scheduler.LRSchedulerMixin": "passes on to the next base",
    "mainspring.optim.scheduler.momentum_scheduler.MomentumSchedulerMixin": (
        "passes on to the next base"
    ),
    "mainspring.hooks.ema_hook.EMAHook": "arguments of `ema_type`; overloads name those of ours",
    "mainspring.model.base_module.Sequential": "the modules, one after the other",
    "mainspring.model.wrappers.fully_sharded.MMFullyShardedDataParallel": "torch's own arguments",
    "mainspring.runner._flexible_runner.FlexibleRunner": "the arguments of `Runner`",
    "mainspring.runner.strategies.DDPStrategy": "the arguments of `BaseStrategy`",
    "mainspring._strategy.colossalai": "missing here, whatever it is given",
    "mainspring._strategy.deepspeed": "missing here, whatever it is given",
    "mainspring._strategy.fsdp": "missing here, whatever it is given",
}
"""What may take ``*args`` or ``**kwargs``, and why."""


def named_by_registries() -> Iterator[Any]:
    for registry in vars(mainspring.registry).values():
        if isinstance(registry, Registry):
            registry.import_from_location()
            yield from registry.module_dict.values()


def named_by_packages() -> Iterator[Any]:
    for name in PACKAGES:
        package = importlib.import_module(f"mainspring.{name}")
        for word in package.__all__:
            item = getattr(package, word)
            is_made = inspect.isclass(item) and not getattr(item, "_is_protocol", False)
            if is_made and not issubclass(item, Enum):
                yield item


def qualified(target: Any) -> str:
    return f"{target.__module__}.{target.__qualname__}"


def nameable() -> list[Any]:
    found = {}
    for target in (*named_by_registries(), *named_by_packages()):
        # A private function stands for a class until somebody imports that.
        is_ours = getattr(target, "__module__", "").startswith("mainspring.")
        if is_ours and not target.__name__.startswith("_"):
            found[qualified(target)] = target
    return [found[name] for name in sorted(found)]


def is_open(parameter: inspect.Parameter) -> bool:
    """Whether it takes arguments that nobody can know; those that checkers know are named."""
    if parameter.kind is parameter.VAR_KEYWORD:
        annotation = str(parameter.annotation)
        return annotation != "Never" and not annotation.startswith("Unpack[")
    return parameter.kind is parameter.VAR_POSITIONAL


def parameters_of(target: Callable[..., Any]) -> list[inspect.Parameter]:
    if inspect.isclass(target) and target.__init__ is object.__init__:
        return []
    return list(inspect.signature(target).parameters.values())


@pytest.mark.parametrize("target", nameable(), ids=qualified)
def test_every_parameter_has_a_name_and_a_type(target: Any) -> None:
    parameters = parameters_of(target)
    assert [p.name for p in parameters if p.annotation is p.empty] == []
    open_ones = [p.name for p in parameters if is_open(p)]
    excused = {qualified(target), target.__module__} & OPEN.keys()
    assert not open_ones or excused, open_ones


def test_no_exception_is_left_over() -> None:
    used = {
        name
        for target in nameable()
        if any(is_open(parameter) for parameter in parameters_of(target))
        for name in (qualified(target), target.__module__)
    }
    assert sorted(OPEN.keys() - used) == []


def test_many_things_can_be_named() -> None:
    names = {target.__name__ for target in nameable()}
    assert len(names) > 100
    assert {"DataLoader", "OptimWrapper", "LinearLR", "CheckpointHook", "Runner"} <= names


def test_the_arguments_of_our_own_averages_are_overloads_of_their_hook() -> None:
    named, of_others = typing.get_overloads(EMAHook.__init__)
    for average in ("ExponentialMovingAverage", "MomentumAnnealingEMA", "StochasticWeightAverage"):
        own = inspect.signature(getattr(mainspring.model, average)).parameters
        overloaded = inspect.signature(named).parameters
        for name in own.keys() - {"model"}:
            assert overloaded[name].annotation == own[name].annotation
            assert overloaded[name].default == own[name].default
    assert "kwargs" in inspect.signature(of_others).parameters


@pytest.mark.parametrize(
    ("registry", "added"),
    [
        (mainspring.registry.PARAM_SCHEDULERS, "optimizer"),
        (mainspring.registry.DATA_SAMPLERS, "dataset"),
        (mainspring.registry.VISBACKENDS, "save_dir"),
    ],
)
def test_what_the_runner_adds_comes_first(registry: Registry, added: str) -> None:
    """Because `later` leaves out the first parameter."""
    registry.import_from_location()
    for target in registry.module_dict.values():
        if target.__module__.startswith("mainspring."):
            is_of_batches = target.__name__.endswith("BatchSampler")
            assert parameters_of(target)[0].name == ("sampler" if is_of_batches else added)
