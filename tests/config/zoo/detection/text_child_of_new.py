_base_ = './new_style_base.py'
model = dict(backbone=dict(depth=34), neck=dict(norm_cfg=dict(eps=1e-3)))
