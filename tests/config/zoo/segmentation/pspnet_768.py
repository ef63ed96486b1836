_base_ = [
    './_base_/models/pspnet_r50-d8.py', './_base_/datasets/cityscapes_768x768.py',
    './_base_/default_runtime.py', './_base_/schedules/schedule_40k.py'
]
iters = 80 * 1000
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', eta_min=0.0, power=1.0, begin=1500, end=iters, by_epoch=False)
]
optimizer = dict(lr=0.02)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=0.00006, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(custom_keys={
        'pos_block': dict(decay_mult=0.),
        'norm': dict(decay_mult=0.),
        'head': dict(lr_mult=10.)
    }))
train_cfg = dict(max_iters=iters, val_interval=iters // 10)
test_dataloader = dict(batch_size=4)
