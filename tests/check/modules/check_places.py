"""Right configs in five dialects, and mistakes whose places are known: ``§`` stands before them."""

import json

import torch
import yaml
from torch.utils.data import TensorDataset


class XOR(TensorDataset):
    def __init__(self, count: int, seed: int = 0):
        points = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))
        super().__init__(points, (points[:, 0] * points[:, 1] > 0).long())


RECORDED = """
from torch import nn
from torch.optim import AdamW
from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.evaluator import Accuracy
from mainspring.model import Supervised
from mainspring.optim import OptimWrapper
from mainspring.runner import ByEpoch
from mainspring.hooks import EMAHook
from check_places import XOR

model = Supervised(nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2)), loss=nn.CrossEntropyLoss())
train_dataloader = DataLoader(XOR(64), batch_size=32, shuffle=True)
val_dataloader = DataLoader(XOR(64, seed=1), batch_size=32)
train_cfg = ByEpoch(max_epochs=1)
optim_wrapper = OptimWrapper(later(AdamW)(lr=1e-2))
val_evaluator = Accuracy()
"""
NEW_STYLE = """
from mmengine.config import read_base
from torch import nn
from torch.optim import AdamW
from mainspring.model import Supervised
from mainspring.evaluator import Accuracy
from mainspring.optim import CosineAnnealingLR
from check_places import XOR
epochs = 3
model = dict(type=Supervised, net=dict(type=nn.Linear, in_features=2, out_features=2), loss=dict(type=nn.CrossEntropyLoss))
train_dataloader = dict(dataset=dict(type=XOR, count=64), batch_size=32, sampler=dict(type="DefaultSampler", shuffle=True))
val_dataloader = dict(dataset=dict(type=XOR, count=64), batch_size=32, sampler=dict(type="DefaultSampler", shuffle=False))
train_cfg = dict(by_epoch=True, max_epochs=epochs)
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type=AdamW, lr=0.01))
param_scheduler = [dict(type=CosineAnnealingLR, T_max=epochs)]
val_cfg = dict()
val_evaluator = dict(type=Accuracy)
default_hooks = dict(checkpoint=dict(type="CheckpointHook", interval=1))
"""
TEXT = """
epochs = 3
model = dict(type='Supervised', net=dict(type='torch.nn.Linear', in_features=2, out_features=2), loss=dict(type='torch.nn.CrossEntropyLoss'))
train_dataloader = dict(dataset=dict(type='check_places.XOR', count=64), batch_size=32, sampler=dict(type="DefaultSampler", shuffle=True))
val_dataloader = dict(dataset=dict(type='check_places.XOR', count=64), batch_size=32, sampler=dict(type="DefaultSampler", shuffle=False))
train_cfg = dict(by_epoch=True, max_epochs=epochs)
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type='AdamW', lr=0.01))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=epochs)]
val_cfg = dict()
val_evaluator = dict(type='Accuracy')
default_hooks = dict(checkpoint=dict(type="CheckpointHook", interval=1))
"""
YAML = """
model:
  type: Supervised
  net: {type: torch.nn.Linear, in_features: 2, out_features: 2}
  loss:
    type: torch.nn.CrossEntropyLoss
train_dataloader:
  batch_size: 32
  dataset: {type: check_places.XOR, count: 64}
  sampler:
    type: DefaultSampler
    shuffle: true
val_dataloader: &val
  batch_size: 32
  dataset: {type: check_places.XOR, count: 64}
  sampler: {type: DefaultSampler, shuffle: false}
train_cfg: {by_epoch: true, max_epochs: 3}
optim_wrapper:
  type: OptimWrapper
  optimizer: {type: AdamW, lr: 0.01}
param_scheduler:
- type: CosineAnnealingLR
  T_max: 3
val_cfg: {}
val_evaluator: {type: Accuracy}
"""
JSON = json.dumps(yaml.safe_load(YAML), indent=1)

FILES = {
    "recorded": ("c.py", RECORDED),
    "new style": ("c.py", NEW_STYLE),
    "text": ("c.py", TEXT),
    "yaml": ("c.yaml", YAML),
    "json": ("c.json", JSON),
}

