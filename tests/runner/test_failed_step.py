"""An error out of a step says what, where and how to mend: a table of mistakes."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset, TensorDataset

from mainspring.cli.main import main
from mainspring.dataset import DataLoader
from mainspring.errors import MainspringError
from mainspring.evaluator import Accuracy, BaseMetric
from mainspring.model import BaseModel, Supervised
from mainspring.runner import Runner

INPUTS, TARGETS = torch.randn(8, 1, 4, 4), torch.arange(8) % 10
PAIRS = TensorDataset(INPUTS, TARGETS)
cross_entropy = nn.CrossEntropyLoss()


class Net(nn.Module):
    def __init__(self, features=32, classes=10, channels=1):
        super().__init__()
        self.conv = nn.Conv2d(channels, 2, 1)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(32, 32), nn.ReLU())
        self.head = nn.Linear(features, classes)

    def forward(self, inputs):
        return self.head(self.body(self.conv(inputs)))


class Own(BaseModel):
    """Its forward is a function of the model and the batch."""

    def __init__(self, function, predict=lambda model, *batch: None):
        super().__init__()
        self.net = Net()
        self.function, self.predict = function, predict

    def forward(self, inputs, data_samples=None, mode="tensor"):
        return (self.function if mode == "loss" else self.predict)(self, inputs, data_samples)


class WithoutMode(BaseModel):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, inputs, data_samples):
        return dict(loss=self.net(inputs).sum())


class Renamed(Own):
    def __init__(self):
        super().__init__(losses)

    def train_step(self, batch, optimizer):
        return {}


class Steps(Own):
    def __init__(self, step):
        super().__init__(losses)
        self.step = step

    def train_step(self, data, optim_wrapper):
        return self.step(losses(self, *data)["loss"], optim_wrapper)


class ReturnsLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, img, labels):
        return dict(loss=cross_entropy(self.net(img), labels))


class Dicts(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return dict(image=INPUTS[index], labels=TARGETS[index])


class NoLength(Dataset):
    def __getitem__(self, index):
        return PAIRS[index]


class Metric(BaseMetric):
    def __init__(self, process=lambda: None, compute=dict):
        super().__init__()
        self.functions = process, compute

    def process(self, data_batch, data_samples):
        self.results.append(self.functions[0]())

    def compute_metrics(self, results):
        return self.functions[1]()


def losses(model, inputs, targets):
    return dict(loss=cross_entropy(model.net(inputs), targets))


def fail():
    raise KeyError("score")


def overwritten(model, inputs, targets):
    hidden = torch.sigmoid(model.net(inputs))
    loss = hidden.sum()
    hidden += 1
    return dict(loss=loss)


def frozen():
    model = Supervised(Net(), cross_entropy)
    model.requires_grad_(False)
    return model


def supervised(*arguments, loss=cross_entropy, **options):
    return Supervised(Net(*arguments, **options), loss)


MISTAKES: dict[str, tuple[Any, dict[str, Any], list[str]]] = {
    "in_features": (
        lambda: supervised(33), {},
        ["net.head", "Linear(in_features=33", "called with float32 (4, 32)", "in_features=32"],
    ),
    "in_channels": (lambda: supervised(channels=3), {}, ["net.conv", "in_channels=1"]),
    "num_classes": (
        lambda: supervised(classes=5), {},
        ["loss (CrossEntropyLoss", "num_classes", "at least", "output is float32 (4, 5)"],
    ),
    "loss detached": (
        lambda: supervised(loss=lambda out, target: cross_entropy(out, target).detach()), {},
        ["detach()", "iteration 1"],
    ),
    "all frozen": (frozen, {}, ["no parameter", "frozen", "requires_grad"]),
    "float targets": (
        supervised, dict(data=TensorDataset(INPUTS, TARGETS.float())), [".long()", "loss"],
    ),
    "double images": (
        supervised, dict(data=TensorDataset(INPUTS.double(), TARGETS)), ["net.conv", ".float()"],
    ),
    "uint8 images": (
        supervised, dict(data=TensorDataset(INPUTS.byte(), TARGETS)),
        ["uint8 (4, 1, 4, 4) 0..", "/ 255"],
    ),
    "loss with one argument": (
        lambda: supervised(loss=lambda out: out.sum()), {}, ["(outputs, targets)"],
    ),
    "forward without mode": (WithoutMode, {}, ["mode='tensor'", "Supervised(net, loss)"]),
    "loss.item()": (
        lambda: Own(lambda *batch: dict(loss=losses(*batch)["loss"].item())), {}, [".item()"],
    ),
    "no dict": (lambda: Own(lambda *batch: losses(*batch)["loss"]), {}, ["dict(loss=...)"]),
    "overwritten": (lambda: Own(overwritten), {}, ["the backward pass", "x = x + y"]),
    "names of the batch": (
        ReturnsLoss, dict(data=Dicts()),
        ["image, labels", "(img, labels)", "rename 'image' to 'img'", "{image: float32 (4, 1, 4, 4)"],
    ),
    "a key that is no name": (
        lambda: Own(losses), dict(loader=[{1: INPUTS}]), ["the names of", "rename 1"],
    ),
    "a key that is taken": (
        lambda: Own(losses), dict(loader=[dict(mode=INPUTS)]), ["the names of", "rename 'mode'"],
    ),
    "too many entries": (
        lambda: Own(losses), dict(loader=[(INPUTS, TARGETS, TARGETS)]),
        ["forward takes (inputs, data_samples)", "the entries of the batch"],
    ),
    "predict gives the losses": (
        lambda: Own(losses, losses), dict(metric=Accuracy()),
        ["mode='predict'", "list", "batch 1", "process"],
    ),
    "metric fails": (
        supervised, dict(metric=Metric(process=fail)), ["in the metric Metric", "process, batch 1"],
    ),
    "metric fails at the end": (
        supervised, dict(metric=Metric(compute=fail)), ["Metric.compute_metrics", "after all"],
    ),
    "metric computes nothing": (
        supervised, dict(metric=Metric(compute=lambda: None)), ["Metric", "compute_metrics", "{}"],
    ),
    "val_step fails": (
        lambda: Own(losses, lambda *_: fail()), dict(metric=Accuracy()), ["val_step, batch 1"],
    ),
    "gradients in a validation": (
        lambda: Own(losses, lambda model, *batch: losses(model, *batch)["loss"].backward()),
        dict(metric=Accuracy()), ["val_step, batch 1", "torch.enable_grad()"],
    ),
    "train_step with other names": (
        Renamed, {}, ["got an unexpected", "iteration 1", "(data, optim_wrapper=...)"],
    ),
    "train_step returns the loss": (
        lambda: Steps(lambda loss, _: loss), {}, ["train_step of Steps returned a Tensor", "dict("],
    ),
    "data set without length": (
        supervised, dict(loader=TorchDataLoader(NoLength())), ["NoLength", "__len__"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_the_essential_words_are_said(name, tmp_path):
    model, options, words = MISTAKES[name]
    metric = options.get("metric")
    loader = options.get("loader", DataLoader(options.get("data", PAIRS), batch_size=4))
    described: dict[str, Any] = {}
    if metric is not None:
        described = dict(val_dataloader=DataLoader(PAIRS, batch_size=4), val_evaluator=metric)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of any type
        Runner(
            model=model(),
            work_dir=str(tmp_path),
            train_dataloader=loader,
            train_cfg=dict(max_epochs=1),
            optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
            log_level="ERROR",
            **described,
        ).train()
    notes = getattr(caught.value, "__notes__", [])
    said = "\n".join([str(caught.value), *notes])
    assert len(notes) <= 1
    assert all(word in said for word in words), said


def leave_out(loss, wrapper):
    return dict(loss=loss.detach())


def around(loss, wrapper):
    loss.backward()
    wrapper.optimizer.step()


@pytest.mark.parametrize(
    ("step", "is_said"),
    [(leave_out, True), (around, True), (lambda loss, wrapper: wrapper.update_params(loss), False)],
)
def test_an_optimizer_that_is_not_used_is_said(step, is_said, tmp_path, capfd):
    Runner(
        model=Steps(step),
        work_dir=str(tmp_path),
        train_dataloader=DataLoader(PAIRS, batch_size=4),
        train_cfg=dict(max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1), clip_grad=1.0),
    ).train()
    said = capfd.readouterr().out
    assert ("the optimizer was not used in 2 iterations: train_step has called" in said) is is_said


PROJECT = """
import torch
from torch import nn
from torch.utils.data import TensorDataset

