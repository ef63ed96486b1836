"""Classes with the names of well-known ones, which keep what they are given."""

from __future__ import annotations

import sys
from typing import Any

from mainspring.hooks import Hook
from mainspring.registry import (
    DATA_SAMPLERS,
    DATASETS,
    FUNCTIONS,
    HOOKS,
    METRICS,
    MODELS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    TASK_UTILS,
    TRANSFORMS,
    VISUALIZERS,
)


class Kept:
    """Keeps its arguments."""

    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments


def _offer(registry: Any, names: str) -> None:
    for name in names.split():
        made = type(name, (Kept,), {"__module__": __name__, "__qualname__": name})
        setattr(sys.modules[__name__], name, made)
        registry.register_module(module=made, force=True)


_offer(
    MODELS,
    """
    FasterRCNN CascadeRCNN FPN PAFPN RPNHead StandardRoIHead SingleRoIExtractor RetinaHead
    Shared2FCBBoxHead FocalLoss CrossEntropyLoss L1Loss SmoothL1Loss GIoULoss DetDataPreprocessor
    EncoderDecoder PSPHead FCNHead SegDataPreProcessor ResNetV1c DiceLoss
    ImageClassifier SwinTransformer GlobalAveragePooling LinearClsHead LabelSmoothLoss
    ClsDataPreprocessor VisionTransformer
    TopdownPoseEstimator HRNet HeatmapHead KeypointMSELoss PoseDataPreprocessor Conv Block
    """,
)
_offer(
    TASK_UTILS, "AnchorGenerator DeltaXYWHBBoxCoder MaxIoUAssigner RandomSampler MSRAHeatmap Mixup"
)
_offer(
    TRANSFORMS,
    """
    LoadImageFromFile LoadAnnotations Resize RandomFlip PackDetInputs RandomChoice RandomCrop
    PhotoMetricDistortion PackSegInputs RandomResizedCrop CenterCrop PackInputs RandAugment
    GetBBoxCenterScale TopdownAffine GenerateTarget PackPoseInputs RandomHalfBody RandomResize
    """,
)
_offer(DATASETS, "CocoDataset VOCDataset CityscapesDataset ADE20KDataset ImageNet CocoPoseDataset")
_offer(METRICS, "CocoMetric VOCMetric IoUMetric TopAccuracy CocoPoseMetric PCKAccuracy")
_offer(VISUALIZERS, "DetLocalVisualizer SegLocalVisualizer PoseLocalVisualizer UniversalVisualizer")
_offer(OPTIM_WRAPPER_CONSTRUCTORS, "LayerDecayConstructor")


@MODELS.register_module()
class ResNet:
    """A backbone with a signature."""

    def __init__(
        self,
        depth: int,
        num_stages: int = 4,
        out_indices: tuple[int, ...] = (0, 1, 2, 3),
        frozen_stages: int = -1,
        norm_cfg: dict[str, Any] | None = None,
        norm_eval: bool = False,
        style: str = "pytorch",
        init_cfg: dict[str, Any] | None = None,
        stage_with_dcn: tuple[bool, ...] | None = None,
        dcn: dict[str, Any] | None = None,
    ) -> None:
        self.depth = depth


@MODELS.register_module()
class RetinaNet:
    """A detector without annotations: it wants its parts as descriptions."""

    def __init__(self, backbone, neck=None, bbox_head=None, train_cfg=None, test_cfg=None, **rest):
        self.backbone = backbone


@DATA_SAMPLERS.register_module()
class AspectRatioBatchSampler:
    """Gets the sampler and the size of a batch from the engine."""

    def __init__(self, sampler: Any, batch_size: int, drop_last: bool = False) -> None:
        self.sampler = sampler


@FUNCTIONS.register_module()
def pad_collate(batch: Any, fill: int = 0) -> Any:
    """Gets the batch from the engine."""
    return batch, fill


@HOOKS.register_module()
class IntervalHook(Hook):
    """A hook with an argument."""

    def __init__(self, interval: int = 1) -> None:
        self.interval = interval


class Wrapper:
    """Registered nowhere and without annotations: gets its parts built."""

    def __init__(self, inner, scale=1):
        self.inner = inner


class Tools:
    """A class around another one."""

    class Inner(Kept):
        """Named through its outer class."""
