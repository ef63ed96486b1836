dataset_type = "ShapesDataset"

train_pipeline = [dict(type="RandomFlip", prob=0.5), dict(type="PackDetInputs")]
test_pipeline = [dict(type="PackDetInputs")]

train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(type=dataset_type, num_images=256, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type=dataset_type, num_images=64, first=10000, test_mode=True, pipeline=test_pipeline
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="RecallMetric")
test_evaluator = val_evaluator
