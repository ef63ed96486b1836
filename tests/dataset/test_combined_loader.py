"""Several loaders as one: what a batch holds, how long a pass is, and exact continuation."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
import torch
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from mainspring.dataset import CombinedLoader, DataLoader, InfiniteSampler
from mainspring.dataset.any_loader import loaders_inside, set_loader_epoch
from mainspring.dataset.loader.combined_loader import several_loaders, use_run_seed
from mainspring.dataset.loader.resumable_loader import ResumableLoader
from mainspring.dataset.workers.worker_life import end_workers
from mainspring.errors import ConfigError, DataError
from mainspring.rng.states import RandomStates


class Numbers(Dataset):
    """Its items are (number, random number)."""

    def __init__(self, first, size):
        self.first, self.size = first, size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return torch.tensor([float(self.first + index), torch.rand(()).item()])


class Stream(IterableDataset):
    def __init__(self, size):
        self.size = size

    def __iter__(self):
        return iter(torch.arange(float(self.size))[:, None])


def ours(first=0, size=10, **options):
    return DataLoader(Numbers(first, size), **{"batch_size": 2, "shuffle": True, **options})


def torchs(first=100, size=6, **options):
    return TorchDataLoader(Numbers(first, size), **{"batch_size": 2, "shuffle": True, **options})


def numbers(batch):
    return batch[:, 0].int().tolist()


class TestWhatABatchHolds:
    def test_together_it_holds_one_of_each_until_the_longest_has_ended(self):
        loader = CombinedLoader(dict(a=ours(shuffle=False), b=ours(100, 4, shuffle=False)))
        batches = [{name: numbers(part) for name, part in batch.items()} for batch in loader]
        assert [batch["a"] for batch in batches] == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
        assert [batch["b"] for batch in batches] == [
            [100, 101], [102, 103], [100, 101], [102, 103], [100, 101]
        ]  # fmt: skip
        assert len(loader) == 5

    def test_loaders_in_a_list_give_lists(self):
        batch = next(iter(CombinedLoader([ours(shuffle=False), ours(100, 4, shuffle=False)])))
        assert [numbers(part) for part in batch] == [[0, 1], [100, 101]]

    def test_in_turn_each_gives_all_that_it_has_once(self):
        loader = CombinedLoader([ours(size=6, shuffle=False), ours(100, 2)], "in_turn")
        for _ in range(2):
            firsts = [numbers(batch)[0] // 100 for batch in loader]
            assert firsts == [0, 1, 0, 0]
        assert len(loader) == 4

    def test_by_share_each_comes_as_often_as_its_share_says(self):
        loader = CombinedLoader(
            dict(a=ours(), b=torchs()), "by_share", shares=dict(b=1, a=3), length=400
        )
        count = Counter(numbers(batch)[0] // 100 for batch in loader)
        assert sum(count.values()) == len(loader) == 400
        assert 270 < count[0] < 330

    def test_by_share_the_orders_of_two_passes_differ_and_follow_from_the_seed(self):
        def order(seed):
            loader = CombinedLoader([ours(), ours(100)], "by_share")
            loader.use_run_seed(seed)
            return [[numbers(batch) for batch in loader] for _ in range(2)]

        one = order(1)
        assert one == order(1) != order(2)
        assert one[0] != one[1]

    def test_streams_join_in(self):
        loader = CombinedLoader([TorchDataLoader(Stream(6), batch_size=2), ours(size=4)])
        assert len(list(loader)) == 3
        with pytest.raises(TypeError):
            len(loader)

    def test_every_pass_through_a_shorter_one_has_another_order(self):
        loader = CombinedLoader(dict(long=ours(size=40), short=ours(100, 10)))
        seen = [numbers(batch["short"]) for batch in itertools.chain(loader, loader)]
        passes = {tuple(map(tuple, seen[start : start + 5])) for start in range(0, 40, 5)}
        assert len(passes) == 8
        assert all(len(set(itertools.chain(*one))) == 10 for one in passes)


class TestItsMistakes:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (dict(loaders={}), "no loader"),
            (dict(loaders=[ours()], mode="by_shares"), "did you mean 'by_share'"),
            (dict(loaders=[ours()], shares=[1]), "no effect"),
            (dict(loaders=dict(a=ours()), mode="by_share", shares=dict(b=1)), "given for b"),
            (dict(loaders=[ours(), ours()], mode="by_share", shares=[0, 0]), "above 0"),
            (dict(loaders=[ours(), ours()], mode="by_share", shares=[1]), "one share for each"),
            (dict(loaders=[TorchDataLoader(Stream(2))], mode="by_share"), "length"),
        ],
    )
    def test_is_refused_with_what_to_write(self, arguments, said):
        with pytest.raises(ConfigError, match=said):
            CombinedLoader(**arguments)

    @pytest.mark.parametrize("mode", ["together", "in_turn"])
    def test_a_loader_without_a_batch_is_an_error(self, mode):
        with pytest.raises(DataError, match="no batch"):
            list(CombinedLoader([ours(), TorchDataLoader(Stream(0))], mode))

    def test_other_loaders_than_the_checkpoint_has(self):
        state = CombinedLoader(dict(a=ours())).state_dict()
        with pytest.raises(ConfigError, match="b"):
            CombinedLoader(dict(b=ours())).load_state_dict(state)


class TestWhatDescribesThem:
    def test_a_dict_by_name_goes_together_and_a_list_in_turn(self):
        assert several_loaders(dict(a=ours(), b=dict(dataset=1))).options["mode"] == "together"
        assert several_loaders([ours(), torchs()]).options["mode"] == "in_turn"
        section = dict(type="CombinedLoader", loaders=[1], mode="by_share", length=3)
        assert several_loaders(section).options == dict(mode="by_share", length=3)

    @pytest.mark.parametrize(
        "one",
        [
            dict(dataset=Numbers(0, 2), batch_size=2),
            [torch.ones(2), torch.ones(2)],
            [dict(inputs=1), dict(inputs=2)],
            [],
        ],
    )
    def test_one_loader_or_a_list_of_batches_is_not_several(self, one):
        assert several_loaders(one) is None


class Both:
    """A user's own: two loaders side by side, without a position."""

    def __init__(self, *loaders):
        self.loaders = loaders

    def __len__(self):
        return min(map(len, self.loaders))

    def __iter__(self):
        return iter(zip(*self.loaders, strict=False))


