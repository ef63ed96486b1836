"""MMCV 1.x's runner does what MMCV 1.7.2 was observed to do, and continues exactly."""

from __future__ import annotations

import importlib
import json
import logging
import os
import random
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from mainspring.compat.mmcv import runner as mmcv_runner
from mainspring.compat.mmcv.runner import (
    EpochBasedRunner,
    EvalHook,
    Hook,
    IterBasedRunner,
    IterLoader,
    LogBuffer,
    auto_fp16,
    build_optimizer,
    build_runner,
    force_fp32,
)
from mainspring.errors import ConfigError
from mainspring.fileio import LocalBackend, register_backend
from prepared_processes import run as start
from prepared_processes import run_ranks

OBSERVED = json.loads(Path(__file__).with_name("mmcv_observed.json").read_text("utf-8"))


class Points(Dataset):
    def __init__(self):
        self.x = torch.randn(10, 2, generator=torch.Generator().manual_seed(1))

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return dict(x=self.x[index])

    def evaluate(self, results, logger=None, **kwargs):
        return dict(acc=float(sum(float(one) for one in results)), other=1.0)


class Model(nn.Module):
    """Its loss uses random numbers, so that a run that does not continue exactly is found out."""

    def __init__(self, noise=0.0):
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.noise = noise

    def forward(self, x, return_loss=True):
        return self.layer(x)

    def train_step(self, data, optimizer=None, **kwargs):
        loss = (self.layer(data["x"]) ** 2).mean() + torch.rand(1).mean() * self.noise
        return dict(loss=loss, log_vars=dict(loss=loss.item()), num_samples=len(data["x"]))

    val_step = train_step


class Noisy(Model):
    def __init__(self):
        super().__init__(noise=1.0)


class Recorder(Hook):
    def __init__(self):
        self.lr, self.momentum, self.loss = [], [], []

    def after_train_iter(self, runner):
        self.lr.append(runner.current_lr()[0])
        self.momentum.append(runner.current_momentum()[0])
        self.loss.append(runner.outputs["loss"].item())


class Ended(Exception):
    """What ends a run in its middle."""


def end_at(iteration):
    def act(runner):
        if runner.iter == iteration:
            raise Ended

    return dict(type="ClosureHook", fn_name="before_train_iter", fn=act)


@pytest.fixture
def make(tmp_path):
    """A runner with the hooks of a training."""

    def made(
        kind, lr=None, momentum=None, adam=False, length=4, step=None, folder="run", model=None
    ):
        for seed in (torch.manual_seed, random.seed, np.random.seed):
            seed(0)
        model = (model or Model)()
        settings = dict(type="Adam", lr=0.1, betas=(0.5, 0.9))
        if not adam:
            settings = dict(type="SGD", lr=0.1, momentum=0.9)
        lines = []
        logger = logging.getLogger("mmcv")
        logger.setLevel("INFO")
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(record.getMessage())
        logger.handlers = [handler]
        cfg = {"type": "IterBasedRunner", "max_iters": length}
        if kind == "epochs":
            cfg = {"type": "EpochBasedRunner", "max_epochs": length}
        runner = build_runner(
            cfg,
            dict(
                model=model,
                optimizer=build_optimizer(model, settings),
                work_dir=str(tmp_path / folder),
                logger=logger,
                meta=dict(exp_name="x"),
            ),
        )
        runner.timestamp = "t"
        runner.register_training_hooks(
            lr or dict(policy="fixed"),
            step or dict(grad_clip=dict(max_norm=0.1)),
            dict(interval=2, max_keep_ckpts=1),
            dict(interval=2, hooks=[dict(type="TextLoggerHook")]),
            momentum,
        )
        runner.recorder, runner.lines = Recorder(), lines
        runner.register_hook(runner.recorder, "VERY_LOW")
        return runner

    return made


def loader():
    return DataLoader(Points(), batch_size=4, shuffle=True)


def run(runner, workflow=(("train", 1),)):
    runner.run([loader() for _ in workflow], list(workflow))
    return runner


