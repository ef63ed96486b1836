"""Whatever a run or a phase uses is reset where it begins: after a failure, and in a second run."""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset, TensorDataset

from mainspring import hooks as our_hooks
from mainspring.dataset import DataLoader
from mainspring.errors import LoopError
from mainspring.evaluator import (
    Accuracy,
    BaseMetric,
    BoxAveragePrecision,
    ConfusionMatrix,
    DumpResults,
    Evaluator,
    MeanIoU,
    Perplexity,
    PrecisionRecallF1,
    RegressionErrors,
)
from mainspring.fileio import load
from mainspring.hooks import Hook
from mainspring.model import BaseTTAModel, Supervised
from mainspring.registry import HOOKS, LOOPS, METRICS, MODELS
from mainspring.runner import Runner
from mainspring.runner.building.request import named_run

INPUTS = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))
ROWS = TensorDataset(INPUTS, (INPUTS.sum(1) > 0).long())


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 2))


def make(work_dir, **changes) -> Runner:
    described = {
        "model": Supervised(network(), nn.CrossEntropyLoss()),
        "work_dir": str(work_dir),
        "train_cfg": {"max_epochs": 3},
        "train_dataloader": DataLoader(ROWS, batch_size=4, shuffle=True),
        "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.9}},
        "param_scheduler": {"type": "ExponentialLR", "gamma": 0.9, "by_epoch": False},
        "val_dataloader": DataLoader(ROWS, batch_size=4),
        "val_cfg": {},
        "val_evaluator": Accuracy(),
        "randomness": {"seed": 1},
        "log_level": "ERROR",
    }
    return Runner(**{**described, **changes})


class Once(Hook):
    """Raises at one place, the first time that it is reached."""

    priority = "LOWEST"

    def __init__(self, point: str, iteration: int | None = None, kind=RuntimeError) -> None:
        self.done = False

        def fail(runner, **_) -> None:
            if not self.done and iteration in (None, runner.iter):
                self.done = True
                raise kind("once")

        setattr(self, point, fail)


def weights(runner: Runner) -> dict[str, list]:
    # After a test with augmentation the model still is the one that augments.
    state = runner.model.state_dict().items()
    return {name.removeprefix("module."): value.tolist() for name, value in state}


def train_twice(runner: Runner, kind=RuntimeError) -> Runner:
    with pytest.raises(kind, match="once"):
        runner.train()
    runner.train()
    return runner


# Metrics


class Items(Dataset):
    """Fails from an item on, as long as it is broken."""

    broken = True

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int):
        if self.broken and index >= 10:
            raise OSError("disk")
        return ROWS[index]


class Counting(BaseMetric):
    """Keeps more than `results`, and forgets it where the base class does."""

    count = 0

    def process(self, data_batch, data_samples) -> None:
        self.count += len(data_samples)

    def compute_metrics(self, results) -> dict[str, int]:
        return {"count": self.count}

    def reset(self) -> None:
        super().reset()
        self.count = 0


class Bare:
    """Derives from nothing."""

    def __init__(self) -> None:
        self.results: list[int] = []

    def process(self, data_batch, data_samples) -> None:
        self.results.append(len(data_samples))

    def evaluate(self, size: int) -> dict[str, int]:
        return {"seen": sum(self.results)}


class LabelErrors(RegressionErrors):
    """Of labels as numbers."""

    def process(self, data_batch, data_samples) -> None:
        super().process(
            data_batch,
            [{**sample, "prediction": sample["prediction"].argmax()} for sample in data_samples],
        )


class Squares(BoxAveragePrecision):
    """Of a square for each sample, whose class is the label."""

    def process(self, data_batch, data_samples) -> None:
        square = {"boxes": torch.tensor([[0.0, 0.0, 9.0, 9.0]])}
        super().process(
            data_batch,
            [
                {
                    "prediction": {
                        **square,
                        "scores": sample["prediction"].max()[None],
                        "labels": sample["prediction"].argmax()[None],
                    },
                    "target": {**square, "labels": sample["target"][None]},
                }
                for sample in data_samples
            ],
        )


def metric_named(name: str, tmp_path: Path):
    return {
        "Accuracy": Accuracy,
        "BoxAveragePrecision": Squares,
        "ConfusionMatrix": ConfusionMatrix,
        "MeanIoU": MeanIoU,
        "Perplexity": Perplexity,
        "PrecisionRecallF1": PrecisionRecallF1,
        "RegressionErrors": LabelErrors,
        "DumpResults": lambda: DumpResults(str(tmp_path / "results.pkl")),
        "a metric with a counter": Counting,
        "an object of another kind": Bare,
    }[name]()


