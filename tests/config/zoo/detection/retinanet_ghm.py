_base_ = [
    './_base_/models/retinanet.py',
    './_base_/datasets/coco_detection.py',
    './_base_/schedules/schedule_1x.py', './_base_/default_runtime.py'
]
model = dict(
    bbox_head=dict(
        loss_cls=dict(
            _delete_=True,
            type='GHMC',
            bins=30,
            use_sigmoid=True),
        loss_bbox=dict(type='GHMR', mu=0.02)))
# the type alone changes; the other arguments stay
optim_wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic', clip_grad=None)
work_dir = './work_dirs/{{ fileBasenameNoExtension }}'