def assert_as_observed(name, runner):
    expected = OBSERVED[name]
    for what in ("lr", "momentum", "loss"):
        # The last digits of a loss depend on the instructions that a processor has.
        close = pytest.approx(expected[what], rel=1e-6, abs=1e-7)
        assert getattr(runner.recorder, what) == close, what
    assert sorted(os.listdir(runner.work_dir)) == expected["files"]


POLICIES = {
    "fixed": dict(policy="fixed", warmup="linear", warmup_iters=3, warmup_ratio=0.1),
    "step": dict(policy="step", step=[1, 3], gamma=0.5, warmup="exp", warmup_iters=5),
    "step1": dict(policy="step", step=2, min_lr=0.03),
    "exp": dict(policy="exp", gamma=0.9, warmup="constant", warmup_iters=2),
    "poly": dict(policy="poly", power=0.9, min_lr=0.01, by_epoch=False),
    "inv": dict(policy="inv", gamma=0.3, power=2),
    "flat": dict(policy="FlatCosineAnnealing", start_percent=0.5, min_lr=0.01),
    "cyc": dict(
        policy="cyclic", target_ratio=(10, 1e-3), cyclic_times=2, step_ratio_up=0.4, gamma=0.8
    ),
    "one": dict(policy="OneCycle", max_lr=0.3, pct_start=0.3),
    "one3": dict(
        policy="OneCycle", max_lr=0.3, pct_start=0.3, three_phase=True, anneal_strategy="linear"
    ),
    "lin": dict(policy="LinearAnnealing", min_lr=0.0),
}
BY_EPOCHS_ONLY = {
    "cos": dict(
        policy="CosineAnnealing",
        min_lr_ratio=0.1,
        warmup="linear",
        warmup_iters=1,
        warmup_by_epoch=True,
    ),
    "rest": dict(policy="CosineRestart", periods=[2, 2], restart_weights=[1, 0.5], min_lr=0.0),
}
MOMENTA = {
    "step": dict(policy="step", step=[2], gamma=0.7, warmup="linear", warmup_iters=3),
    "cos": dict(policy="CosineAnnealing", min_momentum=0.5),
    "cyc": dict(policy="cyclic", target_ratio=(0.85 / 0.95, 1), step_ratio_up=0.4),
    "one": dict(policy="OneCycle"),
    "lin": dict(policy="LinearAnnealing", min_momentum_ratio=0.5),
}


@pytest.mark.parametrize("name", [*POLICIES, *BY_EPOCHS_ONLY])
def test_learning_rates_by_epochs(name, make):
    policy = {**POLICIES, **BY_EPOCHS_ONLY}[name]
    assert_as_observed(f"e_{name}", run(make("epochs", dict(policy))))


@pytest.mark.parametrize("name", POLICIES)
def test_learning_rates_by_iterations(name, make):
    assert_as_observed(f"i_{name}", run(make("iterations", dict(POLICIES[name]), length=13)))


@pytest.mark.parametrize("adam", [False, True])
@pytest.mark.parametrize("name", MOMENTA)
def test_momenta(name, adam, make):
    runner = run(make("epochs", momentum=dict(MOMENTA[name]), adam=adam))
    assert_as_observed(f"m_{name}_{'Adam' if adam else 'SGD'}", runner)


@pytest.mark.parametrize("warmup", [{}, dict(warmup="linear", warmup_iters=3)])
def test_a_policy_by_epochs_among_iterations_says_that_it_has_no_effect(warmup, make):
    """MMCV's changes nothing and does not say so."""
    runner = run(make("iterations", lr=dict(policy="step", step=[1], by_epoch=True, **warmup)))
    assert runner.recorder.lr == [0.1] * 4
    [said] = [line for line in runner.lines if "no effect" in line]
    assert "StepLrUpdaterHook" in said
    assert "by_epoch=False" in said


