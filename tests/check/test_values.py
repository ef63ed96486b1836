"""Values that the engine itself reads: what cannot be is said with its place and what to do."""

from __future__ import annotations

import pytest

from mainspring.check import check_config
from mainspring.config import Config
from mainspring.dataset.any_loader import no_batch_error
from mainspring.errors import ConfigError
from mainspring.runner import Runner

WRONG = [
    # the length of training, in each of its forms
    ("train_cfg = ByEpoch(max_epochs='6')", "21", "max_epochs is '6'", "give a whole number"),
    (
        "train_cfg = dict(by_epoch=True, max_epochs=2.5)",
        "33",
        "max_epochs is 2.5",
        "give a whole number",
    ),
    (
        "train_cfg = dict(max_iters=0)",
        "18",
        "max_iters is 0, so nothing would be trained",
        "give a whole number of at least 1",
    ),
    (
        "train_cfg = dict(type='EpochBasedTrainLoop', max_epochs='6')",
        "46",
        "max_epochs is '6', but EpochBasedTrainLoop takes int",
        None,
    ),
    (
        "train_cfg = dict(max_epochs=6, max_iters=5)",
        "32",
        "train_cfg gives both max_epochs and max_iters",
        "leave one out",
    ),
    (
        "train_cfg = ByEpoch(max_epochs=3, val_interval=0)",
        "35",
        "val_interval is 0",
        "give a whole number of at least 1",
    ),
    (
        "train_cfg = 6",
        "1",
        "train_cfg is 6, but it is a dict of settings or a loop",
        "write train_cfg = dict(...)",
    ),
    # loaders
    (
        "train_dataloader = DataLoader(Points('train'), batch_size=-1)",
        "48",
        "batch_size should be a positive integer value, but got batch_size=-1",
        None,
    ),
    (
        "val_dataloader = dict(a=DataLoader(Points(), batch_size=0), b=DataLoader(Points()))",
        "46",
        "batch_size should be a positive integer value, but got batch_size=0",
        None,
    ),
    (
        "train_dataloader = DataLoader(Points('train'), num_workers=-1)",
        "48",
        "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.",
        None,
    ),
    (
        "train_dataloader = DataLoader(Points('train'), batch_size=4, timeout=9)",
        "62",
        "timeout is 9, but no worker is waited for: num_workers is 0",
        None,
    ),
    (
        "train_dataloader = dict(dataset=Points('train'), sampler=None)",
        "50",
        "the loader has no sampler",
        "add sampler=dict(type='DefaultSampler', shuffle=True), or shuffle=True",
    ),
    (
        "train_dataloader = Points('train')",
        "1",
        "Points is no loader class",
        "a data set goes into a loader: DataLoader(Points(...), batch_size=...)",
    ),
    (
        "val_dataloader = 'data'",
        "1",
        "val_dataloader is 'data'",
        "give a loader: DataLoader(dataset, batch_size=...)",
    ),
    (
        "train_dataloader = []",
        "1",
        "train_dataloader gives no batch",
        no_batch_error("train_dataloader").help,
    ),
    *(
        (
            f"model = {value}",
            "1",
            f"model is a {kind}, not a torch.nn.Module",
            "give a module, its class, or a dict with type=",
        )
        for value, kind in (("5", "int"), ("'resnet'", "str"), ("[nn.Linear(2, 2)]", "list"))
    ),
    (
        "train_dataloader = DataLoader(Points('train'), sampler='DefaultSampler')",
        "48",
        "sampler is 'DefaultSampler'",
        "give something that gives indices",
    ),
    *(
        (
            f"train_cfg = dict(max_epochs=3, dynamic_intervals={value})",
            "32",
            said,
            "list pairs (milestone, interval of at least 1)",
        )
        for value, said in (
            ("[(1, 0)]", "dynamic_intervals holds (1, 0)"),
            ("3", "dynamic_intervals is 3"),
            ("[(1, 2.5)]", "dynamic_intervals holds (1, 2.5)"),
        )
    ),
    (
        "train_cfg = ByEpoch(max_epochs=3, dynamic_intervals=3)",
        "35",
        "dynamic_intervals is 3",
        "list pairs (milestone, interval of at least 1)",
    ),
    *(
        (
            f"train_cfg = dict(max_epochs=3, workflow={value})",
            "32",
            f"workflow is {value}",
            "list pairs such as ('train', 2) and ('val', 1), at least one of them 'train'",
        )
        for value in ("'train'", "3", "['train']", "[('train', 1.5)]", "[('val', 1)]")
    ),
    (
        "train_dataloader = [DataLoader(Points('train')), 3]",
        "50",
        "train_dataloader.1 is 3",
        "give a loader: DataLoader(dataset, batch_size=...)",
    ),
    (
        "auto_scale_lr = dict(enable=True)",
        "22",
        "auto_scale_lr is enabled without base_batch_size",
        "give the batch size over all devices that the learning rate was chosen for",
    ),
    (
        "default_hooks = dict(checkpoint=CheckpointHook(filename_tmpl='a_{}_{}.pth'))",
        "48",
        "filename_tmpl is 'a_{}_{}.pth'",
        "give a name with {} for the step: 'epoch_{}.pth'",
    ),
    # switches, factors and windows
    *(
        (f"{section} = dict({name}='no')", column, f"{name} is 'no'", "give True or False")
        for section, name, column in (
            ("randomness", "deterministic", "19"),
            ("randomness", "diff_rank_seed", "19"),
            ("env_cfg", "cudnn_benchmark", "16"),
            ("auto_scale_lr", "enable", "22"),
        )
    ),
    (
        "optim_wrapper = OptimWrapper(later(AdamW)(), paramwise_cfg=dict(bias_lr_mult='2'))",
        "65",
        "bias_lr_mult is '2'",
        "give a number",
    ),
    (
        "optim_wrapper = OptimWrapper(later(AdamW)(), clip_grad=dict(type='value', max_norm=1))",
        "75",
        "clip_grad has no setting 'max_norm'",
        "it has clip_value, foreach",
    ),
    (
        "log_processor = dict(window_size=0)",
        "22",
        "window_size is 0",
        "give a number of values, 'epoch' or 'global'",
    ),
    (
        "log_processor = dict(custom_cfg=[dict(data_src='loss', method_name='men')])",
        "1",
        "there is no statistic 'men'",
        "did you mean 'mean' or 'min'?",
    ),
    # hooks
    (
        "default_hooks = dict(logger=dict(type='LoggerHook', interval=0))",
        "53",
        "LoggerHook: interval is 0",
        "give a whole number > 0",
    ),
    (
        "custom_hooks = [dict(type='EMAHook'), 3]",
        "39",
        "custom_hooks.1 is 3, which is no hook",
        "give a dict",
    ),
    (
        "custom_hooks = ['EMAHook']",
        "17",
        "custom_hooks.0 is 'EMAHook', which is no hook",
        "write dict(type='EMAHook')",
    ),
    (
        "custom_hooks = dict(type='EMAHook')",
        "1",
        "custom_hooks is a dict, but it is a list of hooks",
        "write custom_hooks = [...]",
    ),
    # the process
    (
        "randomness = dict(seed='x')",
        "19",
        "seed is 'x'",
        "give a whole number from 0 to 2**32 - 1, or None for one drawn at random",
    ),
    (
        "randomness = dict(sample_rng='worke')",
        "19",
        "sample_rng is 'worke'",
        "did you mean 'worker'?",
    ),
    (
        "env_cfg = dict(mp_cfg=dict(mp_start='fork'))",
        "28",
        "env_cfg.mp_cfg has no setting 'mp_start'",
        "did you mean 'mp_start_method'?",
    ),
    (
        "env_cfg = dict(dist_cfg=dict(bakend='nccl'))",
        "30",
        "env_cfg.dist_cfg has no setting 'bakend'",
        "did you mean 'backend' or 'init_backend'?",
    ),
    ("launcher = 'pytroch'", "1", "launcher is 'pytroch'", "did you mean 'pytorch'?"),
    ("sync_bn = 'torchh'", "1", "sync_bn is 'torchh'", "did you mean 'torch'?"),
    (
        "find_unused_parameters = 'yes'",
        "1",
        "find_unused_parameters is 'yes'",
        "give True or False",
    ),
    ("log_level = 'INF'", "1", "log_level is 'INF'", "did you mean 'INFO'?"),
    (
        "resume = dict(path='x')",
        "1",
        "resume is {'path': 'x'}",
        "give True, False or the file of a checkpoint",
    ),
    ("load_from = 3", "1", "load_from is 3", "give the file of a checkpoint"),
    # numbers for parts of a model
    ("model = Net(backbone=3)", "13", "backbone is 3, but Net takes Module | dict[str, Any]", None),
    ("model = Plain(3)", "15", "backbone is 3, but Plain takes Module", None),
]


