"""The root registries and counting what they hold."""

import json

import pytest

from mainspring import registry as package
from mainspring.registry import Registry, count_registered_modules, root, traverse_registry_tree

NAMES = {
    "RUNNERS": "runner",
    "RUNNER_CONSTRUCTORS": "runner constructor",
    "LOOPS": "loop",
    "HOOKS": "hook",
    "STRATEGIES": "strategy",
    "DATASETS": "dataset",
    "DATA_SAMPLERS": "data sampler",
    "TRANSFORMS": "transform",
    "MODELS": "model",
    "MODEL_WRAPPERS": "model_wrapper",
    "WEIGHT_INITIALIZERS": "weight initializer",
    "OPTIMIZERS": "optimizer",
    "OPTIM_WRAPPERS": "optim_wrapper",
    "OPTIM_WRAPPER_CONSTRUCTORS": "optimizer wrapper constructor",
    "PARAM_SCHEDULERS": "parameter scheduler",
    "METRICS": "metric",
    "EVALUATOR": "evaluator",
    "TASK_UTILS": "task util",
    "VISUALIZERS": "visualizer",
    "VISBACKENDS": "vis_backend",
    "LOG_PROCESSORS": "log_processor",
    "INFERENCERS": "inferencer",
    "FUNCTIONS": "function",
}


@pytest.mark.parametrize(("variable", "name"), NAMES.items())
def test_mmengines_registries(variable, name):
    registry = getattr(package, variable)
    assert (registry.name, registry.scope, registry.parent) == (name, "mainspring", None)


def test_they_are_all():
    assert set(root.__all__) == set(NAMES)


@pytest.mark.parametrize(
    ("variable", "names"),
    {
        "RUNNERS": ["Runner"],
        "LOOPS": ["EpochBasedTrainLoop", "IterBasedTrainLoop", "ValLoop", "TestLoop"],
        "HOOKS": ["CheckpointHook", "LoggerHook", "EMAHook"],
        "DATASETS": ["ConcatDataset", "RepeatDataset", "ClassBalancedDataset"],
        "DATA_SAMPLERS": ["DefaultSampler", "InfiniteSampler"],
        "MODELS": ["BaseDataPreprocessor", "ImgDataPreprocessor", "ExponentialMovingAverage"],
        "WEIGHT_INITIALIZERS": ["Constant", "Kaiming", "Pretrained"],
        "OPTIMIZERS": ["SGD", "AdamW"],
        "OPTIM_WRAPPERS": ["OptimWrapper", "AmpOptimWrapper"],
        "OPTIM_WRAPPER_CONSTRUCTORS": ["DefaultOptimWrapperConstructor"],
        "PARAM_SCHEDULERS": ["LinearLR", "MultiStepLR", "CosineAnnealingLR"],
        "METRICS": ["DumpResults"],
        "EVALUATOR": ["Evaluator"],
        "VISUALIZERS": ["Visualizer"],
        "VISBACKENDS": ["LocalVisBackend", "TensorboardVisBackend"],
        "LOG_PROCESSORS": ["LogProcessor"],
        "FUNCTIONS": ["pseudo_collate", "default_collate"],
    }.items(),
)
def test_built_in_names_are_found_without_importing_anything_first(variable, names):
    for name in names:
        assert callable(getattr(package, variable).get(name)), name


def test_traversal(capsys):
    top = Registry("r", scope="top")
    below = Registry("r", parent=top, scope="below")
    top.register_module(module=json.JSONDecoder)
    below.register_module(module=json.JSONEncoder)
    expected = [
        {"num_modules": 1, "scope": "top", "json": ["JSONDecoder"]},
        {"num_modules": 1, "scope": "below", "json": ["JSONEncoder"]},
    ]
    assert traverse_registry_tree(below) == expected
    assert "Find 1 modules in below's 'r' registry" in capsys.readouterr().out
    assert traverse_registry_tree(top, verbose=False) == expected
    assert capsys.readouterr().out == ""


def test_counting(tmp_path):
    result = count_registered_modules(tmp_path, verbose=False)
    assert set(result["registries"]) == set(NAMES)
    assert result["registries"]["HOOKS"][0]["num_modules"] > 5
    assert json.loads((tmp_path / "modules_statistic_results.json").read_text()) == result
