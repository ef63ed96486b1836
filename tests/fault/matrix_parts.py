"""What the trainings of the matrix are made of: data sets, samplers, models and hooks."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset, IterableDataset, Sampler

from mainspring.dist import master_only
from mainspring.evaluator import BaseMetric
from mainspring.hooks import Hook
from mainspring.model import BaseModel
from mainspring.optim import AmpOptimWrapper
from mainspring.runner import BaseLoop
from mainspring.runner.state.joint_saving import JointSaving

__all__ = [
    "BATCH",
    "ITEMS",
    "Augmented",
    "ContinuedStream",
    "Counted",
    "Counting",
    "CountingValidation",
    "Error",
    "ForValidation",
    "GlobalSampler",
    "GroupsOfItems",
    "ManyParts",
    "Network",
    "NoNumberInOne",
    "OwnAccumulation",
    "OwnGenerator",
    "OwnLoader",
    "OwnLoop",
    "PythonSampler",
    "SavesAlone",
    "ScaledOnCpu",
    "Seen",
    "ShuffledStream",
    "Remembers",
    "RemembersItems",
    "Smoothed",
    "Stream",
    "TwoShapes",
    "ValidatesInBetween",
]

ITEMS, BATCH = 18, 4  # the last batch of a pass has two items


def count_item() -> None:
    """One byte for each item that is loaded, in whichever process."""
    descriptor = os.environ.get("LOADED_ITEMS")
    if descriptor is not None:
        os.write(int(descriptor), b".")


def item_of(index: int, noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    inputs = torch.arange(4, dtype=torch.float32) * (index % 7 - 3) / 4
    return inputs + noise, torch.tensor([float(index % 5)])


def draw() -> float:
    """A number that all three generators contribute to."""
    return random.random() + np.random.rand() + torch.rand(1).item()


class Augmented(Dataset):
    def __len__(self):
        return ITEMS

    def __getitem__(self, index):
        count_item()
        return item_of(index, draw())


class RemembersItems(Augmented):
    """Items depend on a generator of the data set's own, and on how many were loaded before."""

    def __init__(self):
        self.generator = np.random.default_rng(2)
        self.loaded = 0

    def __getitem__(self, index):
        count_item()
        self.loaded += 1
        return item_of(index, draw() + self.generator.random() + self.loaded % 7)


class ForValidation(Augmented):
    """Items that are not counted, and draw only if asked to."""

    def __init__(self, draws=False):
        self.draws = draws

    def __getitem__(self, index):
        return item_of(index, draw() if self.draws else 0.5)


class Stream(IterableDataset):
    """Items without indices; each worker gives its share."""

    def __iter__(self) -> Iterator[Any]:
        worker = torch.utils.data.get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for index in range(first, ITEMS, step):
            count_item()
            yield item_of(index, draw())

    def __len__(self):
        return ITEMS


class ContinuedStream(Stream):
    """The same with a position of its own."""

    def __init__(self):
        self.position = 0

    def __iter__(self):
        while self.position < ITEMS:
            self.position += 1
            count_item()
            yield item_of(self.position - 1, draw())
        self.position = 0

    def state_dict(self):
        return {"position": self.position}

    def load_state_dict(self, state):
        self.position = state["position"]


class ShuffledStream(ContinuedStream):
    """One whose state holds arrays and the state of a generator of NumPy."""

    def __init__(self):
        super().__init__()
        self.generator = np.random.RandomState(3)
        self.order = self.generator.permutation(ITEMS)

    def __iter__(self):
        while self.position < ITEMS:
            self.position += 1
            count_item()
            yield item_of(int(self.order[self.position - 1]), draw())
        self.position, self.order = 0, self.generator.permutation(ITEMS)

    def state_dict(self):
        state = {"order": self.order, "generator": self.generator.get_state()}
        return {**super().state_dict(), **state}

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.order = state["order"]
        self.generator.set_state(state["generator"])


class GroupsOfItems(Augmented):
    """Items are batches already; the sampler gives their indices."""

    def __getitem__(self, index):
        pairs = [super(GroupsOfItems, self).__getitem__(each) for each in index]
        return [torch.stack(parts) for parts in zip(*pairs, strict=True)]


class NoNumberInOne(Augmented):
    """One of the items makes weights NaN."""

    def __getitem__(self, index):
        inputs, target = super().__getitem__(index)
        return inputs * (float("nan") if index == 13 else 1), target


