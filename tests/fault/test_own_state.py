"""What loaders, data sets, models and hooks of a user's own remember in ways of their own."""

from __future__ import annotations

import functools
from collections import deque

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset, IterableDataset

from mainspring.dataset import DataLoader
from mainspring.hooks import CheckpointHook, Hook
from mainspring.model import BaseModel
from mainspring.runner import Runner

X = torch.randn(16, 3, generator=torch.Generator().manual_seed(5))


class Items(Dataset):
    def __len__(self):
        return 16

    def __getitem__(self, index):
        return X[index]


class Previous(Items):
    last = None

    def __getitem__(self, index):
        mixed = X[index] if self.last is None else X[index] + self.last
        self.last = X[index]
        return mixed


class Buffer(IterableDataset):
    def __iter__(self):
        waiting = []
        for index in range(16):
            waiting.append(index)
            if len(waiting) > 5:
                yield X[waiting.pop(int(torch.randint(len(waiting), (1,))))]


class Walk:
    def __len__(self):
        return 4

    def __iter__(self):
        place = torch.zeros(4, 3)
        for _ in range(4):
            place = place + torch.randn(4, 3)
            yield place


class Shuffled(list):
    def __iter__(self):
        return iter([self[int(i)] for i in np.random.permutation(len(self))])


class Collate:
    def __init__(self):
        self.rng = np.random.default_rng(3)

    def __call__(self, items):
        return torch.stack(items) * float(self.rng.random())


class Reordered:
    def __init__(self):
        self.x = X.clone()

    def __len__(self):
        return 4

    def __iter__(self):
        self.x = self.x[torch.randperm(16)]
        yield from self.x.split(4)


class Counted(IterableDataset):
    count = 0

    def __iter__(self):
        for index in range(16):
            self.count += 1
            yield X[index] * (1 + 0.01 * self.count)


class Drawn:
    """Batches of indices, of which nobody knows the number."""

    def __iter__(self):
        for _ in range(4):
            yield torch.randperm(16)[:4].tolist()


class Outer:
    def __init__(self, inner):
        self.inner = inner

    def __len__(self):
        return 4

    def __iter__(self):
        for batch in self.inner:
            yield batch + 1


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.3), nn.Linear(8, 1))

    def remember(self, inputs):
        return inputs

    def forward(self, inputs, data_samples=None, mode="tensor"):
        return self.net(inputs)

    def train_step(self, data, optim_wrapper):
        loss = self.net(self.remember(data)).square().mean()
        optim_wrapper.update_params(loss)
        return {"loss": loss.detach()}


class Teacher(Model):
    def __init__(self):
        super().__init__()
        self.teacher = [nn.Linear(3, 3)]

    def remember(self, inputs):
        for weight in self.teacher[0].parameters():
            weight.data.add_(inputs.mean())
        return inputs + self.teacher[0](inputs).detach()


class Bank(Model):
    def __init__(self):
        super().__init__()
        self.bank, self.by_class, self.mean = [], {}, torch.zeros(3)

    def remember(self, inputs):
        self.bank.append(inputs.mean(0))
        self.by_class[len(self.bank)] = inputs.mean()
        self.mean.data.add_(inputs.mean(0))
        return inputs + sum(self.bank) + self.by_class.get(1) + self.mean


class Replay(Model):
    """Keeps hidden states that are not there at first, and what it replays."""

    def __init__(self):
        super().__init__()
        self.hidden, self.replay = None, deque(maxlen=3)

    def remember(self, inputs):
        mean = inputs.mean(0)
        self.hidden = (mean, mean * 2 + (self.hidden[1] if self.hidden else 0))
        self.replay.append((mean, float(mean[0])))
        return inputs + self.hidden[1] + sum(kept * number for kept, number in self.replay)


class Shadow(Hook):
    def __init__(self):
        self.shadow = {}

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        weight = runner.model.net[0].weight.data
        self.shadow["w"] = self.shadow.get("w", 0) * 0.9 + weight * 0.1
        weight.add_(self.shadow["w"] * 0.1)


