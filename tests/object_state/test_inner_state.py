"""What is found in objects that have no state dict for it, and put back into others like them."""

from __future__ import annotations

import copy
import io
import random
from collections import deque
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from mainspring.checkpoint.plain_types import as_plain_types, as_they_were
from mainspring.object_state.inner_state import InnerState
from mainspring.object_state.search import Search


class Part:
    __slots__ = ("count", "generator")

    def __init__(self):
        self.count, self.generator = 0, random.Random(1)


class Remembers:
    """As samplers and transforms of users do, each in another way."""

    def __init__(self):
        self.torch = torch.Generator().manual_seed(1)
        self.numpy = np.random.default_rng(0)
        self.legacy = np.random.RandomState(1)
        self.philox = np.random.Generator(np.random.Philox(3))
        self.bits = np.random.SFC64(3)
        self.count, self.items, self.last = 0, [1, 2], deque([1], maxlen=3)
        self.seen = {"a": {1: 2}}
        self.array, self.tensor = np.zeros(3), torch.zeros(3)
        self.parts = [Part(), Part()]
        self.itself = self

    def step(self):
        if not hasattr(self, "late"):
            self.late = np.random.default_rng(1)
        drawn = [self.numpy.random(), self.legacy.rand(), self.philox.random(), self.late.random(),
                 np.random.Generator(self.bits).random(), self.parts[1].generator.random(),
                 torch.rand(1, generator=self.torch).item()]  # fmt: skip
        self.count += 1
        self.parts[0].count += 1
        self.seen["a"][1] += 1
        self.items.append(3)
        self.last.append(self.count)
        self.array += 1
        self.tensor += 1
        return [*drawn, self.count, self.parts[0].count, dict(self.seen), list(self.items),
                list(self.last), self.array.tolist(), self.tensor.tolist()]  # fmt: skip


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.register_buffer("mean", torch.zeros(2), persistent=False)
        self.register_buffer("constant", torch.zeros(2), persistent=False)
        self.steps, self.queue = 0, torch.zeros(2)

    def step(self):
        self.mean += 1
        self.steps += 1
        self.queue = self.queue + 1
        return self.mean.tolist(), self.steps, self.queue.tolist()


def through_a_file(kept):
    file = io.BytesIO()
    torch.save(as_plain_types(kept), file)
    file.seek(0)
    return as_they_were(torch.load(file, weights_only=True))


def test_another_object_goes_on_from_the_state():
    for kind in (Remembers, Net):
        first, second = kind(), kind()
        state = InnerState(lambda first=first: {"it": first})
        first.step()
        kept = through_a_file(state.capture())
        expected = copy.deepcopy(first.step())
        assert InnerState(lambda second=second: {"it": second}).restore(kept) == []
        assert second.step() == expected


def test_only_what_has_changed_is_kept():
    net = Net()
    state = InnerState(lambda: {"net": net})
    assert state.capture() == {}
    net.step()
    assert set(state.capture()) == {"net.mean", "net.steps", "net.queue"}


def test_generators_of_the_process_and_of_the_system():
    part = Part()
    part.generator = np.random.mtrand._rand
    assert InnerState(lambda: {"it": part}).capture() == {}
    part.generator = random.SystemRandom()
    assert list(InnerState(lambda: {"it": part}).unsaved()) == ["it.generator"]
    part.generator = iter([1])
    assert "iterator" in InnerState(lambda: {"it": part}).unsaved()["it.generator"]


class Tells:
    def __init__(self, state):
        self.state, self.count = state, 0

    def state_dict(self):
        return {"count": self.count, "more": self.state() if callable(self.state) else self.state}

    def load_state_dict(self, state):
        self.count = state["count"]


def test_a_state_dict_counts_where_it_works_and_can_be_saved():
    good = Tells(np.arange(3))
    kept = through_a_file(InnerState(lambda: {"it": good}).capture())
    assert list(kept) == ["it"]
    for bad in (Tells(object()), Tells(lambda: 1 / 0)):
        state = InnerState(lambda bad=bad: {"it": bad})
        bad.count = 3
        assert list(state.capture()) == ["it.count"]
        assert list(state.unsaved()) == ["it.state_dict()"]


def test_what_finds_no_place_is_named():
    first, second = Remembers(), Part()
    state = InnerState(lambda: {"it": first})
    first.step()
    lost = InnerState(lambda: {"it": second}).restore(state.capture())
    assert "it.parts.0.count" in lost
    assert "it.tensor" in lost


class Caches(nn.Module):
    """Computes something at its first step, as many models do with grids and positions."""

    def __init__(self):
        super().__init__()
        self.grid = None


def test_a_tensor_without_a_place_comes_back_on_the_device_of_the_run(monkeypatch):
    monkeypatch.setattr("mainspring.object_state.kinds.get_device", lambda: "meta")
    first = Caches()
    state = InnerState(lambda: {"net": first})
    first.grid = torch.ones(2)
    kept = through_a_file(state.capture())
    of_gpu = {"net.grid": {**kept["net.grid"], "on_device": True}}
    for each, device in ((kept, "cpu"), (of_gpu, "meta")):
        net = Caches()
        assert InnerState(lambda net=net: {"net": net}).restore(each) == []
        assert net.grid.device.type == device


