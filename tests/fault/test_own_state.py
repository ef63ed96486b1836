"""What loaders, data sets, models and hooks of a user's own remember in ways of their own."""

from __future__ import annotations

import functools
import multiprocessing
from collections import Counter, deque
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset, IterableDataset

from mainspring.dataset import CombinedLoader, DataLoader
from mainspring.dataset.workers.worker_reports import Watch
from mainspring.errors import CheckpointError
from mainspring.evaluator import BaseMetric
from mainspring.hooks import CheckpointHook, Hook
from mainspring.model import BaseModel
from mainspring.optim import OptimWrapper
from mainspring.runner import EpochBasedTrainLoop, Runner

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

    def val_step(self, data):
        return [self.net(data)]


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


class Lazy(Model):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 4), nn.LazyBatchNorm1d(), nn.LazyLinear(1))


class Attached(Model):
    """Keeps hidden states with their graph, which the next step cuts off."""

    def __init__(self):
        super().__init__()
        self.cell, self.hidden, self.memory = nn.LSTMCell(3, 3), None, []

    def remember(self, inputs):
        before = self.hidden and tuple(state.detach() for state in self.hidden)
        self.hidden = self.cell(inputs, before)
        known = sum(each.detach() for each in self.memory)
        self.memory = [*self.memory, self.hidden[1].mean(0)][-3:]
        return self.hidden[0] + known


class Banks(Model):
    """Its buffers are made, and become larger, while it trains."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", None)
        self.register_buffer("bank", torch.zeros(0, 3))

    def remember(self, inputs):
        self.mean = inputs.mean(0) if self.mean is None else (self.mean + inputs.mean(0)) / 2
        self.bank = torch.cat([self.bank, inputs])[-10:]
        if not hasattr(self, "late"):
            self.register_buffer("late", torch.zeros(3))
        self.late += self.bank.mean(0)
        return inputs + self.mean + self.late


class Critic(Model):
    """Steps another optimizer, and its schedule, by itself."""

    def __init__(self):
        super().__init__()
        self.critic = nn.Linear(3, 3)
        self.own = torch.optim.Adam(self.critic.parameters(), lr=0.1)
        self.schedule = torch.optim.lr_scheduler.MultiStepLR(self.own, [3, 6], 0.5)

    def remember(self, inputs):
        self.critic(inputs).square().mean().backward()
        self.own.step()
        self.own.zero_grad()
        self.schedule.step()
        return inputs + self.critic(inputs).detach()


class Ahead(torch.optim.SGD):
    """Keeps slow weights, a count, its noise, and an optimizer beside its `state_dict`."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.slow, self.count, self.rng = [], 0, torch.Generator().manual_seed(4)
        self.inner = torch.optim.SGD(self.param_groups, lr=0.01, momentum=0.9)
        self.param_groups = self.inner.param_groups

    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        self.inner.param_groups = self.param_groups

    @torch.no_grad()
    def step(self, closure=None):
        weights = self.param_groups[0]["params"]
        self.slow = self.slow or [weight.clone() for weight in weights]
        self.inner.step()
        self.count += 1
        for weight, slow in zip(weights, self.slow, strict=True):
            slow += (weight - slow) / (1 + self.count)
            weight += 0.1 * (slow - weight) + 0.01 * torch.randn(weight.shape, generator=self.rng)


class Precise(torch.optim.Optimizer):
    """Has states of other types than its parameters, which torch casts when it loads them."""

    def __init__(self, params):
        super().__init__(params, {"lr": 0.01})

    @torch.no_grad()
    def step(self, closure=None):
        for weight in self.param_groups[0]["params"]:
            state = self.state[weight]
            state["sum"] = state.get("sum", 0) + weight.grad.double() / 3
            state["half"] = [(state.get("half", [0])[0] + weight.grad).bfloat16()]
            state["steps"] = state.get("steps", torch.zeros((), dtype=torch.int32)) + 1
            weight -= 0.01 * (state["sum"] / state["steps"]).float() + 0.01 * state["half"][0]


class Counting(OptimWrapper):
    """A wrapper that steps by what it has counted."""

    count = 0

    def step(self, **kwargs):
        self.count += 1
        self.optimizer.param_groups[0]["lr"] = 0.01 / self.count
        super().step(**kwargs)


OPTIMIZERS = {
    "ahead": lambda parameters: OptimWrapper(Ahead(parameters, lr=0.01)),
    "precise": lambda parameters: OptimWrapper(Precise(parameters)),
    "wrapper": lambda parameters: Counting(torch.optim.SGD(parameters, lr=0.01)),
}


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
    "method": lambda: DataLoader(Items(), batch_size=4, collate_fn=Collate().__call__),
    "partial": lambda: DataLoader(Items(), batch_size=4, collate_fn=partial(Collate())),
    "combined": lambda: CombinedLoader(
        [TorchDataLoader(Previous(), batch_size=4), DataLoader(Items(), 4, collate_fn=Collate())],
        "in_turn",
    ),
}
MODELS = {
    "teacher": Teacher,
    "bank": Bank,
    "replay": Replay,
    "attached": Attached,
    "lazy": Lazy,
    "banks": Banks,
    "critic": Critic,
}


