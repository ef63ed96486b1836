from __future__ import annotations

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mainspring.errors import ConfigError, MetricError
from mainspring.hooks import (
    CheckpointHook,
    DistSamplerSeedHook,
    EarlyStoppingHook,
    EmptyCacheHook,
    IterTimerHook,
    LoggerHook,
    NPUProfilerHook,
    ParamSchedulerHook,
    PrepareTTAHook,
    ProfilerHook,
    ProgressHook,
    RuntimeInfoHook,
    SyncBuffersHook,
    build_runner_with_tta,
)


def last(runner, name):
    return runner.message_hub.get_scalar(name).current()


# RuntimeInfoHook


def test_the_stage_around_a_validation_can_be_asked_for(make_runner) -> None:
    hook = RuntimeInfoHook()
    runner = make_runner(hook)
    runner.call_hook("before_train")
    runner.call_hook("before_val")
    assert hook.last_loop_stage == "train"
    runner.call_hook("after_val")
    assert hook.last_loop_stage is None


def test_rates_are_those_of_the_wrapper_that_the_run_has_now(make_runner) -> None:
    runner = make_runner(RuntimeInfoHook())
    runner.train(iterations=1)
    runner.optim_wrapper = SimpleNamespace(get_lr=lambda: {"lr": [0.125]})
    runner.call_hook("before_train_iter", batch_idx=0)
    assert last(runner, "train/lr") == 0.125
    runner.optim_wrapper = SimpleNamespace(get_lr=lambda: 0.125)
    with pytest.raises(TypeError, match="get_lr of SimpleNamespace gives a float"):
        runner.call_hook("before_train_iter", batch_idx=0)


def test_runtime_information_is_kept_up_to_date(make_runner) -> None:
    runner = make_runner(RuntimeInfoHook())
    runner.call_hook("before_run")
    runner.epoch, runner.iter = 1, 3
    runner.train()
    hub = runner.message_hub
    assert hub.get_info("cfg") == "a = 1\n"
    assert hub.get_info("seed") == 7
    assert hub.get_info("experiment_name") == runner.experiment_name
    assert (hub.get_info("epoch"), hub.get_info("iter")) == (3, 8)
    assert (hub.get_info("max_epochs"), hub.get_info("max_iters")) == (4, 8)
    assert hub.get_info("loop_stage") is None


def test_the_learning_rate_is_that_of_the_iteration_whatever_changes_it(make_runner) -> None:
    runner = make_runner(RuntimeInfoHook())
    runner.call_hook("before_train")
    for rate in (0.5, 0.25):
        runner.optim_wrapper.optimizer.param_groups[0]["lr"] = rate
        runner.call_hook("before_train_iter", batch_idx=0, data_batch=None)
        assert last(runner, "train/lr") == rate
    runner.optim_wrapper.base_param_settings = {"params": [], "lr": 2.0}
    runner.call_hook("before_train_iter", batch_idx=0, data_batch=None)
    assert last(runner, "train/base_lr") == 2.0


def test_several_optimizers_record_their_rates_by_name(make_runner) -> None:
    runner = make_runner(RuntimeInfoHook())
    runner.optim_wrapper = SimpleNamespace(
        get_lr=lambda: {"generator.lr": [0.1, 0.2], "discriminator.lr": [0.3]}
    )
    runner.call_hook("before_train_iter", batch_idx=0, data_batch=None)
    assert last(runner, "train/generator.lr") == 0.1
    assert last(runner, "train/discriminator.lr") == 0.3


def test_outputs_and_metrics_are_recorded(make_runner) -> None:
    runner = make_runner(RuntimeInfoHook())
    outputs = {"loss": torch.tensor(1.5), "acc": 0.5}
    runner.call_hook("after_train_iter", batch_idx=0, data_batch=None, outputs=outputs)
    assert last(runner, "train/loss") == 1.5
    metrics = {"acc": 0.5, "tensor": torch.tensor([2.0]), "confusion": [[1, 0], [0, 1]]}
    for mode in ("val", "test"):
        runner.call_hook(f"after_{mode}_epoch", metrics=metrics)
        assert last(runner, f"{mode}/acc") == 0.5
        assert last(runner, f"{mode}/tensor") == 2.0
        assert runner.message_hub.get_info(f"{mode}/confusion") == [[1, 0], [0, 1]]


