model = dict(type="Regressor", hidden=32)
data = dict(samples_per_gpu=32, workers_per_gpu=1, train=dict(count=256), val=dict(count=128))
optimizer = dict(type="Adam", lr=0.02, weight_decay=0.0001)
optimizer_config = dict(grad_clip=dict(max_norm=5, norm_type=2))
lr_config = dict(
    policy="CosineAnnealing", warmup="linear", warmup_iters=8, warmup_ratio=0.1, min_lr=1e-4
)
runner = dict(type="EpochBasedRunner", max_epochs=8)
checkpoint_config = dict(interval=2)
evaluation = dict(interval=1, save_best="r2", rule="greater")
log_config = dict(interval=4, hooks=[dict(type="TextLoggerHook")])
log_level = "INFO"
load_from = None
resume_from = None
workflow = [("train", 1)]
