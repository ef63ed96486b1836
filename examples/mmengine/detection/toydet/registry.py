"""The registries of the project, children of MMEngine's."""

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import Registry

DATASETS = Registry("dataset", parent=MMENGINE_DATASETS, scope="toydet", locations=["toydet"])
TRANSFORMS = Registry("transform", parent=MMENGINE_TRANSFORMS, scope="toydet", locations=["toydet"])
MODELS = Registry("model", parent=MMENGINE_MODELS, scope="toydet", locations=["toydet"])
METRICS = Registry("metric", parent=MMENGINE_METRICS, scope="toydet", locations=["toydet"])
HOOKS = Registry("hook", parent=MMENGINE_HOOKS, scope="toydet", locations=["toydet"])
VISUALIZERS = Registry(
    "visualizer", parent=MMENGINE_VISUALIZERS, scope="toydet", locations=["toydet"]
)
