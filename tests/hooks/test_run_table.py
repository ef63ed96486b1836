"""The table of a training: rows for people, columns that fit, and when the training will end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mainspring.hooks import IterTimerHook, LoggerHook
from mainspring.hooks.run_table import Cell, GrowingTable, Watched, training_cells


def test_columns_come_in_with_their_first_value_and_keep_their_place() -> None:
    table = GrowingTable()
    assert table.lines([Cell("iter", "9/20", 0, 0), Cell("loss", "0.5", 1, 1, 7)], 80) == [
        "iter     loss",
        "9/20      0.5",
    ]
    assert table.lines([Cell("iter", "9/20", 0, 0), Cell("acc", "98.33*", 3, 2)], 80) == [
        "iter     loss     acc",
        "9/20           98.33*",
    ]
    # A wider value is a reason for new heads, the same width is none.
    assert table.lines([Cell("iter", "8/20", 0, 0)], 80) == ["8/20"]
    assert table.lines([Cell("iter", "10/20", 0, 0)], 80)[0].startswith(" iter")


@pytest.mark.parametrize("room", [200, 80, 60, 40, 5])
def test_what_matters_least_is_left_out_where_there_is_no_room(room) -> None:
    scalars = {"loss": 1.0, "lr": 1e-3, "time": 0.02, "data_time": 0.01, "memory": 2048}
    scalars |= {f"loss_of_part_{number}": 0.1 for number in range(10)}
    cells = [
        Cell("epoch", "1/12", 0, 0, 5),
        *training_cells(scalars),
        Cell("time", "0:07", 5, 3, 5),
    ]
    lines = GrowingTable().lines(cells, room)
    assert all(len(line) <= room for line in lines)
    heads = lines[0].split()
    assert heads[0] == "epoch"
    assert ("loss" in heads) == (room >= 40)
    assert ("it/s" in heads) == (room >= 40)
    assert ("loss_of_part_0" in heads) == (room >= 80)
    assert ("loss_of_part_8" in heads) == (room == 200)


def test_the_share_of_waiting_and_the_speed_have_units() -> None:
    shown = {cell.name: cell.text for cell in training_cells({"time": 0.02, "data_time": 0.005})}
    assert shown == {"it/s": "50.0", "data": "25%"}


def test_the_best_value_of_the_watched_metric_is_remembered() -> None:
    watched = Watched()
    assert watched.see({"unheard_of": 1.0, "accuracy": 90.0}, 1, 45)
    assert not watched.see({"accuracy": 89.0}, 2, 90)
    assert not watched.see({"loss": 0.0}, 3, 135)
    assert watched.see({"accuracy": 91.0}, 4, 180)
    assert watched.best == {
        "metric": "accuracy",
        "score": 91.0,
        "rule": "greater",
        "epoch": 4,
        "iter": 180,
    }


def test_an_epoch_has_one_row_with_its_validation(make_runner, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    runner = make_runner(LoggerHook())
    for number in range(8):
        runner.message_hub.update_scalar("train/loss", float(number))
    runner.train(scores=[{}] * 4)
    heads, *rows = [line.split() for line in runner.shown]
    assert heads == ["epoch", "iter", "loss", "acc", "time"]
    assert [row[:2] for row in rows] == [["1/4", "2"], ["2/4", "4"], ["3/4", "6"], ["4/4", "8"]]
    assert all(row[2] == "6.5000" for row in rows), "the mean of the epoch's two iterations"
    assert [row[3] for row in rows] == ["0.5000*", "0.5000", "0.5000", "0.5000"]


def test_a_metric_that_training_has_too_has_a_column_of_its_own(make_runner, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    runner = make_runner(LoggerHook(interval=1))
    runner.call_hook("before_run")
    runner.max_epochs = 1
    for number in range(2):
        runner.message_hub.update_scalar("train/acc", float(number))
    runner.train(scores=[{}])
    heads = [line.split() for line in runner.shown if "acc" in line][-1]
    assert heads[:5] == ["epoch", "iter", "loss", "acc", "val_acc"]
    assert runner.shown[-1].split()[:5] == ["1/1", "2", "1.0000", "0.5000", "0.5000*"]
    assert sum(" 2 " in line for line in runner.shown) == 1, "one row for the last iteration"


@pytest.mark.parametrize("by_epoch", [True, False])
def test_counts_that_gain_a_digit_bring_no_new_heads(make_runner, by_epoch) -> None:
    runner = make_runner(LoggerHook(interval=1), by_epoch=by_epoch)
    runner.max_epochs, runner.max_iters = (12, 24) if by_epoch else (1, 24)
    runner.train_dataloader = range(2 if by_epoch else 24)
    runner.call_hook("before_run")
    runner.train()
    heads = [line for line in runner.shown if "loss" in line]
    assert len(heads) == 1
    assert len(runner.shown) == 25


def test_a_column_that_finds_room_later_has_its_value_at_once() -> None:
    table = GrowingTable()
    row = [Cell("iter", "9", 0, 0), Cell("loss", 1.5, 1, 1, 7, "{:.2f}".format)]
    assert table.lines(row, 6) == ["iter", "   9"]
    assert table.lines(row, 20) == ["iter     loss", "   9     1.50"]


@pytest.mark.parametrize(("interval", "rows"), [(None, ["8/8"]), (2, ["2/8", "4/8", "6/8", "8/8"])])
def test_by_iterations_each_log_step_has_a_row_if_an_interval_was_given(
    make_runner, interval, rows
) -> None:
    runner = make_runner(LoggerHook(interval=interval), by_epoch=False)
    runner.train_dataloader = range(8)
    runner.call_hook("before_run")
    runner.train()
    assert [line.split()[0] for line in runner.shown] == ["iter", *rows]


def test_what_was_logged_before_a_run_ended_early_is_said_once_and_in_its_place(
    make_runner, monkeypatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    hook = LoggerHook()
    runner = make_runner(hook)
    hook.before_train(runner)
    hook.table.begin_epoch(runner)
    runner.iter = 1
    hook.table.step(runner, {"loss": 1.0})
    runner.iter = 4  # it goes on for a while without a log step
    hook.table.end(runner)
    hook.table.end(runner)
    heads, row = [line.split() for line in runner.shown]
    assert heads[:3] == ["epoch", "iter", "loss"]
    assert row[:3] == [f"1/{runner.max_epochs}", "2", "1.0000"]


def test_under_mmengines_alias_there_is_no_table(make_runner, monkeypatch) -> None:
    monkeypatch.setattr("mainspring.defaults.DEFAULTS.short_lines", False)
    runner = make_runner(LoggerHook(interval=2))
    runner.call_hook("before_run")
    runner.train(scores=[{}] * 4)
    assert not runner.shown
    assert "val end" in runner.lines


def test_the_end_is_foreseen_with_its_validations(make_runner, monkeypatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("time.perf_counter", lambda: clock.now)
    timer = IterTimerHook()
    runner = make_runner(timer)
    runner.train_loop.val_interval = 2
    runner.val_dataloader = [0, 1]

    def train_epoch() -> None:
        runner.call_hook("before_train_epoch")
        for _ in range(2):
            runner.call_hook("before_train_iter", batch_idx=0, data_batch=None)
            clock.now += 1.0
            runner.call_hook("after_train_iter", batch_idx=0, data_batch=None, outputs={})
            runner.iter += 1
        runner.epoch += 1

    runner.call_hook("before_train")
    train_epoch()
    assert timer.seconds_left == pytest.approx(6.0)  # nobody knows yet how long a validation takes
    train_epoch()
    runner.call_hook("before_val")
    runner.call_hook("before_val_epoch")
    clock.now += 5.0
    runner.call_hook("after_val_iter", batch_idx=0, data_batch=None, outputs=None)
    # Half of this validation, four iterations, and another validation.
    assert timer.seconds_left == pytest.approx(5.0 + 4.0 + 10.0)
    clock.now += 5.0
    runner.call_hook("after_val_iter", batch_idx=1, data_batch=None, outputs=None)
    runner.call_hook("after_val")
    train_epoch()
    assert timer.seconds_left == pytest.approx(2.0 + 10.0)
    assert runner.message_hub.get_info("eta") == timer.seconds_left
