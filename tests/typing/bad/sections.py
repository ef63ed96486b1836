"""Runs whose sections are misspelt or hold what does not belong there."""

from zoo import Coco, CocoMetric, Resize, ResNet, RetinaNet

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.hooks import LoggerHook
from mainspring.optim import LinearLR
from mainspring.runner import ByEpoch, Runner


def misspelt(depth: int = 50) -> Runner:
    return Runner(  # error(mypy): train_dataloder
        model=RetinaNet(ResNet(), num_classes=80),
        train_dataloder=DataLoader(Coco("train.json")),  # error(pyright): train_dataloder
    )


def misplaced() -> Runner:
    return Runner(
        model=Resize((8, 8)),  # error: Resize
        train_dataloader=Coco("train.json"),  # error: Coco
        train_cfg=12,  # error: train_cfg
        optim_wrapper=CocoMetric("val.json"),  # error: CocoMetric
        param_scheduler=[later(Resize)(keep_ratio=True)],  # error: Resize
        val_evaluator=LoggerHook(),  # error: LoggerHook
        custom_hooks=[CocoMetric("val.json")],  # error: CocoMetric
        launcher="torchrun",  # error: torchrun
        randomness=0,  # error: randomness
    )


def run(depth: int = 50) -> Runner:
    return Runner(
        model=RetinaNet(ResNet(), num_classes=80),
        param_scheduler=later(LinearLR)(end=ByEpoch(12)),  # error: end
    )


variant = run(dept=101)  # error: dept
text = run(depth="101")  # error: depth
no_model = Runner(work_dir="work_dirs/x")  # error: model