CHILD = "from mainspring.config import edit, later, copy\nfrom torch import nn\nfrom torch.optim import SGD, AdamW\nfrom mainspring.hooks import CheckpointHook, EMAHook, EarlyStoppingHook\nfrom .b import *\n"
NEW_STYLE_CHILD = "from mmengine.config import read_base\nwith read_base():\n    from .b import *\n"

# dialect, what is right, what is wrong instead
MISTAKES = [
    ("recorded", "nn.Linear(8, 2)", "nn.Linear(8, §out=2)"),
    ("recorded", "later(AdamW)(lr=1e-2)", "later(AdamW)(lr=1e-2, §weight_dcay=0.1)"),
    ("recorded", "batch_size=32, shuffle=True", "batch_size=32, §shufle=True"),
    ("recorded", "import Accuracy", "import §Acuracy as Accuracy"),
    ("recorded", "XOR(64)", "XOR(§count2=64)"),
    ("recorded", "optim_wrapper = ", "§optim_wraper = "),
    (
        "recorded",
        "val_evaluator = Accuracy()",
        "val_evaluator = Accuracy()\nparam_scheduler = dict(§type='CosineAnealingLR')",
    ),
    (
        "recorded",
        "val_evaluator = Accuracy()",
        "val_evaluator = Accuracy()\nrandomness = dict(§sed=1)",
    ),
    (
        "recorded",
        "val_evaluator = Accuracy()",
        "val_evaluator = Accuracy()\nenv_cfg = dict(§cudnn_bench=True)",
    ),
    (
        "recorded",
        "val_evaluator = Accuracy()",
        "val_evaluator = Accuracy()\ncustom_hooks = [EMAHook(§momentun=0.1)]",
    ),
    (
        "recorded",
        "val_evaluator = Accuracy()",
        "val_evaluator = Accuracy()\ndefault_hooks = dict(logger=dict(type='LoggerHook', §intervall=10))",
    ),
    ("recorded", "val_evaluator = Accuracy()", "val_evaluator = Accuracy()\n§log_level = 'INFOO'"),
    (
        "recorded",
        "val_evaluator = Accuracy()",
        "val_evaluator = Accuracy()\n§resume = 'no/such.pth'",
    ),
    (
        "recorded",
        "val_evaluator = Accuracy()",
        "val_evaluator = Accuracy()\nauto_scale_lr = dict(enable=True, §base_batchsize=16)",
    ),
    (
        "recorded",
        "val_evaluator = Accuracy()",
        "val_evaluator = Accuracy()\nmodel_wrapper_cfg = dict(type='MMDistributedDataParallel', §find_unused_params=True)",
    ),
    (
        "recorded",
        "val_evaluator = Accuracy()",
        "val_evaluator = Accuracy()\nval_cfg = dict(§compute_los=True)",
    ),
    (
        "recorded",
        "val_evaluator = Accuracy()",
        "val_evaluator = Accuracy()\n§train_cgf = dict(max_epochs=3)",
    ),
    (
        "recorded",
        "val_evaluator = Accuracy()",
        "val_evaluator = Accuracy()\nvisualizer = dict(type='Visualizer', vis_backends=[dict(§type='TensorbordVisBackend')])",
    ),
    (
        "recorded",
        "val_evaluator = Accuracy()",
        "val_evaluator = Accuracy()\nlog_processor = dict(§window=10)",
    ),
    ("new style", "type=nn.Linear, in_features=2", "type=nn.Linear, §in_feature=2"),
    ("new style", "type=CosineAnnealingLR, T_max=epochs", "type=CosineAnnealingLR, §Tmax=epochs"),
    ("new style", "type=AdamW, lr=0.01", "type=AdamW, §lrr=0.01"),
    ("new style", "import XOR", "import §XORR as XOR"),
    (
        "new style",
        'dict(type="CheckpointHook", interval=1)',
        'dict(type="CheckpointHook", interval=1, §save_bets="accuracy")',
    ),
    ("new style", "max_epochs=epochs", "max_epochs=epochs, §val_intervall=2"),
    (
        "text",
        "type='check_places.XOR', count=64), batch_size=32, sampler=dict(type=\"DefaultSampler\", shuffle=True)",
        "type='check_places.XOR', count=64), batch_size=32, sampler=dict(type=\"DefaultSampler\", §shufl=True)",
    ),
    ("text", "in_features=2", "§in_featurs=2"),
    ("text", "val_evaluator = dict(type='Accuracy')", "val_evaluator = dict(§type='Acuracy')"),
    ("text", "max_epochs=epochs)", "§max_epoch=epochs)"),
    ("text", "type='Supervised', net", "type='Supervised', §nett"),
    ("yaml", "in_features: 2", "§in_feature: 2"),
    ("yaml", "    shuffle: true", "    §shufle: true"),
    ("yaml", "lr: 0.01", "lr: 0.01, §momentum: 0.9"),
    ("yaml", "- type: CosineAnnealingLR", "- §type: CosinAnnealingLR"),
    ("yaml", "  T_max: 3", "  §Tmax: 3"),
    (
        "yaml",
        "  batch_size: 32\n  dataset: {type: check_places.XOR, count: 64}\n  sampler:",
        "  §batch_sise: 32\n  dataset: {type: check_places.XOR, count: 64}\n  sampler:",
    ),
    ("yaml", "val_evaluator: {type: Accuracy}", "val_evaluator: {§type: Accurac}"),
    ("yaml", "max_epochs: 3", "§max_epochs: three"),
    ("yaml", "optim_wrapper:\n", "§optim_wrappr:\n"),
    ("json", '"in_features": 2', '§"in_featurez": 2'),
    ("json", '"lr": 0.01', '§"learning_rate": 0.01'),
    ("json", '"type": "DefaultSampler"', '§"type": "DefaltSampler"'),
    ("json", '"shuffle": true', '§"shuffle": "yes"'),
    ("json", '"T_max": 3', '"T_max": 3, §"eta_minn": 1'),
    ("json", '"val_cfg": {}', '"val_cfg": {§"fp32": true}'),
]

