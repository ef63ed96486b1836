# The dataset, the neck and the schedule are others.
_base_ = ['faster-rcnn_r50_fpn_1x_coco.py']

num_classes = 20
max_epochs = 4 * 3
model = dict(
    neck=dict(
        _delete_=True,
        type='PAFPN',
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        num_outs=5),
    roi_head=dict(bbox_head=dict(num_classes=num_classes)))

data_root = 'data/VOCdevkit/'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='RepeatDataset',
        times=3,
        dataset=dict(
            type='ConcatDataset',
            # VOCDataset will add different `dataset_type` in dataset.metainfo
            datasets=[
                dict(
                    type='VOCDataset',
                    data_root=data_root,
                    ann_file=f'VOC{year}/ImageSets/Main/trainval.txt',
                    data_prefix=dict(sub_data_root=f'VOC{year}/'),
                    filter_cfg=dict(filter_empty_gt=True, min_size=32),
                    pipeline={{_base_.train_pipeline}})
                for year in (2007, 2012)
            ])))
val_evaluator = dict(_delete_=True, type='VOCMetric', metric='mAP', eval_mode='11points')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=max_epochs, val_interval=3)
param_scheduler = [
    dict(
        type='MultiStepLR',
        begin=0,
        end=max_epochs,
        by_epoch=True,
        milestones=[max_epochs * 2 // 3, max_epochs - 1],
        gamma=0.1)
]
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=0.0001 * 2, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0., bypass_duplicate=True),
    clip_grad=dict(max_norm=35, norm_type=2))
