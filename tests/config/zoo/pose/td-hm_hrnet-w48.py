_base_ = './td-hm_hrnet-w32_coco-256x192.py'
codec = dict(input_size=(288, 384), heatmap_size=(72, 96), sigma=3)
model = dict(
    backbone=dict(
        extra=dict(
            stage2=dict(num_channels=(48, 96))),
        init_cfg=dict(checkpoint='https://download.example.org/hrnet_w48.pth')),
    head=dict(in_channels=48))
