_base_ = [
    './td-hm_hrnet-w32_coco-256x192.py',
    './_base_/coco.py',
]
dataset_coco = dict(
    type='CocoPoseDataset',
    data_root='data/coco',
    metainfo=dict(from_file='configs/_base_/datasets/coco.py'),
    pipeline=[],
)
dataset_aic = dict(
    type='AicDataset',
    data_root='data/aic',
    pipeline=[
        dict(
            type='KeypointConverter',
            num_keypoints=17,
            mapping=[(a, b) for a, b in zip(range(0, 4), range(4, 8))])
    ],
)
train_dataloader = dict(
    batch_size=32,
    dataset=dict(
        _delete_=True,
        type='CombinedDataset',
        metainfo=_base_.dataset_info,
        datasets=[dataset_coco, dataset_aic],
        pipeline=_base_.train_pipeline,
        test_mode=False))
# the evaluator of the base in a list
val_evaluator = [dict(type='CocoPoseMetric', ann_file='x.json'), dict(type='PCKAccuracy', thr=0.2)]
test_evaluator = val_evaluator
