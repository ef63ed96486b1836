"""From the sections of optimizer and schedules to what they describe."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from mainspring.config.schema import keys_of_section
from mainspring.errors import ConfigError, ConfigTypeError, did_you_mean
from mainspring.logging import print_log, warn
from mainspring.model import is_model_wrapper
from mainspring.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mainspring.optim.optimizer.constructor import some_parameters
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.optim.scheduler.extended import follow_length
from mainspring.registry import OPTIM_WRAPPERS, PARAM_SCHEDULERS
from mainspring.runner.building.sections import require_settings, unknown_setting

__all__ = [
    "build_optimizer_wrapper",
    "build_schedulers",
    "check_lr_scaling",
    "check_optimized",
    "count_accumulation",
    "follow_length_of_run",
    "is_recipe",
    "scale_learning_rates",
]


def is_recipe(spec: Any) -> bool:
    """Whether a spec still has to be called to give the part: a class or a partial call."""
    return isinstance(spec, type | functools.partial)


def build_optimizer_wrapper(model: nn.Module, spec: Any) -> Any:
    """The optimizer wrapper, or the dict of wrappers when several optimizers train the model.

    Raises:
        ConfigTypeError: The section is none of the accepted forms.
    """
    if isinstance(spec, OptimWrapper | OptimWrapperDict) or hasattr(spec, "update_params"):
        return spec
    if isinstance(spec, Optimizer):
        return OptimWrapper(optimizer=spec)
    if isinstance(spec, functools.partial):
        return _call_optimizer_recipe(model, spec)
    if not isinstance(spec, Mapping):
        raise ConfigTypeError(
            f"optim_wrapper is a {type(spec).__name__}",
            config_path="optim_wrapper",
            help="give dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))",
        )
    if spec and all(isinstance(item, OptimWrapper) for item in spec.values()):
        return OptimWrapperDict(**spec)
    if _is_by_module(spec):
        return _wrappers_by_module(model, spec)
    optimizer = spec.get("optimizer")
    is_called = is_recipe(optimizer)
    if is_called:
        optimizer = _call_optimizer_recipe(model, optimizer).optimizer
    if is_called or isinstance(optimizer, Optimizer):
        return OPTIM_WRAPPERS.build({"type": "OptimWrapper", **spec, "optimizer": optimizer})
    if "constructor" not in spec and optimizer is None:
        raise ConfigError(
            "optim_wrapper names no optimizer",
            config_path="optim_wrapper",
            help=did_you_mean("optimizer", spec)
            or "add optimizer=dict(type='SGD', lr=0.1); for several optimizers give ready "
            "OptimWrapper objects by name, or a constructor",
        )
    return build_optim_wrapper(model, spec)


def _is_by_module(spec: Mapping[str, Any]) -> bool:
    """Whether a section describes several wrappers by the names of the modules that they update."""
    return (
        bool(spec)
        and not {"type", "optimizer", "constructor"} & set(spec)
        and all(
            isinstance(part, OptimWrapper | Optimizer)
            or is_recipe(part)
            or (isinstance(part, Mapping) and bool({"type", "optimizer"} & set(part)))
            for part in spec.values()
        )
    )


def _wrappers_by_module(model: nn.Module, spec: Mapping[str, Any]) -> OptimWrapperDict:
    """Each wrapper with the parameters of the module whose name it has."""
    inner: Any = model.module if is_model_wrapper(model) else model
    wrappers = {}
    for name in spec:
        try:
            part = inner.get_submodule(str(name))
        except AttributeError:
            if isinstance(spec[name], OptimWrapper | Optimizer):
                part = inner  # a ready one has its parameters
            else:
                known = [module for module, _ in inner.named_modules() if module]
                top = ", ".join(module for module, _ in inner.named_children())
                raise ConfigError(
                    f"optim_wrapper has {name!r}, but the model has no module of that name",
                    config_path=f"optim_wrapper.{name}",
                    help=did_you_mean(str(name), known) or f"its modules are {top}",
                ) from None
        wrappers[str(name)] = build_optimizer_wrapper(part, spec[name])
    return OptimWrapperDict(**wrappers)


def check_optimized(model: nn.Module, optim_wrapper: Any) -> None:
    """See that what an optimizer changes is what the model consists of.

    Args:
        model: The model.
        optim_wrapper: One wrapper, or several by name.

    Raises:
        ConfigError: All parameters of an optimizer belong to something else, or none is trained.
    """
    own = {id(parameter) for parameter in model.parameters()}
    trained = False
    for name, wrapper in by_optimizer(optim_wrapper).items():
        optimizer = getattr(wrapper, "optimizer", None)
        path = f"optim_wrapper.{name}" if name else "optim_wrapper"
        if not isinstance(optimizer, Optimizer):
            return  # of a backend with optimizers of its own
        given = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        foreign = [parameter for parameter in given if id(parameter) not in own]
        trained = trained or any(parameter.requires_grad for parameter in given)
        if given and len(foreign) == len(given):
            raise ConfigError(
                f"the optimizer {type(optimizer).__name__} holds {len(given)} parameters, and none "
                f"of them belongs to this {type(model).__name__}: it would train something else",
                config_path=path,
                help="make it of the parameters of the model that is given to the runner",
            )
        if foreign:
            warn(
                f"{len(foreign)} of {len(given)} parameters of the optimizer "
                f"{type(optimizer).__name__} are no part of the model: they are trained, but in no "
                "checkpoint"
            )
    if not trained:
        raise ConfigError(
            "no parameter that an optimizer holds is trained: all are frozen",
            config_path="optim_wrapper",
            help="set requires_grad of those that are to be trained before the training begins",
        )


def _call_optimizer_recipe(model: nn.Module, recipe: Any) -> OptimWrapper:
    trained = (parameter for parameter in model.parameters() if parameter.requires_grad)
    built = recipe(some_parameters(model, trained))
    return built if isinstance(built, OptimWrapper) else OptimWrapper(optimizer=built)


def scale_learning_rates(
    optim_wrapper: Any, auto_scale_lr: Mapping[str, Any] | None, batch_size: int, world_size: int
) -> None:
    """Scale every learning rate by the real batch size over the one that it was chosen for.

    The linear scaling rule of Goyal et al., "Accurate, Large Minibatch SGD", 2017.

    Args:
        optim_wrapper: What holds the parameter groups.
        auto_scale_lr: ``enable`` and ``base_batch_size``; ``None`` changes nothing.
        batch_size: Samples of one batch of one process.
        world_size: Number of processes.

    Raises:
        ConfigError: As for `check_lr_scaling`.
    """
    check_lr_scaling(auto_scale_lr)
    if not auto_scale_lr or not auto_scale_lr.get("enable", False):
        return
    base = auto_scale_lr["base_batch_size"]
    real = world_size * batch_size
    ratio = float(real) / float(base)
    print_log(
        f"LR is set based on batch size of {base} and the current batch size is {real}. "
        f"Scaling the original LR by {ratio}.",
        logger="current",
    )
    for wrapper in by_optimizer(optim_wrapper).values():
        for group in wrapper.optimizer.param_groups:
            group["lr"] = group["lr"] * ratio
        settings = getattr(wrapper, "base_param_settings", None)
        if settings is not None:
            settings["lr"] = settings["lr"] * ratio


def check_lr_scaling(auto_scale_lr: Any) -> None:
    """Refuse an ``auto_scale_lr`` that makes no sense.

    Raises:
        ConfigError: It is no dict, or its ``base_batch_size`` no number of samples, or missing.
    """
    inside = "enable=True, base_batch_size=..."
    require_settings("auto_scale_lr", auto_scale_lr, inside, ("enable",))
    known = keys_of_section("auto_scale_lr")
    section = auto_scale_lr or {}
    lacks_base = bool(section.get("enable")) and "base_batch_size" not in section
    for key in section:
        if key not in known:
            misspelt = unknown_setting("auto_scale_lr", key, known)
            if lacks_base:
                raise misspelt
            warn(misspelt)
    if lacks_base:
        raise ConfigError(
            "auto_scale_lr is enabled without base_batch_size",
            config_path="auto_scale_lr",
            help="give the batch size over all devices that the learning rate was chosen for",
        )
    base = section.get("base_batch_size", 1)
    if not isinstance(base, int | float) or base < 1:
        path = "auto_scale_lr.base_batch_size"
        raise ConfigError.of_value(path, base, "give a whole number of at least 1")


def build_schedulers(
    spec: Any,
    optim_wrapper: Any,
    *,
    by_epoch: bool,
    max_epochs: int,
    max_iters: int,
    epoch_length: int | None,
) -> Any:
    """The parameter schedulers: a list, or a dict of lists when there are several optimizers.

    Args:
        spec: Scheduler, its class, dict, list of such, or, for several optimizers, a dict of such
            by name.
        optim_wrapper: What they schedule.
        by_epoch: What a scheduler counts that does not say so.
        max_epochs: Where schedulers by epoch end that do not say so.
        max_iters: Where schedulers by iteration end that do not say so.
        epoch_length: Iterations of an epoch, for ``convert_to_iter_based``.

    Raises:
        ConfigError: An entry without type, or a name that no optimizer has.
    """
    if spec is None:
        return None
    if isinstance(optim_wrapper, OptimWrapperDict):
        settings: dict[str, Any] = {
            "by_epoch": by_epoch,
            "max_epochs": max_epochs,
            "max_iters": max_iters,
            "epoch_length": epoch_length,
        }
        if not isinstance(spec, Mapping) or "type" in spec:
            spec = dict.fromkeys(optim_wrapper.keys(), spec)
        for name in spec:
            if name not in optim_wrapper:
                raise ConfigError(
                    f"param_scheduler names {name!r}, which is no optimizer",
                    config_path=f"param_scheduler.{name}",
                    help=did_you_mean(name, optim_wrapper.keys())
                    or f"the optimizers are {', '.join(optim_wrapper.keys())}",
                )
        return {
            name: build_schedulers(item, optim_wrapper[name], **settings) or []
            for name, item in spec.items()
        }
    entries: Sequence[Any] = spec if isinstance(spec, list | tuple) else [spec]
    built = []
    for index, entry in enumerate(entries):
        path = f"param_scheduler.{index}" if len(entries) > 1 else "param_scheduler"
        _refuse_torchs_own(entry, path)
        if isinstance(entry, type):
            entry = {"type": entry}
        if not isinstance(entry, Mapping):
            recipe = isinstance(entry, functools.partial)
            built.append(_scheduler(entry(optim_wrapper) if recipe else entry, path))
            continue
        if "type" not in entry:
            raise ConfigError(
                f"param_scheduler has an entry without type: {dict(entry)!r}",
                config_path=path,
                help="add type='MultiStepLR' or another scheduler",
            )
        original, entry = entry, {key: entry[key] for key in entry}
        ends_with_run = "end" not in entry
        # What waits for metrics acts after the last validation, too, in case the run is extended.
        kind: Any = entry["type"]
        kind = PARAM_SCHEDULERS.get(kind) if isinstance(kind, str) else kind
        if not getattr(kind, "need_val_args", False):
            entry.setdefault("by_epoch", by_epoch)
            end = max_epochs if entry["by_epoch"] else max_iters
            if not end and "end" not in entry:
                raise ConfigError(
                    "a scheduler counts iterations, but the training data do not say how many "
                    "an epoch has",
                    config_path=path,
                    help="give end=..., count epochs (by_epoch=True), or train by max_iters",
                )
            entry.setdefault("end", end)
        context = {"optimizer": optim_wrapper, "epoch_length": epoch_length}
        try:
            scheduler = PARAM_SCHEDULERS.build(entry, default_args=context)
        except Exception as error:
            error.__mainspring_spec__ = original  # type: ignore[attr-defined]  # - for its place
            raise
        if ends_with_run and hasattr(scheduler, "end_of_run"):
            scheduler.end_of_run = True
        built.append(scheduler)
    return built


def _refuse_torchs_own(entry: Any, path: str) -> None:
    """Refuse what does not know whether it counts epochs or iterations, and cannot be scheduled."""
    kind = entry.get("type") if isinstance(entry, Mapping) else entry
    kind = getattr(kind, "func", kind)
    if isinstance(kind, str):
        kind = PARAM_SCHEDULERS.get(kind) if "lr_scheduler" in kind else None
    kind = kind if isinstance(kind, type) else type(kind)
    is_torchs = kind.__module__.startswith("torch.optim.")
    counts = hasattr(kind, "by_epoch") or hasattr(entry, "by_epoch")
    if is_torchs or (issubclass(kind, LRScheduler) and not counts):
        ours = PARAM_SCHEDULERS.get(kind.__name__) is not None
        what = "torch's own" if is_torchs else "the torch scheduler"
        raise ConfigTypeError(
            f"param_scheduler has {what} {kind.__name__}, which counts neither epochs nor "
            "iterations of a run",
            config_path=path,
            help=f"write dict(type={kind.__name__!r}, ...)"
            if ours
            else "use a scheduler of mainspring.optim, or step this one in a hook",
        )


def _scheduler(given: Any, path: str) -> Any:
    """What is given as a scheduler, refused unless it can be stepped as one."""
    if not (hasattr(given, "step") and hasattr(given, "by_epoch")):
        raise ConfigTypeError(
            f"param_scheduler has {given!r}, which is no scheduler",
            config_path=path,
            help="give dict(type='StepLR', ...), a scheduler of mainspring.optim, or an object "
            "with by_epoch, step(), state_dict() and load_state_dict()",
        )
    return given


def follow_length_of_run(
    schedulers: Any, max_epochs: int, max_iters: int, epoch_length: int | None
) -> None:
    """Let schedules that end with the run do so, when it has another length than before.

    Args:
        schedulers: The schedulers, a list or lists by the name of the optimizer.
        max_epochs: Epochs of the run.
        max_iters: Iterations of the run.
        epoch_length: Iterations of an epoch, if that is known.
    """
    for of_optimizer in by_optimizer(schedulers).values():
        for scheduler in of_optimizer or []:
            if hasattr(scheduler, "end_with_run") and not scheduler.need_val_args:
                scheduler.end_with_run(max_epochs if scheduler.by_epoch else max_iters)
        follow_length(of_optimizer or [], epoch_length)


def count_accumulation(optim_wrapper: Any, unit: int | None) -> None:
    """Tell wrappers what the pairs of ``accumulative_counts`` count in.

    Args:
        optim_wrapper: One wrapper, or several by name.
        unit: Iterations of an epoch, if that is known, or 1 in a training by iteration.

    Raises:
        ConfigError: The pairs count epochs of unknown length.
    """
    for wrapper in by_optimizer(optim_wrapper).values():
        if getattr(wrapper, "accumulation_schedule", None) is None:
            continue
        if unit is None:
            raise ConfigError(
                "accumulative_counts changes with the epochs, and the loader does not know how "
                "long one is",
                config_path="optim_wrapper.accumulative_counts",
                help="train by iterations: train_cfg=dict(by_epoch=False, max_iters=...)",
            )
        wrapper.count_in_units_of(unit)