def test_a_warm_up_by_epochs_among_iterations(make):
    policy = dict(policy="step", step=[9], warmup="linear", by_epoch=False)
    by_epoch, by_iteration = (
        run(make("iterations", length=6, lr={**policy, **length})).recorder.lr
        for length in (
            dict(warmup_iters=1, warmup_by_epoch=True),
            dict(warmup_iters=len(loader())),
        )
    )
    assert by_epoch == by_iteration
    assert by_epoch[0] < 0.1


def test_gradients_of_several_iterations_together(make):
    step = dict(type="GradientCumulativeOptimizerHook", cumulative_iters=5)
    assert_as_observed("cum", run(make("epochs", step=step)))


def test_averaged_weights(make):
    runner = make("epochs")
    runner.register_hook_from_cfg(dict(type="EMAHook", priority="NORMAL"))
    assert_as_observed("ema", run(runner))


def test_phases_in_turn(make):
    assert_as_observed("wf", run(make("epochs"), [("train", 1), ("val", 1)]))
    runner = make("iterations", length=10, folder="by_iterations")
    assert_as_observed("wfi", run(runner, [("train", 3), ("val", 2)]))


@pytest.mark.parametrize(
    ("name", "kind", "settings"),
    [
        ("ev", "epochs", dict(interval=1, save_best="acc")),
        ("evs", "epochs", dict(start=2, interval=2, save_best="auto")),
        ("evi", "iterations", dict(interval=3, by_epoch=False, save_best="acc", rule="less")),
    ],
)
def test_evaluation_keeps_the_best(name, kind, settings, make):
    runner = make(kind, length=4 if kind == "epochs" else 10)
    runner.register_hook(EvalHook(DataLoader(Points(), batch_size=4), **settings), "LOW")
    assert_as_observed(name, run(runner))
    best = [file for file in os.listdir(runner.work_dir) if file.startswith("best_")]
    assert runner.meta["hook_msgs"]["best_ckpt"].endswith(best[0])


def test_lines_and_their_json(make):
    runner = run(make("epochs", dict(policy="step", step=[1, 3], gamma=0.5)))
    lines = [line for line in runner.lines if line.startswith("Epoch")]
    assert re.fullmatch(
        r"Epoch \[1\]\[2/3\]\tlr: 1\.000e-01, eta: 0:00:\d\d, time: \d\.\d{3}, data_time: "
        r"\d\.\d{3}, loss: \d\.\d{4}, grad_norm: \d\.\d{4}",
        lines[0],
    )
    text = Path(runner.work_dir, "t.log.json").read_text("utf-8")
    entries = [json.loads(line) for line in text.splitlines()]
    assert entries[0] == {"exp_name": "x"}
    assert set(entries[1]) == {
        *("mode", "epoch", "iter", "lr", "data_time", "loss", "grad_norm", "time"),
    }
    assert [entry["epoch"] for entry in entries[1:]] == [1, 2, 3, 4]


FAR = dict(file_client_args=dict(backend="far"))


class Far(LocalBackend):
    """A storage that keeps count."""

    puts = removals = 0

    def put(self, obj, filepath):
        Far.puts += 1
        super().put(obj, filepath)

    def remove(self, filepath):
        Far.removals += 1
        super().remove(filepath)


def test_old_checkpoints_are_removed_with_their_backend(make):
    register_backend("far", Far, force=True)
    runner, before = make("epochs", length=3), Far.removals
    settings = dict(interval=1, max_keep_ckpts=1, filename_tmpl="own_{}.pth", **FAR)
    runner.register_checkpoint_hook(settings)
    best = EvalHook(DataLoader(Points(), batch_size=4), save_best="acc", rule="less", **FAR)
    runner.register_hook(best, "LOW")
    best.test_fn = lambda model, loader: [-float(runner.epoch)]  # each is better than the last
    run(runner)
    assert Far.removals == before + 2 + 2


@pytest.mark.parametrize("keep_local", [True, False])
def test_logs_are_kept_elsewhere_too(keep_local, make, tmp_path):
    register_backend("far", Far, force=True)
    runner, before = make("epochs", length=1), Far.puts
    settings = dict(out_dir=str(tmp_path / "far"), keep_local=keep_local, **FAR)
    runner.register_hook_from_cfg(dict(type="TextLoggerHook", **settings))
    run(runner)
    assert Far.puts == before + 1
    assert "exp_name" in (tmp_path / "far/run/t.log.json").read_text("utf-8")
    assert not list((tmp_path / "far").rglob("*.pth"))
    assert Path(runner.work_dir, "t.log.json").exists() == keep_local


