"""From a section of the config to the part that it describes, a function per section.

The functions stand in the order in which a run needs them. Each takes what the section says (a
dict, a class, or a ready object) and what the part depends on, and returns the ready part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from mainspring.errors import ConfigError, ConfigTypeError, LoopError, did_you_mean
from mainspring.evaluator import Evaluator
from mainspring.logging import warn
from mainspring.model import adapt_model
from mainspring.registry import EVALUATOR, LOG_PROCESSORS, LOOPS, MODELS, VISUALIZERS
from mainspring.runner.building.build_optimization import is_recipe
from mainspring.runner.building.sections import counts_epochs
from mainspring.runner.workflow_loop import WorkflowTrainLoop

__all__ = [
    "build_evaluator",
    "build_evaluation_loop",
    "build_log_processor",
    "build_model",
    "build_train_loop",
    "build_visualizer",
    "loop_class_of",
]


def build_log_processor(spec: Any, by_epoch: bool | None) -> Any:
    """The log processor; it counts as the run does unless told otherwise."""
    default = {"type": "LogProcessor", **({} if by_epoch is None else {"by_epoch": by_epoch})}
    if spec is None:
        return LOG_PROCESSORS.build(default)
    if isinstance(spec, Mapping):
        return LOG_PROCESSORS.build(spec, default_args=default)
    made = spec() if is_recipe(spec) else spec
    return _able("log_processor", made, "get_log_after_iter")


def build_visualizer(spec: Any, experiment_name: str, log_dir: str) -> Any:
    """The visualizer; by default one that writes scalars and the config into the log directory."""
    if spec is None:
        spec = {"type": "Visualizer", "vis_backends": [{"type": "LocalVisBackend"}]}
    if isinstance(spec, Mapping):
        settings = {"type": "Visualizer", "name": experiment_name, "save_dir": log_dir}
        return VISUALIZERS.build(spec, default_args=settings)
    return _able("visualizer", spec, "add_scalars")


def _able(section: str, part: Any, method: str) -> Any:
    """A part that was given ready.

    Raises:
        ConfigTypeError: It lacks what a run calls.
    """
    if not hasattr(part, method):
        raise ConfigTypeError.of_value(
            section, part, f"write {section} = dict(type=...)", f"which has no {method}"
        )
    return part


def build_model(spec: Any, data_preprocessor: Mapping[str, Any] | None) -> nn.Module:
    """The model, able to train: a plain module that returns ``.loss`` is adapted.

    Args:
        spec: Module, class, or dict.
        data_preprocessor: Section that a model dict takes over unless it has its own.
    """
    if isinstance(spec, Mapping):
        added = {} if data_preprocessor is None else {"data_preprocessor": data_preprocessor}
        spec = MODELS.build(spec, default_args=added)
    elif is_recipe(spec):
        spec = spec()
    if not isinstance(spec, nn.Module):
        raise ConfigTypeError(
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


def build_train_loop(runner: object, loop_cfg: Any, dataloader: Any) -> Any:
    """The train loop.

    Raises:
        LoopError: The section says both a type and ``by_epoch``.
        ConfigError: It says no length.
    """
    _refuse_plain("train_cfg", loop_cfg)
    if not isinstance(loop_cfg, Mapping):
        return loop_cfg(runner=runner, dataloader=dataloader) if is_recipe(loop_cfg) else loop_cfg
    if "type" in loop_cfg and "by_epoch" in loop_cfg:
        raise LoopError(
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
        said = arguments.pop("by_epoch", True)
        if not isinstance(said, bool | int):
            counted = f"which counts as {bool(said)}"
            warn(ConfigError.of_value("train_cfg.by_epoch", said, "give True or False", counted))
        _check_length(arguments, by_epoch)
        loop = "EpochBasedTrainLoop" if by_epoch else "IterBasedTrainLoop"
        arguments["type"] = WorkflowTrainLoop if "workflow" in arguments else loop
    return LOOPS.build(arguments, default_args={"runner": runner, "dataloader": dataloader})


def _refuse_plain(section: str, value: Any) -> None:
    if isinstance(value, bool | int | float | str | list | tuple):
        instead, needed = f"write {section} = dict(...)", "but it is a dict of settings or a loop"
        raise ConfigTypeError.of_value(section, value, instead, needed)


def _check_length(loop_cfg: Mapping[str, Any], by_epoch: bool) -> None:
    needed, other = ("max_epochs", "max_iters") if by_epoch else ("max_iters", "max_epochs")
    if loop_cfg.get("max_epochs") is not None and loop_cfg.get("max_iters") is not None:
        raise ConfigError(
            "train_cfg gives both max_epochs and max_iters",
            config_path="train_cfg.max_iters",
            help="leave one out",
        )
    if needed in loop_cfg:
        return
    hint, path = did_you_mean(needed, loop_cfg) or f"give {needed}=...", "train_cfg"
    if other in loop_cfg:
        path = f"train_cfg.{other}"
        hint = f"replace {other} by {needed}, or set by_epoch={not by_epoch}"
    raise ConfigError(
        f"train_cfg counts in {'epochs' if by_epoch else 'iterations'} but has no {needed}",
        config_path=path,
        help=hint,
    )


def build_evaluation_loop(
    runner: object, loop_cfg: Any, dataloader: Any, evaluator: Any, default_type: str
) -> Any:
    """The validation or test loop."""
    _refuse_plain("test_cfg" if default_type == "TestLoop" else "val_cfg", loop_cfg)
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
        return EVALUATOR.build(spec, default_args={"type": "Evaluator"})
    made: Any = spec
    if is_recipe(spec):
        made = made()
    if isinstance(made, list | tuple):
        made = [item() if is_recipe(item) else item for item in made]
    return Evaluator(made)