def test_validation_in_training_gives_the_stage_back(make_runner) -> None:
    runner = make_runner(RuntimeInfoHook())
    runner.call_hook("before_train")
    runner.call_hook("before_val")
    assert runner.message_hub.get_info("loop_stage") == "val"
    runner.call_hook("after_val")
    assert runner.message_hub.get_info("loop_stage") == "train"


# IterTimerHook


def test_times_and_eta_are_computed_from_the_clock(make_runner, monkeypatch) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("time.perf_counter", lambda: clock.now)
    runner = make_runner(IterTimerHook())
    runner.iter = 2  # a resumed run: the iterations before it took no time here
    runner.call_hook("before_train")
    runner.call_hook("before_train_epoch")
    for seconds in (1.0, 3.0):
        clock.now += 0.25
        runner.call_hook("before_train_iter", batch_idx=0, data_batch=None)
        clock.now += seconds - 0.25
        runner.call_hook("after_train_iter", batch_idx=0, data_batch=None, outputs={})
        assert last(runner, "train/time") == pytest.approx(seconds)
        assert last(runner, "train/data_time") == pytest.approx(0.25)
        runner.iter += 1
    assert runner.message_hub.get_info("eta") == pytest.approx(2.0 * (8 - 4))


def test_the_time_of_a_validation_is_no_data_time(make_runner, monkeypatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("time.perf_counter", lambda: clock.now)
    runner = make_runner(IterTimerHook(), by_epoch=False)
    runner.call_hook("before_train")
    runner.call_hook("before_train_epoch")
    runner.call_hook("before_val_epoch")
    clock.now += 50.0
    runner.call_hook("after_val_epoch", metrics={})
    clock.now += 1.0
    runner.call_hook("before_train_iter", batch_idx=0, data_batch=None)
    runner.call_hook("after_train_iter", batch_idx=0, data_batch=None, outputs={})
    assert last(runner, "train/data_time") == pytest.approx(1.0)


# DistSamplerSeedHook


def test_the_sampler_learns_the_epoch_unless_the_loop_counts_iterations(make_runner) -> None:
    epochs = []
    sampler = SimpleNamespace(set_epoch=epochs.append)
    for loader in (
        SimpleNamespace(sampler=sampler),
        SimpleNamespace(sampler=None, batch_sampler=SimpleNamespace(sampler=sampler)),
    ):
        runner = make_runner(DistSamplerSeedHook())
        runner.train_loop.dataloader = loader
        runner.epoch = 3
        runner.call_hook("before_train_epoch")
        runner.train_loop.by_epoch = False
        runner.call_hook("before_train_epoch")
    assert epochs == [3, 3]


# ParamSchedulerHook


class CountingScheduler:
    def __init__(self, by_epoch, need_val_args=False):
        self.by_epoch = by_epoch
        self.need_val_args = need_val_args
        self.calls = []

    def step(self, *args):
        self.calls.append(args)


def test_each_scheduler_is_stepped_where_it_counts(make_runner) -> None:
    by_epoch, by_iter = CountingScheduler(True), CountingScheduler(False)
    plateau = CountingScheduler(True, need_val_args=True)
    schedulers = [by_epoch, by_iter, plateau]
    for given in (schedulers, {"a": [by_epoch], "b": [by_iter, plateau]}):
        for scheduler in schedulers:
            scheduler.calls.clear()
        runner = make_runner(ParamSchedulerHook())
        runner.param_schedulers = given
        runner.train([{"loss": 1.0}] * 4)
        assert len(by_epoch.calls) == 4
        assert len(by_iter.calls) == 8
        # An epoch only counts for it, against its begin and end; the metric decides.
        assert plateau.calls == [(), ({"loss": 1.0},)] * 4


def test_a_scheduler_alone_is_refused_where_a_list_is_meant(make_runner) -> None:
    runner = make_runner(ParamSchedulerHook())
    runner.param_schedulers = SimpleNamespace(by_epoch=True, step=lambda: None)
    for point in ("after_train_epoch", "after_val_epoch"):
        with pytest.raises(TypeError, match="put schedulers into a list"):
            runner.call_hook(point, **({"metrics": {}} if "val" in point else {}))


@pytest.mark.parametrize("unbuilt", [None, {"type": "StepLR"}, [{"type": "StepLR"}]])
def test_validation_alone_steps_nothing(make_runner, unbuilt) -> None:
    runner = make_runner(ParamSchedulerHook())
    runner.param_schedulers = copy.deepcopy(unbuilt)
    runner.call_hook("after_val_epoch", metrics={"loss": 1.0})
    assert runner.param_schedulers == unbuilt


# LoggerHook


def test_training_is_logged_at_the_interval(make_runner) -> None:
    runner = make_runner(LoggerHook(interval=2, interval_exp_name=5))
    runner.train_dataloader = range(5)
    runner.call_hook("before_run")
    runner.max_epochs = 2
    runner.train(iterations=5)
    exp_name = f"Exp name: {runner.experiment_name}"
    assert runner.lines == ["train 1", "train 3", exp_name] * 2
    assert runner.drawn[0] == ({"loss": 1.0}, 2, "20260101_000000.json")
    assert [step for _, step, _ in runner.drawn] == [2, 4, 7, 9]


@pytest.mark.parametrize(
    ("interval", "ignore_last", "logged"), [(10, True, 1), (2, False, 3), (2, True, 2)]
)
def test_the_rest_of_an_epoch_is_logged_when_asked_or_when_it_is_all(
    make_runner, interval, ignore_last, logged
) -> None:
    runner = make_runner(LoggerHook(interval=interval, ignore_last=ignore_last))
    runner.train_dataloader = range(5)
    runner.max_epochs = 1
    runner.call_hook("before_run")
    runner.train(iterations=5)
    assert len(runner.drawn) == logged


def test_a_loader_without_length_is_logged_too(make_runner) -> None:
    runner = make_runner(LoggerHook(interval=2))
    runner.train_dataloader = iter([])
    runner.train()
    assert len(runner.drawn) == 4


@pytest.mark.parametrize(
    ("by_epoch", "log_metric_by_epoch", "step"),
    [(True, True, 3), (True, False, 40), (False, None, 40), (True, None, 3)],
)
def test_metrics_are_drawn_over_epochs_or_iterations(
    make_runner, by_epoch, log_metric_by_epoch, step
) -> None:
    runner = make_runner(LoggerHook(log_metric_by_epoch=log_metric_by_epoch), by_epoch=by_epoch)
    runner.epoch, runner.iter = 3, 40
    runner.call_hook("after_val_epoch", metrics={})
    assert runner.drawn[-1][1] == step
    runner._train_loop = {"by_epoch": True}
    runner.call_hook("after_val_epoch", metrics={})
    assert runner.drawn[-1][1] == 0


@pytest.mark.parametrize("mode", ["val", "test"])
@pytest.mark.parametrize(
    ("interval", "short_lines", "logged"),
    [(None, True, [9, 39, 69, 99]), (30, True, [29, 59, 89]), (None, False, range(9, 100, 10))],
)
def test_progress_of_an_evaluation_is_logged_each_second_or_at_the_interval(
    make_runner, monkeypatch, mode, interval, short_lines, logged
) -> None:
    monkeypatch.setattr("mainspring.defaults.DEFAULTS.short_lines", short_lines)
    clock = iter(range(1000))
    monkeypatch.setattr("mainspring.hooks.logger_hook.time.monotonic", lambda: 0.4 * next(clock))
    runner = make_runner(LoggerHook(interval=interval))
    next(clock), next(clock), next(clock)  # a second after the clock began
    for index in range(100):
        runner.call_hook(f"after_{mode}_iter", batch_idx=index, data_batch=None, outputs=None)
    assert runner.lines == [f"{mode} {index}" for index in logged]


def test_test_metrics_are_written_into_a_file(make_runner) -> None:
    runner = make_runner(LoggerHook())
    runner.call_hook("before_run")
    runner.call_hook("after_test_epoch", metrics={})
    text = (Path(runner.log_dir) / "20260101_000000.json").read_text()
    assert json.loads(text) == {"acc": 0.5}


def test_logs_are_copied_at_the_end(make_runner, tmp_path) -> None:
    runner = make_runner(LoggerHook(out_dir=tmp_path / "out", keep_local=False))
    log, other = Path(runner.log_dir) / "a.log", Path(runner.log_dir) / "a.png"
    log.write_text("text")
    other.write_text("image")
    runner.call_hook("before_run")
    runner.call_hook("after_run")
    assert runner.closed
    assert (tmp_path / "out" / "run" / "a.log").read_text() == "text"
    assert not log.exists()
    assert other.exists()


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"interval": 0}, ValueError),
        ({"interval": 1.5}, TypeError),
        ({"ignore_last": "no"}, TypeError),
        ({"out_dir": 1}, TypeError),
        ({"out_suffix": [".log", 2]}, TypeError),
        ({"backend_args": {"backend": "local"}}, ValueError),
    ],
)
def test_wrong_logger_arguments_are_refused(arguments, kind) -> None:
    with pytest.raises(ConfigError) as error:
        LoggerHook(**arguments)
    assert isinstance(error.value, kind)


