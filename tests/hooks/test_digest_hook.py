"""Digests differ whenever a bit does, and only then; recording them changes nothing."""

from __future__ import annotations

import dataclasses
import json
import struct

import numpy as np
import pytest
import torch
from torch import nn

from mainspring.errors import ConfigError
from mainspring.hooks import DigestHook, EMAHook
from mainspring.optim import OptimWrapper, OptimWrapperDict
from mainspring.structures import BaseDataElement
from mainspring.structures.bit_digest import bit_digests
from mainspring.structures.nested_digest import nested_digest, nested_digests


def digest(tensor):
    return bit_digests([tensor])[0]


def bits(values, dtype=torch.float32):
    return torch.tensor(values, dtype=torch.int32).view(dtype)


ROW = 512 * 8


@pytest.mark.parametrize("size", [1, 7, ROW // 4, ROW // 4 + 1, 70 * ROW // 4 + 3])
def test_each_single_bit_counts(size):
    tensor = torch.arange(size, dtype=torch.int32)
    before = digest(tensor)
    for index in {0, size // 2, size - 1}:
        for bit in (0, 15, 30, 31):
            changed = tensor.clone()
            changed[index] ^= torch.tensor(1 << bit).to(torch.int32)
            assert digest(changed) != before, (index, bit)


def test_what_compares_equal_but_has_other_bits_differs():
    assert digest(torch.tensor([0.0])) != digest(torch.tensor([-0.0]))
    quiet, with_payload = bits([0x7FC00000]), bits([0x7FC00001])
    assert torch.stack([quiet, with_payload]).isnan().all()
    assert digest(quiet) != digest(with_payload)
    assert digest(torch.zeros(2)) != digest(torch.zeros(3))
    assert digest(torch.zeros(2, 3)) != digest(torch.zeros(3, 2))
    assert digest(torch.zeros(2)) != digest(torch.zeros(2, dtype=torch.int32))


def test_changes_that_would_cancel_in_a_plain_sum_are_seen():
    tensor = torch.randn(4096)
    flipped = tensor.clone()
    flipped[[1, 3]] *= -1
    assert digest(flipped) != digest(tensor)
    swapped = tensor.clone()
    swapped[[2, 3000]] = tensor[[3000, 2]]
    assert digest(swapped) != digest(tensor)
    rolled = tensor.roll(ROW // 4)
    assert digest(rolled) != digest(tensor)


def test_no_two_of_many_pairs_of_sign_flips_collide():
    base = torch.ones(1024)
    variants = []
    for first in range(0, 64, 2):
        for second in range(first + 2, 64, 2):
            changed = base.clone()
            changed[[first + 1, second + 1]] = -1.0
            variants.append(changed)
    assert len(set(bit_digests(variants))) == len(variants)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(1.5),
        torch.tensor([True, False]),
        torch.zeros(0, 3),
        torch.randn(3, dtype=torch.complex64).conj(),
        torch.randn(5).bfloat16(),
        torch.randn(5).to(torch.float8_e4m3fn),
        torch.eye(3).to_sparse(),
        torch.randn(6, 4).t(),
        torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        torch.randn(3000)[1:],
        nn.Parameter(torch.randn(3)),
        torch.empty(3, device="meta"),
    ],
    ids=lambda tensor: f"{tensor.dtype}-{tuple(tensor.shape)}-{tensor.layout}",
)
def test_tensors_of_every_kind(tensor):
    copy = tensor.detach().clone().contiguous() if tensor.layout is torch.strided else tensor
    assert digest(tensor) == digest(copy.resolve_conj())
    assert len(digest(tensor)) == 16


def test_the_digest_does_not_depend_on_what_is_digested_with_it():
    tensors = [torch.randn(size) for size in (1, 3000, 200_000, 0, 5, 1024)]
    assert bit_digests(tensors) == [digest(tensor) for tensor in tensors]
    assert bit_digests([]) == []


def test_digests_stay_the_same_from_version_to_version():
    assert digest(torch.arange(5, dtype=torch.int64)) == "942fa47d18bb5bea"


@dataclasses.dataclass
class Pair:
    left: torch.Tensor
    right: list[int]


class Opaque:
    __slots__ = ()


def test_leaves_of_a_batch_have_paths():
    element = BaseDataElement(metainfo={"path": "a.png"}, label=torch.tensor(3))
    batch = {
        "inputs": [torch.zeros(2), np.ones(2)],
        "samples": [element],
        "pair": Pair(torch.ones(1), [1]),
        "none": None,
        "empty": [],
        "tags": {"b", "a"},
        "opaque": Opaque(),
    }
    assert list(nested_digests(batch, "batch")) == [
        "batch.inputs[0]",
        "batch.inputs[1]",
        "batch.samples[0].path",
        "batch.samples[0].label",
        "batch.pair.left",
        "batch.pair.right[0]",
        "batch.none",
        "batch.empty",
        "batch.tags{a}",
        "batch.tags{b}",
        "batch.opaque",
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (0.0, -0.0),
        (1, 1.0),
        (1, True),
        ("1", 1),
        (b"1", "1"),
        (None, "None"),
        (np.float32(1), np.float64(1)),
        (np.zeros(2), np.zeros((2, 1))),
        (np.array([1, "a"], object), np.array([1, "b"], object)),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"b": 1}),
        (Opaque(), Pair(torch.zeros(1), [])),
        ([], {}),
    ],
)
def test_other_leaves_that_differ(one, other):
    assert nested_digest(one) != nested_digest(other)
    assert nested_digest([one]) == nested_digest([one])


