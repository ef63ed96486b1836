"""The loader: torch's, with a position and with random numbers that belong to the items."""

from __future__ import annotations

import functools
import os
import random

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    Dataset,
    IterableDataset,
    RandomSampler,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    get_worker_info,
)
from torch.utils.data import DataLoader as TorchDataLoader

from mainspring.dataset import DataLoader, DefaultSampler, InfiniteSampler, default_collate
from mainspring.errors import ConfigError, DataError


class Augmented(Dataset):
    """Items that draw from every global generator, and remember that they were loaded."""

    def __init__(self, length=23):
        self.length = length
        self.loaded = []

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        self.loaded.append(int(index))
        return {
            "index": int(index),
            "python": random.random(),
            "numpy": np.random.rand(),
            "torch": torch.rand(2).tolist(),
            "normal": random.gauss(0, 1) + np.random.randn(),
        }


class Failing(Augmented):
    def __init__(self, error):
        super().__init__(8)
        self.error = error

    def __getitem__(self, index):
        if index == 5:
            raise self.error
        return index


class TwoArgumentsError(Exception):
    """Cannot be made from one text, so torch would replace it."""

    def __init__(self, path, reason):
        super().__init__(path, reason)
        self.path = path


def as_list(items):
    return items


def loader(dataset=None, **options):
    options = {"batch_size": 4, "shuffle": True, "seed": 3, "collate_fn": as_list, **options}
    return DataLoader(Augmented() if dataset is None else dataset, **options)


def epochs(source, count=2):
    batches = []
    for epoch in range(count):
        source.set_epoch(epoch)
        batches.append(list(source))
    return batches


def indices(batches):
    return [[item["index"] for item in batch] for batch in batches]


def generator_states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()


# The stream


@pytest.mark.parametrize(
    "options",
    [
        {"num_workers": 2},
        {"num_workers": 4},
        {"num_workers": 2, "persistent_workers": True},
        {"num_workers": 2, "prefetch_factor": 1},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_the_stream_does_not_depend_on_workers(options):
    assert epochs(loader(**options)) == epochs(loader())


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [2, 4])
def test_an_endless_stream_does_not_depend_on_workers(workers):
    def first(count, **options):
        source = loader(shuffle=None, sampler=InfiniteSampler(range(23), seed=1), **options)
        batches = iter(source)
        return [next(batches) for _ in range(count)]

    alone = first(15)
    assert first(15, num_workers=workers) == alone
    visits = [item for batch in alone for item in batch]
    assert sorted(item["index"] for item in visits[:23]) == list(range(23))
    by_index = {item["index"]: item["torch"] for item in visits[:23]}
    assert all(by_index[item["index"]] != item["torch"] for item in visits[23:46])


def test_items_differ_from_each_other_from_epoch_to_epoch_and_from_seed_to_seed():
    draws = [
        item["python"]
        for seed in (3, 4)
        for batches in epochs(loader(seed=seed))
        for batch in batches
        for item in batch
    ]
    assert len(set(draws)) == len(draws) == 4 * 23


def test_an_item_draws_the_same_wherever_it_comes_in_the_order():
    shuffled = {item["index"]: item for batch in loader() for item in batch}
    straight = {item["index"]: item for batch in loader(shuffle=False) for item in batch}
    assert shuffled == straight


def test_seeds_are_spread_evenly():
    draws = [item["python"] for batch in loader(Augmented(400)) for item in batch]
    assert np.histogram(draws, bins=4, range=(0, 1))[0].min() > 70


def test_items_that_are_visited_twice_in_an_epoch_draw_anew():
    sampler = WeightedRandomSampler([1.0, 1.0], 40, generator=torch.Generator().manual_seed(0))
    batches = list(loader(Augmented(2), shuffle=None, sampler=sampler))
    draws = [item["torch"][0] for batch in batches for item in batch]
    assert len(set(draws)) == 40


def test_a_batch_sampler_of_ones_own():
    class EvenThenOdd:
        def __init__(self, sampler, batch_size):
            self.sampler = sampler
            self.batch_size = batch_size

        def __iter__(self):
            order = list(self.sampler)
            for parity in (0, 1):
                yield [index for index in order if index % 2 == parity]

        def __len__(self):
            return 2

    source = loader(batch_sampler=EvenThenOdd, batch_size=1)
    plain = {item["index"]: item for batch in loader() for item in batch}
    even, odd = source
    assert [item["index"] % 2 for item in even] == [0] * 12
    assert {item["index"]: item for item in even + odd} == plain


def test_single_items_without_batches():
    source = loader(batch_size=None, collate_fn=None)
    workers = loader(batch_size=None, collate_fn=None, num_workers=2)
    plain = {item["index"]: item["python"] for batch in loader() for item in batch}
    assert {item["index"]: item["python"] for item in source} == plain
    assert {item["index"]: item["python"] for item in workers} == plain


@pytest.mark.parametrize("workers", [0, 2])
def test_the_generators_of_the_main_process_are_left_alone(workers):
    random.gauss(0, 1), np.random.randn()
    before = generator_states()
    source = loader(num_workers=workers)
    for _ in source:
        assert generator_states() == before


def test_the_generators_are_put_back_when_an_item_raises():
    before = generator_states()
    with pytest.raises(OSError, match="broken"):
        list(loader(Failing(OSError("broken"))))
    assert generator_states() == before


@pytest.mark.parametrize("workers", [0, 2])
def test_what_a_collate_function_draws_belongs_to_the_batch(workers):
    def with_noise(items):
        return [item["index"] for item in items], random.random()

    before = generator_states()
    alone = list(loader(collate_fn=with_noise))
    assert list(loader(collate_fn=with_noise, num_workers=workers)) == alone
    assert len({noise for _, noise in alone}) == len(alone)
    assert generator_states() == before


def test_data_in_tensors_needs_no_seeds_and_comes_out_the_same():
    data = TensorDataset(torch.arange(10.0))
    expected = list(TorchDataLoader(data, batch_size=3))
    found = list(DataLoader(Subset(data, range(10)), batch_size=3))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(found, expected, strict=True))