@pytest.mark.parametrize("hook", [LoggerHook, CheckpointHook])
def test_the_older_name_of_the_backend_is_said_to_be_so(hook, tmp_path, capsys) -> None:
    old = {"backend": "local"}
    hook(out_dir=tmp_path, file_client_args=old)
    assert "older name of backend_args" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="not both"):
        hook(out_dir=tmp_path, file_client_args=old, backend_args=old)


def test_the_end_of_an_epoch_is_logged_in_a_run_that_began_elsewhere(make_runner) -> None:
    runner = make_runner(LoggerHook(ignore_last=False))
    runner.call_hook("after_train_iter", batch_idx=1)
    assert runner.lines[-1] == "train 1"


# EarlyStoppingHook


@pytest.mark.parametrize(
    ("arguments", "scores", "stops_after"),
    [
        ({"patience": 2}, [10, 20, 20, 20, 30], 4),
        ({"patience": 2, "min_delta": 5}, [10, 14, 14.9, 30], 3),
        ({"patience": 2, "min_delta": 5}, [10, 15, 20, 25], None),
        ({"patience": 1, "rule": "less", "min_delta": 1}, [10, 9, 8.5], 3),
        ({"patience": 0}, [10, 20, 20], 3),
        ({"stopping_threshold": 15}, [10, 15, 16], 3),
        ({}, [10, float("inf")], 2),
        ({"check_finite": False, "patience": 2}, [10, float("nan"), float("nan"), 11], 3),
    ],
)
def test_training_stops_when_the_metric_no_longer_improves(
    make_runner, arguments, scores, stops_after
) -> None:
    runner = make_runner(EarlyStoppingHook(monitor="acc", **arguments))
    stopped = None
    for index, score in enumerate(scores, 1):
        runner.call_hook("after_val_epoch", metrics={"acc": score})
        if runner.train_loop.stop_training:
            stopped = index
            break
    assert stopped == stops_after
    assert (stopped is None) == (not runner.lines)