def test_many_leaves_share_digests():
    batch = {"labels": list(range(300)), "ids": [1, 2]}
    assert list(nested_digests(batch, "batch")) == ["batch.labels", "batch.ids"]
    other = {"labels": [*range(299), -1], "ids": [1, 2]}
    found, changed = nested_digests(batch, "batch"), nested_digests(other, "batch")
    assert found["batch.ids"] == changed["batch.ids"]
    assert found["batch.labels"] != changed["batch.labels"]
    assert list(nested_digests(list(range(300)), "batch")) == ["batch"]


def test_an_object_that_holds_itself_ends():
    itself = []
    itself.append(itself)
    assert list(nested_digests(itself, "x")) == ["x[0]"]


def records(runner):
    with open(f"{runner.log_dir}/digests_rank0.jsonl") as file:
        header, *lines = map(json.loads, file)
    return header, lines


@pytest.mark.parametrize(
    ("interval", "expected"), [(1, list(range(9))), (3, [0, 1, 3, 6, 8]), (50, [0, 1, 8])]
)
def test_the_first_every_nth_and_the_last_iteration_are_recorded(make_runner, interval, expected):
    runner = make_runner(DigestHook(interval=interval))
    runner.train()
    header, lines = records(runner)
    assert [line["iteration"] for line in lines] == expected
    assert header["digests"] == 1
    assert (header["start"], header["interval"], header["seed"]) == (0, interval, 7)
    assert set(lines[0]) == {"iteration", "weights", "optimizer"}
    kinds = {"iteration", "generators", "batch", "settings", "values", "weights", "optimizer"}
    assert all(set(line) == kinds for line in lines[1:])


def test_a_run_that_stops_early_has_its_last_weights_recorded(make_runner):
    runner = make_runner(DigestHook(interval=50))

    class Stop:
        def after_train_epoch(self, runner):
            runner.train_loop.stop_training = True

    runner.dispatch.register(Stop())
    runner.train()
    _, lines = records(runner)
    assert [line["iteration"] for line in lines] == [0, 1, 2]
    assert set(lines[-1]) == {"iteration", "weights", "optimizer"}


def test_recording_draws_no_random_number_and_changes_no_weight(make_runner):
    runner = make_runner(DigestHook(gradients=True))
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), runner.model.weight.clone()
    runner.train()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    assert torch.equal(runner.model.weight, before[2])
    assert not runner.optim_wrapper.optimizer._optimizer_step_pre_hooks


def one_iteration(runner, hook, step, outputs=None):
    """One training iteration around a step."""
    hook.before_train(runner)
    hook.before_train_iter(runner, batch_idx=0, data_batch=None)
    step()
    hook.after_train_iter(runner, batch_idx=0, data_batch=None, outputs=outputs)
    _, lines = records(runner)
    return lines[-1]


def test_logged_values_are_exact(make_runner):
    nan = struct.unpack(">d", bytes.fromhex("7ff8000000000001"))[0]
    outputs = {
        "loss": torch.tensor(0.1, requires_grad=True),
        "half": torch.tensor([0.5], dtype=torch.bfloat16),
        "count": 3,
        "nan": torch.tensor(nan, dtype=torch.float64),
        "zero": -0.0,
        "vector": torch.zeros(2),
    }
    record = one_iteration(make_runner(), DigestHook(), lambda: None, outputs)
    vector = record["values"].pop("vector")
    assert record["values"] == {
        "loss": float(torch.tensor(0.1)).hex(),
        "half": "0x1.0000000000000p-1",
        "count": "0x1.8000000000000p+1",
        "nan": "nan:7ff8000000000001",
        "zero": "-0x0.0p+0",
    }
    assert vector == digest(torch.zeros(2))


