"""Batches by a budget of tokens: each item once, padded within the budget, equal on the ranks."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from mainspring.checkpoint import load_file
from mainspring.cli.main import main
from mainspring.config import later
from mainspring.dataset import DataLoader, DefaultSampler, TokenBudgetBatchSampler, build_dataloader
from mainspring.dataset.loader.dealing import every_item_once
from mainspring.errors import ConfigError
from mainspring.hooks import Hook
from mainspring.model import BaseModel
from mainspring.runner import Runner


def some_lengths(count=200, longest=100, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, longest + 1, (count,), generator=generator).tolist()


class Texts(Dataset):
    """Items of so many tokens, with noise that is drawn when an item is loaded."""

    def __init__(self, count=60, longest=40):
        self.lengths = some_lengths(count, longest)

    def __len__(self):
        return len(self.lengths)

    def __getitem__(self, index):
        return torch.full((self.lengths[index],), float(index)) + torch.rand(1)


def padded(items):
    return nn.utils.rnn.pad_sequence(items, batch_first=True)


def made(lengths, max_tokens, ranks=1, rank=0, shuffle=True, epoch=0, **settings):
    sampler = DefaultSampler(range(len(lengths)), shuffle=shuffle, seed=3)
    sampler.rank, sampler.world_size, sampler.epoch = rank, ranks, epoch
    return TokenBudgetBatchSampler(sampler, max_tokens=max_tokens, lengths=lengths, **settings)


@pytest.mark.parametrize("ranks", [1, 2, 3, 7])
@pytest.mark.parametrize(
    ("max_tokens", "settings"), [(100, {}), (400, {}), (400, {"max_items": 5})]
)
@pytest.mark.parametrize("epoch", [0, 1])
def test_each_item_comes_once_within_the_budget_and_the_ranks_have_as_many_batches(
    ranks, max_tokens, settings, epoch
):
    lengths = some_lengths()
    samplers = [
        made(lengths, max_tokens, ranks, rank, epoch=epoch, **settings) for rank in range(ranks)
    ]
    of_ranks = [list(sampler) for sampler in samplers]
    assert {len(batches) for batches in of_ranks} == {len(sampler) for sampler in samplers}
    assert len({len(batches) for batches in of_ranks}) == 1
    batches = list(itertools.chain.from_iterable(of_ranks))
    assert sorted(itertools.chain.from_iterable(batches)) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) * max(lengths[i] for i in batch) <= max_tokens
        assert len(batch) <= settings.get("max_items", len(batch))


def test_little_is_padded_and_few_batches_are_made():
    """Against the best that a budget allows: batches that are all full of tokens."""
    lengths = some_lengths(2000)
    batches = list(made(lengths, 1000))
    tokens = sum(lengths)
    places = sum(len(batch) * max(lengths[i] for i in batch) for batch in batches)
    assert tokens / places > 0.93
    assert len(batches) < 1.15 * tokens / 1000
    by_chance = list(DefaultSampler(lengths, seed=3))
    groups = [by_chance[i : i + 20] for i in range(0, 2000, 20)]
    assert tokens / sum(len(g) * max(lengths[i] for i in g) for g in groups) < 0.6


def test_ranks_compute_batches_of_alike_length_at_the_same_time():
    lengths = some_lengths(2000)
    of_ranks = [list(made(lengths, 1000, 2, rank)) for rank in range(2)]
    longest = [[max(lengths[i] for i in batch) for batch in batches] for batches in of_ranks]
    waited = sum(abs(left - right) for left, right in zip(*longest))
    assert waited < 0.05 * sum(longest[0])


def test_the_order_is_of_seed_and_epoch_alone():
    lengths = some_lengths()
    torch.manual_seed(1)
    first = list(made(lengths, 300))
    torch.manual_seed(2)
    assert list(made(lengths, 300)) == first
    later_epoch = made(lengths, 300, epoch=1)
    assert list(later_epoch) != first
    assert {frozenset(batch) for batch in later_epoch} != {frozenset(batch) for batch in first}
    in_order = list(made(lengths, 300, shuffle=False))
    longest = [max(lengths[i] for i in batch) for batch in in_order]
    assert all(one * 1.1 >= other for one, other in itertools.pairwise(longest))
    assert list(made(lengths, 300, shuffle=False, epoch=1)) == in_order


def test_fewer_items_than_ranks():
    of_ranks = [list(made([4, 4, 4], 8, 4, rank)) for rank in range(4)]
    assert [len(batches) for batches in of_ranks] == [1, 1, 1, 1]
    assert set(itertools.chain(*itertools.chain(*of_ranks))) == {0, 1, 2}


def test_a_validation_sees_every_item_once():
    for count in (3, 5, 9):
        seen = []
        for rank in range(4):
            batch_sampler = made([4] * count, 8, 4, rank, shuffle=False)
            loader = DataLoader(range(count), batch_sampler=batch_sampler)
            with every_item_once(loader):
                seen += itertools.chain(*batch_sampler)
        # Outside of a run, one process has all ranks, so nothing is changed for fewer than four.
        assert set(seen) == set(range(count))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_goes_on_behind_any_batch_with_the_same_items_and_numbers(workers):
    def loader():
        return DataLoader(
            Texts(),
            shuffle=True,
            batch_sampler=later(TokenBudgetBatchSampler)(max_tokens=120),
            collate_fn=padded,
            num_workers=workers,
            seed=7,
        )

    whole = loader()
    whole.set_epoch(2)
    batches = list(whole)
    assert len(batches) == len(whole)
    begun = loader()
    begun.set_epoch(2)
    taken = list(itertools.islice(begun, 4))
    state = begun.state_dict()
    resumed = loader()
    resumed.load_state_dict(state)
    for one, other in zip([*taken, *resumed], batches, strict=True):
        assert torch.equal(one, other)


def test_with_other_ranks_it_goes_on_at_the_same_share():
    loader = DataLoader(
        Texts(),
        shuffle=True,
        batch_sampler=later(TokenBudgetBatchSampler)(max_tokens=120),
        collate_fn=padded,
        seed=7,
    )
    state = {**loader.state_dict(), "batches": 3, "world_size": 2}
    loader.load_state_dict(state)
    assert len(list(loader)) == len(loader) - 6


def test_in_a_section(capsys):
    loader = build_dataloader(
        dict(
            dataset=Texts(),
            sampler=dict(type="DefaultSampler", shuffle=True),
            batch_sampler=dict(type="TokenBudgetBatchSampler", max_tokens=100),
            collate_fn=padded,
        ),
        seed=1,
    )
    assert all(batch.numel() <= 100 for batch in loader)
    assert loader.batch_sampler.sampler.seed == 1


class Mean(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, inputs, mode="tensor"):
        return {"loss": ((self.weight - inputs) ** 2).mean()}

    def train_step(self, data, optim_wrapper):
        loss = self(data)["loss"]
        optim_wrapper.update_params(loss)
        return {"loss": loss.detach()}


def run(work_dir, kind=DataLoader, resume=False, stop_at=None):
    class Stop(Hook):
        priority = "LOWEST"

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter + 1 == stop_at:
                runner.train_loop.stop_training = True
                raise KeyboardInterrupt

    loader = DataLoader(
        Texts(),
        shuffle=True,
        batch_sampler=later(TokenBudgetBatchSampler)(max_tokens=120),
        collate_fn=padded,
    )
    if kind is not DataLoader:
        sampler = DefaultSampler(Texts(), shuffle=True, seed=5)
        batch_sampler = TokenBudgetBatchSampler(sampler, max_tokens=120, lengths=Texts().lengths)
        loader = kind(Texts(), batch_sampler=batch_sampler, collate_fn=padded)
    runner = Runner(
        model=Mean(),
        work_dir=str(work_dir),
        train_dataloader=loader,
        train_cfg={"max_epochs": 2},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.01}},
        default_hooks={"checkpoint": {"type": "CheckpointHook", "interval": 1, "by_epoch": False}},
        custom_hooks=[Stop()],
        randomness={"seed": 0},
        resume=resume,
    )
    if stop_at is None:
        runner.train()
        return runner
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    return runner


@pytest.mark.parametrize("kind", [DataLoader, torch.utils.data.DataLoader])
def test_a_run_that_is_cut_off_within_an_epoch_ends_like_one_that_is_not(tmp_path, kind, capfd):
    whole = run(tmp_path / "whole", kind)
    said = " ".join(capfd.readouterr().out.split())
    assert f"in {len(whole.train_dataloader)} batches of up to 120 tokens" in said
    run(tmp_path / "parts", kind, stop_at=5)
    resumed = run(tmp_path / "parts", kind, resume=True)
    assert resumed.iter == whole.iter == 2 * len(whole.train_dataloader)
    assert torch.equal(resumed.model.weight, whole.model.weight)
    assert load_file(tmp_path / "parts" / f"iter_{whole.iter}.pth")["meta"]["iter"] == whole.iter


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (dict(max_tokens=50), "item 3 has 60 tokens, more than max_tokens=50"),
        (dict(max_tokens=60, batch_size=8), "say max_items=8"),
        (dict(max_tokens=60, max_items=0), "max_items is 0"),
        (dict(max_tokens=60, lengths=[1, 2]), "2 lengths for the 4 items"),
        (dict(max_tokens=60, lengths=None), "range has no lengths"),
    ],
)
def test_mistakes(settings, said):
    settings = {"lengths": [1, 2, 3, 60], **settings}
    with pytest.raises(ConfigError, match=said):
        TokenBudgetBatchSampler(DefaultSampler(range(4)), **settings)


def test_another_sampler_is_refused():
    with pytest.raises(ConfigError, match="RandomSampler gives indices only"):
        TokenBudgetBatchSampler(
            torch.utils.data.RandomSampler(range(4)), max_tokens=4, lengths=[1] * 4
        )


def test_lengths_of_a_function_of_the_data_set():
    sampler = DefaultSampler(["a", "bbb", "cc"], shuffle=False)
    batches = TokenBudgetBatchSampler(sampler, max_tokens=4, lengths=lambda data: map(len, data))
    assert list(batches) == [[1], [2, 0]]


DATA = """
import torch
from torch.utils.data import TensorDataset


