custom_imports = dict(imports=["toygan"], allow_failed_imports=False)
default_scope = "mmengine"

max_iters = 200
model = dict(
    type="GAN",
    data_preprocessor=dict(type="GANDataPreprocessor"),
    generator=dict(type="Generator", noise_size=4, width=64),
    discriminator=dict(type="Discriminator", width=64),
    discriminator_steps=2,
)
train_dataloader = dict(
    batch_size=64,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    dataset=dict(type="RingDataset", count=1024),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(type="RingDataset", count=256),
)
val_evaluator = dict(type="RingMetric")
train_cfg = dict(by_epoch=False, max_iters=max_iters, val_interval=100)
val_cfg = dict()
optim_wrapper = dict(
    constructor="MultiOptimWrapperConstructor",
    generator=dict(optimizer=dict(type="Adam", lr=1e-3, betas=(0.5, 0.9))),
    discriminator=dict(optimizer=dict(type="Adam", lr=2e-3, betas=(0.5, 0.9))),
)
param_scheduler = dict(
    generator=[dict(type="LinearLR", start_factor=1, end_factor=0.2, by_epoch=False)],
    discriminator=dict(type="MultiStepLR", milestones=[150], gamma=0.5, by_epoch=False),
)
default_hooks = dict(
    logger=dict(type="LoggerHook", interval=25, log_metric_by_epoch=False),
    checkpoint=dict(type="CheckpointHook", by_epoch=False, interval=100, max_keep_ckpts=1),
)
custom_hooks = [
    dict(type="SampleHook", interval=100),
    dict(type="EMAHook", momentum=0.02, begin_iter=100),
]
log_processor = dict(by_epoch=False)
visualizer = dict(type="Visualizer", vis_backends=[dict(type="LocalVisBackend")])
randomness = dict(seed=2)
