"""By iteration, endless sampler, poly schedule, accumulation, then resume to the end."""

import toy

from mainspring.runner import Runner


def make(work_dir, max_iters, resume=False, **extra):
    return Runner(
        model=dict(type="ToyModel"),
        work_dir=work_dir,
        train_dataloader=toy.loader(batch_size=4, sampler="InfiniteSampler"),
        train_cfg=dict(type="IterBasedTrainLoop", max_iters=max_iters, val_interval=10),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1, momentum=0.9), accumulative_counts=2),
        param_scheduler=dict(type="PolyLR", power=0.9, eta_min=1e-4, by_epoch=False, end=30),
        val_dataloader=toy.loader(shuffle=False),
        val_cfg=dict(),
        val_evaluator=[dict(type="SignAccuracy")],
        default_hooks=dict(
            logger=dict(type="LoggerHook", interval=5, log_metric_by_epoch=False),
            checkpoint=dict(type="CheckpointHook", interval=8, by_epoch=False),
        ),
        log_processor=dict(by_epoch=False),
        resume=resume,
        randomness=dict(seed=9, **extra),
    )


def main(work_dir, **extra):
    make(work_dir, 16, **extra).train()
    runner = make(work_dir, 30, resume=True, **extra)
    runner.train()
    return runner
