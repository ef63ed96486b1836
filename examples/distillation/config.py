# A student a hundredth of its teacher's size: mainspring train examples/distillation/config.py
from distill import Distiller, Net

from mainspring.config import edit

from .pretrain import *

epochs = 60
pretrained = "work_dirs/distillation/pretrain/epoch_25.pth"

model = Distiller(student=Net(width=12), teacher=Net(width=256), weights=pretrained)
edit(optim_wrapper).optimizer.lr = 5e-3
edit(train_cfg).max_epochs = epochs
