custom_imports = dict(imports=["planted"])
model = dict(type="Net", fault=None)
train_dataloader = dict(
    dataset=dict(type="Points", fault=None),
    batch_size=4,
    sampler=dict(type="DefaultSampler", shuffle=True),
    num_workers=0,
)
train_cfg = dict(by_epoch=True, max_epochs=3)
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=0.01))
param_scheduler = dict(type="LinearLR", start_factor=0.1, end=100, by_epoch=False)
custom_hooks = [dict(type="EMAHook")]