ALONE, IN_TURN = [("train", 1)], [("train", 2), ("val", 1)]


@pytest.mark.parametrize("workflow", [ALONE, IN_TURN], ids=["training", "and validation in turn"])
@pytest.mark.parametrize(
    ("kind", "length", "ends"), [("epochs", 6, 14), ("iterations", 20, 13), ("iterations", 20, 3)]
)
def test_a_run_that_was_ended_goes_on_exactly(kind, length, ends, workflow, make):
    policy = dict(policy="CosineAnnealing", min_lr=0.0, warmup="linear", warmup_iters=4)

    def evaluated(folder):
        runner = make(kind, dict(policy), length=length, model=Noisy, folder=folder)
        settings = dict(interval=2, by_epoch=kind == "epochs", save_best="acc")
        runner.register_hook(EvalHook(loader(), **settings), "LOW")  # draws random numbers too
        return runner

    whole = run(evaluated("whole"), workflow)
    ended = evaluated("run")
    ended.register_hook_from_cfg(end_at(ends))
    with pytest.raises(Ended):
        run(ended, workflow)

    resumed = evaluated("run")
    resumed.auto_resume()
    assert resumed.iter == ends // 6 * 6 if kind == "epochs" else ends // 2 * 2
    run(resumed, workflow)
    count = len(resumed.recorder.loss)
    assert resumed.recorder.loss == whole.recorder.loss[-count:]
    assert resumed.recorder.lr == whole.recorder.lr[-count:]
    for one, other in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(one, other)
    best = [one.meta["hook_msgs"]["best_score"] for one in (resumed, whole)]
    assert best[0] == best[1]


class Counting(Points):
    """Counts the items that are loaded."""

    loaded = 0

    def __getitem__(self, index):
        Counting.loaded += 1
        return super().__getitem__(index)


def test_a_pass_goes_on_without_loading_what_was_seen():
    def batches():
        return IterLoader(DataLoader(Counting(), batch_size=2, shuffle=True))

    first = batches()
    for _ in range(5 + 3):
        next(first)
    state, states = first.state_dict(), torch.get_rng_state()
    expected = [next(first)["x"] for _ in range(2 + 5)]

    second, before = batches(), Counting.loaded
    second.load_state_dict(state)
    torch.set_rng_state(states)
    assert Counting.loaded == before
    assert (second.epoch, len(second)) == (1, 5)
    assert torch.equal(torch.stack(expected), torch.stack([next(second)["x"] for _ in expected]))
    assert second.epoch == 2


def test_nothing_to_resume(make):
    runner = make("epochs")
    runner.auto_resume()
    assert runner.iter == 0


def test_a_checkpoint_of_mmcv_is_continued(make, tmp_path):
    first = make("epochs")
    state = dict(
        meta=dict(epoch=2, iter=6, mmcv_version="1.7.2", hook_msgs=dict(best_score=1.0)),
        state_dict=first.model.state_dict(),
        optimizer=first.optimizer.state_dict(),
    )
    torch.save(state, tmp_path / "epoch_2.pth")
    runner = make("epochs")
    runner.resume(str(tmp_path / "epoch_2.pth"))
    assert (runner.epoch, runner.iter) == (2, 6)
    assert runner.meta["hook_msgs"]["best_score"] == 1.0
    assert len(run(runner).recorder.loss) == 6


def test_the_latest_checkpoint_has_a_link(make):
    runner = run(make("epochs"))
    link = Path(runner.work_dir, "latest.pth")
    assert link.resolve().name == "epoch_4.pth"
    content = torch.load(link, weights_only=True)
    assert content["meta"]["epoch"] == 4
    assert content["meta"]["hook_msgs"]["last_ckpt"] == str(Path(runner.work_dir, "epoch_4.pth"))


