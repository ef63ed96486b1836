_base_ = './resnet50_8xb32_in1k.py'
# the list of the base with one more entry
train_pipeline = [*_base_.train_pipeline[:2], dict(type='ColorJitter', hue=0.1), *_base_.train_pipeline[2:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(backbone=dict(_delete_=True, type='VisionTransformer', arch='b', patch_size=16), neck=None)