def registered(registry) -> list[str]:
    """What is registered by the library itself, rather than by another test."""
    found = registry.module_dict.items()
    return sorted(name for name, kind in found if kind.__module__.startswith("mainspring."))


METRIC_NAMES = [
    *registered(METRICS),
    "a metric with a counter",
    "an object of another kind",
]


def evaluated(runner: Runner, mode: str, tmp_path: Path):
    metrics = getattr(runner, mode)()
    dumped = tmp_path / "results.pkl"
    return metrics, len(load(dumped)) if dumped.exists() else None


@pytest.mark.parametrize("mode", ["val", "test"])
@pytest.mark.parametrize("name", METRIC_NAMES)
def test_a_metric_begins_anew(name, mode, tmp_path) -> None:
    data, metric = Items(), metric_named(name, tmp_path)
    sections = {
        f"{mode}_dataloader": DataLoader(data, batch_size=4),
        f"{mode}_cfg": {},
        f"{mode}_evaluator": metric,
    }
    runner = make(tmp_path, **sections)
    with pytest.raises(OSError, match="disk"):
        getattr(runner, mode)()
    data.broken = False
    first = evaluated(runner, mode, tmp_path)
    assert first == evaluated(runner, mode, tmp_path)
    assert first == evaluated(make(tmp_path / "second", **sections), mode, tmp_path)
    assert first[1] in (None, 16)


def test_an_offline_evaluation_begins_anew() -> None:
    evaluator = Evaluator(Accuracy())
    good = [{"prediction": torch.tensor(1), "target": torch.tensor(1)}] * 2
    bad = [{"prediction": torch.tensor(0), "target": torch.tensor(1)}, {"prediction": None}]
    with pytest.raises(Exception, match="."):
        evaluator.offline_evaluate(bad)
    assert evaluator.offline_evaluate(good) == {"accuracy": 100.0}


# Loops and loaders

LOADERS = {
    "ours": lambda: DataLoader(ROWS, batch_size=4, shuffle=True),
    "torch's": lambda: TorchDataLoader(ROWS, batch_size=4, shuffle=True),
    "batches": lambda: [(INPUTS[i : i + 4], ROWS.tensors[1][i : i + 4]) for i in range(0, 16, 4)],
}
TRAIN_LOOPS = {
    "EpochBasedTrainLoop": {"type": "EpochBasedTrainLoop", "max_epochs": 3},
    "IterBasedTrainLoop": {"type": "IterBasedTrainLoop", "max_iters": 12, "val_interval": 4},
    "WorkflowTrainLoop": {"workflow": [("train", 1), ("val", 1)], "max_epochs": 3},
}
PLACES = [
    ("before_train_iter", 5),
    ("after_train_iter", 5),
    ("before_train_epoch", None),
    ("after_train_iter", 11),
    ("before_val_iter", 4),
    ("after_val_epoch", 4),
]


def test_every_loop_is_tried() -> None:
    assert {*TRAIN_LOOPS, "ValLoop", "TestLoop"} == set(registered(LOOPS))


@pytest.mark.parametrize(("point", "iteration"), PLACES)
@pytest.mark.parametrize("loop", TRAIN_LOOPS)
def test_a_train_loop_goes_on_where_it_was_broken_off(loop, point, iteration, tmp_path) -> None:
    if loop == "WorkflowTrainLoop" and "val" in point:
        pytest.skip("a phase of its own, which is begun again")
    if loop == "IterBasedTrainLoop" and point == "before_train_epoch":
        iteration = 0
    whole = make(tmp_path / "whole", train_cfg=TRAIN_LOOPS[loop])
    whole.train()
    again = make(
        tmp_path / "again", train_cfg=TRAIN_LOOPS[loop], custom_hooks=[Once(point, iteration)]
    )
    train_twice(again)
    assert (again.epoch, again.iter) == (whole.epoch, whole.iter)
    assert weights(again) == weights(whole)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("loop", ["EpochBasedTrainLoop", "IterBasedTrainLoop"])
