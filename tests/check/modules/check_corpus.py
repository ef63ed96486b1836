"""Right configs in four dialects, and mistakes planted in them: old text -> wrong text, what is named."""

RECORDED = """
from check_parts import Points
from torch import nn
from torch.optim import AdamW

from mainspring.config import later
from mainspring.dataset import DataLoader, DefaultSampler
from mainspring.evaluator import Accuracy
from mainspring.hooks import CheckpointHook, EarlyStoppingHook, EMAHook, LoggerHook
from mainspring.model import Supervised
from mainspring.optim import CosineAnnealingLR, LinearLR, OptimWrapper
from mainspring.runner import ByEpoch

model = Supervised(nn.Linear(3, 2), loss=nn.CrossEntropyLoss(label_smoothing=0.1))
train_dataloader = DataLoader(
    Points("train"), batch_size=4, num_workers=0, sampler=later(DefaultSampler)(shuffle=True)
)
val_dataloader = DataLoader(Points("val"), batch_size=4, drop_last=False)
val_evaluator = Accuracy(topk=1)
val_cfg = dict(compute_loss=False)
train_cfg = ByEpoch(max_epochs=3, val_interval=1)
optim_wrapper = OptimWrapper(
    later(AdamW)(lr=1e-3, betas=(0.9, 0.99), weight_decay=0.1),
    accumulative_counts=1,
    clip_grad=dict(max_norm=1.0),
    paramwise_cfg=dict(custom_keys={"net.bias": dict(lr_mult=0.1)}, norm_decay_mult=0.0),
)
param_scheduler = [
    later(LinearLR)(start_factor=0.1, end=1),
    later(CosineAnnealingLR)(eta_min=1e-5, begin=1, end=3),
]
default_hooks = dict(
    checkpoint=CheckpointHook(interval=1, save_best="accuracy", max_keep_ckpts=2),
    logger=LoggerHook(interval=5),
)
custom_hooks = [
    EMAHook(momentum=0.1, begin_epoch=1),
    EarlyStoppingHook(monitor="accuracy", patience=2, priority="LOW"),
]
randomness = dict(seed=1, deterministic=False)
env_cfg = dict(mp_cfg=dict(mp_start_method="fork"), dist_cfg=dict(backend="gloo"))
log_processor = dict(window_size=10)
visualizer = dict(vis_backends=[dict(type="LocalVisBackend")])
auto_scale_lr = dict(enable=False, base_batch_size=16)
model_wrapper_cfg = dict(type="MMDistributedDataParallel", find_unused_parameters=False)
log_level = "INFO"
load_from = None
resume = False
"""

TEXT = """
model = dict(
    type='Supervised',
    net=dict(type='torch.nn.Linear', in_features=3, out_features=2),
    loss=dict(type='torch.nn.CrossEntropyLoss'),
)
train_dataloader = dict(
    dataset=dict(type='Points', split='train'),
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    batch_size=4,
    num_workers=0,
)
val_dataloader = dict(
    dataset=dict(type='Points', split='val'),
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_size=4,
)
val_evaluator = dict(type='Accuracy', topk=1)
val_cfg = dict(type='ValLoop')
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=12, val_interval=1)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, nesterov=True),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', milestones=[8, 11], gamma=0.1, by_epoch=True),
]
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    checkpoint=dict(type='CheckpointHook', interval=1, save_best='accuracy', rule='greater'),
)
custom_hooks = [dict(type='EMAHook', momentum=0.001, priority='ABOVE_NORMAL')]
env_cfg = dict(cudnn_benchmark=False, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0))
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')], name='v')
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)
randomness = dict(seed=0, diff_rank_seed=False)
launcher = 'none'
"""

YAML = """
model:
  type: Supervised
  net: {type: torch.nn.Linear, in_features: 3, out_features: 2}
  loss: {type: torch.nn.CrossEntropyLoss}
train_dataloader:
  dataset: {type: Points}
  sampler: {type: InfiniteSampler, shuffle: true}
  batch_size: 4
train_cfg: {by_epoch: false, max_iters: 100}
optim_wrapper:
  type: AmpOptimWrapper
  dtype: bfloat16
  optimizer: {type: Adam, lr: 0.001, eps: 1.0e-8}
param_scheduler: {type: PolyLR, power: 0.9, eta_min: 1.0e-4}
default_hooks:
  checkpoint: {type: CheckpointHook, interval: 50, by_epoch: false}
  logger: {type: LoggerHook, interval: 10}
log_processor: {by_epoch: false}
randomness: {seed: 3}
"""

