# The same dict in several places: each is merged alone.
_base_ = '_base_/models/retinanet.py'
norm_cfg = dict(type='SyncBN', requires_grad=True)
head_cfg = dict(num_classes=3)
model = dict(
    backbone=dict(norm_cfg=norm_cfg),
    neck=dict(norm_cfg=norm_cfg),
    bbox_head=dict(**head_cfg))