class Data(TensorDataset):
    def __init__(self):
        super().__init__(torch.ones(16, 4), torch.zeros(16, 1))
        self.lengths = [1 + index % 4 for index in range(16)]
"""
RECORDED = """
from torch import nn
from torch.optim import SGD
from data_with_lengths import Data
from mainspring.cli.main import main
from mainspring.config import later
from mainspring.dataset import DataLoader, TokenBudgetBatchSampler
from mainspring.model import Supervised
from mainspring.optim import OptimWrapper
from mainspring.runner import ByEpoch

model = Supervised(nn.Linear(4, 1), nn.MSELoss())
train_dataloader = DataLoader(
    Data(), shuffle=True, threads=2, batch_sampler=later(TokenBudgetBatchSampler)(max_tokens=12)
)
train_cfg = ByEpoch(max_epochs=1)
optim_wrapper = OptimWrapper(later(SGD)(lr=0.1))
"""
DESCRIBED = """
model = dict(
    type="Supervised",
    net=dict(type="torch.nn.Linear", in_features=4, out_features=1),
    loss=dict(type="torch.nn.MSELoss"),
)
train_dataloader = dict(
    type="DataLoader",
    dataset=dict(type="data_with_lengths.Data"),
    shuffle=True,
    threads=2,
    batch_sampler=dict(type="TokenBudgetBatchSampler", max_tokens=12),
)
train_cfg = dict(max_epochs=1)
optim_wrapper = dict(optimizer=dict(type="SGD", lr=0.1))
"""


@pytest.mark.parametrize("config", [RECORDED, DESCRIBED])
def test_in_a_config_it_is_no_mistake_to_ask_the_data_set(tmp_path, monkeypatch, config, capfd):
    (tmp_path / "config.py").write_text(config)
    (tmp_path / "data_with_lengths.py").write_text(DATA)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for words in ("check config.py", "train config.py work_dir=run --no-report"):
        assert main(words.split()) == 0, capfd.readouterr()
    assert "in 4 batches of up to 12 tokens" in capfd.readouterr().out
