_base_ = ["./_base_/shapes.py", "./_base_/default_runtime.py"]

model = dict(
    type="PointDetector",
    data_preprocessor=dict(
        type="mmengine.ImgDataPreprocessor",
        mean=[40.0, 40.0, 40.0],
        std=[50.0, 50.0, 50.0],
        bgr_to_rgb=False,
    ),
    backbone=dict(type="TinyBackbone", channels=(16, 32, 48)),
    bbox_head=dict(type="PointHead", num_classes=2, in_channels=48, stride=8),
)

max_epochs = 8
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=max_epochs, val_interval=2)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")

param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=16),
    dict(type="MultiStepLR", begin=0, end=max_epochs, by_epoch=True, milestones=[6], gamma=0.1),
]
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=0.004, weight_decay=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys={"bbox_head.reg": dict(lr_mult=2.0)}),
    clip_grad=dict(max_norm=10, norm_type=2),
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
