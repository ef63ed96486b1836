"""Small runs, described in config files, with parts of which a known one is slow or limited."""

from __future__ import annotations

import sys
import textwrap

import pytest

PARTS = '''
import functools
import time

import torch
from torch import nn
from torch.utils.data import Dataset

from mainspring.evaluator import BaseMetric
from mainspring.hooks import Hook
from mainspring.model import BaseModel
from mainspring.optim import OptimWrapper, OptimWrapperDict
from mainspring.runner import IterBasedTrainLoop

seen = {}
"""What parts of a run leave for a test to look at."""


class Points(Dataset):
    """Inputs of ones and targets around 3; may take its time for a sample."""

    def __init__(self, length=16, seconds=0.0):
        self.length, self.seconds = length, seconds
        generator = torch.Generator().manual_seed(0)
        self.targets = 3 + 0.1 * torch.randn(length, 1, generator=generator)

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        time.sleep(self.seconds)
        return dict(inputs=torch.ones(4), targets=self.targets[index])


class Regression(BaseModel):
    """Two layers; may run out of memory, or fail, beyond a batch size."""

    def __init__(self, most=None, error=RuntimeError):
        super().__init__()
        self.hidden, self.head = nn.Linear(4, 8), nn.Linear(8, 1)
        self.most, self.error = most, error

    def forward(self, inputs, targets, mode="tensor"):
        if self.most is not None and len(inputs) > self.most:
            raise self.error("DefaultCPUAllocator: can't allocate memory")
        output = self.head(torch.tanh(self.hidden(inputs)))
        if mode == "loss":
            return dict(loss=((output - targets) ** 2).mean())
        return [dict(error=float(row)) for row in (output - targets).abs()]


class SlowPart(nn.Module):
    def forward(self, inputs):
        time.sleep(0.03)
        return inputs


class SlowRegression(Regression):
    """Has a part that takes its time."""

    def __init__(self):
        super().__init__()
        self.slow = SlowPart()

    def forward(self, inputs, targets, mode="tensor"):
        return super().forward(self.slow(inputs), targets, mode)


class Bowl(BaseModel):
    """The loss L / 2 (w - 3)^2, which gradient descent lowers for learning rates below 2 / L."""

    def __init__(self, curvature=4.0):
        super().__init__()
        self.curvature = curvature
        self.weight, self.slow = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

    def forward(self, inputs, targets, mode="tensor"):
        loss = self.curvature / 2 * ((self.weight - targets) ** 2).mean()
        return dict(loss=loss + 0 * self.slow)


class SlowSGD(torch.optim.SGD):
    """Takes its time for a step."""

    def step(self, closure=None):
        time.sleep(0.03)
        return super().step(closure)


class MeanError(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.extend(sample["error"] for sample in data_samples)

    def compute_metrics(self, results):
        return dict(error=sum(results) / len(results))


class Notes(Hook):
    """Notes weights and learning rates."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        state = {name: value.clone() for name, value in runner.model.state_dict().items()}
        seen.setdefault("weights", []).append(state)
        groups = runner.optim_wrapper.optimizer.param_groups
        seen.setdefault("rates", []).append([group["lr"] for group in groups])


class Keeper(Hook):
    def before_run(self, runner):
        seen["runner"] = runner


class OwnStep(Regression):
    """Uses one of several optimizers itself."""

    def train_step(self, data, optim_wrapper):
        data = self.data_preprocessor(data, True)
        loss = self(**data, mode="loss")["loss"]
        optim_wrapper["only"].update_params(loss)
        return dict(loss=loss.detach())


class OneByName:
    def __init__(self, optim_wrapper_cfg, paramwise_cfg=None):
        pass

    def __call__(self, model):
        return OptimWrapperDict(only=OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)))


class Brief(IterBasedTrainLoop):
    """Has a length of its own."""

    def __init__(self, runner, dataloader):
        super().__init__(runner, dataloader, max_iters=3)


class ReplacedStep(Hook):
    def before_run(self, runner):
        runner.model.train_step = functools.partial(Regression.train_step, runner.model)


class SlowHook(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        time.sleep(0.03)
'''

CONFIG = """
import parts
model = dict(type=parts.Regression)
train_dataloader = dict(
    dataset=dict(type=parts.Points, length=16),
    sampler=dict(type="DefaultSampler", shuffle=True),
    batch_size=4,
    collate_fn=dict(type="default_collate"),
)
val_dataloader = dict(
    dataset=dict(type=parts.Points, length=8),
    sampler=dict(type="DefaultSampler", shuffle=False),
    batch_size=4,
    collate_fn=dict(type="default_collate"),
)
val_evaluator = dict(type=parts.MeanError)
train_cfg = dict(max_epochs=3)
optim_wrapper = dict(optimizer=dict(type="SGD", lr=0.1))
custom_hooks = []
randomness = dict(seed=3)
"""


@pytest.fixture(autouse=True)
def known_peak(monkeypatch):
    """A matrix product is not measured anew in each test."""
    from mainspring.tools.profiling import profile
    from mainspring.tools.profiling.matmul_peak import MatmulPeak

    peak = MatmulPeak(1e11, 1024, "float32")
    monkeypatch.setattr(profile, "measure_matmul_peak", lambda device, dtype: peak)


@pytest.fixture
def run_dir(tmp_path, monkeypatch):
    """A directory with the parts and a config, as the current one."""
    (tmp_path / "parts.py").write_text(PARTS)
    (tmp_path / "config.py").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("parts", None)


@pytest.fixture
def write_config(run_dir):
    """Writes the config with lines added; returns its name."""

    def write(lines=""):
        (run_dir / "config.py").write_text(CONFIG + textwrap.dedent(lines))
        return "config.py"

    return write


@pytest.fixture
def command(capsys):
    """Runs the command; returns exit code, output and errors."""
    from mainspring.cli.main import main

    def run(*words):
        capsys.readouterr()
        code = main(list(map(str, words)))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def load(run_dir):
    """Reads the config, with changes."""
    from mainspring.config import Config

    return lambda *changes: Config.fromfile("config.py", overrides=list(changes))