def test_a_loader_goes_on_in_the_middle_of_a_pass(loop, loader, tmp_path) -> None:
    def run(name: str, *hooks: Hook) -> Runner:
        return make(
            tmp_path / name,
            train_cfg=TRAIN_LOOPS[loop],
            train_dataloader=LOADERS[loader](),
            custom_hooks=list(hooks),
        )

    whole = run("whole")
    whole.train()
    again = train_twice(
        run("again", Once("after_train_iter", 5, KeyboardInterrupt)), KeyboardInterrupt
    )
    assert weights(again) == weights(whole)


@pytest.mark.parametrize("loader", LOADERS)
def test_a_loader_object_of_a_run_that_was_broken_off_serves_another(loader, tmp_path) -> None:
    fresh = make(tmp_path / "fresh", train_dataloader=LOADERS[loader]())
    fresh.train()
    used = LOADERS[loader]()
    broken = make(tmp_path / "a", train_dataloader=used, custom_hooks=[Once("after_train_iter", 5)])
    with pytest.raises(RuntimeError, match="once"):
        broken.train()
    second = make(tmp_path / "b", train_dataloader=used)
    second.train()
    assert weights(second) == weights(fresh)


def test_accumulated_gradients_go_on(tmp_path) -> None:
    section = {"optimizer": {"type": "SGD", "lr": 0.1}, "accumulative_counts": 4}
    whole = make(tmp_path / "whole", optim_wrapper=section)
    whole.train()
    hook = Once("after_train_iter", 5)
    again = train_twice(make(tmp_path / "again", optim_wrapper=section, custom_hooks=[hook]))
    assert weights(again) == weights(whole)


def test_the_average_goes_on(tmp_path) -> None:
    def run(name: str, *hooks: Hook) -> Runner:
        average = {"type": "EMAHook", "momentum": 0.1}
        return make(tmp_path / name, custom_hooks=[average, *hooks])

    whole = run("whole")
    whole.train()
    again = train_twice(run("again", Once("after_train_iter", 5)))
    kept = [torch.load(Path(r.work_dir) / "epoch_3.pth")["state_dict"] for r in (whole, again)]
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])


@pytest.mark.parametrize("point", ["before_val_iter", "after_val_iter"])
def test_a_validation_that_fails_leaves_the_trained_weights(point, tmp_path) -> None:
    class Tries(Hook):
        def after_train_iter(self, runner, **_) -> None:
            if runner.iter == 5:
                with pytest.raises(RuntimeError, match="once"):
                    runner.val()

    def run(name: str, *hooks: Hook) -> Runner:
        average = {"type": "EMAHook", "momentum": 0.1}
        runner = make(tmp_path / name, custom_hooks=[average, *hooks], val_evaluator=Bare())
        runner.train()
        return runner

    whole = run("whole")
    tried = run("tried", Once(point, 5), Tries())
    assert weights(tried) == weights(whole)
    assert tried.message_hub.get_info("loop_stage") is None


# Hooks


@MODELS.register_module()
class FirstOfAll(BaseTTAModel):
    def test_step(self, data):
        return self.module.test_step(data)

    def merge_preds(self, data_samples_list):
        return data_samples_list


def all_hooks() -> dict[str, Hook]:
    settings = {
        "CheckpointHook": {"max_keep_ckpts": 1, "save_best": "accuracy"},
        "DivergenceHook": {"trace": True},
        "EMAHook": {"momentum": 0.1},
        "EarlyStoppingHook": {"monitor": "accuracy", "patience": 9, "min_delta": 0},
        "PrepareTTAHook": {"tta_cfg": {"type": "FirstOfAll"}},
        "NaiveVisualizationHook": {"interval": 10**6},
    }
    left_out = ("Hook", "NPUProfilerHook")
    names = [
        n for n, kind in HOOKS.module_dict.items() if kind.__module__.startswith("mainspring.")
    ]
    return {
        name: getattr(our_hooks, name)(**settings.get(name, {}))
        for name in sorted(names)
        if name not in left_out
    }


HOOK_NAMES = sorted(all_hooks())
DEFAULTS = {
    "runtime_info": "RuntimeInfoHook",
    "timer": "IterTimerHook",
    "sampler_seed": "DistSamplerSeedHook",
    "logger": "LoggerHook",
    "divergence": "DivergenceHook",
    "param_scheduler": "ParamSchedulerHook",
    "checkpoint": "CheckpointHook",
}


