"""Names that MMEngine leaves to projects are theirs, also where we have something of that name."""

from __future__ import annotations

import logging

import pytest

from mainspring import registry
from mainspring.registry.registry import OURS_ALONE, Registry

WEIGHTS = "Constant Xavier Normal TruncNormal Uniform Kaiming Caffe2Xavier Pretrained"
FAMILIES = (
    "Constant CosineAnnealing CosineRestart Exponential Linear MultiStep Poly ReduceOnPlateau Step"
)
MMENGINE = {
    "data sampler": "DefaultSampler InfiniteSampler",
    "dataset": "ClassBalancedDataset ConcatDataset RepeatDataset",
    "evaluator": "Evaluator",
    "function": "default_collate pseudo_collate",
    "hook": "CheckpointHook DistSamplerSeedHook EMAHook EarlyStoppingHook EmptyCacheHook "
    "IterTimerHook LoggerHook NPUProfilerHook NaiveVisualizationHook ParamSchedulerHook "
    "PrepareTTAHook ProfilerHook RuntimeInfoHook SyncBuffersHook",
    "log_processor": "LogProcessor",
    "loop": "EpochBasedTrainLoop IterBasedTrainLoop TestLoop ValLoop",
    "metric": "DumpResults",
    "model": "BaseDataPreprocessor BaseTTAModel ExponentialMovingAverage ImgDataPreprocessor "
    "MomentumAnnealingEMA StochasticWeightAverage",
    "model_wrapper": "CollosalAIModelWrapper ColossalAIModelWrapper DataParallel "
    "DistributedDataParallel MMDeepSpeedEngineWrapper MMDistributedDataParallel "
    "MMFullyShardedDataParallel MMSeparateDistributedDataParallel",
    "optim_wrapper": "AmpOptimWrapper ApexOptimWrapper ColossalAIOptimWrapper "
    "DeepSpeedOptimWrapper OptimWrapper",
    "optimizer wrapper constructor": "DefaultOptimWrapperConstructor",
    "parameter scheduler": " ".join(
        [
            f"{name}{end}"
            for name in FAMILIES.split()
            for end in ("LR", "Momentum", "ParamScheduler")
        ]
        + ["OneCycleLR", "OneCycleParamScheduler"]
    ),
    "runner": "FlexibleRunner Runner",
    "strategy": "ColossalAIStrategy DDPStrategy DeepSpeedStrategy FSDPStrategy "
    "SingleDeviceStrategy",
    "vis_backend": "AimVisBackend ClearMLVisBackend DVCLiveVisBackend LocalVisBackend "
    "MLflowVisBackend NeptuneVisBackend TensorboardVisBackend WandbVisBackend",
    "visualizer": "Visualizer",
    "weight initializer": WEIGHTS,
}
"""What MMEngine 0.10.7 registers, but for optimizers, which are torch's and other packages'."""


def roots() -> list[Registry]:
    found = [getattr(registry, name) for name in registry.__all__]
    found = [item for item in found if isinstance(item, Registry)]
    for root in found:
        root.import_from_location()
    return found


def is_ours(item) -> bool:
    return item.__module__.startswith("mainspring.")


@pytest.mark.parametrize("root", roots(), ids=lambda root: root.name)
def test_ours_alone_is_what_mmengine_does_not_have(root) -> None:
    ours = {name for name, item in root.module_dict.items() if is_ours(item)}
    if root.name == "optimizer":
        ours = {name for name in ours if isinstance(root.module_dict[name], type)}
        assert ours - {"ZeroRedundancyOptimizer"} == set(OURS_ALONE["optimizer"])
    else:
        assert ours - set(MMENGINE.get(root.name, "").split()) == set(OURS_ALONE.get(root.name, ()))


@pytest.fixture
def kept(request):
    """Puts back what a test registers."""
    saved = {root: dict(root.module_dict) for root in roots()}
    yield
    for root, content in saved.items():
        root.module_dict.clear()
        root.module_dict.update(content)


@pytest.mark.usefixtures("kept")
class TestTakingAName:
    @pytest.mark.parametrize(
        ("root", "name"),
        [(root, name) for root in roots() for name in OURS_ALONE.get(root.name, ())],
        ids=lambda value: value if isinstance(value, str) else value.name,
    )
    def test_a_project_goes_first(self, root, name, caplog) -> None:
        with caplog.at_level(logging.DEBUG, "mainspring.registry.registry"):
            mine = root.register_module(name=name, module=type(name, (), {}))
        assert root.get(name) is mine
        assert name in caplog.text
        with pytest.raises(KeyError, match="already registered"):
            root.register_module(name=name, module=type(name, (), {"more": 1}))

    def test_optimizers_of_packages_that_may_be_missing_give_way(self) -> None:
        mine = registry.OPTIMIZERS.register_module(module=type("Lion", (), {}))
        assert registry.OPTIMIZERS.get("Lion") is mine
        with pytest.raises(KeyError):
            registry.OPTIMIZERS.register_module(module=type("SGD", (), {}))

    @pytest.mark.parametrize("root", [registry.HOOKS, registry.METRICS, registry.LOOPS])
    def test_mmengines_names_stay(self, root) -> None:
        for name in MMENGINE[root.name].split():
            with pytest.raises(KeyError, match="already registered"):
                root.register_module(name=name, module=type(name, (), {}))

    def test_a_project_that_came_first_keeps_its_name(self) -> None:
        ours = registry.METRICS.module_dict.pop("Accuracy")
        mine = registry.METRICS.register_module(module=type("Accuracy", (), {}))
        registry.METRICS.register_module(name="Accuracy", module=ours)
        assert registry.METRICS.get("Accuracy") is mine

    def test_default_hooks_are_ours_all_the_same(self) -> None:
        from mainspring.hooks import DivergenceHook
        from mainspring.runner.building.default_hooks import hooks_of

        registry.HOOKS.register_module(name="DivergenceHook", module=type("Other", (), {}))
        kinds = [hook["type"] for hook in hooks_of(None, None, by_epoch=True).values()]
        assert DivergenceHook in kinds
