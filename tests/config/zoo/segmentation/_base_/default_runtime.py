default_scope = 'mmseg'
env_cfg = dict(cudnn_benchmark=True, dist_cfg=dict(backend='nccl'))
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(
    type='SegLocalVisualizer', vis_backends=vis_backends, name='visualizer')
log_processor = dict(by_epoch=False)
log_level = 'INFO'
tta_model = dict(type='SegTTAModel')