@pytest.mark.parametrize(
    ("line", "column", "message", "help_line"), WRONG, ids=[line for line, *_ in WRONG]
)
def test_a_value_that_cannot_be_is_an_error_at_its_place(spoilt, line, column, message, help_line):
    assert spoilt(line) == [("error", column, message, help_line)]


SUSPICIOUS = [
    (
        "default_hooks = dict(checkpoint=CheckpointHook(interval=0))",
        "CheckpointHook: interval is 0, so none",
    ),
    (
        "default_hooks = dict(checkpoint=CheckpointHook(max_keep_ckpts=0))",
        "CheckpointHook: max_keep_ckpts is 0, so all are kept",
    ),
    ("val_evaluator = []", "val_evaluator gives no metric"),
    ("train_cfg = dict(by_epoch='no', max_epochs=3)", "by_epoch is 'no', which counts as True"),
]


@pytest.mark.parametrize(("line", "message"), SUSPICIOUS)
def test_what_runs_but_is_hardly_meant_is_a_warning(spoilt, line, message):
    ((severity, _, said, _),) = spoilt(line)
    assert severity == "warning"
    assert said.startswith(message)


RIGHT = [
    "train_cfg = dict(by_epoch=True, max_epochs=6.0)",  # as MMEngine accepts it
    "train_cfg = dict(by_epoch=1, max_epochs=6, val_interval=1)",
    "train_dataloader = DataLoader(Points('train'), num_workers=0, timeout=0)",
    "optim_wrapper = OptimWrapper(later(AdamW)(), clip_grad=dict(type='value', clip_value=1))",
    "default_hooks = dict(checkpoint=CheckpointHook(interval=-1))",
    "randomness = dict(seed=None, deterministic=True)",
    "env_cfg = dict(mp_cfg=dict(mp_start_method='fork'), dist_cfg=dict(backend='gloo', rank=3))",
    "env_cfg = None",
    "custom_hooks = None",
    "launcher = None",
    "log_level = 10",
    "resume = True",
    "load_from = ''",
    "auto_scale_lr = dict(enable=False, base_batch_size=16)",
]