VARIANT = """
from .base import *
from mainspring.config import edit

edit(train_dataloader).batch_size = 8
edit(optim_wrapper).accumulative_counts = 2
"""

BASE_OF_VARIANT = (
    RECORDED.replace("max_epochs=3,", "max_epochs=epochs,")
    .replace("Linear(3, 2)", "Linear(width, 2)")
    .replace("\nmodel = ", "\nepochs = 3\nwidth = 3\nmodel = ")
)

MISTAKES = {
    "recorded": (RECORDED, [
        # names
        ("import AdamW", "import AdamWW as AdamW", "AdamWW"),
        ("import Points", "import Pointz as Points", "Pointz"),
        ("nn.Linear(3", "nn.Liner(3", "Liner"),
        # models
        ("Linear(3, 2)", "Linear(3)", "out_features"),
        ("Linear(3, 2)", "Linear(3, 2, 3, 4, 5, 6)", "positional"),
        ("Linear(3, 2)", "Linear(3, out_feature=2)", "out_feature"),
        ("Linear(3, 2)", "Linear(3, -2)", "negative"),
        ("label_smoothing=0.1", "label_smooth=0.1", "label_smooth"),
        ("label_smoothing=0.1", "label_smoothing='x'", "label_smoothing"),
        ("loss=nn.Cross", "los=nn.Cross", "los"),
        ("loss=nn.CrossEntropyLoss(label_smoothing=0.1)", "loss=3", "loss"),
        # loaders
        ('"train"), batch_size=4', '"train"), batch_size=0', "batch_size"),
        ('"train"), batch_size=4', '"train"), batch_size="4"', "batch_size"),
        ('"train"), batch_size=4', '"train"), batchsize=4', "batchsize"),
        ('"train"), batch_size=4', '"train"), batch_size=4.5', "batch_size"),
        ('Points("train")', 'Points(splitt="train")', "splitt"),
        ("num_workers=0", "num_workers=-1", "num_workers"),
        ("num_workers=0", "num_workers=0, persistent_workers=True", "persistent_workers"),
        ("num_workers=0", "num_workers=0, prefetch_factor=2", "prefetch_factor"),
        ("num_workers=0", "num_workers=2, multiprocessing_context='forkk'", "multiprocessing"),
        ("num_workers=0", "num_workers=0, timeout=-1", "timeout"),
        ("num_workers=0", "num_workers=0, shuffle=True", "shuffle"),
        ("num_workers=0", "num_workers=0, sample_rng='items'", "sample_rng"),
        ("num_workers=0", "num_workers=0, collate_fn=3", "collate_fn"),
        ("num_workers=0", "num_workers=0, batch_sampler=3", "batch_sampler"),
        ("(shuffle=True)", "(shufle=True)", "shufle"),
        ("later(DefaultSampler)(shuffle=True)", "later(DefaultSampler)(seed='a')", "seed"),
        ("later(DefaultSampler)(shuffle=True)", "5", "sampler"),
        ("drop_last=False", "drop_lst=False", "drop_lst"),
        # metrics and loops
        ("topk=1", "topk=0", "topk"),
        ("topk=1", "topk='5'", "topk"),
        ("topk=1", "topk=()", "topk"),
        ("topk=1", "collect_device='tpu'", "collect_device"),
        ("topk=1", "k=1", "'k'"),
        ("compute_loss=False", "compute_losses=False", "compute_losses"),
        ("compute_loss=False", "fp16=False, half=True", "half"),
        ("val_cfg = dict(compute_loss=False)", "val_cfg = 3", "val_cfg"),
        ("max_epochs=3", "max_epochs=0", "max_epochs"),
        ("max_epochs=3", "max_epochs=2.5", "max_epochs"),
        ("max_epochs=3", "max_epochs='3'", "max_epochs"),
        ("max_epochs=3, ", "", "max_epochs"),
        ("val_interval=1", "val_interval=0.5", "val_interval"),
        ("val_interval=1", "val_interval=0", "val_interval"),
        ("val_interval=1", "val_interval=7", "val_interval"),
        ("val_interval=1", "val_begin=9", "val_begin"),
        ("val_interval=1", "dynamic_intervals=[(3, 1), (1, 2)]", "dynamic_intervals"),
        ("val_interval=1", "dynamic_intervals=[3]", "dynamic_intervals"),
        # optimizers
        ("lr=1e-3", "lr=-1e-3", "learning rate"),
        ("lr=1e-3", "lr='x'", "lr"),
        ("lr=1e-3", "learning_rate=1e-3", "learning_rate"),
        ("(0.9, 0.99)", "(0.9, 1.99)", "beta"),
        ("(0.9, 0.99)", "0.9", "betas"),
        ("(0.9, 0.99)", "(0.9,)", "betas"),
        ("weight_decay=0.1", "weight_decay=-0.1", "weight_decay"),
        ("weight_decay=0.1", "weight_deacy=0.1", "weight_deacy"),
        ("later(AdamW)(lr", "AdamW(lr", "later"),
        ("accumulative_counts=1", "accumulative_counts=0", "accumulative_counts"),
        ("accumulative_counts=1", "accumulate=2", "accumulate"),
        ("max_norm=1.0", "max_nrom=1.0", "max_nrom"),
        ("max_norm=1.0", "max_norm=-1.0", "max_norm"),
        ("dict(max_norm=1.0)", "'yes'", "clip_grad"),
        ("dict(max_norm=1.0)", "dict(type='valu', clip_value=1.0)", "valu"),
        ("custom_keys=", "custom_key=", "custom_key"),
        ("lr_mult=0.1", "lr_mul=0.1", "lr_mul"),
        ('"net.bias"', '"backbone"', "backbone"),
        ("norm_decay_mult", "norm_decay_mul", "norm_decay_mul"),
        ('{"net.bias": dict(lr_mult=0.1)}', "['net.bias']", "custom_keys"),
        ('"net.bias": dict(lr_mult=0.1)', '"net.bias": 0.1', "net.bias"),
        # schedules
        ("start_factor=0.1", "start_factor=10", "start_factor"),
        ("start_factor=0.1", "start_facter=0.1", "start_facter"),
        ("begin=1, end=3", "begin=2, end=1", "range"),
        ("begin=1, end=3", "begin=-1, end=3", "begin"),
        ("begin=1, end=3", "begin=1, end=30", "end"),
        ("begin=1, end=3", "begin=1, T_max=30", "T_max"),
        ("eta_min=1e-5", "eta_min=0, eta_min_ratio=0.1", "eta_min"),
        ("end=1)", "end=1, by_epoch='no')", "by_epoch"),
        ("import CosineAnnealingLR, LinearLR", "import CosineAnealingLR as CosineAnnealingLR, LinearLR", "CosineAnealingLR"),
        # hooks
        ("interval=1, save", "interval='1', save", "interval"),
        ("interval=1, save", "interval=0, save", "interval"),
        ('save_best="accuracy"', 'save_best="acc"', "acc"),
        ('save_best="accuracy"', 'save_best=["accuracy", "accuracy"]', "accuracy"),
        ('save_best="accuracy"', 'save_best="accuracy", rule="more"', "more"),
        ("max_keep_ckpts=2", "max_keep_ckpt=2", "max_keep_ckpt"),
        ("max_keep_ckpts=2", "save_begin=-3", "save_begin"),
        ("max_keep_ckpts=2", "on_failure='stop'", "on_failure"),
        ("checkpoint=Check", "chekpoint=Check", "chekpoint"),
        ("logger=LoggerHook(interval=5)", "logger=5", "logger"),
        ("LoggerHook(interval=5)", "LoggerHook(interval=0)", "interval"),
        ("LoggerHook(interval=5)", "LoggerHook(intervall=5)", "intervall"),
        ("momentum=0.1,", "momentun=0.1,", "momentun"),
        ("momentum=0.1,", "momentum=1.5,", "momentum"),
        ("begin_epoch=1", "begin_epoch=9", "begin_epoch"),
        ("begin_epoch=1", "begin_epoch=-1", "begins"),
        ("begin_epoch=1", "begin_epoch=1, begin_iter=2", "begin_iter"),
        ('monitor="accuracy"', 'monitor="loss"', "loss"),
        ('monitor="accuracy"', 'monitr="accuracy"', "monitr"),
        ('monitor="accuracy", ', "", "monitor"),
        ("patience=2", "patience=-1", "patience"),
        ('priority="LOW"', 'priority="LOWW"', "LOWW"),
        ('priority="LOW"', "priority=101", "priority"),
        ("custom_hooks = [", "custom_hooks = ['EMAHook', ", "EMAHook"),
        # the process
        ("seed=1", "seed=-1", "seed"),
        ("seed=1", "sed=1", "sed"),
        ("deterministic=False", "sample_rng='word'", "sample_rng"),
        ("randomness = dict(seed=1, deterministic=False)", "randomness = 1", "randomness"),
        ('"fork"', '"forked"', "forked"),
        ('"gloo"', '"glooo"', "glooo"),
        ("mp_cfg=", "mp_cgf=", "mp_cgf"),
        ("window_size=10", "windw_size=10", "windw_size"),
        ("window_size=10", "by_epoch=False", "by_epoch"),
        ("window_size=10", "custom_cfg=[dict(data_src='loss')]", "method_name"),
        ('"LocalVisBackend"', '"LocalVisBackendd"', "LocalVisBackendd"),
        ("vis_backends", "vis_backend", "vis_backend"),
        ('type="LocalVisBackend"', 'type="LocalVisBackend", scalar_save_file="a.txt"', "scalar_save_file"),
        ("base_batch_size=16", "base_batch_size=0", "base_batch_size"),
        ("base_batch_size=16", "base_batchsize=16", "base_batchsize"),
        ("find_unused_parameters", "find_unused_params", "find_unused_params"),
        ("model_wrapper_cfg", "model_wraper_cfg", "model_wraper_cfg"),
        ('log_level = "INFO"', 'log_level = "INFOO"', "INFOO"),
        ("load_from = None", 'load_from = "none.pth"', "none.pth"),
        ("resume = False", "resume = 1.5", "resume"),
        # sections
        ("\nval_evaluator", "\nval_evalutor", "val_evalutor"),
        ("\nmodel = ", "\nmodle = ", "modle"),
        ("\noptim_wrapper = ", "\noptim_wraper = ", "optim_wraper"),
        ("\nrandomness", "\nrandomnes", "randomnes"),
        ("\nlog_level", "\nlauncher = 'slrum'\nlog_level", "slrum"),
        ("\nlog_level", "\nworkdir = 'x'\nlog_level", "workdir"),
        ("\nlog_level", "\ndevice = 'cuda:7'\nlog_level", "device"),
        ("\nlog_level", "\nlr_config = dict(policy='step')\nlog_level", "lr_config"),
        ("\nlog_level", "\nrandomness = dict(seed=2)\nlog_level", "randomness"),
        ("\nval_evaluator = Accuracy(topk=1)", "", "val_evaluator"),
    ]),
    "text": (TEXT, [
        ("type='Supervised'", "type='Superviced'", "Superviced"),
        ("torch.nn.Linear'", "torch.nn.Liner'", "Liner"),
        ("in_features=3", "in_feature=3", "in_feature"),
        ("in_features=3", "in_features='3'", "in_features"),
        ("split='train'", "splt='train'", "splt"),
        ("'default_collate'", "'defalt_collate'", "defalt_collate"),
        ("num_workers=0", "num_worker=0", "num_worker"),
        ("num_workers=0", "num_workers=0, persistent_workers=True", "persistent_workers"),
        ("    sampler=dict(type='DefaultSampler', shuffle=True),\n", "", "sampler"),
        ("    dataset=dict(type='Points', split='train'),\n", "", "dataset"),
        ("type='Accuracy'", "type='Acuracy'", "Acuracy"),
        ("topk=1", "topk=-1", "topk"),
        ("'ValLoop'", "'ValLop'", "ValLop"),
        ("type='EpochBasedTrainLoop'", "by_epoch=True, type='EpochBasedTrainLoop'", "by_epoch"),
        ("type='EpochBasedTrainLoop', max_epochs", "by_epoch=False, max_epochs", "max_iters"),
        ("type='EpochBasedTrainLoop', max_epochs", "max_epoch", "max_epoch"),
        ("type='SGD'", "type='SDG'", "SDG"),
        ("momentum=0.9,", "momentum=-0.9,", "momentum"),
        ("momentum=0.9,", "momentum=0,", "esterov"),
        ("lr=0.1, ", "lr=-0.1, ", "learning rate"),
        ("optimizer=dict", "optimzer=dict", "optimzer"),
        ("norm_type=2", "norm_typ=2", "norm_typ"),
        ("start_factor=0.1", "start_factor=2", "factor"),
        ("milestones=[8, 11]", "milestones=[8, 15]", "15"),
        ("milestones=[8, 11]", "milestone=[8, 11]", "milestone"),
        ("gamma=0.1", "gama=0.1", "gama"),
        ("type='MultiStepLR'", "type='torch.optim.lr_scheduler.MultiStepLR'", "torch"),
        ("'IterTimerHook'", "'ItterTimerHook'", "ItterTimerHook"),
        ("rule='greater'", "rule='grater'", "grater"),
        ("momentum=0.001", "momentum=-1", "momentum"),
        ("'ABOVE_NORMAL'", "'ABOVE'", "ABOVE"),
        ("opencv_num_threads", "opencv_threads", "opencv_threads"),
        ("vis_backends=[dict(type='LocalVisBackend')]", "vis_backends=[dict(type='LocalBackend')]", "LocalBackend"),
        ("window_size=50", "window=50", "window"),
        ("by_epoch=True)\nrandom", "by_epoch=False)\nrandom", "by_epoch"),
        ("diff_rank_seed", "diff_rank_sed", "diff_rank_sed"),
        ("launcher = 'none'", "launcher = 'pytroch'", "pytroch"),
        ("launcher = 'none'", "total_epochs = 3", "total_epochs"),
        ("val_cfg = ", "val_cgf = ", "val_cgf"),
    ]),
    "yaml": (YAML, [
        ("type: Adam,", "type: Adamm,", "Adamm"),
        ("lr: 0.001", "lr: -0.001", "learning rate"),
        ("eps: 1.0e-8", "eps: -1", "eps"),
        ("max_iters: 100", "max_iters: -5", "max_iters"),
        ("max_iters: 100", "max_iter: 100", "max_iter"),
        ("dtype: bfloat16", "dtype: bf16", "bf16"),
        ("dtype: bfloat16", "dtyp: bfloat16", "dtyp"),
        ("power: 0.9", "pwr: 0.9", "pwr"),
        ("interval: 50", "intervall: 50", "intervall"),
        ("by_epoch: false}\n  logger", "by_epoch: true}\n  logger", "by_epoch"),
        ("log_processor: {by_epoch: false}", "log_processor: {by_epoch: true}", "by_epoch"),
        ("seed: 3", "seed: three", "seed"),
        ("InfiniteSampler", "InfinitSampler", "InfinitSampler"),
        ("out_features: 2", "out_features: two", "out_features"),
        ("batch_size: 4", "batch_size: -4", "batch_size"),
    ]),
    "variant": (VARIANT, [
        ("edit(train_dataloader).batch_size", "edit(train_dataloader).batchsize", "batchsize"),
        ("accumulative_counts = 2", "accumulative_counts = -2", "accumulative_counts"),
        ("\nedit(train", "\nepochs = 24\nedit(train", "epochs"),
        ("\nedit(train", "\nwidht = 24\nedit(train", "widht"),
        ("\nedit(train", "\noptim_wraper = 3\nedit(train", "optim_wraper"),
        ("\nedit(train", "\ntrain_dataloder = 3\nedit(train", "train_dataloder"),
        ("\nedit(train", "\nedit(model).nett = None\nedit(train", "nett"),
    ]),
}  # fmt: skip