class Net(nn.Module):
    def __init__(self, head):
        super().__init__()
        self.body, self.head = nn.Linear(4, 32), head
    def forward(self, inputs):
        return self.head(self.body(inputs))

def data():
    return TensorDataset(torch.randn(8, 4), torch.arange(8) % 2)
"""
CONFIG = """
from torch import nn
from torch.optim import SGD
from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.model import Supervised
from mainspring.optim import OptimWrapper
from failed_step_project import Net, data

model = Supervised(
    Net(
        head=nn.Linear(33, 2),
    ),
    nn.CrossEntropyLoss(),
)
train_dataloader = DataLoader(data(), batch_size=4)
train_cfg = dict(max_epochs=1)
optim_wrapper = OptimWrapper(later(SGD)(lr=0.1))
log_level = "ERROR"
"""


def test_the_command_names_the_place_and_shows_the_users_frames(tmp_path, monkeypatch, capsys):
    (tmp_path / "failed_step_project.py").write_text(PROJECT)
    (tmp_path / "config.py").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    command = ["train", "config.py", "--allow", "failed_step_project"]
    assert main(command) == 1
    said = capsys.readouterr().err
    assert "described by model.net.head (config.py:12:" in said
    assert "return self.head(self.body(inputs))" in said
    frames = [line for line in said.splitlines() if line.startswith("  File")]
    assert len(frames) == 1
    monkeypatch.setenv("MAINSPRING_TRACEBACK", "full")
    assert main(command) == 1
    assert "train_step" in capsys.readouterr().err.partition("RuntimeError")[0]
    del sys.modules["failed_step_project"]


def test_an_error_of_ours_is_shown_whole(tmp_path, monkeypatch, capsys):
    def broken(options):
        raise MainspringError("inside")

    monkeypatch.setattr("mainspring.cli.show.run", broken)
    parser_options = ["show", "nothing.py"]
    code = main(parser_options)
    assert code in (1, 2)
    assert "inside" in capsys.readouterr().err
