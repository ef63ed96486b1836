_base_ = 'pspnet_r101-d8.py'
class_weight = [1.0 if i % 2 else 0.5 for i in range(19)]


def loss(weight, **kwargs):
    """A cross entropy with the weights of the classes."""
    return dict(
        type='CrossEntropyLoss',
        class_weight=class_weight,
        loss_weight=weight,
        **kwargs)


model = dict(
    decode_head=dict(
        loss_decode=[loss(1.0), dict(type='DiceLoss', loss_weight=3.0)]),
    auxiliary_head=dict(loss_decode=[loss(0.4, use_sigmoid=False)]))