def test_no_patience_lets_training_begin(make_runner) -> None:
    runner = make_runner(EarlyStoppingHook(monitor="acc", patience=0))
    runner.call_hook("before_train")
    assert not runner.train_loop.stop_training


def test_early_stopping_goes_on_counting_after_a_resume(make_runner) -> None:
    first = EarlyStoppingHook(monitor="acc", patience=2)
    runner = make_runner(first)
    for score in (10, 10):
        runner.call_hook("after_val_epoch", metrics={"acc": score})
    second = EarlyStoppingHook(monitor="acc", patience=2)
    resumed = make_runner(second)
    resumed.call_hook("before_run")
    second.load_state_dict(first.state_dict())
    resumed.call_hook("after_val_epoch", metrics={"acc": 10})
    assert resumed.train_loop.stop_training


def test_a_metric_that_nobody_computes_is_said_and_an_error_if_strict(make_runner) -> None:
    runner = make_runner(EarlyStoppingHook(monitor="acc"))
    with pytest.warns(UserWarning, match="no 'acc', but f1"):
        runner.call_hook("after_val_epoch", metrics={"f1": 1.0})
    runner = make_runner(EarlyStoppingHook(monitor="acc", strict=True))
    with pytest.raises(MetricError, match="validation gave f1") as error:
        runner.call_hook("after_val_epoch", metrics={"f1": 1.0})
    assert isinstance(error.value, RuntimeError)  # as MMEngine's users catch it