# Worker mode


def test_worker_mode_is_torchs_own_stream_draw_for_draw():
    def stream(make):
        random.seed(1), np.random.seed(1), torch.manual_seed(1)
        source = make(Augmented(), 4, sampler=DefaultSampler(range(23), seed=2), collate_fn=as_list)
        return [list(source) for _ in range(2)], generator_states()

    ours = functools.partial(DataLoader, sample_rng="worker", seed=9)
    assert stream(ours) == stream(TorchDataLoader)


def test_worker_mode_seeds_workers_as_mmengine_does():
    def seed_of_worker(worker_id):
        random.seed(2 * 0 + worker_id + 9)
        np.random.seed(worker_id + 9)
        torch.manual_seed(worker_id + 9)

    options = {"sampler": range(8), "num_workers": 2, "collate_fn": as_list, "batch_size": 2}
    theirs = TorchDataLoader(Augmented(8), worker_init_fn=seed_of_worker, **options)
    ours = DataLoader(Augmented(8), seed=9, sample_rng="worker", **options)
    assert list(ours) == list(theirs)


# The position


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [0, 2, 4])
@pytest.mark.parametrize("stop", [0, 1, 3, 6])
def test_it_goes_on_after_any_batch_without_loading_those_before(workers, stop):
    whole = epochs(loader(), 3)
    first = loader(num_workers=workers)
    first.set_epoch(1)
    batches = iter(first)
    for _ in range(stop):
        next(batches)
    state = first.state_dict()
    assert (state["epoch"], state["batches"]) == (1, stop)

    data = Augmented()
    second = loader(data, num_workers=workers, seed=999)
    second.load_state_dict(state)
    second.set_epoch(1)
    assert list(second) == whole[1][stop:]
    if not workers:
        assert data.loaded == [index for batch in indices(whole[1][stop:]) for index in batch]
    second.set_epoch(2)
    assert list(second) == whole[2]


def test_prefetched_batches_do_not_count():
    source = loader(num_workers=2, prefetch_factor=2)
    batches = iter(source)
    next(batches)
    assert source.state_dict()["batches"] == 1


