"""Whole runs over two and three real processes: what steers them, what they train on, and save."""

from __future__ import annotations

import json
import os

import pytest

from mainspring.logging.run_record import read_record, record_files
from prepared_processes import run_ranks

PARTS = """
import collections, json, os, sys, time
import torch
from torch import nn
from torch.utils import data as torch_data
from torch.utils.data import DataLoader as Plain, Dataset, IterableDataset
from mainspring import dist
from mainspring.dataset import DataLoader
from mainspring.errors import CheckpointError, ConfigError
from mainspring.evaluator import BaseMetric
from mainspring.hooks import EMAHook, EarlyStoppingHook, Hook
from mainspring.model import BaseModel
from mainspring.runner import Runner

FOLDER, RANK = sys.argv[1], int(os.environ.get("RANK", "0"))
got = {}


class Points(Dataset):
    def __init__(self, size, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.inputs = torch.randn(size, 4, generator=generator)
        self.targets = (self.inputs.sum(1) > 0).long()

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, index):
        return self.inputs[index], self.targets[index], index


class Net(BaseModel):
    def __init__(self, has_unused=False):
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(4, 2)
        if has_unused:
            self.spare = nn.Linear(3, 3)

    def forward(self, inputs, targets, index, mode="tensor"):
        outputs = self.head(inputs)
        if mode == "loss":
            return dict(loss=nn.functional.cross_entropy(outputs, targets))
        return index.tolist()


class Seen(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.extend(data_samples)

    def compute_metrics(self, results):
        return dict(visits=len(results), distinct=len(set(results)))


class Spy(Hook):
    def __init__(self):
        self.trained = []
        self.metrics = None

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.trained += data_batch[2].tolist()

    def after_val_epoch(self, runner, metrics=None):
        self.metrics = metrics


def run(name, hooks=(), begins=True, **sections):
    launcher = "pytorch" if "RANK" in os.environ else "none"
    base = dict(
        model=Net(), work_dir=f"{FOLDER}/{name}", launcher=launcher, randomness=dict(seed=0),
        train_dataloader=DataLoader(Points(24), batch_size=4, shuffle=True),
        train_cfg=dict(max_epochs=2), optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.5)),
        env_cfg=dict(dist_cfg=dict(timeout=40)), custom_hooks=list(hooks),
        default_hooks=dict(checkpoint=None), log_level="WARNING",
    )
    runner = Runner(**{**base, **sections})
    if begins:
        runner.train()
    return runner


def weights(runner):
    parts = [getattr(p, "full_tensor", lambda p=p: p)() for p in runner.model.parameters()]
    return torch.cat([part.detach().flatten() for part in parts])


def error_of(function, *arguments, **options):
    try:
        function(*arguments, **options)
    except Exception as error:
        return "\\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])


def validated(**settings):
    return dict(
        val_dataloader=DataLoader(Points(37, 1), batch_size=5),
        val_cfg=dict(compute_loss=True), val_evaluator=Seen(), **settings,
    )
"""
END = """
with open(f"{FOLDER}/rank_{RANK}.json", "w") as file:
    json.dump(got, file)
dist.destroy_dist()
"""


def results(folder, ranks, program):
    """What each rank wrote down."""
    (folder / "program.py").write_text(PARTS + program + END)
    ended = run_ranks(ranks, [str(folder / "program.py"), str(folder)])
    said = [each.stdout for each in ended]
    assert [each.returncode for each in ended] == [0] * ranks, "\n".join(said)[-6000:]
    return [json.loads((folder / f"rank_{rank}.json").read_text()) for rank in range(ranks)], said


STEERING = """
spy = Spy()
plateau = dict(type="ReduceOnPlateauLR", monitor="val_loss", rule="less", patience=1, threshold=9.0)
best = dict(type="CheckpointHook", save_best="val_loss", rule="less", interval=-1)
runner = run(
    "plateau", [spy], **validated(param_scheduler=plateau, default_hooks=dict(checkpoint=best)),
    train_cfg=dict(max_epochs=4),
)
got["val_loss"] = spy.metrics["val_loss"]
got["visits"] = [spy.metrics["visits"], spy.metrics["distinct"]]
got["lr"] = runner.optim_wrapper.get_lr()["lr"]
got["weights"] = weights(runner).double().sum().item()


class OwnScore(Seen):
    def evaluate(self, size):
        super().evaluate(size)
        return {0: dict(score=0.5), 1: dict(score=0.6, extra=1.0)}.get(RANK)


class Stop(Hook):
    def __init__(self, ranks, iteration):
        self.ranks, self.iteration = ranks, iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if RANK in self.ranks and runner.iter + 1 == self.iteration:
            runner.train_loop.stop_training = True


spy = Spy()
settings = {**validated(), "val_cfg": {}, "val_evaluator": OwnScore()}
run("scores", [spy], **settings)
got["score"] = spy.metrics
long = dict(by_epoch=False, max_iters=100_000)
got["all stop"] = run("all", [Stop({0, 1, 2}, 7)], train_cfg=long).iter
got["one stops"] = run("one", [Stop({1}, 7)], train_cfg=long).iter
got["again"] = run("again", [Stop({0, 1, 2}, 7)], train_cfg=long).iter
stopped = run("epoch", [Stop({1}, 1)], train_cfg=dict(max_epochs=9))
got["epoch"] = [stopped.epoch, stopped.iter]
"""


