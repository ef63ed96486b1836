_base_ = ['./faster-rcnn_r50_fpn_1x_coco.py']
# three heads, seven levels deep
model = dict(
    type='CascadeRCNN',
    roi_head=dict(
        _delete_=True,
        type='CascadeRoIHead',
        num_stages=3,
        stage_loss_weights=[1, 0.5, 0.25],
        bbox_head=[
            dict(
                type='Shared2FCBBoxHead',
                num_classes=80,
                bbox_coder=dict(
                    type='DeltaXYWHBBoxCoder',
                    target_stds=[0.1 / i, 0.1 / i, 0.2 / i, 0.2 / i]),
                loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=1.0))
            for i in (1, 2, 3)
        ]),
    train_cfg=dict(rpn=dict(assigner=dict(pos_iou_thr=0.6, extra={'a-b': 1}))))
