"""The registries of the project, children of MMEngine's."""

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

DATASETS = Registry("dataset", parent=MMENGINE_DATASETS, scope="toycls", locations=["toycls"])
TRANSFORMS = Registry("transform", parent=MMENGINE_TRANSFORMS, scope="toycls", locations=["toycls"])
MODELS = Registry("model", parent=MMENGINE_MODELS, scope="toycls", locations=["toycls"])
METRICS = Registry("metric", parent=MMENGINE_METRICS, scope="toycls", locations=["toycls"])
HOOKS = Registry("hook", parent=MMENGINE_HOOKS, scope="toycls", locations=["toycls"])