@pytest.mark.parametrize("rule", ["greater", "less"])
def test_an_equal_score_is_no_improvement(make_runner, rule) -> None:
    hook = EarlyStoppingHook(monitor="f1", rule=rule, min_delta=0, patience=3)
    runner = make_runner(hook)
    for _ in range(4):
        runner.call_hook("after_val_epoch", metrics={"f1": 0.5})
    assert runner.train_loop.stop_training


@pytest.mark.parametrize("strict", [False, True])
def test_a_metric_that_is_missing_once_is_an_error_if_strict(make_runner, strict) -> None:
    runner = make_runner(EarlyStoppingHook(monitor="acc", strict=strict))
    runner.call_hook("after_val_epoch", metrics={"acc": 50})
    if strict:
        with pytest.raises(MetricError):
            runner.call_hook("after_val_epoch", metrics={})
    else:
        with pytest.warns(UserWarning, match="acc"):
            runner.call_hook("after_val_epoch", metrics={})


def test_a_loop_that_cannot_be_stopped_is_refused(make_runner) -> None:
    runner = make_runner(EarlyStoppingHook(monitor="acc"))
    runner.train_loop = runner._train_loop = object()
    with pytest.raises(AssertionError, match="stop_training"):
        runner.call_hook("before_run")
    runner._train_loop = {"max_epochs": 3}  # nothing is trained
    runner.call_hook("before_run")


def test_a_min_delta_too_large_for_the_metric_is_said(make_runner) -> None:
    runner = make_runner(EarlyStoppingHook(monitor="mAP"))
    for score in (0.35, 0.42):
        runner.call_hook("after_val_epoch", metrics={"mAP": score})
    assert len(runner.warnings) == 1
    assert "min_delta = 0.1 is large" in runner.warnings[0]


# the rest


def test_buffers_are_left_alone_in_one_process(make_runner) -> None:
    hook = SyncBuffersHook()
    runner = make_runner(hook)
    runner.model = nn.BatchNorm1d(2)
    before = copy.deepcopy(runner.model.state_dict())
    runner.call_hook("after_train_epoch")
    assert hook.called_in_train
    runner.call_hook("before_val_epoch")
    assert not hook.called_in_train
    after = runner.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_buffers_are_averaged_once_between_epoch_and_validation(make_runner, monkeypatch) -> None:
    calls = []
    monkeypatch.setattr(
        "mainspring.hooks.sync_buffer_hook.all_reduce_params",
        lambda params, op: calls.append(op),
    )
    hook = SyncBuffersHook()
    hook.distributed = True
    runner = make_runner(hook)
    runner.call_hook("after_train_epoch")
    runner.call_hook("before_val_epoch")
    assert calls == ["mean"]
    runner.call_hook("before_val_epoch")
    assert calls == ["mean"] * 2


def test_the_cache_is_emptied_where_asked(make_runner, monkeypatch) -> None:
    calls = []
    monkeypatch.setattr("mainspring.hooks.empty_cache_hook._empty_cache", lambda: calls.append(1))
    runner = make_runner(EmptyCacheHook(before_epoch=True, after_epoch=False, after_iter=True))
    runner.max_epochs = 1
    runner.train()
    assert len(calls) == 1 + 2


@pytest.mark.parametrize("by_epoch", [True, False])
def test_the_profiler_covers_what_was_asked_and_writes_a_trace(
    make_runner, tmp_path, by_epoch
) -> None:
    trace = tmp_path / "trace.json"
    hook = ProfilerHook(
        by_epoch=by_epoch,
        profile_times=2,
        json_trace_path=str(trace),
        on_trace_ready={"type": "log_trace", "row_limit": 3},
    )
    runner = make_runner(hook)
    runner.train()
    assert hook.profiler is None
    assert trace.stat().st_size > 0
    assert runner.lines[-1] == "profiling has ended"


def test_wrong_profiler_settings_are_refused(make_runner) -> None:
    with pytest.raises(ConfigError, match="lasts 4"):
        make_runner(ProfilerHook(profile_times=5)).call_hook("before_train")
    with pytest.raises(ConfigError, match="log_trace"):
        make_runner(ProfilerHook(on_trace_ready={"type": "log_trac"})).call_hook("before_train")
    with pytest.raises(ConfigError, match="on_trace_ready is 0"):
        make_runner(ProfilerHook(on_trace_ready=0)).call_hook("before_train")
    with pytest.raises(ConfigError):
        NPUProfilerHook(begin=2, end=1)