class Stop(Hook):
    priority = "LOWEST"

    def __init__(self, at):
        self.at = at

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.at:
            raise InterruptedError


def train(
    work_dir, loader, model=Model, stop=0, resume=False, hooks=(), optimizer=None, epochs=3, **more
):
    torch.manual_seed(1)
    np.random.seed(1)
    network = model()
    wrapped = optimizer and OPTIMIZERS[optimizer](network.net.parameters())
    runner = Runner(
        model=network,
        work_dir=str(work_dir),
        train_dataloader=LOADERS[loader](),
        val_evaluator=Record() if "val_cfg" in more else None,
        **{"train_cfg": {"by_epoch": True, "max_epochs": epochs}, **more},
        optim_wrapper=wrapped or {"optimizer": {"type": "SGD", "lr": 0.01}},
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


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers_go_on_from_all_that_they_know(tmp_path, optimizer):
    whole = train(tmp_path / "whole", "previous", optimizer=optimizer)
    for stop in (2, 5):
        with pytest.raises(InterruptedError):
            train(tmp_path / "cut", "previous", stop=stop, resume=True, optimizer=optimizer)
    resumed = train(tmp_path / "cut", "previous", resume=True, optimizer=optimizer)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


class Scaled(Items):
    """Is changed by a hook in this process."""

    def __init__(self):
        self.scale, self.shared = [1.0], multiprocessing.Value("d", 0.0)
        self.counts = Counter()

    def __getitem__(self, index):
        return X[index] * self.scale[0] + self.shared.value + self.counts["epochs"]


class Scale(Hook):
    def __init__(self, point):
        setattr(self, point, self.scale)

    def scale(self, runner, *args, **kwargs):
        dataset = runner.train_dataloader.dataset
        dataset.scale[0] *= 1.1
        dataset.shared.value += 0.1
        dataset.counts["epochs"] += 1


LOADERS["scaled"] = lambda: TorchDataLoader(Scaled(), 4, shuffle=True, num_workers=1)


def test_what_hooks_do_to_data_that_workers_copy(tmp_path, capfd):
    hooks = [Scale("after_train_epoch")]
    whole = train(tmp_path / "whole", "scaled", hooks=hooks)
    with pytest.raises(InterruptedError):
        train(tmp_path / "cut", "scaled", stop=6, hooks=hooks)
    resumed = train(tmp_path / "cut", "scaled", resume=True, hooks=hooks)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert "not in the checkpoints, so" not in capfd.readouterr().out
    train(tmp_path / "within", "scaled", hooks=[Scale("after_train_iter")])
    assert capfd.readouterr().out.count("dataset.scale (changed while workers load") == 1


class Tells:
    """Remembers a tensor, as data sets may do that a worker has a copy of."""

    def __init__(self):
        self.seen = torch.zeros(3)

    def __call__(self, items):
        self.seen += torch.stack(items).mean(0)
        return torch.stack(items) + self.seen


LOADERS["tells"] = lambda: DataLoader(Items(), 4, num_workers=1, collate_fn=Tells())


def test_what_collating_changes_in_workers_is_named(tmp_path, capfd):
    train(tmp_path, "tells")
    assert "change what is remembered in its workers (collate_fn.seen)" in capfd.readouterr().out


def test_what_others_change_in_shared_memory_is_not_said_of_batches():
    tells = Tells()
    tells.seen.share_memory_()
    watch = Watch(None, tells)
    for _ in range(2):
        watch.begin_batch()
        assert watch.look() == ""
        tells.seen += 1  # as a hook may do, in the process of the training
    assert not watch.is_watching


class Kept(Outer):
    """Goes on with one iterator from pass to pass."""

    iterator = None

    def __iter__(self):
        self.iterator = self.iterator or iter(self.inner)
        for _ in range(3):
            batch = next(self.iterator, None)
            if batch is None:
                self.iterator = iter(self.inner)
                batch = next(self.iterator)
            yield batch


LOADERS["kept"] = lambda: Kept(TorchDataLoader(Items(), 4, shuffle=True))


def test_an_iterator_that_stays_is_named_and_goes_on(tmp_path, capfd):
    with pytest.raises(InterruptedError):
        train(tmp_path, "kept", stop=2)
    assert "loader.iterator (an iterator" in capfd.readouterr().out
    train(tmp_path, "kept", resume=True)


class Record(BaseMetric):
    """Compares with the best of all validations."""

    def __init__(self):
        super().__init__(prefix="of")
        self.best, self.seen = 0.0, []

    def process(self, data_batch, data_samples):
        self.results.append(float(data_batch.sum()) * (1 + len(self.results)))

    def compute_metrics(self, results):
        self.best = max(self.best, sum(results))
        self.seen.append(sum(results))
        return {"gap": self.best - sum(results) / len(self.seen)}


class Gaps(Hook):
    """Writes down what each validation measures."""

    def __init__(self, of_epochs):
        self.of_epochs = of_epochs

    def after_val_epoch(self, runner, metrics=None):
        self.of_epochs[runner.epoch] = metrics["of/gap"]


VALIDATED = {
    "generator": lambda: TorchDataLoader(
        Items(), 4, shuffle=True, generator=torch.Generator().manual_seed(3)
    ),
    "data and collating": lambda: TorchDataLoader(Previous(), 4, collate_fn=Collate()),
    "own loader": Reordered,
}


@pytest.mark.parametrize("validated", VALIDATED)
def test_validations_go_on_from_those_before(tmp_path, validated):
    def gaps(work_dir, epochs):
        of_epochs = {}
        section = {"val_dataloader": VALIDATED[validated](), "val_cfg": {}}
        train(work_dir, "walk", epochs=epochs, hooks=[Gaps(of_epochs)], resume=True, **section)
        return of_epochs

    whole = gaps(tmp_path / "whole", 3)
    parts = [gaps(tmp_path / "cut", epochs) for epochs in (1, 2, 3)]
    assert whole == parts[0] | parts[1] | parts[2]
    assert len(whole) == 3


class Counts(EpochBasedTrainLoop):
    """Trains on what it has counted and seen itself."""

    def __init__(self, runner, dataloader, **lengths):
        super().__init__(runner, dataloader, **lengths)
        self.count, self._seen = 0, []

    def run_iter(self, idx, data_batch):
        self.count += 1
        self._seen.append(data_batch.mean())
        super().run_iter(idx, data_batch + (self.count + sum(self._seen[-3:])) / 100)


@pytest.mark.parametrize("stop", [2, 6])
def test_loops_go_on_from_what_they_have_counted(tmp_path, stop):
    section = {"train_cfg": {"type": Counts, "max_epochs": 3}}
    whole = train(tmp_path / "whole", "walk", **section)
    with pytest.raises(InterruptedError):
        train(tmp_path / "cut", "walk", stop=stop, **section)
    resumed = train(tmp_path / "cut", "walk", resume=True, **section)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


class Tally:
    def __init__(self):
        self.count = 0


class Inside(Hook):
    """Counts in an object, and exchanges a layer."""

    def __init__(self):
        self.inside = Tally()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.inside.count += 1
        runner.model.net[0].weight.data.add_(self.inside.count / 100)
        if runner.iter == 8:
            runner.model.net[1] = nn.Identity()


def test_objects_inside_of_hooks_go_on_and_exchanged_layers_are_named(tmp_path, capfd):
    whole = train(tmp_path / "whole", "walk", hooks=[Inside()])
    assert capfd.readouterr().out.count("model.net.1 (a Identity that the run has put there)") == 1
    with pytest.raises(InterruptedError):
        train(tmp_path / "cut", "walk", stop=5, hooks=[Inside()])
    resumed = train(tmp_path / "cut", "walk", resume=True, hooks=[Inside()])
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


class Exchange(Hook):
    """Goes on with another kind of optimizer."""

    def after_train_epoch(self, runner):
        parameters = runner.model.net.parameters()
        runner.optim_wrapper.optimizer = torch.optim.Adam(parameters, lr=0.01)


class Extends(Hook):
    """Trains a parameter that it gives to the model on the way."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 2:
            runner.model.extra = nn.Parameter(torch.zeros(1))
            runner.optim_wrapper.optimizer.add_param_group({"params": [runner.model.extra]})


@pytest.mark.parametrize(
    ("hook", "said", "refused"),
    [
        (Exchange, "optimizer (a Adam that", "is of another optimizer, this run has SGD"),
        (Extends, "model.extra (a Parameter that", "has extra, which the model does not have"),
    ],
)
def test_what_the_run_trains_with_beyond_its_description_is_named(
    tmp_path, capfd, hook, said, refused
):
    with pytest.raises(InterruptedError):
        train(tmp_path, "walk", stop=6, hooks=[hook()])
    assert capfd.readouterr().out.count(f"{said} the run has put there") == 1
    with pytest.raises(CheckpointError, match=refused):
        train(tmp_path, "walk", resume=True, hooks=[hook()])