def test_several_optimizers(tmp_path):
    model = Model()
    several = {
        "a": torch.optim.SGD([model.layer.weight], lr=0.1, momentum=0.5),
        "b": torch.optim.Adam([model.layer.bias], lr=0.2),
    }
    runner = EpochBasedRunner(
        model,
        optimizer=several,
        work_dir=str(tmp_path),
        logger=logging.getLogger("x"),
        max_epochs=2,
    )
    runner.register_lr_hook(dict(policy="step", step=1))
    runner.register_checkpoint_hook(dict(interval=1))
    runner.register_timer_hook(dict(type="IterTimerHook"))
    runner.register_logger_hooks(dict(interval=1, hooks=[dict(type="TextLoggerHook")]))
    run(runner)
    assert runner.current_lr() == {"a": [pytest.approx(0.01)], "b": [pytest.approx(0.02)]}
    assert runner.current_momentum() == {"a": [0.5], "b": [0.9]}
    assert set(torch.load(tmp_path / "epoch_2.pth", weights_only=True)["optimizer"]) == {"a", "b"}


def test_a_hook_of_ones_own_acts_where_it_says(make):
    class Own(Hook):
        def __init__(self):
            self.seen = []

        def before_epoch(self, runner):
            self.seen.append(("before_epoch", runner.epoch))

        def after_val_iter(self, runner):
            self.seen.append(("after_val_iter", runner.inner_iter))

    own = Own()
    assert own.get_triggered_stages() == [
        *("before_train_epoch", "before_val_epoch", "after_val_iter"),
    ]
    runner = make("epochs", length=1)
    runner.register_hook(own, "HIGHEST")
    run(runner, [("train", 1), ("val", 1)])
    assert own.seen == [
        *(("before_epoch", 0), ("before_epoch", 1)),
        *(("after_val_iter", 0), ("after_val_iter", 1), ("after_val_iter", 2)),
    ]
    assert "(HIGHEST     ) Own" in runner.get_hook_info()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (dict(model=nn.Linear(1, 1)), AssertionError, "Linear has no train_step"),
        (dict(optimizer="SGD"), TypeError, "optimizer must be a torch.optim.Optimizer"),
        (dict(logger=None), TypeError, "logger must be"),
        (dict(meta=[1]), TypeError, "meta must be"),
        (dict(work_dir=3), TypeError, "work_dir"),
        (dict(max_iters=1), ValueError, "Only one of"),
    ],
)
def test_arguments_that_make_no_runner(given, error, message):
    arguments = dict(model=Model(), logger=logging.getLogger("x"), max_epochs=1)
    with pytest.raises(error, match=message):
        EpochBasedRunner(**{**arguments, **given})


def test_settings_that_make_no_policy(make):
    runner = make("epochs")
    with pytest.raises(ValueError, match="(?s)is not a supported type for warming up.*'linear'"):
        runner.register_lr_hook(dict(policy="step", step=1, warmup="liner"))
    with pytest.raises(AssertionError, match="min_lr or min_lr_ratio"):
        runner.register_lr_hook(dict(policy="CosineAnnealing"))
    with pytest.raises(AssertionError, match="a policy is wanted"):
        runner.register_lr_hook(dict(step=1))
    with pytest.raises(KeyError, match="StepsLrUpdaterHook"):
        runner.register_lr_hook(dict(policy="steps", step=1))


def test_older_ways(make, tmp_path):
    def process(model, data, train_mode):
        return Model.train_step(model, data)

    model = nn.Module()
    model.layer = nn.Linear(2, 1)
    model.noise = 0
    with pytest.warns(DeprecationWarning, match="batch_processor"):
        runner = EpochBasedRunner(model, process, logger=logging.getLogger("x"))
    with pytest.warns(DeprecationWarning, match="max_epochs in run"):
        runner.run([loader()], [("train", 1)], 1)
    assert runner.epoch == 1
    with pytest.warns(DeprecationWarning, match="EpochBasedRunner"):
        mmcv_runner.Runner(Model(), logger=logging.getLogger("x"))


