"""From a section of a config to a loader."""

from __future__ import annotations

import functools
import pickle
import random

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, Dataset, IterableDataset
from torch.utils.data import DataLoader as TorchDataLoader

from mainspring.config import Config
from mainspring.dataset import (
    DataLoader,
    DefaultSampler,
    build_dataloader,
    default_collate,
    pseudo_collate,
    worker_init_fn,
)
from mainspring.dataset.first_items import FirstItems
from mainspring.errors import ConfigError, DataError, is_user_mistake
from mainspring.registry import DATA_SAMPLERS, DATASETS, FUNCTIONS


class Numbers(Dataset):
    def __init__(self, length=10):
        self.length = length
        self.initialised = False

    def full_init(self):
        self.initialised = True

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return index


@FUNCTIONS.register_module(name="scaled_for_test", force=True)
def scaled(items, factor=1):
    return [item * factor for item in items]


@pytest.fixture(autouse=True)
def registered():
    DATASETS.register_module(name="NumbersForTest", module=Numbers, force=True)
    DATA_SAMPLERS.register_module(name="PairsForTest", module=Pairs, force=True)


class Pairs(BatchSampler):
    def __init__(self, sampler, batch_size):
        super().__init__(sampler, batch_size, drop_last=True)


def section(**changes):
    base = {
        "dataset": dict(type="NumbersForTest"),
        "sampler": dict(type="DefaultSampler", shuffle=False),
        "batch_size": 4,
    }
    return {key: value for key, value in {**base, **changes}.items() if value != "leave out"}


def test_the_parts_of_a_section():
    loader = build_dataloader(section(drop_last=True), seed=7)
    assert isinstance(loader, DataLoader)
    assert isinstance(loader.sampler, DefaultSampler)
    assert loader.sampler.seed == loader.seed == 7
    assert loader.dataset.initialised
    assert loader.collate_fn is pseudo_collate
    assert list(loader) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_the_section_is_not_changed():
    given = section(collate_fn=dict(type="scaled_for_test", factor=2), num_batch_per_epoch=1)
    before = pickle.dumps(given)
    build_dataloader(given, seed=1)
    assert pickle.dumps(given) == before


def test_ready_parts_and_factories():
    data = Numbers()
    sampler = DefaultSampler(data, shuffle=False)
    assert build_dataloader(section(dataset=data, sampler=sampler)).sampler is sampler
    loader = build_dataloader(section(dataset=Numbers, sampler=DefaultSampler), seed=5)
    assert loader.sampler.seed == 5
    loader = build_dataloader(
        section(sampler=sampler, batch_sampler=BatchSampler(sampler, 3, True))
    )
    assert len(list(loader)) == 3
    loader = build_dataloader(section(batch_sampler=Pairs, batch_size=2))
    assert len(list(loader)) == 5


def test_a_batch_sampler_in_a_dict_gets_sampler_and_batch_size():
    loader = build_dataloader(section(batch_sampler=dict(type="PairsForTest"), batch_size=3))
    assert type(loader.batch_sampler) is Pairs
    assert list(loader) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_shuffle_in_place_of_a_sampler():
    loader = build_dataloader(section(sampler="leave out", shuffle=True), seed=2)
    assert list(loader.sampler) == list(DefaultSampler(range(10), seed=2))


@pytest.mark.parametrize(
    "spec",
    [
        scaled,
        functools.partial(scaled, factor=1),
        dict(type="scaled_for_test"),
        dict(type=scaled, factor=1),
    ],
)
def test_collate_functions(spec):
    assert next(iter(build_dataloader(section(collate_fn=spec)))) == [0, 1, 2, 3]


def test_collate_arguments():
    loader = build_dataloader(section(collate_fn=dict(type="scaled_for_test", factor=3)))
    assert next(iter(loader)) == [0, 3, 6, 9]
    by_name = build_dataloader(section(collate_fn=dict(type="default_collate")))
    assert by_name.collate_fn is default_collate


def test_worker_init_functions():
    loader = build_dataloader(section(num_workers=2, disable_subprocess_warning=True), seed=4)
    assert loader.worker_init_fn.func is worker_init_fn
    assert loader.worker_init_fn.keywords == {
        "num_workers": 2, "rank": 0, "seed": 4, "disable_subprocess_warning": True,
    }  # fmt: skip
    assert build_dataloader(section()).worker_init_fn is None
    named = build_dataloader(section(worker_init_fn=dict(type="worker_init_fn")), seed=1)
    assert named.worker_init_fn.func is worker_init_fn
    assert build_dataloader(section(worker_init_fn=print)).worker_init_fn is print


def test_worker_seeds():
    worker_init_fn(worker_id=1, num_workers=4, rank=2, seed=10)
    found = random.random(), np.random.rand(), torch.rand(1)
    random.seed(19), np.random.seed(19), torch.manual_seed(19)
    assert found == (random.random(), np.random.rand(), torch.rand(1))


class Draws(Numbers):
    def __getitem__(self, index):
        return random.random(), np.random.rand(), torch.rand(1).item()


def test_without_a_seed_workers_draw_what_torch_lets_them_draw():
    built = build_dataloader(section(dataset=Draws(), num_workers=2), sample_rng="worker")
    plain = TorchDataLoader(Draws(), 4, num_workers=2, collate_fn=pseudo_collate)
    for _ in range(2):  # the second pass too, when the loader has settled the seed of its order
        state = torch.get_rng_state()
        drawn = list(built)
        torch.set_rng_state(state)
        assert drawn == list(plain)