def test_a_position_may_be_handed_on_before_anything_is_loaded():
    first = loader()
    next(iter(first))
    second = loader()
    second.load_state_dict(first.state_dict())
    third = loader()
    third.load_state_dict(second.state_dict())
    assert list(third) == list(loader())[1:]


@pytest.mark.parametrize("workers", [0, 2])
def test_an_endless_stream_goes_on(workers):
    def make(data=None):
        return loader(
            data, shuffle=None, sampler=InfiniteSampler(range(23), seed=1), num_workers=workers
        )

    batches = iter(make())
    whole = [next(batches) for _ in range(20)]
    first = make()
    batches = iter(first)
    for _ in range(13):
        next(batches)
    data = Augmented()
    second = make(data)
    second.load_state_dict(first.state_dict())
    rest = iter(second)
    assert [next(rest) for _ in range(7)] == whole[13:]
    assert workers or len(data.loaded) == 7 * 4
    # A new iterator goes on, too, with the first batch that was not given out.
    del batches
    assert next(iter(first)) == whole[13]


def test_another_batch_size_goes_on_at_the_same_sample():
    first = loader(batch_size=4)
    batches = iter(first)
    next(batches), next(batches)
    second = loader(batch_size=6)
    second.load_state_dict(first.state_dict())
    order = [index for batch in indices(loader()) for index in batch]
    rest = [index for batch in indices(second) for index in batch]
    assert rest == order[8:]

    second = loader(batch_size=6)
    second.load_state_dict(first.state_dict())
    next(iter(second))
    third = loader(batch_size=5)
    third.load_state_dict(second.state_dict())
    assert [index for batch in indices(third) for index in batch] == order[14:]


def test_a_custom_batch_sampler_is_skipped_by_its_indices():
    data = Augmented()

    class Own(BatchSampler):
        pass

    def make(data):
        generator = torch.Generator().manual_seed(4)
        own = Own(RandomSampler(data, generator=generator), 4, False)
        return DataLoader(data, batch_sampler=own, collate_fn=as_list, seed=1)

    whole = list(make(Augmented()))
    second = make(data)
    second.load_state_dict({"epoch": 0, "batches": 4, "seed": 1})
    assert list(second) == whole[4:]
    assert len(data.loaded) == 7


def test_a_finished_epoch_has_nothing_left_and_the_next_one_is_whole():
    first = loader()
    list(first)
    second = loader()
    second.load_state_dict(first.state_dict())
    assert list(second) == []
    assert list(second) == epochs(loader())[1]


def test_the_state_is_of_plain_types(tmp_path):
    source = loader()
    next(iter(source))
    torch.save(source.state_dict(), tmp_path / "state.pth")
    assert torch.load(tmp_path / "state.pth", weights_only=True) == source.state_dict()


@pytest.mark.parametrize("workers", [0, 2])
def test_in_worker_mode_it_goes_on_exactly_too(workers):
    def make(data):
        return loader(data, sample_rng="worker", num_workers=workers)

    def prepared(data):
        random.seed(1), np.random.seed(1), torch.manual_seed(1)
        return make(data)

    whole = list(prepared(Augmented()))
    first = prepared(Augmented())
    batches = iter(first)
    head = [next(batches), next(batches)]
    state, states = first.state_dict(), (random.getstate(), np.random.get_state())
    torch_state = torch.get_rng_state()
    assert head == whole[:2]
    data = Augmented()
    second = prepared(data)
    second.load_state_dict(state)
    rest = iter(second)
    if not workers:
        random.setstate(states[0]), np.random.set_state(states[1])
        torch.set_rng_state(torch_state)
        assert list(rest) == whole[2:]
        assert len(data.loaded) == 23 - 8
    else:
        assert list(rest) == whole[2:]


# Epochs


def test_shuffling_alone_gives_every_iteration_another_epoch():
    source = loader()
    assert [list(source), list(source), list(source)] == epochs(loader(), 3)
    assert source.epoch == 2


def test_set_epoch_decides_even_if_it_repeats_one():
    source = loader()
    source.set_epoch(0)
    first = list(source)
    source.set_epoch(0)
    assert list(source) == first