class Head(nn.Module):
    """Keeps objects in a container of its own: of the last batch, as detectors do, or for good."""

    def __init__(self):
        super().__init__()
        self.of_batch, self.seen = {}, []

    def step(self):
        self.of_batch["samples"] = [Part(), Part()]
        if not self.seen:
            self.seen.append(Remembers())


def test_objects_that_the_run_makes_are_named_if_they_stay():
    head = Head()
    state = InnerState(lambda: {"head": head})
    for moment, named in ((1, []), (1, []), (2, ["head.seen.0"])):
        if moment == 2 or not head.seen:
            head.step()
        assert state.capture() == {}  # a resumed run has no such object to put it into
        assert list(state.unsaved(moment)) == named
    assert "a Remembers that the run made" in state.unsaved(3)["head.seen.0"]


class Agent(nn.Module):
    """Keeps what training with recurrence, queues and replay keeps."""

    def __init__(self):
        super().__init__()
        self.hidden, self.memory, self.replay = None, [], deque(maxlen=3)
        self.window, self.ring = [torch.zeros(1)] * 4, deque([torch.zeros(1)], maxlen=2)
        self.late = {}

    def step(self):
        now = torch.ones(2) * (1 + len(self.memory))
        self.hidden = (now, now * 2)
        self.memory.append((now, len(self.memory), {"array": np.ones(2), "same": now}))
        self.replay.append([now, 0.5])
        self.window = self.window[1:]
        self.ring.append(now)
        self.late["recent"] = deque([now], maxlen=5)


def test_containers_of_tensors_that_the_run_makes_come_back():
    first, second = Agent(), Agent()
    state = InnerState(lambda: {"agent": first})
    for _ in range(4):
        first.step()
    kept = through_a_file(state.capture())
    assert state.unsaved() == {}
    assert InnerState(lambda: {"agent": second}).restore(kept) == []
    for name in ("hidden", "memory", "replay", "window", "ring", "late"):
        torch.testing.assert_close(getattr(second, name), getattr(first, name), rtol=0, atol=0)
    assert type(second.hidden) is tuple
    assert (second.replay.maxlen, second.ring.maxlen, second.late["recent"].maxlen) == (3, 2, 5)
    assert second.memory[0][0] is second.memory[0][2]["same"]


class Step(NamedTuple):
    state: torch.Tensor
    reward: float


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ([Step(torch.ones(2), 1.0)], "it holds a Step that the run made"),
        (deque([Step(torch.ones(2), 1.0)]), "a deque of more than numbers, text and tensors"),
        ([0] * 100_001, "a list of 100001 items"),
    ],
)
def test_containers_that_cannot_be_saved_are_named(content, what):
    agent = Agent()
    state = InnerState(lambda: {"agent": agent})
    agent.memory = content
    assert "agent.memory" not in state.capture()
    assert state.unsaved() == {"agent.memory": what}


def test_parameters_and_buffers_in_a_container_of_the_run_stay_what_they_are():
    net = Net()
    state = InnerState(lambda: {"net": net})
    net.found = [*net.parameters(), net.mean]
    assert "net.found" not in state.capture()


@pytest.mark.parametrize(
    "tensor",
    [
        torch.eye(3).to_sparse(),
        torch.empty(3, device="meta"),
        torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged),
        torch.ones(3, dtype=torch.complex64),
    ],
    ids=["sparse", "meta", "nested", "complex"],
)
@pytest.mark.parametrize("data", [(), ("part",)])
def test_tensors_of_other_kinds_may_be_held(tensor, data):
    part = nn.Module()
    part.held = tensor
    state = InnerState(lambda: {"part": part}, data=data)
    assert not any(kept["changed"] for kept in state.capture().values())
    assert not any(kept["changed"] for kept in state.capture(all_of_it=True).values())


class Scenes:
    """Nested data in containers that are short one by one, and state among and behind them."""

    def __init__(self, count):
        self.parts = [
            [{"boxes": np.zeros(4), "name": str(n)} for n in range(800)] for _ in range(count)
        ]
        self.seen, self.per_class = 0, {"cat": [0], "dog": [0]}
        self.tree = {"children": []}
        self.tree["children"].append({"parent": self.tree, "level": 0})

    def step(self):
        self.seen += 1
        self.per_class["dog"][0] += 1
        self.tree["children"][0]["level"] += 1


def test_large_nested_data_are_no_state_and_hide_none():
    with pytest.MonkeyPatch.context() as patch:
        looked_at = []
        visit = Search.visit

        def counted(self, value, path, *rest):
            looked_at.append(path)
            visit(self, value, path, *rest)

        patch.setattr(Search, "visit", counted)
        one, other = Scenes(100), Scenes(100)
        inner = InnerState(lambda: {"dataset": one}, data=["dataset"])
        one.step()
        kept = through_a_file(inner.capture())
        assert len(looked_at) < 2 * 11_000
    assert InnerState(lambda: {"dataset": other}, data=["dataset"]).restore(kept) == []
    assert (other.seen, other.per_class["dog"]) == (1, [1])
    assert other.tree["children"][0]["level"] == 1
    assert set(kept) == {"dataset.seen", "dataset.per_class", "dataset.tree.children.0.level"}
