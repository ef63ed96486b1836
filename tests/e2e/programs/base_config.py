custom_imports = dict(imports=["toy"], allow_failed_imports=False)
default_scope = None
lr = 0.05
model = dict(type="ToyModel", data_preprocessor=dict(type="BaseDataPreprocessor"))
train_dataloader = dict(
    dataset=dict(type="ToyDataset", length=24),
    sampler=dict(type="DefaultSampler", shuffle=True),
    batch_size=6,
)
val_dataloader = dict(
    dataset=dict(type="ToyDataset"),
    sampler=dict(type="DefaultSampler", shuffle=False),
    batch_size=5,
)
val_evaluator = dict(type="SignAccuracy")
train_cfg = dict(by_epoch=True, max_epochs=2)
val_cfg = dict()
optim_wrapper = dict(
    type="OptimWrapper", optimizer=dict(type="SGD", lr=lr), clip_grad=dict(max_norm=35)
)
param_scheduler = [dict(type="ExponentialLR", gamma=0.9, by_epoch=True)]
default_hooks = dict(logger=dict(type="LoggerHook", interval=1))
randomness = dict(seed=1)
