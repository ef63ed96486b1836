"""RetinaNet, whose name is a Python name."""
model = dict(
    type='RetinaNet',
    backbone=dict(type='ResNet', depth=50, norm_cfg=dict(type='BN', requires_grad=True)),
    neck=dict(type='FPN', in_channels=[256, 512, 1024, 2048], num_outs=5),
    bbox_head=dict(
        type='RetinaHead',
        num_classes=80,
        loss_cls=dict(type='FocalLoss', gamma=2.0, alpha=0.25)),
    test_cfg=dict(nms_pre=1000, score_thr=0.05))
