"""What a run has measured, read from the file that it is still writing."""

from __future__ import annotations

import json
import math

import pytest

from mainspring.tools.sweeps import Metric, Scalars
from mainspring.tools.sweeps.scalars import Measured, best_of


@pytest.fixture
def log(tmp_path):
    """Appends lines to the scalars of a log directory."""

    def append(*lines, name="20260101_000000", end="\n"):
        path = tmp_path / name / "vis_data" / "scalars.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write("\n".join(json.dumps(line) for line in lines) + end)

    return append


def test_validation_is_told_from_training(tmp_path, log):
    log(
        dict(lr=0.1, loss=2.0, time=0.1, data_time=0.0, epoch=1, iter=5, step=5),
        dict(accuracy=0.5, loss=1.0, data_time=0.0, time=0.1, step=1),
    )
    scalars = Scalars(tmp_path)
    scalars.update()
    assert scalars.names == ["accuracy", "loss"]
    assert scalars.of("accuracy") == [Measured(1, 0.5)]
    assert scalars.of("loss") == [Measured(1, 1.0)]
    assert scalars.training["loss"] == [Measured(5, 2.0)]


def test_without_validation_training_counts(tmp_path, log):
    log({"train/lr": 0.1, "train/loss": 2.0, "iter": 5, "step": 5})
    scalars = Scalars(tmp_path)
    scalars.update()
    assert "train/loss" in scalars.names
    assert scalars.of("loss") == [Measured(5, 2.0)]


def test_lines_are_read_once_and_only_when_they_are_complete(tmp_path, log):
    scalars = Scalars(tmp_path)
    scalars.update()
    log(dict(accuracy=0.1, step=1))
    scalars.update()
    scalars.update()
    log(dict(accuracy=0.2, step=2), end="")
    scalars.update()
    assert scalars.of("accuracy") == [Measured(1, 0.1)]
    log(end="\n")
    scalars.update()
    assert scalars.of("accuracy") == [Measured(1, 0.1), Measured(2, 0.2)]


def test_a_resumed_run_goes_on_in_a_second_log_and_earlier_runs_do_not_count(tmp_path, log):
    log(dict(accuracy=0.9, step=1), name="20260101_000000")
    log(dict(accuracy=0.1, step=1), name="20260102_000000")
    log(dict(accuracy=0.2, step=2), name="20260103_000000")
    scalars = Scalars(tmp_path, ["20260101_000000"])
    scalars.update()
    assert [value.value for value in scalars.of("accuracy")] == [0.1, 0.2]


def test_broken_lines_are_left_out(tmp_path, log):
    log(dict(accuracy=0.1, step=1))
    with next(tmp_path.glob("*/vis_data/scalars.json")).open("ab") as file:
        file.write(b'{"accuracy"\n[1]\n\xff\xfe\n{"accuracy": "x"}\n')
    scalars = Scalars(tmp_path)
    scalars.update()
    assert scalars.of("accuracy") == [Measured(1, 0.1)]


def test_the_best_value_is_never_nan():
    values = [Measured(1, math.nan), Measured(2, 0.5), Measured(3, 0.7), Measured(4, math.nan)]
    assert best_of(values, maximize=True) == Measured(3, 0.7)
    assert best_of(values, maximize=False) == Measured(2, 0.5)
    assert best_of(values[:1], maximize=True) is None


def test_a_metric_is_found_without_the_name_of_its_data_set(tmp_path, log):
    log({"coco/mAP": 0.4, "step": 1})
    scalars = Scalars(tmp_path)
    scalars.update()
    assert Metric("mAP", True).name_in(scalars) == "mAP"
    assert Metric(None, True).name_in(scalars) == "coco/mAP"
    assert Metric("accuracy", True).name_in(scalars) is None
