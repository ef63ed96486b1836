from mmengine.config import read_base

with read_base():
    from .new_style_base import model, optim_wrapper
    from .new_style_base import train_dataloader as loader

model['backbone']['depth'] = 101
model.merge(dict(neck=dict(_delete_=True, type='PAFPN'), bbox_head=dict(num_classes=3)))
del model.neck
train_dataloader = loader
train_dataloader['batch_size'] = 16
optim_wrapper.update(dict(clip_grad=dict(max_norm=35)))
