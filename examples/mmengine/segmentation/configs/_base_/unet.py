data_preprocessor = dict(
    type="mmengine.ImgDataPreprocessor",
    mean=[60.0, 60.0, 60.0],
    std=[70.0, 70.0, 70.0],
    bgr_to_rgb=True,
)
model = dict(
    type="EncoderDecoder",
    data_preprocessor=data_preprocessor,
    backbone=dict(type="TinyUNet", base_channels=12),
    decode_head=dict(type="FCNHead", in_channels=12, in_index=0, num_classes=4),
    auxiliary_head=dict(type="FCNHead", in_channels=24, in_index=1, num_classes=4, loss_weight=0.4),
)
