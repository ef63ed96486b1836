"""A whole run as one typed call, its variants as calls of one function."""

from functools import partial

from torch import nn
from torch.optim import SGD, AdamW
from zoo import Coco, CocoMetric, FreezeHook, ResNet, RetinaNet, pad_collate, worker_init

from mainspring.config import later
from mainspring.dataset import DataLoader, DefaultSampler
from mainspring.evaluator import Accuracy, Evaluator
from mainspring.hooks import CheckpointHook, EMAHook, LoggerHook
from mainspring.model import ImgDataPreprocessor
from mainspring.optim import AmpOptimWrapper, CosineAnnealingLR, LinearLR, OptimWrapper
from mainspring.runner import (
    ByEpoch,
    ByIteration,
    EpochBasedTrainLoop,
    LogProcessor,
    Runner,
    ValLoop,
)
from mainspring.visualization import LocalVisBackend, TensorboardVisBackend, Visualizer


def retinanet(depth: int = 50, epochs: int = 12, lr: float = 2e-4) -> Runner:
    return Runner(
        model=RetinaNet(backbone=ResNet(depth=101 if depth > 50 else 50), num_classes=80),
        train_dataloader=DataLoader(
            Coco(ann_file="train.json"),
            batch_size=2,
            sampler=later(DefaultSampler)(shuffle=True),
            collate_fn=later(pad_collate)(size_divisor=32),
            worker_init_fn=worker_init,
            num_workers=4,
            persistent_workers=True,
        ),
        optim_wrapper=OptimWrapper(later(AdamW)(lr=lr), clip_grad=dict(max_norm=35, norm_type=2)),
        param_scheduler=[
            later(LinearLR)(start_factor=1e-3, end=500, by_epoch=False),
            later(CosineAnnealingLR)(T_max=epochs, convert_to_iter_based=True),
        ],
        train_cfg=ByEpoch(max_epochs=epochs, val_interval=2),
    )


def deep(epochs: int = 24) -> Runner:
    return retinanet(depth=101, epochs=epochs)


def everything(iters: int = 9000) -> Runner:
    return Runner(
        model=RetinaNet(
            ResNet(),
            num_classes=3,
            activation=nn.GELU,
            data_preprocessor=ImgDataPreprocessor(mean=[0.5], std=[0.2], pad_size_divisor=32),
        ),
        work_dir="work_dirs/everything",
        train_dataloader=DataLoader(Coco("train.json"), shuffle=True, sample_rng="worker"),
        val_dataloader=dict(
            easy=DataLoader(Coco("easy.json")),
            hard=DataLoader(Coco("hard.json")),
        ),
        train_cfg=ByIteration(iters, val_interval=1000),
        val_cfg=partial(ValLoop, fp16=True),
        auto_scale_lr=dict(enable=True, base_batch_size=16),
        optim_wrapper=AmpOptimWrapper(
            optimizer=later(SGD)(lr=0.02, momentum=0.9, weight_decay=1e-4),
            dtype="bfloat16",
            accumulative_counts=2,
            paramwise_cfg=dict(norm_decay_mult=0.0),
        ),
        param_scheduler=later(LinearLR)(end=500, by_epoch=False),
        val_evaluator=[CocoMetric("easy.json"), Accuracy(topk=(1, 5))],
        default_hooks=dict(
            checkpoint=CheckpointHook(
                interval=1000, by_epoch=False, save_best="mAP", rule="greater"
            ),
            logger=LoggerHook(interval=50),
            timer=None,
        ),
        custom_hooks=[
            EMAHook(momentum=1e-4, update_buffers=True, priority=49),
            FreezeHook(until_epoch=1),
            dict(type="EmptyCacheHook", after_iter=True),
        ],
        log_processor=LogProcessor(window_size=50, by_epoch=False),
        visualizer=Visualizer(
            vis_backends=[later(LocalVisBackend)(), later(TensorboardVisBackend)()]
        ),
        load_from="weights.pth",
        randomness=dict(seed=3, deterministic=True),
    )


def old_words() -> Runner:
    return Runner(
        model=dict(type="RetinaNet", backbone=dict(type="ResNet")),
        train_dataloader=dict(dataset=dict(type="Coco"), sampler=dict(type="DefaultSampler")),
        train_cfg=partial(EpochBasedTrainLoop, max_epochs=3),
        optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.1)),
        param_scheduler=[dict(type="MultiStepLR", milestones=[2])],
        val_dataloader=dict(dataset=dict(type="Coco")),
        val_cfg=dict(),
        val_evaluator=Evaluator([dict(type="Accuracy")]),
        default_hooks=dict(checkpoint=dict(type="CheckpointHook", interval=1)),
    )
