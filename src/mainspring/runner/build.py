"""From a section of the config to the part that it describes, a function per section.

The functions stand in the order in which a run needs them. Each takes what the section says (a
dict, a class, or a ready object) and what the part depends on, and returns the ready part.
"""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer

from mainspring.errors import ConfigError, did_you_mean
from mainspring.evaluator import Evaluator
from mainspring.logging import MMLogger, print_log
from mainspring.model import adapt_model
from mainspring.optim import OptimWrapper, OptimWrapperDict, build_optim_wrapper
from mainspring.registry import (
    EVALUATOR,
    LOG_PROCESSORS,
    LOOPS,
    MODELS,
    OPTIM_WRAPPERS,
    PARAM_SCHEDULERS,
    VISUALIZERS,
)
from mainspring.runner.sections import counts_epochs

__all__ = [
    "build_evaluator",
    "build_evaluation_loop",
    "build_log_processor",
    "build_logger",
    "build_model",
    "build_optimizer_wrapper",
    "build_schedulers",
    "build_train_loop",
    "build_visualizer",
    "loop_class_of",
    "scale_learning_rates",
]


def is_recipe(spec: Any) -> bool:
    """Whether a spec still has to be called to give the part: a class or a partial call."""
    return isinstance(spec, type | functools.partial)


def build_logger(
    experiment_name: str, log_level: int | str, log_file: str, **options: Any
) -> MMLogger:
    """The logger of the run, writing to the terminal and to a file."""
    logger: MMLogger = MMLogger.get_instance(
        name=experiment_name, log_level=log_level, log_file=log_file, **options
    )
    return logger


def build_log_processor(spec: Any, by_epoch: bool | None) -> Any:
    """The log processor; it counts as the run does unless told otherwise."""
    default = {"type": "LogProcessor"} if by_epoch is None else _log_defaults(by_epoch)
    if spec is None:
        return LOG_PROCESSORS.build(default)
    if isinstance(spec, Mapping):
        return LOG_PROCESSORS.build({**default, **spec})
    return spec() if is_recipe(spec) else spec


def _log_defaults(by_epoch: bool) -> dict[str, Any]:
    return {"type": "LogProcessor", "by_epoch": by_epoch}


def build_visualizer(spec: Any, experiment_name: str, log_dir: str) -> Any:
    """The visualizer; by default one that writes scalars and the config into the log directory."""
    if spec is None:
        spec = {"type": "Visualizer", "vis_backends": [{"type": "LocalVisBackend"}]}
    if isinstance(spec, Mapping):
        spec = {"type": "Visualizer", "name": experiment_name, "save_dir": log_dir, **spec}
        return VISUALIZERS.build(spec)
    return spec


def build_model(spec: Any, data_preprocessor: Mapping[str, Any] | None) -> nn.Module:
    """The model, able to train: a plain module that returns ``.loss`` is adapted.

    Args:
        spec: Module, class, or dict.
        data_preprocessor: Section that a model dict takes over unless it has its own.
    """
    if isinstance(spec, Mapping):
        spec = copy.copy(spec)
        if data_preprocessor is not None:
            spec.setdefault("data_preprocessor", data_preprocessor)
        spec = MODELS.build(spec)
    elif is_recipe(spec):
        spec = spec()
    if not isinstance(spec, nn.Module):
        raise ConfigError(
            f"model is a {type(spec).__name__}, not a torch.nn.Module",
            config_path="model",
            help="give a module, its class, or a dict with type=",
        )
    return adapt_model(spec)


def loop_class_of(loop_cfg: Any) -> type | None:
    """The loop class that the ``type`` of a loop section stands for, if it has one."""
    if not isinstance(loop_cfg, Mapping):
        return type(loop_cfg) if loop_cfg is not None else None
    name = loop_cfg.get("type")
    found = LOOPS.get(name) if isinstance(name, str) else name
    return found if isinstance(found, type) else None


