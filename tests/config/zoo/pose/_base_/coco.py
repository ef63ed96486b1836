dataset_info = dict(
    dataset_name='coco',
    keypoint_info={
        0: dict(name='nose', id=0, color=[51, 153, 255], type='upper', swap=''),
        1: dict(name='left_eye', id=1, color=[51, 153, 255], type='upper', swap='right_eye'),
    },
    joint_weights=[1., 1.],
    sigmas=[0.026, 0.025])
