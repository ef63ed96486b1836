"""What a checkpoint takes, it gives back, and `torch.load(weights_only=True)` reads it too."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import pathlib
import pickle
import random

import numpy as np
import pytest
import torch
from torch import nn

from mainspring.checkpoint import load_file, save_checkpoint
from mainspring.checkpoint.plain_types import as_plain_types, as_they_were
from mainspring.config import ConfigDict
from mainspring.errors import CheckpointError
from mainspring.hooks import Hook
from mainspring.model import Supervised
from mainspring.runner import Runner


class Phase(enum.IntEnum):
    LATER = 2


class Name(str):
    pass


def there_and_back(value, tmp_path):
    path = tmp_path / "a.pth"
    save_checkpoint({"value": value}, path)
    torch.load(path, weights_only=True)
    return load_file(path)["value"]


ARRAYS = [
    np.arange(3),
    np.ones((2, 0, 3), np.float16),
    np.array(2.5, np.float32),
    np.arange(6, dtype=">i4").reshape(2, 3).T,
    np.array([1 + 2j], np.complex64),
    np.array([True, False]),
    np.array([2**40], np.uint64),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.dtype))
def test_arrays_of_numpy(array, tmp_path):
    found = there_and_back({"inside": [array, (array,)]}, tmp_path)
    for each in (found["inside"][0], found["inside"][1][0]):
        assert type(each) is np.ndarray
        assert each.dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(each, array)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int16, np.uint8, np.bool_])
def test_numbers_of_numpy(kind, tmp_path):
    found = there_and_back(kind(1), tmp_path)
    assert type(found) is kind
    assert found == 1


def test_states_of_generators(tmp_path):
    generator = np.random.RandomState(3)
    expected = generator.rand(2)
    generator = np.random.RandomState(3)
    state = there_and_back(
        {
            "numpy": generator.get_state(),
            "newer": np.random.default_rng(3).bit_generator.state,
            "python": random.Random(3).getstate(),
        },
        tmp_path,
    )
    generator = np.random.RandomState()
    generator.set_state(state["numpy"])
    assert generator.rand(2).tolist() == expected.tolist()
    newer = np.random.default_rng()
    newer.bit_generator.state = state["newer"]
    assert newer.random() == np.random.default_rng(3).random()
    python = random.Random()
    python.setstate(state["python"])
    assert python.random() == random.Random(3).random()


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, 2.5, 1j, "text", b"bytes", [1, [2]], (1, (2,)), {1, 2}, {3: {"a": ()}},
        collections.OrderedDict(b=1, a=2), collections.Counter("aab"), torch.Size([2, 3]),
        torch.float32, torch.device("cpu"), float("inf"), 2**100,
    ],
    ids=str,
)  # fmt: skip
def test_plain_types(value, tmp_path):
    found = there_and_back(value, tmp_path)
    assert type(found) is type(value)
    assert found == value


@pytest.mark.parametrize(
    ("value", "plain"), [(Phase.LATER, 2), (Name("x"), "x"), ({np.int64(3): 1}, {3: 1})]
)
def test_numbers_and_text_of_other_classes_become_plain_ones(value, plain, tmp_path):
    found = there_and_back(value, tmp_path)
    assert (type(found), found) == (type(plain), plain)


def test_parts_of_configs_become_plain_dicts(tmp_path):
    part = ConfigDict(type="SGD", groups=[dict(lr=0.1)])
    found = there_and_back({"cfg": part}, tmp_path)
    assert found == {"cfg": {"type": "SGD", "groups": [{"lr": 0.1}]}}
    assert type(found["cfg"]) is type(found["cfg"]["groups"][0]) is dict


def test_weights_are_neither_copied_nor_stripped_of_their_versions():
    state = nn.BatchNorm1d(2).state_dict()
    assert as_plain_types({"state_dict": state})["state_dict"] is state
    state["extra"] = np.float64(1)
    changed = as_plain_types(state)
    assert changed._metadata == state._metadata
    assert changed["weight"] is state["weight"]
    assert type(state["extra"]) is np.float64


REFUSED = [
    collections.deque([1]), pathlib.Path("a"), dt.datetime(2026, 1, 1), range(3),
    collections.defaultdict(int), torch.Generator(), np.array(["a"]), np.datetime64("2026"),
    np.random.RandomState(1), len, lambda: 1,
]  # fmt: skip


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: type(value).__name__)
def test_what_could_not_be_read_again_is_refused_when_it_is_saved(value, tmp_path):
    path = tmp_path / "a.pth"
    save_checkpoint({"good": 1}, path)
    with pytest.raises(CheckpointError, match=r"checkpoint\['hooks'\]\[1\] is a .*read again"):
        save_checkpoint({"hooks": [0, value]}, path)
    assert load_file(path) == {"good": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.pth"]


class Remembers(Hook):
    def __init__(self, value):
        self.value = value

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state_dict):
        self.value = state_dict["value"]


def run(work_dir, hook, *, epochs=2, async_save=False, **changes):
    torch.manual_seed(0)
    return Runner(
        model=Supervised(nn.Linear(1, 1), nn.MSELoss()),
        work_dir=str(work_dir),
        train_dataloader=[(torch.ones(2, 1), torch.zeros(2, 1))] * 2,
        train_cfg={"max_epochs": epochs},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}},
        default_hooks={
            "checkpoint": {"type": "CheckpointHook", "interval": 1, "async_save": async_save}
        },
        custom_hooks=[hook],
        **changes,
    )


@pytest.mark.parametrize("async_save", [False, True])
def test_a_run_says_at_its_first_checkpoint_what_cannot_be_kept(async_save, tmp_path):
    runner = run(tmp_path, Remembers(collections.deque([1])), async_save=async_save)
    with pytest.raises(
        CheckpointError, match=r"\['hooks'\]\['Remembers'\]\['value'\] is a .*deque"
    ):
        runner.train()
    assert runner.iter == 2
    assert not list(tmp_path.glob("*.pth"))


def test_a_hook_gets_its_arrays_back(tmp_path):
    run(tmp_path, Remembers(np.float32(0.1) * np.ones(3, np.float32))).train()
    hook = Remembers(None)
    run(tmp_path, hook, epochs=3, resume=True).train()
    np.testing.assert_array_equal(hook.value, np.full(3, 0.1, np.float32), strict=True)


@pytest.mark.parametrize("kind", [np.uint16, np.uint32, np.uint64])
def test_what_is_written_can_be_sent_to_another_process(kind):
    for value in (kind(3), np.array([0, np.iinfo(kind).max], kind)):
        sent = pickle.loads(pickle.dumps(as_plain_types({"value": value})))
        back = as_they_were(sent)["value"]
        assert type(back) is type(value)
        assert back.dtype == kind
        assert np.array_equal(back, value)
