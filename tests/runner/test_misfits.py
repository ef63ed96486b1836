"""What has no effect, or means something else than it says, is said before the first iteration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.utils.data import TensorDataset

from mainspring import Runner
from mainspring.checkpoint import load_checkpoint
from mainspring.config.override import parse_override
from mainspring.dataset import DataLoader
from mainspring.errors import CheckpointError, ConfigError
from mainspring.evaluator import Accuracy
from mainspring.hooks import Hook
from mainspring.model import BaseModel, Supervised
from mainspring.optim import OptimWrapper, OptimWrapperDict
from mainspring.runner import ValLoop

DATA = TensorDataset(torch.randn(16, 4), torch.zeros(16).long())
VALIDATION = dict(val_dataloader=DataLoader(DATA, batch_size=8), val_evaluator=Accuracy())


def run(tmp_path, **sections):
    described = dict(
        model=Supervised(nn.Linear(4, 2), nn.CrossEntropyLoss()),
        work_dir=str(tmp_path),
        train_cfg=dict(max_epochs=2),
        train_dataloader=DataLoader(DATA, batch_size=8),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
    )
    return Runner(**{**described, **sections})


WITHOUT_EFFECT = [
    dict(custom_hooks=[dict(type="EarlyStoppingHook", monitor="accuracy")]),
    dict(param_scheduler=dict(type="ReduceOnPlateauLR", monitor="accuracy")),
    dict(default_hooks=dict(checkpoint=dict(type="CheckpointHook", save_best="accuracy"))),
    dict(train_cfg=dict(max_epochs=2, val_interval=5), **VALIDATION),
    dict(train_cfg=dict(max_epochs=2, val_begin=5), **VALIDATION),
    dict(param_scheduler=dict(type="MultiStepLR", milestones=[1, 7])),
    dict(param_scheduler=dict(type="MultiStepLR", by_epoch=False, milestones=[100])),
    dict(param_scheduler=dict(type="LinearLR", by_epoch=False, end=500)),
    dict(param_scheduler=dict(type="LinearLR", by_epoch=False, begin=4, end=9)),
    dict(default_hooks=dict(checkpoint=dict(type="CheckpointHook", interval=10, save_last=False))),
    dict(default_hooks=dict(checkpoint=dict(type="CheckpointHook", save_last=False))),
    dict(
        default_hooks=dict(
            checkpoint=dict(type="CheckpointHook", interval=1, save_begin=3, save_last=False)
        )
    ),
    dict(
        default_hooks=dict(
            checkpoint=dict(type="CheckpointHook", by_epoch=False, interval=5, save_last=False)
        )
    ),
    dict(
        train_cfg=dict(by_epoch=False, max_iters=4),
        default_hooks=dict(logger=dict(type="LoggerHook", interval=50)),
    ),
    dict(auto_scale_lr=dict(enabled=True)),
]


@pytest.mark.parametrize("sections", WITHOUT_EFFECT, ids="-".join)
def test_what_has_no_effect_is_said_before_the_first_iteration(tmp_path, capsys, sections):
    run(tmp_path, **sections).train()
    before = capsys.readouterr().out.partition("Epoch(train)")[0]
    assert "WARNING" in before


WITH_EFFECT = [
    dict(param_scheduler=dict(type="MultiStepLR", by_epoch=False, milestones=[3])),
    dict(param_scheduler=dict(type="LinearLR", by_epoch=False, end=4)),
    dict(param_scheduler=dict(type="CosineAnnealingLR", T_max=2, convert_to_iter_based=True)),
    dict(
        default_hooks=dict(
            checkpoint=dict(type="CheckpointHook", by_epoch=False, interval=4, save_last=False)
        )
    ),
]


@pytest.mark.parametrize("sections", WITH_EFFECT, ids="-".join)
def test_what_has_an_effect_is_not_complained_about(tmp_path, capsys, sections):
    run(tmp_path, **sections).train()
    assert "WARNING" not in capsys.readouterr().out


with torch.inference_mode():
    MADE_IN_INFERENCE = nn.Linear(4, 2)

REFUSED = [
    (
        dict(model=Supervised(MADE_IN_INFERENCE, nn.CrossEntropyLoss())),
        r"made within torch\.inference_mode\(\)",
    ),
    (dict(train_cfg=dict(max_epochs=2, val_interval=0.5), **VALIDATION), "val_interval is 0.5"),
    (
        dict(default_hooks=dict(checkpoint=dict(type="CheckpointHook", save_best="acc")))
        | VALIDATION,
        "save_best is 'acc', but the evaluator gives accuracy",
    ),
    (
        dict(param_scheduler=dict(type=torch.optim.lr_scheduler.StepLR, step_size=1)),
        "torch's own StepLR",
    ),
    (
        dict(
            param_scheduler=dict(
                type=type("Mine", (torch.optim.lr_scheduler.StepLR,), {}), step_size=1
            )
        ),
        "the torch scheduler Mine",
    ),
    (dict(param_scheduler=[lambda epoch: 0.5**epoch]), "which is no scheduler"),
    (
        dict(optim_wrapper=dict(gen=dict(optimizer=dict(type="SGD", lr=0.1)))),
        "the model has no module of that name",
    ),
    (
        dict(
            optim_wrapper=dict(
                optimizer=dict(type="SGD", lr=0.1),
                paramwise_cfg=dict(custom_keys=dict(net=dict(lr_mul=2.0))),
            )
        ),
        "unknown setting 'lr_mul'",
    ),
]


@pytest.mark.parametrize(("sections", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_cannot_be_is_refused_before_the_first_iteration(tmp_path, capsys, sections, message):
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, **sections).train()
    assert "Epoch(train)" not in capsys.readouterr().out


def test_outputs_of_a_model_do_not_replace_what_the_run_records(tmp_path):
    class Reporting(BaseModel):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, x, y, mode="tensor"):
            loss = nn.functional.cross_entropy(self.layer(x), y)
            return dict(loss=loss, step=loss.detach() * 0 + 7, lr=loss.detach() * 0 + 3)

    runner = run(
        tmp_path, model=Reporting(), default_hooks=dict(logger=dict(type="LoggerHook", interval=1))
    )
    runner.train()
    (file,) = Path(tmp_path).glob("*/vis_data/scalars.json")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert {(row["lr"], row["model_lr"], row["model_step"]) for row in rows} == {(0.1, 3.0, 7.0)}


def test_optimizers_by_the_names_of_modules_update_these_alone(tmp_path):
    class Two(BaseModel):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 1), nn.Linear(4, 1)

        def train_step(self, data, optim_wrapper):
            loss = self.a(data[0]).mean()
            optim_wrapper["a"].update_params(loss)
            optim_wrapper["b"].update_params(self.b(data[0]).mean())
            return dict(loss=loss)

        def forward(self, x, y=None, mode="tensor"):
            return self.a(x)

    model = Two()
    wrappers = dict(
        a=dict(type=OptimWrapper, optimizer=dict(type="SGD", lr=0.1)),
        b=dict(optimizer=dict(type="Adam", lr=0.0)),
    )
    before = [parameter.clone() for parameter in model.b.parameters()]
    runner = run(tmp_path, model=model, optim_wrapper=wrappers)
    runner.train()
    assert [type(item.optimizer).__name__ for item in runner.optim_wrapper.values()] == [
        "SGD",
        "Adam",
    ]
    held = runner.optim_wrapper["a"].optimizer.param_groups[0]["params"]
    assert {id(item) for item in held} == {id(item) for item in model.a.parameters()}
    assert all(torch.equal(*pair) for pair in zip(before, model.b.parameters(), strict=True))


def weights(prefix, taken=""):
    state = Supervised(nn.Linear(4, 2), nn.CrossEntropyLoss()).state_dict()
    return {prefix + key.removeprefix(taken): torch.full_like(v, 7.0) for key, v in state.items()}


@pytest.mark.parametrize(
    "content",
    [
        weights("module."),
        dict(state_dict=weights("_orig_mod.")),
        dict(state_dict=weights("module._orig_mod.")),
        {"state_dict": weights("model."), "pytorch-lightning_version": "2"},
        weights("", "net."),
        weights("a.b.c.", "net."),
        dict(model=weights(""), epoch=3),
        dict(model_state_dict=weights("module.")),
    ],
    ids=lambda content: next(iter(content)),
)
def test_weights_that_differ_by_one_prefix_are_loaded(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    model = Supervised(nn.Linear(4, 2), nn.CrossEntropyLoss())
    load_checkpoint(model, tmp_path / "other.pth", map_location="cpu")
    assert all(bool((item == 7).all()) for item in model.parameters())


def test_weights_of_another_model_are_still_refused(tmp_path):
    torch.save({"x.weight": torch.zeros(2, 4), "y.z": torch.zeros(2)}, tmp_path / "other.pth")
    model = Supervised(nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 2)), nn.CrossEntropyLoss())
    with pytest.raises(CheckpointError, match="another model"):
        load_checkpoint(model, tmp_path / "other.pth", map_location="cpu")


def test_changes_of_the_command_line_take_lists_of_dicts_and_the_words_of_files():
    hooks = parse_override("+custom_hooks=[{'type': 'EMAHook'}]").value
    assert hooks == [{"type": "EMAHook"}]
    loop = parse_override("train_cfg=@mainspring.runner.ByIteration(max_iters=9)").value
    assert loop == {"by_epoch": False, "max_iters": 9}


class OnlyTrains(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.steps = 0

    def train_step(self, data, optim_wrapper):
        self.steps += 1
        return dict(loss=torch.zeros(()))


def test_a_model_that_cannot_be_evaluated_is_refused_before_it_is_trained(tmp_path):
    model = OnlyTrains()
    with pytest.raises(ConfigError, match="OnlyTrains has no val_step") as caught:
        run(tmp_path, model=model, val_cfg={}, **VALIDATION).train()
    assert isinstance(caught.value, AssertionError)
    assert model.steps == 0
    run(tmp_path, model=model).train()
    assert model.steps == 4


def test_a_loop_of_ones_own_may_evaluate_without_steps(tmp_path):
    seen = []

    class Own(ValLoop):
        def run_iter(self, idx, data_batch):
            seen.append(idx)
            self.batches = idx + 1
            self.evaluator.process([dict(prediction=torch.zeros(2), target=0)])

    runner = run(tmp_path, model=OnlyTrains(), val_cfg=dict(type=Own), **VALIDATION)
    runner.train()
    assert seen == [0, 1, 0, 1]


@pytest.mark.parametrize("mode", ["val", "test"])
def test_an_evaluation_alone_reads_no_training_data(tmp_path, mode):
    def unreadable():
        raise AssertionError("the training data was read")

    data = dict(dataset=dict(type=unreadable), batch_size=8, shuffle=True)
    names = {f"{mode}_{key.removeprefix('val_')}": part for key, part in VALIDATION.items()}
    runner = run(tmp_path, train_dataloader=data, **{f"{mode}_cfg": {}}, **names)
    assert "accuracy" in getattr(runner, mode)()


def test_a_data_set_is_no_loader(tmp_path):
    with pytest.raises(ConfigError, match="train_dataloader is a data set, TensorDataset") as error:
        run(tmp_path, train_dataloader=DATA).train()
    assert "DataLoader(dataset, batch_size=...)" in error.value.help


def test_a_work_dir_that_is_no_path(tmp_path):
    with pytest.raises(ConfigError, match="work_dir is a DataLoader, but has to be a path"):
        run(tmp_path, work_dir=DataLoader(DATA))


class TwoHeads(BaseModel):
    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, inputs, labels, mode="tensor"):
        raise NotImplementedError

    def train_step(self, data, optim_wrapper):
        for name, head in (("one", self.one), ("other", self.other)):
            optim_wrapper[name].update_params(head(data[0]).mean())
        return {}


def test_a_schedule_is_named_as_it_is_written(tmp_path, capsys):
    alone = dict(type="CosineAnnealingLR", T_max=50)
    run(tmp_path / "alone", param_scheduler=alone).train()
    assert "at: param_scheduler.T_max\n" in capsys.readouterr().out
    model = TwoHeads()
    heads = {"one": model.one, "other": model.other}
    wrappers = {name: OptimWrapper(SGD(head.parameters(), 0.1)) for name, head in heads.items()}
    run(
        tmp_path / "by_name",
        model=model,
        optim_wrapper=OptimWrapperDict(**wrappers),
        param_scheduler=dict(one=alone, other=[alone]),
    ).train()
    said = capsys.readouterr().out
    assert "at: param_scheduler.one.T_max\n" in said
    assert "at: param_scheduler.other.0.T_max\n" in said


class Saves(Hook):
    def __init__(self, point):
        self.point = point

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.save(runner, "before")

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.save(runner, "after")

    def save(self, runner, point):
        if point == self.point and runner.iter == 1:
            runner.save_checkpoint("by_hand.pth")


@pytest.mark.parametrize("length", [dict(max_epochs=2), dict(by_epoch=False, max_iters=4)])
@pytest.mark.parametrize("point", ["before", "after"])
def test_a_checkpoint_between_a_batch_and_its_step_says_so(tmp_path, capsys, length, point):
    run(tmp_path, train_cfg=length, custom_hooks=[Saves(point)]).train()
    said = "by_hand.pth is saved before the step of iteration 2" in capsys.readouterr().out
    assert said == (point == "before")