def test_ranks_with_different_seeds_share_an_order():
    drawn = build_dataloader(section(), seed=3, diff_rank_seed=True).sampler.seed
    np.random.seed(0)
    expected = int(np.random.randint(2**31))
    np.random.seed(0)
    assert build_dataloader(section(), seed=3, diff_rank_seed=True).sampler.seed == expected
    assert isinstance(drawn, int)


def test_num_batch_per_epoch_cuts_the_data_set():
    loader = build_dataloader(section(num_batch_per_epoch=2))
    assert len(loader) == 2
    assert list(loader) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert loader.dataset.initialised
    assert len(build_dataloader(section(num_batch_per_epoch=100))) == 3
    assert len(pickle.loads(pickle.dumps(FirstItems(Numbers(), 3)))) == 3


def test_sample_rng_is_passed_on():
    assert build_dataloader(section(), sample_rng="worker").sample_rng == "worker"


def test_a_type_names_the_loader_class():
    ours = build_dataloader(dict(type=DataLoader, dataset=Numbers(), shuffle=True), seed=3)
    assert ours.seed == 3
    assert type(next(iter(ours))) is torch.Tensor
    theirs = build_dataloader(section(type=TorchDataLoader), seed=3)
    assert type(theirs) is TorchDataLoader
    assert type(build_dataloader(section(type="DataLoader"))) is DataLoader


def test_ready_loaders_stay_and_ours_takes_the_seed_of_the_run():
    theirs = TorchDataLoader(Numbers())
    assert build_dataloader(theirs, seed=3) is theirs
    ours = DataLoader(Numbers(), shuffle=True)
    assert build_dataloader(ours, seed=3) is ours
    assert ours.seed == ours.sampler.seed == 3
    assert build_dataloader(functools.partial(DataLoader, Numbers()), seed=8).seed == 8


def test_an_iterable_data_set_needs_no_sampler():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(range(3))

    loader = build_dataloader(dict(dataset=Stream(), batch_size=2))
    assert list(loader) == [[0, 1], [2]]


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"dataset": "leave out"}, KeyError, "no dataset"),
        ({"sampler": "leave out"}, KeyError, "no sampler"),
        ({"sampler": "leave out", "samplr": {}}, KeyError, "did you mean|no sampler"),
        ({"batchsize": 3}, TypeError, "'batchsize'.*\n.*did you mean 'batch_size'"),
        ({"collate_fn": 3}, TypeError, "collate_fn is 3"),
        ({"collate_fn": dict(factor=3)}, KeyError, "collate_fn has no type"),
        ({"collate_fn": dict(type="defualt_collate")}, TypeError, "did you mean 'default_collate'"),
        ({"worker_init_fn": 3}, TypeError, "worker_init_fn is 3"),
        ({"worker_init_fn": dict(x=3)}, KeyError, "worker_init_fn has no type"),
        ({"type": int}, TypeError, "is no loader class"),
    ],
    ids=str,
)
def test_mistakes_in_a_section(changes, kind, message):
    with pytest.raises(ConfigError, match=message) as caught:
        build_dataloader(section(**changes), seed=0)
    assert isinstance(caught.value, kind)


def test_what_is_no_loader():
    with pytest.raises(TypeError, match="3 is no loader"):
        build_dataloader(3)


@pytest.mark.parametrize("spec", [dict(type="NumbersForTest", length=0), Numbers(0)])
def test_an_empty_data_set_is_the_users_mistake(spec):
    with pytest.raises(DataError, match="Numbers is empty") as caught:
        build_dataloader(section(dataset=spec))
    assert is_user_mistake(caught.value)
    with pytest.raises(DataError, match="the 10 items of Numbers make no batch"):
        build_dataloader(section(drop_last=True, batch_size=20))


def test_a_section_in_mmengines_form_means_what_it_means_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    theirs = build_dataloader(section(num_workers=2), seed=0)
    assert (theirs.persistent_workers, theirs.pin_memory) == (False, False)
    ours = build_dataloader(section(num_workers=2, type="DataLoader"), seed=0)
    assert (ours.persistent_workers, ours.pin_memory) == (True, True)


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(3))


@pytest.mark.parametrize("kind", ["mainspring.dataset.DataLoader", None])
def test_a_stream_has_no_order_to_be_changed(kind):
    typed = {"dataset": Stream(), **({} if kind is None else {"type": kind})}
    assert len(list(build_dataloader({**typed, "shuffle": False}))) == 3
    for order in ({"shuffle": True}, {"sampler": {"type": "DefaultSampler"}}):
        with pytest.raises(ConfigError, match="is given, but the data set is a stream"):
            build_dataloader({**typed, **order})


def test_a_data_set_without_length_is_refused_before_it_is_shuffled():
    class Lengthless(Dataset):
        def __getitem__(self, index):
            return index

    with pytest.raises(ConfigError, match="Lengthless has no length"):
        build_dataloader({"dataset": Lengthless(), "shuffle": True})


def test_samplers_of_torch_in_a_recorded_config():
    text = """
from torch.utils.data import RandomSampler, WeightedRandomSampler
from mainspring.config import later
from mainspring.dataset import DataLoader
data = [1, 2, 3, 4]
first = DataLoader(data, sampler=WeightedRandomSampler([0.0, 1.0, 0.0, 0.0], 8))
second = DataLoader(data, batch_size=4, sampler=later(RandomSampler)())
"""
    cfg = Config.fromstring(text, ".py")
    assert [batch.tolist() for batch in build_dataloader(cfg.first)] == [[2]] * 8
    (batch,) = build_dataloader(cfg.second)
    assert sorted(batch.tolist()) == [1, 2, 3, 4]