class Mapped:
    """A user's own around one loader: a generator that leaves out every third batch."""

    def __init__(self, loader):
        self.parts = {"inner": [loader]}

    def __iter__(self):
        for number, batch in enumerate(self.parts["inner"][0]):
            if number % 3 != 2:
                yield batch


def generator():
    return torch.Generator().manual_seed(3)


LOADERS = {
    "together": lambda: CombinedLoader(dict(a=ours(), b=torchs(), c=ours(200, 4))),
    "in turn": lambda: CombinedLoader([ours(size=5), torchs(size=6), ours(200, 4)], "in_turn"),
    "by share": lambda: CombinedLoader([ours(size=4), torchs()], "by_share", shares=[2, 1]),
    "with streams": lambda: CombinedLoader([TorchDataLoader(Stream(6), batch_size=2), ours()]),
    "own generators": lambda: CombinedLoader([torchs(generator=generator()), ours()], "in_turn"),
    "endless": lambda: CombinedLoader(
        [DataLoader(Numbers(0, 5), 2, sampler=InfiniteSampler), ours(100, 6)],
        "by_share",
        shares=[1, 1],
        length=5,
    ),
    "combined in combined": lambda: CombinedLoader(
        dict(a=CombinedLoader([ours(size=4), torchs()], "in_turn"), b=ours(200, 4))
    ),
    "a pair of one's own": lambda: Both(ours(), ours(100)),
    "a pair of torch's": lambda: Both(torchs(), torchs(200, generator=generator())),
    "a generator of one's own": lambda: Mapped(ours(size=16)),
    "own around several": lambda: Mapped(CombinedLoader([ours(), torchs()], "in_turn")),
}


class Training:
    """Passes of a training, as the loops make them: epoch, batches and all generators are state."""

    def __init__(self, make, state=None):
        self.loader = make()
        use_run_seed(self.loader, 7)
        self.source = ResumableLoader(self.loader, 7)
        self.epoch = self.done = 0
        if state is not None:
            self.source.load_state_dict(state["source"])
            self.epoch, self.done = state["epoch"], state["done"]

    def batches(self):
        while True:
            set_loader_epoch(self.loader, self.epoch)
            for batch in self.source.batches(self.epoch, self.done):
                self.done += 1
                yield batch
            self.epoch, self.done = self.epoch + 1, 0

    def state(self):
        return {
            "source": self.source.state_dict(),
            "epoch": self.epoch,
            "done": self.done,
            "random": RandomStates.capture().state_dict(),
        }


