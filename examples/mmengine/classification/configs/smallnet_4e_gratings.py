_base_ = ["_base_/gratings.py", "_base_/default_runtime.py"]

model = dict(
    type="ImageClassifier",
    data_preprocessor=dict(type="ImgDataPreprocessor", mean=[120.0], std=[75.0]),
    backbone=dict(
        type="SmallNet",
        widths=(16, 32),
        init_cfg=[
            dict(type="Kaiming", layer="Conv2d"),
            dict(type="Constant", layer=["BatchNorm2d"], val=1.0),
        ],
    ),
    head=dict(type="LinearClsHead", num_classes=4, in_channels=32, label_smooth_val=0.1),
)

train_cfg = dict(by_epoch=True, max_epochs=4, val_interval=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    optimizer=dict(type="SGD", lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.25, by_epoch=True, end=1, convert_to_iter_based=True),
    dict(type="CosineAnnealingLR", eta_min=1e-4, by_epoch=True, begin=1),
]
custom_hooks = [
    dict(type="ClassCountHook"),
    dict(type="EarlyStoppingHook", monitor="accuracy/top1", patience=3),
]

tta_model = dict(type="AverageClsScoreTTA")
tta_pipeline = [
    dict(
        type="TestTimeAug",
        transforms=[
            [dict(type="RandomShift", reach=0), dict(type="RandomShift", reach=2)],
            [dict(type="PackInputs")],
        ],
    )
]