class OwnLoader:
    """A user's loader that keeps its own position."""

    def __init__(self):
        self.dataset, self.epoch, self.batch, self.first = Augmented(), 0, 0, 0

    def __len__(self):
        return (ITEMS + BATCH - 1) // BATCH

    def set_epoch(self, epoch):
        if epoch != self.epoch:
            self.epoch, self.first = epoch, 0

    def __iter__(self):
        first, self.first = self.first, 0
        order = np.random.RandomState(self.epoch).permutation(ITEMS)
        for number in range(first, len(self)):
            self.batch = number + 1
            chosen = order[number * BATCH : self.batch * BATCH]
            pairs = [self.dataset[int(index)] for index in chosen]
            yield [torch.stack(parts) for parts in zip(*pairs, strict=True)]

    def state_dict(self):
        return {"epoch": self.epoch, "batch": self.batch}

    def load_state_dict(self, state):
        self.epoch, self.first = state["epoch"], state["batch"]


class GlobalSampler(Sampler):
    """Draws its order from torch's global generator, index by index."""

    def __init__(self, size=ITEMS):
        self.size = size

    def __len__(self):
        return self.size

    def __iter__(self):
        for _ in range(self.size):
            yield int(torch.randint(self.size, ()))


class PythonSampler(GlobalSampler):
    """Draws its order from Python's and NumPy's generators at once."""

    def __iter__(self):
        order = list(range(self.size))
        random.shuffle(order)
        return iter(np.random.permutation(order).tolist())


class OwnGenerator(GlobalSampler):
    """Draws its order from a generator of its own, index by index."""

    def __init__(self):
        super().__init__()
        self.generator = np.random.default_rng(4)

    def __iter__(self):
        for _ in range(self.size):
            yield int(self.generator.integers(self.size))


class Remembers(GlobalSampler):
    """Has a state, and another order in each pass."""

    def __init__(self):
        super().__init__()
        self.passes = 0

    def __iter__(self):
        self.passes += 1
        return iter(np.random.RandomState(self.passes).permutation(self.size).tolist())

    def state_dict(self):
        return {"passes": self.passes}

    def load_state_dict(self, state):
        self.passes = state["passes"]