def build_train_loop(runner: Any, loop_cfg: Any, dataloader: Any) -> Any:
    """The train loop.

    Raises:
        ConfigError: The section says both a type and ``by_epoch``, or no length.
    """
    if not isinstance(loop_cfg, Mapping):
        return loop_cfg(runner=runner, dataloader=dataloader) if is_recipe(loop_cfg) else loop_cfg
    if "type" in loop_cfg and "by_epoch" in loop_cfg:
        raise ConfigError(
            "train_cfg gives both type and by_epoch",
            config_path="train_cfg.by_epoch",
            help="leave one out: the type already says what is counted",
        )
    arguments = dict(loop_cfg)
    if "type" not in arguments:
        by_epoch = counts_epochs(loop_cfg)
        if by_epoch is None:
            raise ConfigError(
                "train_cfg does not say how long to train",
                config_path="train_cfg",
                help="give max_epochs=... or max_iters=...",
            )
        arguments.pop("by_epoch", None)
        _check_length(arguments, by_epoch)
        loop = "EpochBasedTrainLoop" if by_epoch else "IterBasedTrainLoop"
        arguments["type"] = "WorkflowTrainLoop" if "workflow" in arguments else loop
    return LOOPS.build(arguments, default_args={"runner": runner, "dataloader": dataloader})


def _check_length(loop_cfg: Mapping[str, Any], by_epoch: bool) -> None:
    needed, other = ("max_epochs", "max_iters") if by_epoch else ("max_iters", "max_epochs")
    if needed in loop_cfg:
        return
    hint = did_you_mean(needed, loop_cfg) or f"give {needed}=..."
    if other in loop_cfg:
        hint = f"replace {other} by {needed}, or set by_epoch={not by_epoch}"
    raise ConfigError(
        f"train_cfg counts in {'epochs' if by_epoch else 'iterations'} but has no {needed}",
        config_path="train_cfg",
        help=hint,
    )


def build_evaluation_loop(
    runner: Any, loop_cfg: Any, dataloader: Any, evaluator: Any, default_type: str
) -> Any:
    """The validation or test loop."""
    context = {"runner": runner, "dataloader": dataloader, "evaluator": evaluator}
    if not isinstance(loop_cfg, Mapping):
        return loop_cfg(**context) if is_recipe(loop_cfg) else loop_cfg
    return LOOPS.build({"type": default_type, **loop_cfg}, default_args=context)


def build_evaluator(spec: Any) -> Any:
    """An evaluator from an evaluator, a metric, a torchmetrics object, or a list of such."""
    if isinstance(spec, Evaluator) or (
        hasattr(spec, "evaluate")
        and hasattr(spec, "process")
        and not hasattr(spec, "compute_metrics")
    ):
        return spec
    if isinstance(spec, Mapping) and "metrics" in spec:
        return EVALUATOR.build({"type": "Evaluator", **spec})
    made: Any = spec
    if isinstance(spec, type | functools.partial):
        made = spec()
    if isinstance(made, list | tuple):
        made = [item() if is_recipe(item) else item for item in made]
    return Evaluator(made)


def build_optimizer_wrapper(model: nn.Module, spec: Any) -> Any:
    """The optimizer wrapper, or the dict of wrappers when several optimizers train the model.

    Raises:
        ConfigError: The section is none of the accepted forms.
    """
    if isinstance(spec, OptimWrapper | OptimWrapperDict) or hasattr(spec, "update_params"):
        return spec
    if isinstance(spec, Optimizer):
        return OptimWrapper(optimizer=spec)
    if isinstance(spec, functools.partial):
        return _call_optimizer_recipe(model, spec)
    if not isinstance(spec, Mapping):
        raise ConfigError(
            f"optim_wrapper is a {type(spec).__name__}",
            config_path="optim_wrapper",
            help="give dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))",
        )
    if spec and all(isinstance(item, OptimWrapper) for item in spec.values()):
        return OptimWrapperDict(**spec)
    optimizer = spec.get("optimizer")
    if isinstance(optimizer, Optimizer):
        return OPTIM_WRAPPERS.build({"type": "OptimWrapper", **spec})
    if "constructor" not in spec and optimizer is None:
        raise ConfigError(
            "optim_wrapper names no optimizer",
            config_path="optim_wrapper",
            help=did_you_mean("optimizer", spec)
            or "add optimizer=dict(type='SGD', lr=0.1); for several optimizers give ready "
            "OptimWrapper objects by name, or a constructor",
        )
    if is_recipe(optimizer):
        rest = {key: value for key, value in spec.items() if key != "optimizer"}
        trained = _call_optimizer_recipe(model, optimizer).optimizer
        return OPTIM_WRAPPERS.build({"type": "OptimWrapper", "optimizer": trained, **rest})
    return build_optim_wrapper(model, spec)


