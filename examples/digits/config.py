# Train a small CNN on handwritten digits: mainspring train examples/digits/config.py
custom_imports = dict(imports=["digits"])

epochs = 12

model = dict(type="SmallCNN", width=32, num_classes=10)
train_dataloader = dict(
    dataset=dict(type="Digits", split="train", shift=1),
    sampler=dict(type="DefaultSampler", shuffle=True),
    collate_fn=dict(type="default_collate"),
    batch_size=32,
)
val_dataloader = dict(
    dataset=dict(type="Digits", split="val"),
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="default_collate"),
    batch_size=120,
)
train_cfg = dict(by_epoch=True, max_epochs=epochs)
val_cfg = dict()
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=3e-3))
param_scheduler = dict(type="CosineAnnealingLR", T_max=epochs)
val_evaluator = dict(type="Accuracy")
default_hooks = dict(checkpoint=dict(type="CheckpointHook", save_best="accuracy", max_keep_ckpts=2))
randomness = dict(seed=0)
