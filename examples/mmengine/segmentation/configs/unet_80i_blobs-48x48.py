_base_ = [
    "./_base_/unet.py",
    "./_base_/blobs.py",
    "./_base_/default_runtime.py",
    "./_base_/schedule_80.py",
]
crop_size = {{_base_.crop_size}}
model = dict(decode_head=dict(dropout_ratio=0.05))