def test_the_model_is_wrapped_for_test_time_augmentation(make_runner) -> None:
    class Augmented(torch.nn.Module):
        def __init__(self, module, scale):
            super().__init__()
            self.module = module
            self.scale = scale

    hook = PrepareTTAHook({"type": Augmented, "scale": 2})
    runner = make_runner(hook)
    runner.wrap_model = lambda cfg, model: model
    inner = runner.model
    runner.call_hook("before_test")
    assert isinstance(runner.model, Augmented)
    assert runner.model.module is inner
    assert hook.tta_cfg == {"type": Augmented, "scale": 2}, "the config is left as it was"
    runner.call_hook("after_test")
    assert isinstance(runner.model, Augmented), "as in MMEngine"
    runner.call_hook("before_test")
    assert runner.model.module is inner, "wrapped once, however often it is tested"
    other = make_runner(name="another run")
    first, own = hook._plain_model, other.model
    hook.begin_run(runner)
    assert runner.model is inner is first
    runner.call_hook("before_test")
    hook.begin_run(other)
    assert other.model is own

    runner.model, runner.is_training = inner, True
    runner.call_hook("before_test")
    runner.call_hook("after_test")
    assert runner.model is inner, "training goes on with the plain model"


def test_a_config_without_augmentation_is_refused() -> None:
    with pytest.raises(ConfigError, match="tta_pipeline"):
        build_runner_with_tta({"tta_model": {}})


class RecordingDisplay:
    def __init__(self):
        self.calls = []

    def start(self, total, description, completed):
        self.calls.append(("start", total, description, completed))

    def update(self, completed, text, description):
        self.calls.append(("update", completed, text, description))

    def stop(self):
        self.calls.append(("stop",))


def test_progress_is_shown_a_few_times_per_second(make_runner, monkeypatch) -> None:
    display = RecordingDisplay()
    monkeypatch.setattr("mainspring.hooks.progress_hook.ProgressDisplay", lambda: display)
    now = iter([0.5, 0.5, 0.55, 0.56, 0.61, 0.62, 0.63, 0.64, 0.65])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    runner = make_runner(ProgressHook())
    runner.train()
    assert display.calls == [
        ("start", 8, "epoch 1/4", 0),
        ("update", 1, ["0:00"], "epoch 1/4"),
        ("update", 4, ["0:00"], "epoch 2/4"),
        ("stop",),
    ]


@pytest.mark.parametrize(("seconds_of_data", "is_said"), [(0.9, 1), (0.3, 0)])
def test_waiting_for_data_most_of_the_time_is_said_once(
    make_runner, monkeypatch, seconds_of_data, is_said
) -> None:
    """Each iteration takes one second by a clock of the test's own."""
    now = 0.0
    monkeypatch.setattr("mainspring.hooks.iter_timer_hook.time.perf_counter", lambda: now)
    hook = IterTimerHook()
    runner = make_runner(hook)
    runner.train_dataloader = SimpleNamespace(num_workers=0)
    hook.before_train(runner)
    hook._before_epoch(runner)
    for index in range(200):
        now += seconds_of_data
        hook._before_iter(runner, index)
        now += 1 - seconds_of_data
        hook._after_iter(runner, index)
    assert len(runner.warnings) == is_said
    assert all("90% of the training time is waiting for data" in text for text in runner.warnings)


def test_trackers_are_given_tags_over_iterations(make_runner) -> None:
    runner = make_runner(LoggerHook(interval=2))
    logs = []
    runner.visualizer.add_log = lambda flat, tagged, **where: logs.append((flat, tagged, where))
    runner.log_processor.get_log_after_epoch = lambda *_, **__: ({"loss": 0.5, "acc": 0.9}, "val")
    runner.message_hub.update_scalar("train/loss", 1.0)
    runner.call_hook("before_run")
    runner.max_epochs = 1
    runner.train(scores=[{}])
    file = "20260101_000000.json"
    assert logs == [
        (
            {"loss": 1.0},
            {"train/loss": 1.0, "epoch": 1},
            {"step": 2, "iteration": 2, "file_path": file},
        ),
        (
            {"val_loss": 0.5, "acc": 0.9},
            {"val/loss": 0.5, "val/acc": 0.9, "epoch": 1},
            {"step": 1, "iteration": 2, "file_path": file},
        ),
    ]