def _call_optimizer_recipe(model: nn.Module, recipe: Any) -> OptimWrapper:
    built = recipe([parameter for parameter in model.parameters() if parameter.requires_grad])
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
        ConfigError: ``base_batch_size`` is missing.
    """
    if not auto_scale_lr or not auto_scale_lr.get("enable", False):
        return
    if "base_batch_size" not in auto_scale_lr:
        raise ConfigError(
            "auto_scale_lr is enabled without base_batch_size",
            config_path="auto_scale_lr",
            help="give the batch size over all devices that the learning rate was chosen for",
        )
    base = auto_scale_lr["base_batch_size"]
    real = world_size * batch_size
    ratio = float(real) / float(base)
    print_log(
        f"LR is set based on batch size of {base} and the current batch size is {real}. "
        f"Scaling the original LR by {ratio}.",
        logger="current",
    )
    wrappers = (
        optim_wrapper.values() if isinstance(optim_wrapper, OptimWrapperDict) else [optim_wrapper]
    )
    for wrapper in wrappers:
        for group in wrapper.optimizer.param_groups:
            group["lr"] = group["lr"] * ratio
        settings = getattr(wrapper, "base_param_settings", None)
        if settings is not None:
            settings["lr"] = settings["lr"] * ratio


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
        spec: Scheduler, dict, list of such, or, for several optimizers, a dict of such by name.
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
    build = functools.partial(
        _build_scheduler_list,
        by_epoch=by_epoch,
        ends=(max_epochs, max_iters),
        epoch_length=epoch_length,
    )
    if not isinstance(optim_wrapper, OptimWrapperDict):
        return build(spec, optim_wrapper)
    if isinstance(spec, Mapping) and "type" not in spec:
        unknown = [name for name in spec if name not in optim_wrapper]
        if unknown:
            raise ConfigError(
                f"param_scheduler names {unknown[0]!r}, which is no optimizer",
                config_path=f"param_scheduler.{unknown[0]}",
                help=did_you_mean(unknown[0], optim_wrapper.keys())
                or f"the optimizers are {', '.join(optim_wrapper.keys())}",
            )
        return {name: build(item, optim_wrapper[name]) for name, item in spec.items()}
    return {name: build(spec, wrapper) for name, wrapper in optim_wrapper.items()}


def _build_scheduler_list(
    spec: Any,
    optim_wrapper: Any,
    *,
    by_epoch: bool,
    ends: tuple[int, int],
    epoch_length: int | None,
) -> list[Any]:
    entries: Sequence[Any] = spec if isinstance(spec, list | tuple) else [spec]
    built = []
    for index, entry in enumerate(entries):
        if isinstance(entry, functools.partial):
            built.append(entry(optim_wrapper))
            continue
        if not isinstance(entry, Mapping):
            built.append(entry)
            continue
        if "type" not in entry:
            raise ConfigError(
                f"param_scheduler has an entry without type: {dict(entry)!r}",
                config_path=f"param_scheduler.{index}" if len(entries) > 1 else "param_scheduler",
                help="add type='MultiStepLR' or another scheduler",
            )
        original, entry = entry, {key: entry[key] for key in entry}
        if not _steps_with_metrics(entry["type"]):
            entry.setdefault("by_epoch", by_epoch)
            entry.setdefault("end", ends[0] if entry["by_epoch"] else ends[1])
        elif by_epoch:
            entry.setdefault("end", ends[0])
        context = {"optimizer": optim_wrapper, "epoch_length": epoch_length}
        built.append(_written_by(original, PARAM_SCHEDULERS.build, entry, default_args=context))
    return built


def _steps_with_metrics(kind: Any) -> bool:
    """Whether a scheduler steps after validations, so that neither unit of the loop is its own."""
    scheduler: Any = PARAM_SCHEDULERS.get(kind) if isinstance(kind, str) else kind
    return bool(getattr(scheduler, "need_val_args", False))


def _written_by(original: Any, build: Any, *arguments: Any, **context: Any) -> Any:
    """Build from a copy, remembering the dict that the user wrote for the place of an error."""
    try:
        return build(*arguments, **context)
    except Exception as error:
        error.__mainspring_spec__ = original  # type: ignore[attr-defined]  # - read by `places`
        raise


def warn_unused_schedulers(schedulers: Iterable[Any], by_epoch: bool) -> None:
    """Say when a scheduler by epoch can hardly act because the run counts iterations."""
    idle = [type(s).__name__ for s in schedulers if _needs_epochs(s) and not by_epoch]
    if idle:
        print_log(
            f"{', '.join(idle)} counts epochs, but this run counts iterations and is one epoch to "
            "its hooks: set by_epoch=False",
            logger="current",
            level=logging.WARNING,
        )


def _needs_epochs(scheduler: Any) -> bool:
    return getattr(scheduler, "by_epoch", False) and not getattr(scheduler, "need_val_args", False)