LOADERS = {
    "walk": Walk,
    "shuffled list": lambda: Shuffled(X.split(4)),
    "reordered": Reordered,
    "buffer": lambda: TorchDataLoader(Buffer(), batch_size=4),
    "buffer, ours": lambda: DataLoader(Buffer(), batch_size=4),
    "previous": lambda: DataLoader(Previous(), batch_size=4, shuffle=True),
    "unsized order": lambda: DataLoader(Items(), batch_sampler=Drawn()),
    "counted": lambda: DataLoader(Counted(), batch_size=4),
    "counted, inside": lambda: Outer(DataLoader(Counted(), batch_size=4)),
    "counted, torch's inside": lambda: Outer(TorchDataLoader(Counted(), batch_size=4)),
    "previous, inside": lambda: Outer(DataLoader(Previous(), batch_size=4, shuffle=True)),
    "collate, inside": lambda: Outer(DataLoader(Items(), batch_size=4, collate_fn=Collate())),
    "collate, torch's inside": lambda: Outer(
        TorchDataLoader(Items(), batch_size=4, collate_fn=Collate())
    ),
    "collate": lambda: DataLoader(Items(), batch_size=4, shuffle=True, collate_fn=Collate()),
}
MODELS = {"teacher": Teacher, "bank": Bank, "replay": Replay}


class Stop(Hook):
    priority = "LOWEST"

    def __init__(self, at):
        self.at = at

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.at:
            raise InterruptedError


def train(work_dir, loader, model=Model, stop=0, resume=False, hooks=()):
    torch.manual_seed(1)
    np.random.seed(1)
    runner = Runner(
        model=model(),
        work_dir=str(work_dir),
        train_dataloader=LOADERS[loader](),
        train_cfg={"by_epoch": True, "max_epochs": 3},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.01}},
        default_hooks={"checkpoint": CheckpointHook(interval=1, by_epoch=False)},
        custom_hooks=[Shadow(), *hooks, Stop(stop)],
        randomness={"seed": 0},
        resume=resume,
    )
    return runner.train().state_dict()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The weights of a run that nothing interrupts, which is the same wherever others stop."""
    return functools.cache(
        lambda loader, model: train(tmp_path_factory.mktemp("whole"), loader, model)
    )


@pytest.mark.parametrize("stop", [2, 5, 8])
@pytest.mark.parametrize(
    ("loader", "model"),
    [(name, Model) for name in LOADERS] + [("previous", model) for model in MODELS.values()],
)
def test_resumed_as_if_never_killed(tmp_path, uninterrupted, loader, model, stop):
    whole = uninterrupted(loader, model)
    with pytest.raises(InterruptedError):
        train(tmp_path / "cut", loader, model, stop)
    resumed = train(tmp_path / "cut", loader, model, resume=True)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


class Growing(Items):
    def __init__(self):
        self.items = list(X[:8])

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


class Grow(Hook):
    """Adds what the model has made of an item."""

    def after_train_epoch(self, runner):
        items = runner.train_dataloader.dataset.items
        items.append(items[-1] * runner.model.net[0].weight.detach().mean() + 1)


LOADERS["growing"] = lambda: DataLoader(Growing(), batch_size=4, shuffle=True)


@pytest.mark.parametrize("stop", [3, 5])
def test_a_data_set_that_grows_goes_on_and_its_epochs_are_said_once(tmp_path, capfd, stop):
    hooks = [Grow()]
    whole = train(tmp_path / "whole", "growing", hooks=hooks)
    said = capfd.readouterr().out
    assert said.count("epoch 2 had 3 batches, and the training data had 2 when the run") == 1
    assert "epoch 3 had" not in said
    with pytest.raises(InterruptedError):
        train(tmp_path / "cut", "growing", stop=stop, hooks=hooks)
    resumed = train(tmp_path / "cut", "growing", resume=True, hooks=hooks)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert "when the checkpoint was written" not in capfd.readouterr().out
