from zoo import ResNet

from mainspring.config import edit

from .retinanet_r50 import *

edit(model).backbone = ResNet(depth=101)  # assignment replaces: no _delete_
edit(train_dataloader).batch_size = 4
edit(model).backbone.frozen_stages = 2
