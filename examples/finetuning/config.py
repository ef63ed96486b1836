# Learn five other digits from ten examples of each: a new head on a frozen backbone
from mainspring.config import edit

from .pretrain import *

epochs = 30
pretrained = "work_dirs/finetuning/pretrain/epoch_6.pth"

load_from = pretrained
edit(model).net.head = "new"
edit(model).net.frozen = True
edit(train_dataloader).dataset = HalfOfTheDigits(5, "train", per_class=10)
edit(val_dataloader).dataset = HalfOfTheDigits(5, "val")
edit(optim_wrapper).optimizer.lr = 1e-2
edit(train_cfg).max_epochs = epochs
