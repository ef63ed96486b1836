"""What each section of a run may be: a ready object, what makes one, or a dict that says how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from torch import nn
from torch.optim import Optimizer

from mainspring.config.words import Factory
from mainspring.evaluator import Evaluator
from mainspring.evaluator.evaluator import OneMetric
from mainspring.hooks import Hook
from mainspring.optim import BaseOptimWrapper, _ParamScheduler
from mainspring.runner.log_processor import LogProcessor
from mainspring.runner.loops import BaseLoop
from mainspring.visualization import Visualizer

__all__ = [
    "EvaluatorSection",
    "HookSection",
    "Launcher",
    "LoaderSection",
    "LogProcessorSection",
    "LoopSection",
    "ModelSection",
    "OptimSection",
    "PreprocessorSection",
    "SchedulerSection",
    "VisualizerSection",
]

ModelSection: TypeAlias = nn.Module | Factory[nn.Module] | Mapping[str, Any]

PreprocessorSection: TypeAlias = nn.Module | Mapping[str, Any]

LoaderSection: TypeAlias = Iterable[Any] | Factory[Iterable[Any]] | Mapping[str, Any]
"""One loader, or several: a dict of loaders by name, or a list."""

LoopSection: TypeAlias = BaseLoop | Factory[BaseLoop] | Mapping[str, Any]

_OptimWrapper: TypeAlias = BaseOptimWrapper | Optimizer
OptimSection: TypeAlias = _OptimWrapper | Factory[_OptimWrapper] | Mapping[str, Any]

_Scheduler: TypeAlias = _ParamScheduler | Factory[_ParamScheduler] | Mapping[str, Any]
SchedulerSection: TypeAlias = _Scheduler | Sequence[_Scheduler]

EvaluatorSection: TypeAlias = Evaluator | Factory[Evaluator] | OneMetric | Sequence[OneMetric]

HookSection: TypeAlias = Hook | type[Hook] | Mapping[str, Any]

LogProcessorSection: TypeAlias = LogProcessor | Factory[LogProcessor] | Mapping[str, Any]

Launcher: TypeAlias = Literal["none", "pytorch", "slurm", "mpi"]

VisualizerSection: TypeAlias = Visualizer | Mapping[str, Any]
