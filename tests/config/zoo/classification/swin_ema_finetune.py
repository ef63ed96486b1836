_base_ = './swin-tiny_16xb64_in1k.py'
num_classes = {{_base_.model.head.num_classes}} // 10
model = dict(
    backbone=dict(
        frozen_stages=2,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.example.org/swin.pth',
            prefix='backbone')),
    head=dict(num_classes=num_classes))
custom_hooks = [dict(type='EMAHook', momentum=4e-5, priority='ABOVE_NORMAL')]
data_preprocessor = dict(num_classes=num_classes)
default_hooks = dict(logger=dict(interval=10), checkpoint=dict(max_keep_ckpts=3, save_best='auto'))