@pytest.mark.parametrize("line", RIGHT)
def test_what_the_runner_accepts_is_not_reported(spoilt, line):
    assert spoilt(line) == []


def test_arguments_missing_in_a_part_of_supervised_are_reported(problems_of):
    text = (
        "from check_parts import Head\n"
        "from torch import nn\n"
        "from mainspring.model import Supervised\n"
        "model = Supervised(Head(), nn.CrossEntropyLoss())\n"
    )
    ((severity, place, message, _),) = problems_of(text)
    assert (severity, place) == ("error", "4:20")
    assert message == "Head also needs 'channels'"


def test_a_run_is_refused_for_such_values_before_anything_is_built(write):
    write("config.py", "train_cfg = dict(max_epochs='6')\ncustom_hooks = [3]\n")
    with pytest.raises(ConfigError) as refused:
        Runner.from_cfg(Config.fromfile("config.py"))
    assert "max_epochs is '6'" in str(refused.value)
    assert "custom_hooks.0 is 3" in str(refused.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("compile = 'stepp'", "the model has no 'stepp' to compile"),
        ("compile = ['net', 'nett']", "the model has no module 'nett' to compile"),
        ("compile = dict(target='net', mod='x')", "compile has no setting 'mod'"),
        ("compile = dict(mode='most')", "torch.compile refuses these settings"),
        ("activation_checkpointing = ['nett']", "Supervised has no module 'nett'"),
        ("efficient_conv_bn_eval = ['nett']", "Supervised has no module 'nett'"),
        ("work_dir = 's3://bucket/run'", "a URL, but has to be a folder of this machine"),
        ("default_hooks = dict(type='EMAHook')", "default_hooks describes one hook"),
        ("default_hooks = EMAHook()", "default_hooks describes one hook"),
        ("record_digests = 'x'", "record_digests is 'x', but a run takes int | None"),
        ("anew = 3", "anew is 3, but a run takes Sequence[str]"),
        ("experiment_name = 3", "experiment_name is 3, but a run takes str | None"),
        ("load_from = 3", "load_from is 3"),
        ("default_scope = 3", "default_scope is 3, but a run takes str | None"),
        ("log_level = 77.5", "log_level is 77.5, but a run takes str | int"),
        ("resume = 3", "resume is 3, but a run takes bool | str"),
        ("visualizer = 3", "visualizer is 3, but a run takes Visualizer"),
        ("launcher = 'pytroch'", "launcher is 'pytroch'"),
        ("param_scheduler = dict(type='ConstantLR')", "is given without optim_wrapper"),
        ("resume = 1", None),
        ("log_level = 20", None),
        ("anew = ['lr']", None),
        ("compile = True", None),
        ("compile = ['net']", None),
        ("activation_checkpointing = 'net'", None),
    ],
)
def test_options_beside_the_sections(write, line, said):
    write(
        "run.py",
        "from torch import nn\nfrom mainspring.hooks import EMAHook\n"
        "from mainspring.model import Supervised\n"
        f"model = Supervised(nn.Linear(3, 2), loss=nn.CrossEntropyLoss())\n{line}\n",
    )
    problems = check_config(Config.fromfile("run.py"))
    assert [said in problem.message for problem in problems] == ([] if said is None else [True])
    assert all(problem.location.line == 5 for problem in problems)
