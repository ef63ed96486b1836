_base_ = ['resnet50_8xb32_in1k.py']

# Only for demo: a cosine instead of steps
param_scheduler = dict(
    _delete_=True,
    type='CosineAnnealingLR',
    T_max={{_base_.train_cfg.max_epochs}},
    by_epoch=True,
    convert_to_iter_based=True)
