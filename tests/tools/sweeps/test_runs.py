"""Runs as processes: one fails, several at a time, taken up again, interrupted; the table."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mainspring.errors import ConfigError, MetricError
from mainspring.tools.sweeps import (
    Grid,
    Metric,
    Processes,
    Record,
    format_table,
    ranked,
    write_results,
)

ACCURACY = Metric("accuracy", maximize=True)
TRAIN = """
lr = float(words["lr"])
if lr == 3 and "--resume" not in sys.argv:
    sys.exit("the learning rate is too high")
write(5, loss=lr, lr=lr)
for epoch in (1, 2):
    write(epoch, accuracy=lr * epoch, f1=0.5)
"""


def sweep(runs, command, lines=None, jobs=1, resume=False, devices=()):
    grid = Grid(runs, ACCURACY, (lines if lines is not None else []).append)
    if resume:
        grid.take_up()
    Processes(command, jobs, devices).run(grid.waiting(), grid)
    return ranked(grid.runs, ACCURACY)


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_run_is_measured_and_a_failure_stops_no_other(make_run, script, jobs):
    lines = []
    runs = sweep([make_run(value) for value in (3, 1, 2)], script(TRAIN), lines, jobs)
    assert [run.name for run in runs] == ["lr=2", "lr=1", "lr=3"]
    assert [run.record.best for run in runs] == [4.0, 2.0, None]
    assert runs[0].record.last == {"accuracy": 4.0, "f1": 0.5}
    failed = runs[2]
    assert (failed.record.status, failed.record.exit_code) == ("failed", 1)
    assert failed.output.read_text() == "the learning rate is too high\n"
    assert any("exit code 1: the learning rate is too high" in line for line in lines)


def test_the_table_and_the_files(make_run, script, tmp_path):
    runs = sweep([make_run(value) for value in (3, 1, 2)], script(TRAIN))
    table = format_table(runs, ACCURACY).splitlines()
    assert table[0].split() == [
        "lr",
        "best",
        "accuracy",
        "last",
        "accuracy",
        "f1",
        "time",
        "status",
    ]
    assert table[2].split()[:4] == ["2", "4", "4", "0.5"]
    assert table[4].endswith(f"failed, exit code 1: {runs[2].output}")
    write_results(tmp_path, runs, ACCURACY)
    content = json.loads((tmp_path / "sweep.json").read_text())
    assert (content["metric"], content["direction"]) == ("accuracy", "maximize")
    assert [run["choices"] for run in content["runs"]] == [{"lr": 2}, {"lr": 1}, {"lr": 3}]
    assert content["runs"][2]["exit_code"] == 1
    rows = list(csv.DictReader((tmp_path / "sweep.csv").read_text().splitlines()))
    assert [row["lr"] for row in rows] == ["2", "1", "3"]
    assert [row["best accuracy"] for row in rows] == ["4.0", "2.0", ""]
    assert rows[2]["log"] == str(runs[2].output)


def test_resume_leaves_out_what_is_finished_and_continues_the_rest(make_run, script):
    command = script(TRAIN)
    sweep([make_run(value) for value in (3, 1)], command)
    lines = []
    runs = sweep([make_run(value) for value in (3, 1, 2)], command, lines, resume=True)
    assert [run.record.status for run in runs] == ["finished"] * 3
    assert [run.name for run in runs] == ["lr=3", "lr=2", "lr=1"]
    assert any("lr=1: already finished" in line for line in lines)
    assert any("lr=3: continues" in line for line in lines)


def test_without_resume_everything_runs_anew_and_old_logs_do_not_count(make_run, script):
    sweep([make_run(1)], script(TRAIN))
    runs = sweep([make_run(1)], script("write(1, accuracy=0.25)"))
    assert runs[0].record.best == 0.25


def test_resume_refuses_a_run_of_another_config(make_run, script):
    sweep([make_run(1, digest="before")], script(TRAIN))
    with pytest.raises(ConfigError, match="another config"):
        sweep([make_run(1, digest="after")], script(TRAIN), resume=True)


def test_a_record_that_cannot_be_read_counts_as_none(tmp_path):
    assert Record.read(tmp_path) is None
    (tmp_path / "sweep_run.json").write_text('{"status":')
    assert Record.read(tmp_path) is None


def test_numbers_that_json_does_not_know_are_left_empty(make_run, script, tmp_path):
    runs = sweep([make_run(1)], script("write(1, accuracy=float('nan'))"))
    write_results(tmp_path, runs, ACCURACY)
    assert json.loads((tmp_path / "sweep.json").read_text())["runs"][0]["last"]["accuracy"] is None


def test_a_run_that_a_signal_ends_says_so(make_run, script):
    runs = sweep([make_run(1)], script("os.kill(os.getpid(), 9)"))
    assert "killed by SIGKILL" in format_table(runs, ACCURACY)


def test_a_metric_that_the_first_run_does_not_measure_ends_the_sweep(make_run, script):
    lines, runs = [], [make_run(1), make_run(2)]
    with pytest.raises(MetricError, match="did not measure: it measured acuracy, f1") as error:
        sweep(runs, script("write(1, acuracy=1.0, f1=0.5)"), lines)
    assert error.value.help.startswith("did you mean 'acuracy'?")
    assert "it did not measure 'accuracy': it measured acuracy, f1" in lines[-1]
    assert [run.record.status for run in runs] == ["finished", "waiting"]


def test_a_later_run_without_the_metric_ends_nothing(make_run, script):
    text = "write(1, **({'f1': 0.5} if words['lr'] == '2' else {'accuracy': 1.0}))"
    runs = [make_run(1), make_run(2), make_run(3)]
    sweep(runs, script(text))
    assert [run.record.best for run in runs] == [1.0, None, 1.0]


def test_devices_are_handed_out(make_run, script):
    command = script(
        "print(os.environ['CUDA_VISIBLE_DEVICES']); write(1, accuracy=1.0); time.sleep(0.4)"
    )
    runs = sweep([make_run(v) for v in (1, 2)], command, jobs=2, devices=["4", "7"])
    assert sorted(run.output.read_text().strip() for run in runs) == ["4", "7"]


INTERRUPTED = """
import sys
from pathlib import Path
from mainspring.tools.sweeps import Choice, Grid, Metric, Processes, Run
folder = Path(sys.argv[1])
runs = [Run(f"lr={v}", folder / str(v), [f"lr={v}"], {"lr": Choice(str(v), str(v), v)}, "0") for v in (1, 2, 3)]
child = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1], 'pid').write_text(str(os.getpid())); time.sleep(60)"
grid = Grid(runs, Metric("accuracy", True), lambda line: None)
Processes(lambda run: [sys.executable, "-c", child, str(run.folder)], 2).run(grid.waiting(), grid)
"""


def start_sweep(folder, before=""):
    """A sweep in a process of its own, once two of its three runs go on."""
    process = subprocess.Popen(
        [sys.executable, "-c", before + INTERRUPTED, str(folder)],
        stderr=subprocess.PIPE,
        text=True,
    )
    pids = [folder / name / "pid" for name in "12"]
    while not all(pid.is_file() and pid.read_text() for pid in pids):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    return process, pids


# A shell starts what it puts into the background with Ctrl-C ignored.
@pytest.mark.parametrize("before", ["", "import signal; signal.signal(2, signal.SIG_IGN)"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_stops_its_runs(tmp_path, number, before):
    process, pids = start_sweep(tmp_path, before)
    process.send_signal(number)
    _, error = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in error
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid.read_text()), 0)
        assert Record.read(pid.parent).status == "interrupted"
    assert not Path(tmp_path, "3").exists()


def test_a_sweep_under_nohup_outlives_its_terminal(tmp_path):
    process, pids = start_sweep(tmp_path, "import signal; signal.signal(1, signal.SIG_IGN)")
    process.send_signal(signal.SIGHUP)
    os.kill(int(pids[0].read_text()), signal.SIGKILL)  # makes room for the third run
    third = tmp_path / "3" / "pid"
    while not third.is_file():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