def test_three_ranks_steer_as_one(tmp_path):
    found, said = results(tmp_path, 3, STEERING)
    assert found[0] == found[1] == found[2]
    three = found[0]
    assert three["visits"] == [37, 37]
    # No validation is better by so much: as torch's, it acts after the second and the fourth.
    assert three["lr"] == [pytest.approx(0.005)]
    assert three["score"] == {"score": 0.5, "extra": 1.0}
    assert "score is 0.5, on rank 1 0.6" in said[0]
    assert three["all stop"] == three["again"] == 7
    assert 7 < three["one stops"] < 100_000
    assert three["epoch"] == [1, 2]


def test_the_validation_loss_is_that_of_one_process(tmp_path):
    found, _ = results(tmp_path, 3, LOSS)
    (alone,), _ = results(tmp_path, 1, LOSS)
    assert [each["val_loss"] for each in found] == [pytest.approx(alone["val_loss"], abs=1e-6)] * 3


LOSS = """
spy = Spy()
run("loss", [spy], **validated(), train_cfg=dict(max_epochs=1),
    optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.0)))
got["val_loss"] = spy.metrics["val_loss"]
"""

LOADERS = """
def trained(name, loader, **sections):
    spy = Spy()
    run(name, [spy], train_dataloader=loader, train_cfg=dict(max_epochs=1), **sections)
    got[name] = spy.trained
    return spy


class Blind:
    def __init__(self, length=24):
        self.length = length

    def __iter__(self):
        return iter(range(self.length))

    def __len__(self):
        return self.length


class Stream(IterableDataset):
    def __iter__(self):
        return iter(Points(16))


class Uneven(Blind):
    def __iter__(self):
        return iter([[i, i + 1] for i in range(6 + RANK)])

    def __len__(self):
        return 6 + RANK


points = Points(22)
mine = Plain(points, batch_size=4, shuffle=True)
trained("shuffled", mine)
got["the maker's own"] = sum(len(batch[2]) for batch in mine)
half = torch_data.SubsetRandomSampler(range(12))
trained("subset", Plain(points, batch_size=2, sampler=half))
trained("ours", DataLoader(points, batch_size=2, sampler=half))
trained("weighted", Plain(points, 4, sampler=torch_data.WeightedRandomSampler([1.0] * 22, 8)))
padded = torch_data.DistributedSampler(Points(37), shuffle=False)
for name, loader in {
    "plain": Plain(Points(37), batch_size=5),
    "padded": Plain(Points(37), batch_size=5, sampler=padded),
    "one": DataLoader(Points(1)),
}.items():
    spy = trained("val", Plain(points, 4), **{**validated(), "val_dataloader": loader})
    got[f"val {name}"] = [spy.metrics["visits"], spy.metrics["distinct"]]
got["padding is back"] = len(padded)
got["blind"] = error_of(trained, "blind", Plain(points, 4, sampler=Blind()))
got["blind val"] = error_of(
    trained, "v", mine, **{**validated(), "val_dataloader": Plain(points, batch_sampler=Uneven(0))},
)
got["uneven"] = error_of(trained, "uneven", Plain(points, batch_sampler=Uneven()))
run("stream", train_dataloader=DataLoader(Stream(), batch_size=4),
    train_cfg=dict(by_epoch=False, max_iters=2))

torch.manual_seed(RANK)
import numpy as np
np.random.seed(RANK)
second = torch.distributed.new_group([1])
if RANK == 1:
    got["seed"] = dist.sync_random_seed(second)
"""


def test_two_ranks_share_the_items_of_any_loader(tmp_path):
    found, said = results(tmp_path, 2, LOADERS)
    first, second = found
    assert set(first["shuffled"]) | set(second["shuffled"]) == set(range(22))
    assert len(first["shuffled"]) == len(second["shuffled"]) == 11
    assert first["the maker's own"] == 22
    for name in ("subset", "ours"):
        assert sorted(first[name] + second[name]) == list(range(12))
    assert len(first["weighted"]) == len(second["weighted"]) == 4
    assert first["weighted"] != second["weighted"]
    for each in found:
        assert [each[f"val {name}"] for name in ("plain", "padded", "one")] == [[37] * 2] * 2 + [
            [1] * 2
        ]
        assert each["padding is back"] == 19
        assert "Blind" in each["blind"]
        assert "each rank the same" in each["blind"]
        assert "train_dataloader" in each["blind"]
        assert "6 on rank 0, 7 on rank 1" in each["uneven"]
    assert "all ranks were given the same first batch by Stream" in said[0]
    assert "seed" not in first
    assert isinstance(second["seed"], int)