def test_a_hook_may_tell_the_sampler_instead():
    source = loader(shuffle=None, sampler=DefaultSampler(range(23), seed=3))
    source.sampler.set_epoch(1)
    assert list(source) == epochs(loader())[1]
    assert source.epoch == 1


def test_without_shuffling_validation_is_the_same_every_time():
    source = loader(shuffle=False)
    assert list(source) == list(source)


# Construction


def test_it_is_torchs_loader_to_everybody():
    data = Augmented()
    source = loader(data, num_workers=2, persistent_workers=True)
    assert isinstance(source, TorchDataLoader)
    assert source.dataset is data
    assert source.collate_fn is as_list
    assert source.batch_sampler.sampler is source.sampler
    assert len(source) == len(iter(source)) == 6
    list(source)
    assert source.dataset is data
    assert source.collate_fn is as_list


def test_hooks_that_restart_persistent_workers():
    data = Augmented(4)
    source = loader(data, num_workers=2, persistent_workers=True, batch_size=2)
    list(source)
    assert source._iterator is not None
    data.__class__ = type("Switched", (Augmented,), {"__getitem__": lambda self, index: "new"})
    source._DataLoader__initialized = False
    source._iterator = None
    source._DataLoader__initialized = True
    assert list(source) == [["new", "new"], ["new", "new"]]


def test_workers_see_the_real_data_set():
    def look(worker_id):
        assert type(get_worker_info().dataset) is Augmented

    list(loader(num_workers=2, worker_init_fn=look))


def test_factories():
    source = loader(shuffle=None, sampler=DefaultSampler, seed=3)
    assert list(source) == list(loader())
    partial = functools.partial(DefaultSampler, shuffle=True, seed=8)
    assert loader(shuffle=None, sampler=partial).sampler.seed == 8
    torchs = loader(shuffle=None, sampler=RandomSampler)
    assert sorted(index for batch in indices(torchs) for index in batch) == list(range(23))
    cut = loader(shuffle=True, batch_sampler=BatchSampler, drop_last=True)
    assert indices(cut) == indices(loader())[:-1]


def test_the_seed_is_the_runs_or_torchs():
    torch.manual_seed(77)
    free, given, of_run = loader(seed=None), loader(seed=77), loader(seed=None)
    of_run.use_run_seed(5)
    assert list(free) == list(given)
    assert list(of_run) == list(loader(seed=5))
    given.use_run_seed(5)
    assert given.seed == 77
    drawn_from = loader(seed=None, generator=torch.Generator().manual_seed(5))
    assert list(drawn_from) == list(loader(seed=5))


def test_mistakes_in_the_arguments():
    with pytest.raises(ConfigError, match="sample_rng is 'item'"):
        loader(sample_rng="item")
    with pytest.raises(ValueError, match="mutually exclusive with shuffle"):
        loader(sampler=range(3))
    with pytest.raises(ConfigError, match="has no length"):
        DataLoader(type("NoLength", (), {"__getitem__": lambda self, index: index})())


def test_an_empty_loader_is_an_error_that_says_why():
    with pytest.raises(DataError, match="Augmented is empty"):
        iter(loader(Augmented(0)))
    with pytest.raises(DataError, match="the 3 items of Augmented make no batch"):
        iter(loader(Augmented(3), drop_last=True))


# Errors of items


def error_from(source):
    """The error that iterating raises, without a traceback that would keep torch's workers."""
    try:
        list(source)
    except Exception as error:
        return error.with_traceback(None)
    return None


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    "error", [ValueError("broken file"), KeyError("img"), TwoArgumentsError("a.png", "broken")]
)
def test_an_error_keeps_its_type_and_names_the_item(workers, error):
    raised = error_from(loader(Failing(error), shuffle=False, num_workers=workers))
    assert type(raised) is type(error)
    assert raised.args == error.args
    place = "in the main process" if not workers else "in worker 1"
    notes = "\n".join(raised.__notes__)
    assert f"while loading index 5 of Failing {place}" in notes
    assert not workers or "__getitem__" in notes


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_that_cannot_travel_is_still_described(workers):
    class LocalError(Exception):
        pass

    failing = Failing(LocalError("broken"))
    raised = error_from(loader(failing, shuffle=False, num_workers=workers))
    assert type(raised) is (DataError if workers else LocalError)
    assert "broken" in str(raised)
    assert "index 5 of Failing" in "\n".join(raised.__notes__)