def with_hooks(work_dir, hooks: dict[str, Hook], *more: Hook) -> Runner:
    return make(
        work_dir,
        default_hooks={key: hooks[name] for key, name in DEFAULTS.items()},
        custom_hooks=[h for n, h in hooks.items() if n not in DEFAULTS.values()] + list(more),
        test_dataloader=DataLoader(ROWS, batch_size=4),
        test_cfg={},
        test_evaluator=Accuracy(),
    )


def files(runner: Runner) -> list[str]:
    return sorted(n for n in os.listdir(runner.work_dir) if not n.startswith(runner.timestamp))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs with every hook: fresh, with hooks of a run before, and broken off at first."""
    where = tmp_path_factory.mktemp("runs")
    made = {}
    hooks = all_hooks()
    made["fresh"] = with_hooks(where / "fresh", hooks), hooks
    made["fresh"][0].train()
    tested = made["fresh"][0].test()
    assert made["fresh"][0].test() == tested
    used = all_hooks()
    first = with_hooks(where / "first", used)
    first.train()
    first.test()
    made["used"] = with_hooks(where / "used", used), used
    made["used"][0].train()
    shared = all_hooks()
    broken = with_hooks(where / "broken", shared, Once("after_train_iter", 9))
    with pytest.raises(RuntimeError, match="once"):
        broken.train()
    made["after a broken run"] = with_hooks(where / "after", shared), shared
    made["after a broken run"][0].train()
    again = all_hooks()
    made["again"] = with_hooks(where / "again", again, Once("after_train_iter", 5)), again
    train_twice(made["again"][0])
    return made


@pytest.mark.parametrize("which", ["used", "after a broken run", "again"])
class TestHooksInASecondRun:
    @pytest.mark.parametrize("name", HOOK_NAMES)
    def test_it_remembers_what_one_of_a_first_run_does(self, runs, name, which) -> None:
        fresh, other = runs["fresh"][1][name], runs[which][1][name]
        expected, found = fresh.state_dict(), other.state_dict()
        assert json.dumps(found, default=str) == json.dumps(expected, default=str)
        assert not getattr(other, "_swapped", False)

    def test_weights_and_files_are_those_of_a_first_run(self, runs, which) -> None:
        fresh, other = runs["fresh"][0], runs[which][0]
        assert weights(other) == weights(fresh)
        assert files(other) == files(fresh)
        hooks = [hook for part in other.model.modules() for hook in part._forward_hooks.values()]
        assert hooks == []


def test_counters_of_a_hook_of_ones_own_are_put_back(tmp_path) -> None:
    class Counts(Hook):
        def __init__(self) -> None:
            self.seen, self.log = 0, []

        def after_train_iter(self, runner, **_) -> None:
            self.seen += 1
            self.log.append(runner.iter)

        def state_dict(self):
            return {"seen": self.seen}

        def load_state_dict(self, state_dict) -> None:
            self.seen = state_dict["seen"]

    hook = Counts()
    for name in ("a", "b"):
        make(tmp_path / name, custom_hooks=[hook], train_cfg={"max_epochs": 1}).train()
        assert hook.seen == 4
    # What it does not call state is its user's.
    assert len(hook.log) == 8


def test_runs_that_take_turns_with_one_hook_object(tmp_path) -> None:
    keep = our_hooks.CheckpointHook(interval=1, max_keep_ckpts=1)
    runners = [make(tmp_path / name, default_hooks={"checkpoint": keep}) for name in "ab"]
    for runner in runners:
        runner.train()
    assert all("epoch_3.pth" in files(runner) for runner in runners)


def test_a_run_cannot_begin_within_itself(tmp_path) -> None:
    class Again(Hook):
        def after_train_epoch(self, runner) -> None:
            runner.train()

    with pytest.raises(LoopError, match="trains already"):
        make(tmp_path, custom_hooks=[Again()]).train()


def test_runs_that_are_made_in_threads_at_once_have_names_of_their_own(
    tmp_path, monkeypatch
) -> None:
    def slowly(*arguments) -> str:
        time.sleep(0.05)
        return named_run(*arguments)

    monkeypatch.setattr("mainspring.runner.runner.named_run", slowly)
    at_once = threading.Barrier(4)

    def made(number: int) -> Runner:
        at_once.wait()
        return make(tmp_path / str(number))

    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(made, range(4)))
    assert len({run.experiment_name for run in runs}) == 4
    assert len({id(run.logger) for run in runs}) == 4
