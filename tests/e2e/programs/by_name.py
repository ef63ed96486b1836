"""Dicts by name, by epoch, warm-up and cosine, EMA, best checkpoint, gradient clipping."""

import toy

from mainspring.runner import Runner


def main(work_dir, **extra):
    runner = Runner(
        model=dict(type="ToyModel", dropout=0.2),
        work_dir=work_dir,
        train_dataloader=toy.loader(),
        train_cfg=dict(by_epoch=True, max_epochs=4, val_interval=2),
        optim_wrapper=dict(
            type="OptimWrapper",
            optimizer=dict(type="AdamW", lr=0.02, weight_decay=0.1),
            paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys={"linear2": dict(lr_mult=0.5)}),
            clip_grad=dict(max_norm=1.0),
        ),
        param_scheduler=[
            dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=5),
            dict(type="CosineAnnealingLR", T_max=4, by_epoch=True, convert_to_iter_based=True),
        ],
        val_dataloader=toy.loader(shuffle=False),
        val_cfg=dict(),
        val_evaluator=dict(type="SignAccuracy", prefix="toy"),
        default_hooks=dict(
            logger=dict(type="LoggerHook", interval=2),
            checkpoint=dict(type="CheckpointHook", interval=1, max_keep_ckpts=2, save_best="auto"),
        ),
        custom_hooks=[
            dict(type="EMAHook", momentum=0.01),
            dict(type="CountingHook", priority="LOW"),
        ],
        randomness=dict(seed=5, **extra),
        experiment_name="by_name",
    )
    runner.train()
    return runner
