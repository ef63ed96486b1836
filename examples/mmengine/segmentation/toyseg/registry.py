"""The registries of the project, children of MMEngine's."""

from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

DATASETS = Registry("dataset", parent=MMENGINE_DATASETS, scope="toyseg", locations=["toyseg"])
TRANSFORMS = Registry("transform", parent=MMENGINE_TRANSFORMS, scope="toyseg", locations=["toyseg"])
MODELS = Registry("model", parent=MMENGINE_MODELS, scope="toyseg", locations=["toyseg"])
METRICS = Registry("metric", parent=MMENGINE_METRICS, scope="toyseg", locations=["toyseg"])