def test_an_item_cannot_end_the_epoch():
    with pytest.raises(
        DataError, match="index 5 of Failing in the main process raised StopIteration"
    ):
        list(loader(Failing(StopIteration()), shuffle=False))


def test_an_error_in_collating_names_the_items():
    data = [torch.zeros(2), torch.zeros(3)]
    with pytest.raises(RuntimeError) as caught:
        list(DataLoader(data, batch_size=2, collate_fn=default_collate))
    (note,) = caught.value.__notes__
    assert note.startswith("while collating items [0, 1] of list")


# Iterable data sets


class Stream(IterableDataset):
    def __init__(self):
        self.produced = []

    def __iter__(self):
        for number in range(10):
            self.produced.append(number)
            yield number


class StatefulStream(Stream):
    def __init__(self):
        super().__init__()
        self.position = 0

    def __iter__(self):
        while self.position < 10:
            self.position += 1
            self.produced.append(self.position - 1)
            yield self.position - 1

    def state_dict(self):
        return {"position": self.position}

    def load_state_dict(self, state):
        self.position = state["position"]


@pytest.mark.parametrize("kind", [Stream, StatefulStream])
def test_an_iterable_data_set_goes_on(kind):
    first = DataLoader(kind(), batch_size=2, collate_fn=as_list)
    batches = iter(first)
    next(batches), next(batches)
    data = kind()
    second = DataLoader(data, batch_size=2, collate_fn=as_list)
    second.load_state_dict(first.state_dict())
    assert list(second) == [[4, 5], [6, 7], [8, 9]]
    assert data.produced == list(range(4 if kind is StatefulStream else 0, 10))


# Workers that stay


class Pipeline:
    def __init__(self, *steps):
        self.steps = list(steps)


class Switchable(Dataset):
    """Items that say which pipeline, and which process, they came through."""

    def __init__(self):
        self.pipeline = Pipeline("strong")
        self.inner = [self.pipeline]

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return self.pipeline.steps[0], os.getpid()


def steps_and_processes(source):
    items = [item for batch in source for item in batch]
    return {step for step, _ in items}, {process for _, process in items}


def test_workers_stay_by_default_and_see_what_was_changed():
    data = Switchable()
    source = loader(data, num_workers=2, batch_size=1)
    assert source.persistent_workers
    first, second = steps_and_processes(source), steps_and_processes(source)
    assert first == second == ({"strong"}, first[1])
    data.pipeline = Pipeline("weak")
    steps, processes = steps_and_processes(source)
    assert steps == {"weak"}
    assert not processes & first[1]
    assert steps_and_processes(source) == ({"weak"}, processes)
    data.pipeline.steps[0] = "weaker"
    assert steps_and_processes(source)[0] == {"weaker"}


def test_workers_that_were_asked_to_stay_do_as_torchs():
    data = Switchable()
    source = loader(data, num_workers=2, batch_size=1, persistent_workers=True)
    first = steps_and_processes(source)
    data.pipeline = Pipeline("weak")
    assert steps_and_processes(source) == first


def test_a_pass_may_begin_while_another_one_goes_on():
    source = loader(num_workers=2, shuffle=False)
    alone = list(loader(shuffle=False))
    outer = iter(source)
    first = next(outer)
    assert list(source) == alone
    assert [first, *outer] == alone
    assert list(source) == alone


def test_where_staying_would_change_the_random_numbers_workers_do_not_stay():
    assert not loader().persistent_workers
    assert not loader(num_workers=2, persistent_workers=False).persistent_workers
    assert not loader(num_workers=2, sample_rng="worker").persistent_workers
    assert not DataLoader(Stream(), num_workers=2).persistent_workers


def test_memory_is_pinned_by_default_where_there_is_a_gpu(monkeypatch):
    for available in (False, True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda available=available: available)
        assert loader().pin_memory is available
        assert loader(pin_memory=not available).pin_memory is not available
