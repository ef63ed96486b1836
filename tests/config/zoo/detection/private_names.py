# Private helpers are no part of a recorded config.
_scale = 2
_lr = 0.01 * _scale
# the optimizer
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=_lr, momentum=0.9))
train_cfg = dict(by_epoch=True, max_epochs=12 * _scale, val_interval=2)  # not long
