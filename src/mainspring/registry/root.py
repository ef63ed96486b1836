"""The root registries: one for each kind of part that a config can name."""

from __future__ import annotations

from mainspring.registry.build import (
    build_model_from_cfg,
    build_optimizer_from_cfg,
    build_runner_from_cfg,
    build_scheduler_from_cfg,
)
from mainspring.registry.default_scope import ROOT_SCOPE
from mainspring.registry.registry import Registry

__all__ = [
    "DATASETS",
    "DATA_SAMPLERS",
    "EVALUATOR",
    "FUNCTIONS",
    "HOOKS",
    "INFERENCERS",
    "LOG_PROCESSORS",
    "LOOPS",
    "METRICS",
    "MODELS",
    "MODEL_WRAPPERS",
    "OPTIMIZERS",
    "OPTIM_WRAPPERS",
    "OPTIM_WRAPPER_CONSTRUCTORS",
    "PARAM_SCHEDULERS",
    "RUNNERS",
    "RUNNER_CONSTRUCTORS",
    "STRATEGIES",
    "TASK_UTILS",
    "TRANSFORMS",
    "VISBACKENDS",
    "VISUALIZERS",
    "WEIGHT_INITIALIZERS",
]

_RUNNER = ["mainspring.runner"]
_DATASET = ["mainspring.dataset"]
_MODEL = ["mainspring.model"]
_OPTIM = ["mainspring.optim"]
_EVALUATOR = ["mainspring.evaluator"]
_VISUALIZATION = ["mainspring.visualization"]

RUNNERS = Registry("runner", build_runner_from_cfg, scope=ROOT_SCOPE, locations=_RUNNER)
RUNNER_CONSTRUCTORS = Registry("runner constructor", scope=ROOT_SCOPE)
LOOPS = Registry("loop", scope=ROOT_SCOPE, locations=_RUNNER)
HOOKS = Registry("hook", scope=ROOT_SCOPE, locations=["mainspring.hooks"])
STRATEGIES = Registry("strategy", scope=ROOT_SCOPE, locations=["mainspring._strategy"])

DATASETS = Registry("dataset", scope=ROOT_SCOPE, locations=_DATASET)
DATA_SAMPLERS = Registry("data sampler", scope=ROOT_SCOPE, locations=_DATASET)
TRANSFORMS = Registry("transform", scope=ROOT_SCOPE)

MODELS = Registry("model", build_model_from_cfg, scope=ROOT_SCOPE, locations=_MODEL)
MODEL_WRAPPERS = Registry("model_wrapper", scope=ROOT_SCOPE, locations=_MODEL)
WEIGHT_INITIALIZERS = Registry("weight initializer", scope=ROOT_SCOPE, locations=_MODEL)

OPTIMIZERS = Registry(
    "optimizer",
    build_optimizer_from_cfg,
    scope=ROOT_SCOPE,
    locations=_OPTIM,
    packages=["pytorch_optimizer", "timm.optim", "schedulefree"],
)
OPTIM_WRAPPERS = Registry("optim_wrapper", scope=ROOT_SCOPE, locations=_OPTIM)
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    "optimizer wrapper constructor", scope=ROOT_SCOPE, locations=_OPTIM
)
PARAM_SCHEDULERS = Registry(
    "parameter scheduler", build_scheduler_from_cfg, scope=ROOT_SCOPE, locations=_OPTIM
)

METRICS = Registry(
    "metric",
    scope=ROOT_SCOPE,
    locations=_EVALUATOR,
    packages=["torchmetrics", "torchmetrics.detection", "torchmetrics.image", "torchmetrics.text"],
)
EVALUATOR = Registry("evaluator", scope=ROOT_SCOPE, locations=_EVALUATOR)

TASK_UTILS = Registry("task util", scope=ROOT_SCOPE)
VISUALIZERS = Registry("visualizer", scope=ROOT_SCOPE, locations=_VISUALIZATION)
VISBACKENDS = Registry("vis_backend", scope=ROOT_SCOPE, locations=_VISUALIZATION)
LOG_PROCESSORS = Registry("log_processor", scope=ROOT_SCOPE, locations=_RUNNER)
INFERENCERS = Registry("inferencer", scope=ROOT_SCOPE)
FUNCTIONS = Registry("function", scope=ROOT_SCOPE, locations=_DATASET)
