_base_ = './faster-rcnn_r50_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        depth=101,  # deeper
        # and with other weights
        init_cfg=dict(type='Pretrained',
                      checkpoint='torchvision://resnet101')))
