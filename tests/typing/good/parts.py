"""Every word of recorded configs, and the parts that they are used with."""

import math
from pathlib import PurePosixPath

from torch import bfloat16, nn
from torch.optim import SGD, Adam, AdamW
from torch.utils.data import BatchSampler
from zoo import Coco, CocoMetric, Digits, Flip, Resize, ResNet, RetinaNet, Swin

from mainspring.config import available, copy, eager, edit, env, include, later, sweep
from mainspring.dataset import (
    ConcatDataset,
    DataLoader,
    DefaultSampler,
    InfiniteSampler,
    RepeatDataset,
)
from mainspring.evaluator import DumpResults
from mainspring.hooks import EarlyStoppingHook, EMAHook, ProfilerHook
from mainspring.model import ExponentialMovingAverage, Supervised
from mainspring.optim import (
    AmpOptimWrapper,
    ConstantLR,
    CosineRestartLR,
    ExponentialLR,
    LinearMomentum,
    OneCycleLR,
    OptimWrapper,
    PolyLR,
    ReduceOnPlateauLR,
    StepLR,
)
from mainspring.runner import ByIteration
from mainspring.visualization import Visualizer, WandbVisBackend

with eager():
    from string import ascii_lowercase

data_root = PurePosixPath(env("COCO", "data/coco"))
workers = env("WORKERS", 4)
lr = sweep(1e-3, 3e-4, 1e-4)
steps = 10_000
num_classes = len(ascii_lowercase)
pipeline = [Resize((1333, 800)), Flip(prob=0.5)]


def detector(width: int) -> RetinaNet:
    return RetinaNet(Swin(window=width), num_classes=num_classes, activation=nn.SiLU)


old = include("./retinanet-r18.py")
teacher = old.model
model = detector(7) if available("timm") else RetinaNet(ResNet.from_pretrained("r18"), num_classes)
student = copy(model)
edit(student).backbone = ResNet(18)
edit(student).num_classes = 20
classifier = Supervised(nn.Linear(64, 10), nn.CrossEntropyLoss())

train_dataloader = DataLoader(
    Coco(ann_file=str(data_root / "train.json"), pipeline=pipeline),
    num_workers=workers,
    batch_sampler=later(BatchSampler)(batch_size=2, drop_last=True),
)
val_dataloader = DataLoader(Coco(ann_file="val.json", pipeline=pipeline[:1]))
test_dataloader = copy(val_dataloader)
edit(test_dataloader).dataset.ann_file = "test.json"
repeated = DataLoader(RepeatDataset(dict(type="Coco"), times=3), shuffle=True)
both = DataLoader(ConcatDataset([dict(type="Coco"), RepeatDataset(dict(type="Coco"), 2)]))
endless = DataLoader(Digits("train"), sampler=later(InfiniteSampler)(), batch_size=64)
exact = DataLoader(Digits("val"), sampler=later(DefaultSampler)(shuffle=False, round_up=False))

optim_wrapper = AmpOptimWrapper(optimizer=later(SGD)(lr=lr, momentum=0.9), dtype=bfloat16)
whole_class = OptimWrapper(Adam)
sparing = OptimWrapper(
    later(AdamW)(lr=math.sqrt(1e-6)),
    accumulative_counts=4,
    clip_grad=dict(type="value", clip_value=0.5),
    constructor="DefaultOptimWrapperConstructor",
    paramwise_cfg=dict(custom_keys={"backbone": dict(lr_mult=0.1)}),
)
param_scheduler = [
    later(ConstantLR)(factor=0.1, end=100),
    later(StepLR)(step_size=3),
    later(ExponentialLR)(gamma=0.9, begin=100),
    later(PolyLR)(power=0.9, eta_min=1e-5, end=steps, by_epoch=False),
    later(CosineRestartLR)(periods=[3, 6], restart_weights=[1, 0.5], eta_min=0.0),
    later(OneCycleLR)(eta_max=0.1, total_steps=steps, anneal_strategy="linear"),
    later(ReduceOnPlateauLR)(monitor="mAP", rule="greater", patience=3),
    later(LinearMomentum)(start_factor=0.5, end=10),
]
train_cfg = ByIteration(steps, val_interval=500, dynamic_intervals=[(9000, 100)])
val_evaluator = [CocoMetric("val.json", metric="segm"), DumpResults("out.pkl")]
custom_hooks = [
    EMAHook(ExponentialMovingAverage, momentum=1e-4),
    EarlyStoppingHook("mAP", rule="greater", patience=2, priority="LOW"),
    ProfilerHook(by_epoch=False, schedule=dict(wait=1, warmup=1, active=2)),
]
visualizer = Visualizer(vis_backends=later(WandbVisBackend)(init_kwargs=dict(project="coco")))
