from copy import deepcopy

from mmengine.config import read_base

with read_base():
    from .rtmpose_lazy import *  # everything

head = deepcopy(model.head)
head.out_channels = 133
model.update(dict(head=head))
model.backbone.deepen_factor = 0.33
optim_wrapper.update(dict(optimizer=dict(lr=base_lr / 2), clip_grad=dict(max_norm=35, norm_type=2)))
