"""Log lines and what backends get, as MMEngine 0.10.7 writes them (observed there)."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mainspring.logging import HistoryBuffer, MessageHub
from mainspring.registry import LOG_PROCESSORS
from mainspring.runner.log_processor import LogProcessor


def loop(length, **attributes):
    return SimpleNamespace(dataloader=range(length), **attributes)


def make_runner(epoch=0, iteration=49, trained=True, **attributes):
    hub = MessageHub("run")
    for step in range(12):
        hub.update_scalar("train/lr", 0.1 / (step + 1))
        hub.update_scalar("train/data_time", 0.001 * step)
        hub.update_scalar("train/loss", torch.tensor(float(step)))
        hub.update_scalar("train/acc", step)
        hub.update_scalar("train/time", 0.01 * step)
    hub.update_info("eta", 3725.6)
    for mode in ("val", "test"):
        for step in range(3):
            hub.update_scalar(f"{mode}/data_time", 0.5 * step)
            hub.update_scalar(f"{mode}/time", 0.25 * step)
        hub.update_scalar(f"{mode}/top1", 91.25)
    return SimpleNamespace(
        message_hub=hub,
        epoch=epoch,
        iter=iteration,
        max_epochs=12,
        max_iters=1200,
        model=None,
        _train_loop=loop(100, by_epoch=True) if trained else None,
        train_loop=loop(100, by_epoch=True),
        val_loop=loop(7),
        test_loop=loop(1234),
        **attributes,
    )


@pytest.fixture(autouse=True)
def no_accelerator(monkeypatch):
    import mainspring.runner.log_processor as module

    monkeypatch.setattr(module, "is_cuda_available", lambda: False)
    monkeypatch.setattr(module, "is_musa_available", lambda: False)
    return module


TIMES = "eta: 1:02:05  time: 0.0650  data_time: 0.0065  "


@pytest.mark.parametrize(
    ("options", "mode", "batch", "line"),
    [
        (
            dict(),
            "train",
            49,
            f"Epoch(train)  [1][ 50/100]  lr: 8.3333e-03  {TIMES}loss: 6.5000  acc: 11",
        ),
        (
            dict(by_epoch=False),
            "train",
            49,
            f"Iter(train) [  50/1200]  lr: 8.3333e-03  {TIMES}loss: 6.5000  acc: 11",
        ),
        (
            dict(window_size=1, num_digits=2),
            "train",
            0,
            (
                "Epoch(train)  [1][  1/100]  lr: 8.33e-03  eta: 1:02:05  time: 0.11  "
                "data_time: 0.01  loss: 11.00  acc: 11"
            ),
        ),
        (
            dict(),
            "val",
            2,
            "Epoch(val)  [0][3/7]    eta: 1:02:05  time: 0.2500  data_time: 0.5000  ",
        ),
        (
            dict(by_epoch=False),
            "val",
            2,
            "Iter(val) [3/7]    eta: 1:02:05  time: 0.2500  data_time: 0.5000  ",
        ),
        (
            dict(),
            "test",
            2,
            "Epoch(test) [   3/1234]    eta: 1:02:05  time: 0.2500  data_time: 0.5000  ",
        ),
        (
            dict(mean_pattern="acc"),
            "train",
            49,
            (
                "Epoch(train)  [1][ 50/100]  lr: 8.3333e-03  eta: 1:02:05  time: 0.1100  "
                "data_time: 0.0110  loss: 11.0000  acc: 6.5000"
            ),
        ),
    ],
)
def test_lines_after_an_iteration(options, mode, batch, line):
    _, text = LogProcessor(**options).get_log_after_iter(make_runner(), batch, mode)
    assert text == line


def test_what_backends_get_after_an_iteration():
    tag, _ = LogProcessor().get_log_after_iter(make_runner(), 49, "train")
    assert tag == {
        "lr": 0.1 / 12,
        "data_time": pytest.approx(0.0065),
        "loss": 6.5,
        "acc": 11,
        "time": pytest.approx(0.065),
        "epoch": 1,
        "iter": 50,
    }
    assert all(type(value) in (int, float) for value in tag.values())
    tag, text = LogProcessor(by_epoch=False, log_with_hierarchy=True).get_log_after_iter(
        make_runner(), 49, "train"
    )
    assert set(tag) == {
        *("train/lr", "train/data_time", "train/loss", "train/acc", "train/time"),
        "iter",
    }
    assert "  lr: 8.3333e-03  " in text
    assert "train/" not in text


def test_lines_of_a_run_are_aligned():
    processor = LogProcessor()
    lines = [
        processor.get_log_after_iter(make_runner(epoch=epoch), batch, "train")[1]
        for epoch, batch in ((0, 0), (8, 9), (9, 99), (11, 50))
    ]
    assert [line.split("  lr")[0] for line in lines] == [
        "Epoch(train)  [1][  1/100]",
        "Epoch(train)  [9][ 10/100]",
        "Epoch(train) [10][100/100]",
        "Epoch(train) [12][ 51/100]",
    ]


@pytest.mark.parametrize(
    ("options", "mode", "line"),
    [
        (dict(), "val", "Epoch(val) [2][7/7]    top1: 91.2500  data_time: 0.5000  time: 0.2500"),
        (
            dict(by_epoch=False),
            "val",
            "Iter(val) [7/7]    top1: 91.2500  data_time: 0.5000  time: 0.2500",
        ),
        (
            dict(),
            "test",
            "Epoch(test) [1234/1234]    top1: 91.2500  data_time: 0.5000  time: 0.2500",
        ),
        (
            dict(log_with_hierarchy=True),
            "val",
            "Epoch(val) [2][7/7]    val/top1: 91.2500  val/data_time: 0.5000  val/time: 0.2500",
        ),
    ],
)
def test_lines_after_an_epoch(options, mode, line):
    tag, text = LogProcessor(**options).get_log_after_epoch(make_runner(epoch=2), 7, mode)
    assert text == line
    prefix = f"{mode}/" if options.get("log_with_hierarchy") else ""
    assert tag == {f"{prefix}top1": 91.25, f"{prefix}data_time": 0.5, f"{prefix}time": 0.25}


def test_metrics_that_are_no_numbers():
    runner = make_runner()
    runner.message_hub.update_info("test/confusion", np.eye(2))
    runner.message_hub.update_info("test/names", ["a"])
    tag, text = LogProcessor().get_log_after_epoch(runner, 7, "test", with_non_scalar=True)
    assert list(tag) == ["top1", "confusion", "names", "data_time", "time"]
    assert "top1: 91.2500  confusion: \n[[1. 0.]\n [0. 1.]]\n  names: ['a']  data_time" in text
    tag, _ = LogProcessor().get_log_after_epoch(runner, 7, "test")
    assert list(tag) == ["top1", "data_time", "time"]


def test_a_metric_is_shown_as_it_is_even_if_it_is_called_loss():
    runner = make_runner()
    for value in (3.0, 2.0, 1.0):
        runner.message_hub.update_scalar("val/loss", value)
    tag, _ = LogProcessor().get_log_after_epoch(runner, 7, "val")
    assert tag["loss"] == 1.0


@pytest.mark.parametrize("train_loop", [None, {}])
def test_a_run_that_does_not_train(train_loop):
    runner = make_runner(trained=False, epoch=5)
    runner._train_loop = train_loop
    tag, text = LogProcessor().get_log_after_iter(runner, 0, "val")
    assert text.startswith("Epoch(val)[0][1/7]  ")
    assert (tag["epoch"], tag["iter"]) == (0, 0)
    assert LogProcessor().get_log_after_epoch(runner, 7, "val")[1].startswith("Epoch(val) [0][7/7]")


def test_times_are_left_to_the_other_fields_without_an_eta():
    runner = make_runner()
    runner.message_hub.pop_info("eta")
    _, text = LogProcessor().get_log_after_iter(runner, 49, "train")
    assert text == (
        "Epoch(train)  [1][ 50/100]  lr: 8.3333e-03  data_time: 0.0065  loss: 6.5000  acc: 11  "
        "time: 0.0650"
    )


def test_memory_is_written_where_there_is_an_accelerator(no_accelerator, monkeypatch):
    monkeypatch.setattr(no_accelerator, "is_cuda_available", lambda: True)
    asked = []
    monkeypatch.setattr(
        no_accelerator, "get_max_cuda_memory", lambda device: asked.append(device) or 321
    )
    runner = make_runner()
    runner.model = SimpleNamespace(output_device="cuda:1")
    tag, text = LogProcessor().get_log_after_iter(runner, 49, "train")
    assert tag["memory"] == 321
    assert "data_time: 0.0065  memory: 321  loss" in text
    assert asked == ["cuda:1"]


@pytest.mark.parametrize(
    ("statistic", "name", "value"),
    [
        (dict(data_src="loss", method_name="max"), "loss", 11.0),
        (dict(data_src="loss", method_name="min", window_size=3), "loss", 9.0),
        (
            dict(data_src="loss", method_name="mean", log_name="all", window_size="global"),
            "all",
            5.5,
        ),
        (dict(data_src="loss", method_name="mean", log_name="e", window_size="epoch"), "e", 9.0),
        (dict(data_src="acc", method_name="current", log_name="now"), "now", 11),
        (dict(data_src="loss", method_name="spread", log_name="s", window_size=4), "s", 3.0),
    ],
)
@pytest.mark.parametrize("hierarchy", [False, True])
def test_custom_statistics(monkeypatch, statistic, name, value, hierarchy):
    monkeypatch.setitem(
        HistoryBuffer._statistics_methods,
        "spread",
        lambda buffer, window_size: buffer.max(window_size) - buffer.min(window_size),
    )
    processor = LogProcessor(custom_cfg=[statistic], log_with_hierarchy=hierarchy)
    tag, text = processor.get_log_after_iter(make_runner(iteration=99), 4, "train")
    assert tag[f"train/{name}" if hierarchy else name] == value
    assert f"{name}: {value:.4f}" in text or f"{name}: {value}" in text
    assert "log_name" in statistic or text.count("loss: ") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(custom_cfg=[dict(method_name="mean")]), "no data_src"),
        (dict(custom_cfg=[dict(data_src="loss")]), "no method_name"),
        (
            dict(custom_cfg=[dict(data_src="loss", method_name=m) for m in ("max", "min")]),
            r"two statistics are logged as 'loss'\n  at: log_processor.custom_cfg\[1\]",
        ),
        (
            dict(
                by_epoch=False,
                custom_cfg=[dict(data_src="a", method_name="mean", window_size="epoch")],
            ),
            "window_size='epoch'",
        ),
        (
            dict(custom_cfg=[dict(data_src="a", method_name="mean", window_size="all")]),
            "window_size is 'all'",
        ),
    ],
)
def test_statistics_that_make_no_sense(options, message):
    for kind in (ValueError, AssertionError):
        with pytest.raises(kind, match=message):
            LogProcessor(**options)


def test_modes_are_checked():
    with pytest.raises(AssertionError, match="'vall'"):
        LogProcessor().get_log_after_iter(make_runner(), 0, "vall")
    with pytest.raises(AssertionError, match="'train'"):
        LogProcessor().get_log_after_epoch(make_runner(), 0, "train")


@pytest.mark.parametrize(("by_epoch", "start"), [(True, "Epoch(train)"), (False, "Iter(train)")])
def test_by_epoch_follows_the_training_loop_if_it_is_not_said(by_epoch, start):
    runner = make_runner()
    runner._train_loop.by_epoch = by_epoch
    assert LogProcessor(by_epoch=None).get_log_after_iter(runner, 0, "train")[1].startswith(start)


def test_a_loader_that_does_not_know_its_length():
    runner = make_runner()
    runner.train_loop = SimpleNamespace(dataloader=iter([1]))
    _, text = LogProcessor().get_log_after_iter(runner, 4, "train")
    assert text.startswith("Epoch(train)  [1][5/?]  lr")


def test_it_is_found_by_name():
    assert isinstance(LOG_PROCESSORS.build(dict(type="LogProcessor")), LogProcessor)