SAVING = """
from torch.distributed.fsdp import fully_shard

held = {}


class Look(Hook):
    def before_save_checkpoint(self, runner, checkpoint):
        held.update(checkpoint["mainspring"])
        got["same memory"] = [
            value.data_ptr() == runner.model.module.state_dict()[name].data_ptr()
            for name, value in checkpoint["state_dict"].items()
        ]


half = dict(type="CheckpointHook", by_epoch=False, interval=3, save_last=False)
settings = dict(
    optim_wrapper=dict(optimizer=dict(type="AdamW", lr=0.05), accumulative_counts=2),
    default_hooks=dict(checkpoint=half),
)
whole = run("whole", [Look(), EMAHook()], **settings)
got["gathered"] = [held[name] is not None for name in ("accumulation", "loader", "random_states")]
file = f"{FOLDER}/whole/iter_3.pth"
resumed = run("resumed", [EMAHook()], load_from=file, resume=True, **settings)
got["resumed alike"] = torch.equal(weights(whole), weights(resumed))

joined = run("joined", launcher="none", begins=False)
got["joined"] = type(joined.model).__name__


def sharded(name, **sections):
    model = Net()
    fully_shard(model)
    settings = dict(optimizer=dict(type="AdamW", lr=0.05))
    return run(name, model=model, launcher="none", **{
        "optim_wrapper": settings, "default_hooks": dict(checkpoint=dict(type="CheckpointHook", interval=1)), **sections,
    })


alone = sharded("sharded")
saved = torch.load(f"{FOLDER}/sharded/epoch_1.pth", weights_only=True)
got["whole"] = sum(value.numel() for value in saved["state_dict"].values())
moments = saved["optimizer"]["state"][0]["exp_avg"]
got["moments"] = [type(moments).__name__, list(moments.shape)]
again = sharded("again", load_from=f"{FOLDER}/sharded/epoch_1.pth", resume=True)
got["sharded alike"] = torch.equal(weights(alone), weights(again))
got["within a group"] = error_of(sharded, "group", **settings)

got["sync_bn"] = error_of(run, "bn", cfg=dict(sync_bn="torch"), begins=False,
    model=nn.Sequential(nn.BatchNorm1d(4)))
got["unused"] = error_of(run, "unused", model=Net(has_unused=True))
"""


def test_one_rank_writes_and_all_go_on(tmp_path):
    found, _ = results(tmp_path, 3, SAVING)
    assert [each["gathered"] for each in found] == [[True] * 3, [False] * 3, [False] * 3]
    for each in found:
        assert each["resumed alike"]
        assert each["joined"] == "MMDistributedDataParallel"
        assert each["whole"] == 10
        assert each["moments"] == ["Tensor", [2, 4]]
        assert each["sharded alike"]
        assert "accumulative_counts" in each["within a group"]
        assert "sync_bn" in each["sync_bn"]
        assert "GroupNorm" in each["sync_bn"]
        assert "spare.weight, spare.bias" in each["unused"]
        assert "find_unused_parameters=True" in each["unused"]
        assert "model_wrapper_cfg" in each["unused"]


FAILING = """
class Broken(Points):
    def __getitem__(self, index):
        if RANK == 2 and index > 12:
            raise KeyError("no such picture")
        return super().__getitem__(index)


run("failing", train_dataloader=DataLoader(Broken(24), batch_size=4))
"""


def test_all_ranks_end_with_the_error_of_the_one_that_failed(tmp_path):
    (tmp_path / "program.py").write_text(PARTS + FAILING)
    ended = run_ranks(3, [str(tmp_path / "program.py"), str(tmp_path)])
    assert [each.returncode for each in ended] == [1, 1, 1]
    for rank, each in enumerate(ended):
        assert f"rank {rank} of 3 failed" in each.stdout
        assert "KeyError: 'no such picture'" in each.stdout
    assert "another rank had failed: rank 2: KeyError" in ended[0].stdout
    [record] = record_files(tmp_path / "failing")
    reason = "rank 2: KeyError: 'no such picture'"
    assert (read_record(record)["state"], read_record(record)["reason"]) == ("crashed", reason)


def test_a_forgotten_launcher_is_named(tmp_path):
    (tmp_path / "program.py").write_text(PARTS + 'run("alone", launcher="none")')
    ended = run_ranks(2, [str(tmp_path / "program.py"), str(tmp_path)])
    for each in ended:
        assert each.returncode == 1
        assert "--launcher pytorch" in each.stdout
    assert not os.path.exists(tmp_path / "alone")


