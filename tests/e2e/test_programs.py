"""Programs written for MMEngine run after replacing the package's name.

What they must log was recorded by running the same programs under MMEngine 0.10.7 with the same
seed (`compare_with_mmengine.py --write-golden`); that script compares in every digit, this test
within what differs between processors.
"""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path

import pytest
import torch

GOLDEN = Path(__file__).parent / "golden"
# A name that training logs too is a curve of its own in validation.
TIMINGS = {"time", "data_time", "memory", "val_time", "val_data_time"}


def logged(work_dir: Path) -> list[dict]:
    rows = []
    for file in sorted(work_dir.glob("*/vis_data/scalars.json")):
        rows += [json.loads(line) for line in file.read_text().splitlines()]
    return rows


@pytest.fixture
def run(tmp_path):
    def run_program(name, **extra):
        runner = importlib.import_module(name).main(str(tmp_path), sample_rng="worker", **extra)
        return runner, tmp_path

    return run_program


@pytest.mark.parametrize("name", ["manual_objects", "by_name", "by_iteration", "config_file"])
def test_losses_rates_and_keys_are_those_that_mmengine_logs(run, name):
    _, work_dir = run(name)
    golden = [json.loads(line) for line in (GOLDEN / f"{name}.json").read_text().splitlines()]
    rows = logged(work_dir)
    assert len(rows) == len(golden)
    for row, expected in zip(rows, golden, strict=True):
        assert row.keys() - TIMINGS == expected.keys()
        for key, value in expected.items():
            assert row[key] == pytest.approx(value, rel=1e-4, abs=1e-6), (key, expected)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("manual_objects", {"epoch_1.pth", "epoch_2.pth", "epoch_3.pth", "last_checkpoint"}),
        ("by_name", {"best_toy_acc_epoch_2.pth", "epoch_3.pth", "epoch_4.pth", "last_checkpoint"}),
        (
            "by_iteration",
            {"iter_8.pth", "iter_16.pth", "iter_24.pth", "iter_30.pth", "last_checkpoint"},
        ),
    ],
)
def test_the_work_dir_holds_the_files_that_mmengine_documents(run, name, files):
    runner, work_dir = run(name)
    present = {path.name for path in work_dir.iterdir() if path.is_file()}
    assert {file for file in present if not file[0].isdigit()} == files
    start = Path(runner.log_dir)
    assert (start / f"{runner.timestamp}.log").is_file()
    data = {path.name for path in (start / "vis_data").iterdir()}
    assert {"config.py", "scalars.json", f"{runner.timestamp}.json"} <= data


def test_the_dumped_config_bears_the_name_of_its_file(run):
    _, work_dir = run("config_file")
    dumped = (work_dir / "child_config.py").read_text()
    assert "type='Adam'" in dumped
    assert "momentum" not in dumped


def test_a_yaml_config_with_a_python_base(tmp_path, monkeypatch):
    from config_file import main

    from mainspring.names import gate

    # Data imports nothing but what the person allows.
    monkeypatch.setattr(gate, "_allowed", {"toy"})
    runner = main(str(tmp_path), "config.yaml")
    assert runner.max_epochs == 1
    assert runner.optim_wrapper._accumulative_counts == 2
    assert (tmp_path / "epoch_1.pth").is_file()


def test_learning_rates_follow_the_closed_form(run):
    _, work_dir = run("by_iteration")
    rows = [row for row in logged(work_dir) if "lr" in row]
    for row in rows:
        step = row["step"] - 1
        expected = (0.1 - 1e-4) * (1 - step / 29) ** 0.9 + 1e-4
        assert math.isclose(row["lr"], expected, rel_tol=1e-9)


def test_a_checkpoint_is_read_by_plain_torch_without_running_code(run):
    _, work_dir = run("by_iteration")
    checkpoint = torch.load(work_dir / "iter_16.pth", weights_only=True)
    assert checkpoint["meta"]["iter"] == 16
    assert {"state_dict", "optimizer", "param_schedulers", "message_hub"} <= checkpoint.keys()
    assert (work_dir / "last_checkpoint").read_text() == "iter_30.pth"


def test_a_custom_hook_sees_the_run(run):
    runner, _ = run("by_name")
    hook = next(hook for hook in runner.hooks if type(hook).__name__ == "CountingHook")
    assert hook.calls.count("before_train_epoch 0") == 1
    assert sum(call.startswith("after_train_iter") for call in hook.calls) == 20
    assert "after_val_epoch ['toy/acc']" in hook.calls
