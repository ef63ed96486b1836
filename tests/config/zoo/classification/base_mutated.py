_base_ = './resnet50_8xb32_in1k.py'
model = _base_.model
model.backbone.depth = 101
_base_.train_dataloader.dataset.split = 'trainval'
_base_.train_pipeline[1]['scale'] = 192
