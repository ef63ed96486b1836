"""Workers with a stream of random numbers each go on exactly where they were, as torch's would."""

from __future__ import annotations

import io
import pickle
import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset, RandomSampler

from mainspring.dataset import DataLoader
from mainspring.dataset.loader.resumable_loader import ResumableLoader
from mainspring.dataset.workers.worker_reports import Sent
from mainspring.dataset.workers.worker_streams import WorkerStreams
from mainspring.structures.nested import tensors_in, to_device

ITEMS, PASSES = 11, 3


class Remembers(Dataset):
    """Items depend on all generators, one of its own, a count, and the worker that loads them."""

    def __init__(self):
        self.generator = np.random.default_rng(1)
        self.count = 0
        self.switched = False

    def __len__(self):
        return ITEMS

    def __getitem__(self, index):
        self.count += 1
        drawn = random.random(), np.random.rand(), torch.rand(()).item(), self.generator.random()
        worker = torch.utils.data.get_worker_info()
        return index, drawn, self.count, self.switched, None if worker is None else worker.id


class InBatches(Remembers):
    def __getitems__(self, indices):
        return [self[index] for index in indices]


def ours(**options):
    return DataLoader(Remembers(), 2, shuffle=True, seed=3, sample_rng="worker", **options)


def torchs(dataset=None, **options):
    order = {"shuffle": "sampler" not in options}
    return TorchDataLoader(dataset or Remembers(), 2, **order, **options)


LOADERS = {
    "ours": ours,
    "torch's": torchs,
    "torch's, in batches": lambda **options: torchs(InBatches(), **options),
    "torch's, drawn with replacement": lambda **options: torchs(
        sampler=RandomSampler(range(ITEMS), replacement=True), **options
    ),
}


class Copies:
    """Takes batches one ahead, as copies to a device do, and copies nothing."""

    def start(self, batch):
        return batch

    def finish(self, batch):
        return batch


def seed(number):
    random.seed(number), np.random.seed(number), torch.manual_seed(number)


def passes_of(make, stop=None, state=None, copies=None, switch=None, **options):
    """Batches of several passes, and the state after `stop` of them, or at the end.

    From the pass `switch` on the items are others, for which the workers are started anew.
    """
    seed(5)
    loader = make(collate_fn=list, **options)
    if copies is not None:
        loader.pin_memory = True
    source = ResumableLoader(loader, None, copies)
    first, done = 0, 0
    if state is not None:
        done, first, global_states, saved = torch.load(io.BytesIO(state), weights_only=True)
        source.load_state_dict(saved)
        torch.set_rng_state(global_states)
    found = []
    for number in range(done, PASSES):
        if hasattr(loader, "set_epoch"):
            loader.set_epoch(number)
        if switch is not None and number >= switch and not loader.dataset.switched:
            loader.dataset.switched = True
            loader._DataLoader__initialized = False
            loader._iterator = None
        else:
            loader._DataLoader__initialized = True
        for taken, batch in enumerate(source.batches(number, first), first + 1):
            found.append((batch, torch.rand(()).item()))
            if len(found) == stop:
                content = number, taken, torch.get_rng_state(), source.state_dict()
                saved = io.BytesIO()
                torch.save(content, saved)
                return found, saved.getvalue()
        first = 0
    return found, None


@pytest.mark.filterwarnings("ignore:This DataLoader will create", "ignore:.*pin_memory.*")
@pytest.mark.parametrize("stay", [False, True])
@pytest.mark.parametrize("make", LOADERS.values(), ids=LOADERS)
def test_it_goes_on_behind_any_batch_without_loading_those_before(make, stay):
    options = {"num_workers": 2, "persistent_workers": stay}
    whole, _ = passes_of(make, **options)
    assert len(whole) == PASSES * 6
    for stop in (1, 6, 8):
        copies = Copies() if stop == 8 else None
        head, state = passes_of(make, stop, copies=copies, **options)
        tail, _ = passes_of(make, state=state, copies=copies, **options)
        assert head + tail == whole, stop


def test_a_second_interruption_changes_nothing_either():
    options = {"num_workers": 2, "persistent_workers": True}
    whole, _ = passes_of(ours, **options)
    head, state = passes_of(ours, 7, **options)
    middle, state = passes_of(ours, 1, state, **options)
    tail, _ = passes_of(ours, state=state, **options)
    assert head + middle + tail == whole


@pytest.mark.parametrize("make", [ours, torchs])
def test_workers_that_a_hook_starts_anew_for_another_pipeline_are_those_of_a_resumed_run(make):
    options = {"num_workers": 2, "persistent_workers": True, "switch": 1}
    whole, _ = passes_of(make, **options)
    for stop in (6, 8, 12, 14):  # before the pass that switches, in it, behind it, and in the next
        head, state = passes_of(make, stop, **options)
        tail, _ = passes_of(make, state=state, **options)
        assert head + tail == whole, stop


def test_torch_alone_draws_the_same():
    def plain(loader):
        seed(5)
        return [[(batch, torch.rand(()).item()) for batch in loader] for _ in range(PASSES)]

    for stay in (False, True):
        options = {"num_workers": 2, "persistent_workers": stay}
        expected = [each for one in plain(torchs(collate_fn=list, **options)) for each in one]
        assert passes_of(torchs, **options)[0] == expected


def test_workers_that_are_not_forked_are_sent_their_states():
    _, state = passes_of(ours, 3, num_workers=2)
    *_, saved = torch.load(io.BytesIO(state), weights_only=True)
    streams = WorkerStreams(ours(num_workers=2))
    streams.load_state_dict(saved["workers"])
    loader = ours(num_workers=2)
    assert streams.begin(loader, in_the_middle=True) == 1
    view = pickle.loads(pickle.dumps(streams.shown()["dataset"]))
    view.begin_in_worker()
    view.started_in_worker(0)
    assert view.dataset.count == 4, "worker 0 has loaded two batches of two"


def test_another_number_of_workers_is_said(capsys, caplog):
    _, state = passes_of(ours, 3, num_workers=2)
    rest, _ = passes_of(ours, state=state, num_workers=1)
    said = capsys.readouterr()
    assert "made with 2 workers" in said.out + said.err + caplog.text
    assert len(rest) == PASSES * 6 - 3


class Cached(Remembers):
    """Remembers something once, which changes no item."""

    def __getitem__(self, index):
        self.length = len(self)
        return index, random.random()


@pytest.mark.parametrize(("data", "is_said"), [(Remembers, True), (Cached, False)], ids=str)
@pytest.mark.parametrize("make", [DataLoader, TorchDataLoader], ids=["ours", "torch's"])
def test_items_that_depend_on_what_was_loaded_before_are_said_once(
    make, data, is_said, capsys, caplog
):
    source = ResumableLoader(make(data(), 2, num_workers=2, collate_fn=list), 1)
    for epoch in range(2):
        assert [len(batch) for batch in source.batches(epoch)] == [2] * 5 + [1]
    said = capsys.readouterr()
    text = said.out + said.err + caplog.text
    assert ("(dataset.count)" in text) == is_said
    assert text.count("a resumed run may differ") == is_said


def test_what_is_told_beside_a_batch_is_no_part_of_it():
    sent = Sent({"x": torch.ones(2)}, 1, b"states")
    assert list(tensors_in(sent)) == [sent.batch["x"]]
    moved = to_device(sent, torch.device("meta"))
    assert moved.batch["x"].device.type == "meta"
    assert (moved.worker, moved.states) == (1, b"states")