class TwoShapes(Sampler):
    """Batches of even or of odd items, as those by aspect ratio are made."""

    def __init__(self, sampler, batch_size=BATCH, drop_last=False):
        self.sampler, self.batch_size = sampler, batch_size

    def __len__(self):
        return sum(-(-half // self.batch_size) for half in (ITEMS // 2, ITEMS - ITEMS // 2))

    def __iter__(self):
        waiting: list[list[int]] = [[], []]
        for index in self.sampler:
            batch = waiting[index % 2]
            batch.append(index)
            if len(batch) == self.batch_size:
                yield list(batch)
                batch.clear()
        yield from (batch for batch in waiting if batch)


class OwnLoop(BaseLoop):
    """A loop as users write them: no state, and nothing but what the hooks need."""

    by_epoch = True

    def __init__(self, runner, dataloader, max_epochs):
        super().__init__(runner, dataloader)
        self.max_epochs, self.max_iters = max_epochs, max_epochs * len(self.dataloader)
        self._epoch = self._iter = 0

    epoch = property(lambda self: self._epoch)
    iter = property(lambda self: self._iter)

    def run(self):
        call_hook, model = self.runner.call_hook, self.runner.model
        call_hook("before_train")
        while self._epoch < self.max_epochs:
            self.dataloader.set_epoch(self._epoch)
            call_hook("before_train_epoch")
            model.train()
            for idx, batch in enumerate(self.dataloader):
                call_hook("before_train_iter", batch_idx=idx, data_batch=batch)
                outputs = model.train_step(batch, optim_wrapper=self.runner.optim_wrapper)
                call_hook("after_train_iter", batch_idx=idx, data_batch=batch, outputs=outputs)
                self._iter += 1
            call_hook("after_train_epoch")
            self._epoch += 1
        call_hook("after_train")
        return model


class Network(nn.Sequential):
    def __init__(self):
        # No batch of one item may meet batch normalisation, so it has a constant companion.
        super().__init__(nn.Linear(4, 6), Norm(6), nn.Dropout(0.3), nn.Linear(6, 1))


class Norm(nn.BatchNorm1d):
    def forward(self, values):
        if self.training:
            values = torch.cat([values, torch.ones_like(values[:1])])
            return super().forward(values)[:-1]
        return super().forward(values)


class Counted(Network):
    """What it gives depends on how often it was trained, which is no weight."""

    def __init__(self):
        super().__init__()
        self.steps = 0

    def forward(self, values):
        self.steps += self.training
        return super().forward(values) * (1 + 0.1 * (self.steps % 3))

    def get_extra_state(self):
        return {"steps": self.steps}

    def set_extra_state(self, state):
        self.steps = state["steps"]


class Smoothed(Network):
    """Has a buffer that is not persistent, a counter, and a generator of its own."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(4), persistent=False)
        self.steps, self.generator = 0, torch.Generator().manual_seed(9)

    def forward(self, values):
        if self.training:
            self.steps += 1
            self.mean.mul_(0.9).add_(values.mean(0), alpha=0.1)
            values = values + 0.1 * torch.rand(values.shape, generator=self.generator)
        return super().forward(values - self.mean) * (1 + 0.1 * (self.steps % 3))


class OwnAccumulation(BaseModel):
    """Steps after every third batch by itself; the wrapper knows nothing of it."""

    def __init__(self):
        super().__init__()
        self.net, self.steps = Network(), 0

    def forward(self, inputs, targets=None, mode="tensor"):
        return self.net(inputs)

    def train_step(self, data, optim_wrapper):
        loss = nn.functional.mse_loss(self.net(data[0]), data[1])
        loss.backward()
        self.steps += 1
        if self.steps % 3 == 0:
            optim_wrapper.step()
            optim_wrapper.zero_grad()
        return {"loss": loss.detach()}


class Error(BaseMetric):
    """The mean error, and a score that first gets better and then worse."""

    def process(self, data_batch, data_samples):
        self.results += [
            (sample["prediction"] - sample["target"]).item() for sample in data_samples
        ]

    def compute_metrics(self, results):
        error = sum(abs(value) for value in results) / len(results)
        return {"error": error, "accuracy": -abs(error - 1.5)}


class Counting(Hook):
    """A hook that remembers something that the training depends on."""

    def __init__(self):
        self.count = 0

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.count += 1
        for group in runner.optim_wrapper.param_groups:
            group["weight_decay"] = 0.01 * (self.count % 4)

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


class CountingValidation(Counting):
    """A hook on which the training depends, and that remembers something of each validation."""

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.count += 1
        runner.message_hub.update_scalar("val/seen", float(self.count))
        runner.message_hub.update_info("seen", self.count)


class ValidatesInBetween(Hook):
    """Validates in the middle of each epoch."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if batch_idx == 2:
            runner.val_loop.run()
            runner.model.train()


class SavesAlone(Hook):
    """Saves after the third iteration on rank 0 only, or on rank 1 when rank 0 has given up."""

    def __init__(self, way):
        self.way = way

    def before_train(self, runner):
        runner._joint = JointSaving(runner.timestamp, patience=0.2)

    @master_only
    def save(self, runner):
        runner.save_checkpoint(runner.work_dir, "own.pth")

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter != 2:
            return
        if self.way == "master_only":
            self.save(runner)
        elif self.way == "late":
            saved = Path(runner.work_dir, "rank_0_has_saved")
            while runner.rank == 1 and not saved.exists():
                time.sleep(0.01)
            runner.save_checkpoint(runner.work_dir, "own.pth", then=saved.touch)
        elif runner.rank == 0:
            runner.save_checkpoint(runner.work_dir, "own.pth")


class Seen(Hook):
    """Writes down the items of each step, one file for each rank."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        rows = zip(*data_batch, strict=True)
        items = [":".join(value.hex() for part in row for value in part.tolist()) for row in rows]
        with open(f"{runner.work_dir}/seen-{runner.rank}", "a") as file:
            file.write(" ".join([str(runner.iter), *items]) + "\n")


class ScaledOnCpu(AmpOptimWrapper):
    """Scales losses on the CPU, where the lower precision that needs it is not offered."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.loss_scaler = torch.amp.GradScaler("cpu", init_scale=2.0**30, growth_interval=2)


class ManyParts(BaseModel):
    """A network for each optimizer, each trained on the same batch."""

    def __init__(self, names):
        super().__init__()
        self.parts = nn.ModuleDict({name: Network() for name in names})

    def forward(self, inputs, targets=None, mode="tensor"):
        return {name: part(inputs) for name, part in self.parts.items()}

    def train_step(self, data, optim_wrapper):
        losses = {}
        for name, part in self.parts.items():
            with optim_wrapper[name].optim_context(self):
                losses[f"{name}_loss"] = nn.functional.mse_loss(part(data[0]), data[1])
            optim_wrapper[name].update_params(losses[f"{name}_loss"])
        return {**losses, "loss": sum(losses.values()).detach()}
