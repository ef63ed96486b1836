from torch.optim import AdamW
from zoo import Coco, Resize, ResNet, RetinaNet

from mainspring.config import later
from mainspring.dataset import DataLoader, DefaultSampler
from mainspring.optim import LinearLR, MultiStepLR, OptimWrapper

epochs = 12
data_root = "data/coco"

model = RetinaNet(backbone=ResNet(depth=50, frozen_stages=1), num_classes=80)

train_dataloader = DataLoader(
    Coco(ann_file=f"{data_root}/train.json", pipeline=[Resize((1333, 800))]),
    batch_size=2,
    sampler=later(DefaultSampler)(shuffle=True),
)
optim_wrapper = OptimWrapper(later(AdamW)(lr=2e-4, weight_decay=0.05), clip_grad=35.0)
param_scheduler = [
    later(LinearLR)(start_factor=1e-3, end=500, by_epoch=False),
    later(MultiStepLR)(milestones=[epochs * 2 // 3, epochs - 1], gamma=0.1),
]