def test_means_are_weighed_by_samples():
    buffer = LogBuffer()
    buffer.update(dict(a=1.0), 1)
    buffer.update(dict(a=4.0), 3)
    buffer.average()
    assert buffer.output["a"] == pytest.approx(13 / 4)
    buffer.average(1)
    assert buffer.output["a"] == 4
    buffer.clear()
    assert not buffer.ready


def test_half_precision_where_a_model_asks_for_it(make):
    class Half(Model):
        fp16_enabled = False

        @auto_fp16(apply_to=("x",))
        def features(self, x):
            return x.dtype

        @force_fp32(apply_to=("x",))
        def loss(self, x):
            return x.dtype

    model = Half()
    assert model.features(torch.ones(1)) == torch.float
    model.fp16_enabled = True
    assert model.features(x=torch.ones(1)) == model.features(torch.ones(1)) == torch.half
    assert model.loss(torch.ones(1).half()) == torch.float
    runner = make("epochs", step=dict(type="Fp16OptimizerHook", loss_scale=8.0), model=Half)
    run(runner)
    assert runner.meta["fp16"]["loss_scaler"]["scale"] == 8
    assert runner.model.fp16_enabled


@pytest.mark.parametrize(("by_epoch", "recorded"), [(True, 3), (False, 2)])
def test_the_first_steps_are_profiled(by_epoch, recorded, make, tmp_path):
    trace = tmp_path / "trace.json"
    kept = dict(by_epoch=by_epoch, profile_iters=1 if by_epoch else 2, activities=["cpu"])
    runner = make("epochs", length=2)
    runner.register_profiler_hook(dict(json_trace_path=str(trace), **kept))
    run(runner)
    events = json.loads(trace.read_text())["traceEvents"]
    steps = [e for e in events if e.get("name") == "aten::linear"]
    assert len(steps) == recorded


def test_tensorboard(make, tmp_path):
    pytest.importorskip("tensorboard")
    runner = make("epochs")
    runner.register_logger_hooks(
        dict(interval=1, hooks=[dict(type="TensorboardLoggerHook", log_dir=str(tmp_path / "tb"))])
    )
    run(runner)
    assert list((tmp_path / "tb").glob("events*"))


class Backend:
    """Stands for what a tracker's package has."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args, **kwargs):
            self.calls.append((name, args, kwargs))
            return self

        return call


@pytest.mark.parametrize(
    ("hook", "modules", "recorded"),
    [
        (dict(type="WandbLoggerHook", init_kwargs=dict(project="x")), ["wandb"], "log"),
        (dict(type="MlflowLoggerHook", exp_name="x"), ["mlflow", "mlflow.pytorch"], "log_metrics"),
        (dict(type="ClearMLLoggerHook"), ["clearml"], "report_scalar"),
        (dict(type="DvcliveLoggerHook", report=None), ["dvclive"], "log_metric"),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_trackers(hook, modules, recorded, make, monkeypatch):
    package = Backend()
    package.step, package.id, package.Task = 0, "id", package
    for name in modules:
        monkeypatch.setitem(sys.modules, name, package)
    runner = make("epochs", length=2)
    runner.register_logger_hooks(dict(interval=1, hooks=[hook]))
    run(runner)
    found = [(args, kwargs) for name, args, kwargs in package.calls if name == recorded]
    assert found
    assert "train/loss" in str(found)
    assert "learning_rate" in str(found)


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        (dict(type="PaviLoggerHook"), "there is no PaviLoggerHook here"),
        (dict(type="WandbLoggerHook", with_step=False), "has with_step=True only, not False"),
        (dict(type="DvcliveLoggerHook", model_file="x.pth"), "has model_file=None only"),
    ],
)
def test_what_no_tracker_does_is_refused(hook, message, make):
    with pytest.raises(ConfigError, match=message):
        make("epochs").register_logger_hooks(dict(interval=1, hooks=[hook]))


TWO_RANKS = """
import logging, random, sys
import torch
from torch import nn
from mainspring.compat.mmcv.runner import EpochBasedRunner, Hook, get_dist_info, init_dist

torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
random.seed(rank)

class Model(nn.Linear):
    def train_step(self, data, optimizer):
        loss = self(data).square().mean()
        return dict(loss=loss, log_vars=dict(loss=loss.item()), num_samples=1)

class Draw(Hook):
    drawn = []
    def before_train_epoch(self, runner):
        self.drawn.append((runner.epoch, random.random()))

model = Model(1, 1)
runner = EpochBasedRunner(
    model, optimizer=torch.optim.SGD(model.parameters(), 0.1), work_dir=sys.argv[1],
    logger=logging.getLogger("x"), max_epochs=3,
)
runner.register_training_hooks(dict(policy="fixed"), dict(), dict(interval=1), None)
runner.register_hook(Draw())
if len(sys.argv) > 2:
    runner.resume(sys.argv[2])
runner.run([[torch.ones(1, 1)]], [("train", 1)])
print([value for epoch, value in Draw.drawn if epoch == 2])
"""


def test_every_rank_goes_on_with_its_own_random_numbers(tmp_path):
    first = run_ranks(2, ["-c", TWO_RANKS, tmp_path])
    again = run_ranks(2, ["-c", TWO_RANKS, tmp_path, tmp_path / "epoch_2.pth"])
    for one, other in zip(first, again, strict=True):
        assert one.returncode == other.returncode == 0, one.stdout + other.stdout
        assert one.stdout.splitlines()[-1] == other.stdout.splitlines()[-1]
    assert first[0].stdout.splitlines()[-1] != first[1].stdout.splitlines()[-1]


def test_mmcv_runner_is_found_where_mmcv_lacks_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "mmcv", types.ModuleType("mmcv"))
    sys.modules["mmcv"].__path__ = []
    try:
        from mmcv.runner import HOOKS
        from mmcv.runner import IterBasedRunner as found
        from mmcv.runner.hooks.lr_updater import StepLrUpdaterHook

        assert found is IterBasedRunner
        assert HOOKS.get("StepLrUpdaterHook") is StepLrUpdaterHook
        with pytest.raises(ImportError):
            importlib.import_module("mmcv.runner.nothing")
    finally:
        for name in [name for name in sys.modules if name.startswith("mmcv.runner")]:
            del sys.modules[name]


def test_without_any_mmcv_its_names_are_here():
    program = """
import mmcv, mainspring.config, mainspring.fileio
from mmcv.runner import HOOKS
from mmcv.runner.hooks import Hook
from mmcv.runner.hooks.ema import EMAHook
from mmcv.runner.hooks.memory import EmptyCacheHook
assert HOOKS.get("EMAHook") is EMAHook and HOOKS.get("EmptyCacheHook") is EmptyCacheHook
from mmcv.utils import get_logger
from mainspring.compat.mmcv.runner.hooks.hook import Hook as ours
assert Hook is ours and HOOKS.get("StepLrUpdaterHook")
assert mmcv.Config is mmcv.utils.Config is mainspring.config.Config
assert mmcv.load is mainspring.fileio.load and mmcv.__version__ == "1.7.2"
assert not hasattr(mmcv, "imread")
assert get_logger("x").handlers and get_logger("x") is get_logger("x", "unused.log")
"""
    words = [sys.executable, "-c", f"import mainspring.compat.mmengine\n{program}"]
    result = start(words, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr


def test_an_installed_mmcv_keeps_its_own_names(tmp_path):
    (tmp_path / "mmcv").mkdir()
    (tmp_path / "mmcv" / "__init__.py").write_text("import mmengine\n__version__ = '2.1.0'\n")
    program = "import mmcv.runner; print(mmcv.__version__, mmcv.runner.EpochBasedRunner.__module__)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    words = [sys.executable, "-m", "mainspring", "exec", "-c", program]
    result = start(words, capture_output=True, text=True, timeout=120, env=environment)
    expected = "2.1.0 mainspring.compat.mmcv.runner.epoch_based_runner\n"
    assert result.stdout == expected, result.stderr