def test_gradients_are_those_that_the_optimizer_gets(make_runner):
    runner = make_runner()
    runner.optim_wrapper = OptimWrapper(
        torch.optim.SGD(runner.model.parameters(), lr=0.5, momentum=0.9), clip_grad=0.25
    )
    wrapper = runner.optim_wrapper

    def step():
        wrapper.update_params(runner.model(torch.ones(1, 2)).sum())

    record = one_iteration(runner, DigestHook(gradients=True), step)
    assert runner.model.weight.grad is None
    reference = nn.Linear(2, 1, bias=False)
    reference(torch.ones(1, 2)).sum().backward()
    nn.utils.clip_grad_norm_(reference.parameters(), 0.25)
    assert record["gradients"] == {"weight": digest(reference.weight.grad)}
    buffer = wrapper.optimizer.state[runner.model.weight]["momentum_buffer"]
    assert record["optimizer"] == {"weight.momentum_buffer": digest(buffer)}
    assert record["weights"] == {"weight": digest(runner.model.weight)}


def test_gradients_of_an_incomplete_group_are_recorded(make_runner):
    runner = make_runner()
    runner.optim_wrapper = OptimWrapper(
        torch.optim.SGD(runner.model.parameters(), lr=0.5), accumulative_counts=4
    )
    runner.optim_wrapper.initialize_count_status(runner.model, 0, 8)
    record = one_iteration(
        runner,
        DigestHook(gradients=True),
        lambda: runner.optim_wrapper.update_params(runner.model(torch.ones(1, 2)).sum()),
    )
    assert record["gradients"] == {"weight": digest(runner.model.weight.grad)}


def test_within_a_group_summed_gradients_are_recorded_without_being_asked_for(make_runner):
    runner = make_runner()
    runner.optim_wrapper = OptimWrapper(
        torch.optim.SGD(runner.model.parameters(), lr=0.5), accumulative_counts=2
    )
    runner.optim_wrapper.initialize_count_status(runner.model, 0, 8)

    def step():
        runner.optim_wrapper.update_params(runner.model(torch.ones(1, 2)).sum())

    within = one_iteration(runner, DigestHook(), step)
    assert within["gradients"] == {"weight": digest(torch.full((1, 2), 0.5))}
    complete = one_iteration(runner, DigestHook(), step)
    assert "gradients" not in complete
    assert complete["weights"] != within["weights"]


def test_averaged_weights_are_recorded(make_runner):
    average = EMAHook(momentum=0.25)
    runner = make_runner(average)
    runner.hooks = [average]
    average.before_run(runner)

    def step():
        with torch.no_grad():
            runner.model.weight.add_(1)
        average.after_train_iter(runner, 0)

    first = one_iteration(runner, DigestHook(), step)
    assert first["averages"].keys() == {"weight", "steps"}
    assert first["averages"]["weight"] == first["weights"]["weight"]
    second = one_iteration(runner, DigestHook(), step)
    assert second["averages"]["weight"] == digest(average.ema_model.module.weight)
    assert second["averages"]["weight"] != second["weights"]["weight"]


def test_several_optimizers_and_groups(make_runner):
    runner = make_runner()
    runner.model = nn.ModuleDict({"g": nn.Linear(1, 1), "d": nn.Linear(1, 1)})
    g, d = runner.model["g"], runner.model["d"]
    groups = [{"params": [d.weight], "lr": 0.5}, {"params": [d.bias], "lr": 0.25}]
    wrappers = {
        "g": OptimWrapper(torch.optim.SGD(g.parameters(), lr=1.0, momentum=0.9)),
        "d": OptimWrapper(torch.optim.SGD(groups, lr=0.5, momentum=0.9)),
    }
    runner.optim_wrapper = OptimWrapperDict(**wrappers)

    def step():
        wrappers["g"].update_params(g(torch.ones(1, 1)).sum())
        wrappers["d"].update_params(d(torch.ones(1, 1)).sum())

    record = one_iteration(runner, DigestHook(gradients=True), step)
    assert record["settings"]["g.lr"] == (1.0).hex()
    assert record["settings"]["d.lr"] == f"{(0.5).hex()}|{(0.25).hex()}"
    assert record["settings"]["d.momentum"] == (0.9).hex()
    assert set(record["optimizer"]) == {
        f"{name}.{name}.{kind}.momentum_buffer" for name in "gd" for kind in ("weight", "bias")
    }
    assert set(record["gradients"]) == {"g.weight", "g.bias", "d.weight", "d.bias"}


def test_a_place_that_cannot_be_written_does_not_end_the_training(make_runner, tmp_path):
    runner = make_runner(DigestHook())
    (tmp_path / "file").write_text("")
    runner.log_dir = str(tmp_path / "file" / "logs")
    runner.train()
    assert "no digests are recorded" in runner.warnings[0]


@pytest.mark.parametrize("interval", [0, -1, 1.5, True, "1"])
def test_an_interval_that_makes_no_sense_is_refused(interval):
    with pytest.raises(ConfigError, match="DigestHook: interval is"):
        DigestHook(interval=interval)