# dialect of the base, the child
IN_CHILDREN = [
    ("recorded", CHILD + "edit(train_dataloader).§batchsize = 3\n"),
    ("recorded", CHILD + "edit(optim_wrapper).optimizer.§learning = 3\n"),
    ("recorded", CHILD + "edit(model).net = nn.Linear(2, §ot=3)\n"),
    (
        "recorded",
        CHILD + "custom_hooks = [EarlyStoppingHook(monitor='accuracy'), EMAHook(§begin_epok=1)]\n",
    ),
    ("recorded", CHILD + "§train_dataloder = copy(train_dataloader)\n"),
    ("recorded", "from mainspring.config import edit\nfrom .b import §modell\n"),
    ("recorded", CHILD + "edit(train_dataloader).§num_workers = 'two'\n"),
    ("new style", NEW_STYLE_CHILD + "optim_wrapper.optimizer.§lrate = 3\n"),
    ("new style", NEW_STYLE_CHILD + "model.update(dict(net=dict(§out=3)))\n"),
    ("new style", NEW_STYLE_CHILD + "param_scheduler[0].§T_maxx = 3\n"),
    ("new style", NEW_STYLE_CHILD + "train_cfg.update(§max_epoch=4)\n"),
    ("text", "_base_ = 'b.py'\nmodel = dict(net=dict(§in_chan=3))\n"),
    (
        "text",
        "_base_ = 'b.py'\noptim_wrapper = dict(optimizer=dict(_delete_=True, type='SGD', lr=0.1, §momentun=0.9))\n",
    ),
    ("text", "_base_ = 'b.py'\ntrain_cfg = dict(max_epochs=2, §val_intervl=1)\n"),
    ("text", "_base_ = 'b.py'\n§val_dataloaderr = dict(batch_size=4)\n"),
    ("text", "_base_ = 'b.py'\nmodel = dict(net=dict(§bias='x'))\n"),
    ("yaml", "_base_: b.yaml\noptim_wrapper:\n  optimizer:\n    §lrr: 0.1\n"),
    ("yaml", "_base_: [§c.yml]\n"),
    ("yaml", "_base_: b.yaml\nparam_scheduler:\n- {type: LinearLR, §start_fctor: 0.1}\n"),
    ("yaml", "_base_: b.yaml\ntrain_dataloader: {§num_worker: 2}\n"),
]
