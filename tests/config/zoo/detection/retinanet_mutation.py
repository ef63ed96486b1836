"""A child that reads its bases with `_base_.`."""
_base_ = 'retinanet_ghm.py'

train_pipeline = _base_.train_pipeline
train_pipeline.insert(2, dict(type='RandomCrop', crop_size=(400, 400)))
num = _base_.model.bbox_head.num_classes + 1
model = dict(bbox_head=dict(num_classes=num), neck=dict(num_outs=_base_.model.neck.num_outs))
test_pipeline = _base_.test_pipeline[:-1] + [dict(type='PackDetInputs')]