def plain(batch):
    if isinstance(batch, dict):
        batch = list(batch.values())
    return [plain(part) for part in batch] if not torch.is_tensor(batch) else batch.tolist()


@pytest.mark.parametrize("name", LOADERS)
def test_killed_after_any_batch_it_goes_on_with_the_same_batches(name):
    steps = 14
    torch.manual_seed(11)
    training = Training(LOADERS[name])
    whole, states = [], []
    for batch in itertools.islice(training.batches(), steps):
        whole.append(plain(batch))
        states.append(training.state())
    assert training.epoch >= 1
    assert whole != [whole[0]] * steps
    for done, state in list(enumerate(states, 1))[::3]:
        torch.manual_seed(done)  # another process draws something else meanwhile
        again = Training(LOADERS[name], state)
        batches = again.batches()
        RandomStates.from_state_dict(state["random"]).restore()
        assert [plain(batch) for batch in itertools.islice(batches, steps - done)] == whole[done:]


@pytest.mark.parametrize("name", LOADERS)
def test_killed_between_two_passes_it_begins_the_next_one(name):
    def passes(training, count):
        for _ in range(count):
            set_loader_epoch(training.loader, training.epoch)
            yield [plain(batch) for batch in training.source.batches(training.epoch)]
            training.epoch += 1

    torch.manual_seed(11)
    training = Training(LOADERS[name])
    whole, states = [], []
    for one in passes(training, 4):
        whole.append(one)
        states.append({**training.state(), "epoch": training.epoch + 1})
    for done, state in enumerate(states, 1):
        torch.manual_seed(done)
        again = Training(LOADERS[name], state)
        RandomStates.from_state_dict(state["random"]).restore()
        assert list(passes(again, 4 - done)) == whole[done:]


class TestStreamsOfTheirOwn:
    def test_two_loaders_in_one_of_a_users_own_draw_different_orders(self):
        training = Training(lambda: Both(ours(size=32), ours(size=32)))
        pairs = list(itertools.islice(training.batches(), 48))
        same = sum(a == b for one, other in pairs for a, b in zip(numbers(one), numbers(other)))
        assert same < 20

    def test_two_loaders_side_by_side_outside_of_a_run_do_too(self):
        torch.manual_seed(0)
        one, other = ours(size=32), ours(size=32)
        assert [numbers(batch) for batch in one] != [numbers(batch) for batch in other]
        del one, other
        torch.manual_seed(0)
        first = [numbers(batch) for batch in ours(size=32)]
        torch.manual_seed(0)
        assert [numbers(batch) for batch in ours(size=32)] == first

    def test_items_of_two_loaders_draw_different_numbers(self):
        one, other = (ours(shuffle=False) for _ in range(2))
        use_run_seed(Both(one, other), 3)
        assert next(iter(one))[0, 1] != next(iter(other))[0, 1]

    def test_a_seed_that_was_given_is_kept(self):
        one, other = ours(seed=4), ours(seed=4)
        use_run_seed(Both(one, other), 3)
        assert one.seed == other.seed == 4


def test_loaders_are_found_where_users_keep_them():
    one, other = ours(), torchs()
    assert loaders_inside(Mapped(one)) == [one]
    assert loaders_inside(Both(one, other, one)) == [one, other]
    assert loaders_inside([TensorDataset(torch.ones(1))] * 3) == []
    assert loaders_inside(one) == []


@pytest.mark.parametrize("around", [lambda *both: CombinedLoader(both), Both])
def test_the_workers_of_all_are_ended_together(around):
    one, other = (ours(num_workers=1, persistent_workers=True) for _ in range(2))
    loader = around(one, other)
    next(iter(loader))
    workers = [each._iterator._workers[0] for each in (one, other)]
    assert all(worker.is_alive() for worker in workers)
    assert end_workers(loader)
    assert not any(worker.is_alive() for worker in workers)
    assert not end_workers(loader)
    assert len(list(loader)) == 5
    end_workers(loader)