FREEZING = """
class Tower(BaseModel):
    def __init__(self, thawed):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.head = nn.Linear(4, 4), nn.Linear(4, 2)
        self.stem.requires_grad_(thawed)

    def forward(self, inputs, targets, index, mode="tensor"):
        return dict(loss=nn.functional.cross_entropy(self.head(self.stem(inputs)), targets))


class Switch(Hook):
    def __init__(self, thaws):
        self.thaws = thaws

    def before_train_epoch(self, runner):
        stem = getattr(runner.model, "module", runner.model).stem
        stem.requires_grad_((runner.epoch >= 1) == self.thaws)


for thaws in (True, False):
    for counts in (1, 3):
        # Three micro-batches of an epoch of four: groups reach over the switch.
        runner = run(
            f"{thaws} {counts}", [Switch(thaws)], model=Tower(not thaws),
            train_dataloader=Plain(Points(32), batch_size=8 // int(os.environ["WORLD_SIZE"])),
            train_cfg=dict(max_epochs=3),
            optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.5), accumulative_counts=counts),
        )
        got[f"{thaws} {counts}"] = weights(runner).tolist()
"""


def test_what_is_frozen_or_unfrozen_later_trains_as_in_one_process(tmp_path):
    (first, second), _ = results(tmp_path, 2, FREEZING)
    (alone,), _ = results(tmp_path, 1, FREEZING)
    assert first == second
    for name, expected in alone.items():
        assert first[name] == pytest.approx(expected, abs=1e-5), name


ZERO = """
class Break(Exception):
    pass


class BreakAt(Hook):
    priority = "LOWEST"

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == 4:
            raise Break


settings = dict(
    optim_wrapper=dict(
        optimizer=dict(type="ZeroRedundancyOptimizer", optimizer_type="AdamW", lr=0.05)
    ),
    param_scheduler=dict(type="CosineAnnealingLR", T_max=2),
    default_hooks=dict(checkpoint=dict(type="CheckpointHook", interval=2, by_epoch=False)),
)
whole = run("whole", **settings)
got["shares"] = len(whole.optim_wrapper.optimizer.optim.state)
got["broken"] = error_of(run, "parts", [BreakAt()], **settings)[:5]
resumed = run("parts", resume=True, **settings)
got["alike"] = torch.equal(weights(whole), weights(resumed))
settings["optim_wrapper"] = dict(optimizer=dict(type="AdamW", lr=0.05))
got["as plain"] = (weights(run("plain", **settings)) - weights(whole)).abs().max().item()
"""


def test_an_optimizer_spread_over_the_ranks_resumes_exactly(tmp_path):
    found, _ = results(tmp_path, 2, ZERO)
    for each in found:
        assert each["broken"] == "Break"
        assert each["alike"]
        assert each["as plain"] < 1e-6
    assert sum(each["shares"] for each in found) == 2  # weight and bias, each on one rank


STREAMS = """
class Stream(IterableDataset):
    def __init__(self, sizes):
        self.size = sizes[RANK]

    def __iter__(self):
        return iter([Points(40, RANK)[index] for index in range(self.size)])


spy = Spy()
runner = run("uneven", [spy], train_dataloader=DataLoader(Stream([20, 28]), batch_size=4),
             **validated())
got["trained"], got["iter"] = len(spy.trained), runner.iter
got["weights"] = weights(runner).tolist()
print("EVEN", flush=True)
runner = run("even", train_dataloader=DataLoader(Stream([20, 20]), batch_size=4))
got["even"] = runner.iter


class Uneven:
    def __len__(self):
        return 3 + RANK

    def __iter__(self):
        return (torch.utils.data.default_collate([Points(9)[i]]) for i in range(len(self)))


print("BY ITERATION", flush=True)
run("by iteration", train_dataloader=Uneven(), train_cfg=dict(by_epoch=False, max_iters=8))
"""


def test_streams_of_unequal_length_end_together_and_say_so(tmp_path):
    found, said = results(tmp_path, 2, STREAMS)
    assert [each["trained"] for each in found] == [40, 40]  # two epochs of five batches
    assert [each["iter"] for each in found] == [10, 10]
    assert found[0]["weights"] == found[1]["weights"]
    assert [each["even"] for each in found] == [10, 10]
    uneven, _, rest = said[0].partition("EVEN\n")
    even, _, by_iteration = rest.partition("BY ITERATION\n")
    assert "train_dataloader: the streams of the ranks differ" in uneven
    assert "5 batches on rank 0, at least 6 on rank 1" in uneven
    assert "differ in length" not in even
    assert "different numbers of batches: 3 on rank 0, 4 on rank 1" in by_iteration
