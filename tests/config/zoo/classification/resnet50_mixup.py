_base_ = ['resnet50_8xb32_in1k.py']
# mixup
model = dict(
    head=dict(loss=dict(_delete_=True, type='LabelSmoothLoss', label_smooth_val=0.1, num_classes=1000)),
    train_cfg=dict(augments=dict(type='Mixup', alpha=0.2)))
train_dataloader = dict(batch_size=64)
test_evaluator = dict(type='Accuracy', topk=(1, ))
