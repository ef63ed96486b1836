"""The table of mistakes: what a person does wrong, and the one message that comes back.

Each row changes a working config. A mistake in the description exits with 2, a run that fails by
itself with 1; nothing is left on the disk, and what was there before is untouched.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mainspring.cli.main import main
from prepared_processes import run

PROGRAMS = Path(__file__).parent / "programs"

WORKING = (PROGRAMS / "base_config.py").read_text()

MISTAKES = {
    "missing model": ("model = dict(", "modle = dict(", ["modle is no section", "'model'"]),
    "missing optimizer section": (
        "optim_wrapper = dict(",
        "optim_wraper = dict(",
        ["optim_wraper is no section", "'optim_wrapper'"],
    ),
    "missing evaluator": ("val_evaluator", "validator", ["val_evaluator", "missing"]),
    "wrong model name": (
        'type="ToyModel"',
        'type="ToyModle"',
        ["models has no 'ToyModle'", "ToyModel", "run.py:4"],
    ),
    "wrong data set name": (
        'type="ToyDataset", length',
        'type="ToyDatset", length',
        ["datasets has no 'ToyDatset'", "ToyDataset", "train_dataloader.dataset", "run.py:6"],
    ),
    "unknown keyword of the model": (
        'type="ToyModel", ',
        'type="ToyModel", dropuot=0.5, ',
        ["dropuot", "did you mean 'dropout'", "run.py:4"],
    ),
    "unknown keyword of a data set": (
        "length=24",
        "lenght=24",
        ["lenght", "did you mean 'length'", "train_dataloader.dataset"],
    ),
    "unknown optimizer": (
        'type="SGD"',
        'type="SDG"',
        ["optimizers has no 'SDG'", "SGD", "run.py:"],
    ),
    "unknown optimizer argument": (
        "lr=lr",
        "lrr=lr",
        ["lrr", "did you mean 'lr'", "optim_wrapper.optimizer"],
    ),
    "unknown scheduler": ("ExponentialLR", "ExponentialRL", ["ExponentialRL", "ExponentialLR"]),
    "unknown metric type": ("SignAccuracy", "SignAcuracy", ["SignAcuracy", "SignAccuracy"]),
    "unknown hook": ('"LoggerHook"', '"LogerHook"', ["LogerHook", "LoggerHook"]),
    "no length of training": (
        "train_cfg = dict(by_epoch=True, max_epochs=2)",
        "train_cfg = dict(by_epoch=True)",
        ["no max_epochs", "train_cfg"],
    ),
    "epochs that are no number": ("max_epochs=2", "max_epochs='two'", ["max_epochs is 'two'"]),
    "zero epochs": ("max_epochs=2", "max_epochs=0", ["max_epochs is 0"]),
    "iterations under by_epoch": ("max_epochs=2", "max_iters=2", ["max_epochs", "by_epoch=False"]),
    "an unknown setting of randomness": ("seed=1", "sede=1", ["sede", "did you mean 'seed'"]),
    "an empty data set": ("length=24", "length=0", ["empty", "train_dataloader"]),
    "an unknown metric in save_best": (
        "logger=dict(",
        "checkpoint=dict(type='CheckpointHook', save_best='acuracy', rule='greater'), logger=dict(",
        ["acuracy", "acc"],
    ),
    "a syntax error": ("val_cfg = dict()", "val_cfg = dict(", ["run.py:"]),
    "a missing base": ("lr = 0.05", "_base_ = 'nowhere.py'\nlr = 0.05", ["nowhere.py"]),
    "a failing import": ('imports=["toy"]', 'imports=["tyo"]', ["tyo"]),
}


def write_config(folder: Path, old: str = "", new: str = "") -> Path:
    assert old in WORKING, f"the working config has no {old!r}"
    path = folder / "run.py"
    path.write_text(WORKING.replace(old, new, 1) if old else WORKING)
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gets_one_message_with_place_and_help(name, tmp_path, capsys):
    old, new, parts = MISTAKES[name]
    config = write_config(tmp_path, old, new)
    work_dir = tmp_path / "work"
    code = main(["train", str(config), "--work-dir", str(work_dir)])
    message = capsys.readouterr().err
    assert code == 2, message
    for part in parts:
        assert part in message
    assert "Traceback" not in message
    if name != "an unknown metric in save_best":
        assert not work_dir.exists()


def test_a_mistake_leaves_an_earlier_run_untouched(tmp_path, capsys):
    work_dir = tmp_path / "work"
    good = write_config(tmp_path)
    assert main(["train", str(good), "--work-dir", str(work_dir)]) == 0
    before = files_of(work_dir)
    bad = write_config(tmp_path, 'type="SGD"', 'type="SDG"')
    assert main(["train", str(bad), "--work-dir", str(work_dir), "--resume"]) == 2
    assert files_of(work_dir) == before
    capsys.readouterr()


def test_a_checkpoint_of_another_model_is_refused(tmp_path, capsys):
    import torch

    torch.save({"state_dict": {"encoder.weight": torch.ones(1)}}, tmp_path / "other.pth")
    config = write_config(tmp_path)
    code = main(
        [
            "train",
            str(config),
            f"load_from={tmp_path / 'other.pth'}",
            "--work-dir",
            str(tmp_path / "w"),
        ]
    )
    assert code != 0
    assert "belongs to another model" in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


def test_a_checkpoint_that_is_not_there_is_the_users_mistake(tmp_path, capsys):
    config = write_config(tmp_path)
    code = main(
        [
            "train",
            str(config),
            "--resume",
            str(tmp_path / "no.pth"),
            "--work-dir",
            str(tmp_path / "w"),
        ]
    )
    assert code == 2
    assert "no.pth" in capsys.readouterr().err


RAISING = """
from mainspring.registry import DATASETS
import toy

@DATASETS.register_module()
class RaisingDataset(toy.ToyDataset):
    def __getitem__(self, index):
        if index == 5:
            raise OSError("cannot read image 5")
        return super().__getitem__(index)
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_set_that_raises_is_named_with_the_index(workers, tmp_path):
    (tmp_path / "raising.py").write_text(RAISING)
    config = write_config(tmp_path, 'type="ToyDataset", length', 'type="RaisingDataset", length')
    config.write_text(config.read_text().replace('["toy"]', '["toy", "raising"]'))
    result = run(
        [
            sys.executable, "-m", "mainspring", "train", str(config), "--work-dir",
            str(tmp_path / "w"), f"train_dataloader.num_workers={workers}",
        ],
        capture_output=True,
        text=True,
        env={**_environment(), "PYTHONPATH": f"{tmp_path}:{PROGRAMS}:{_environment()['PYTHONPATH']}"},
    )  # fmt: skip
    assert result.returncode == 1
    assert "cannot read image 5" in result.stderr
    assert "index 5" in result.stderr
    assert "RaisingDataset" in result.stderr


def test_the_exit_code_of_the_process(tmp_path):
    config = write_config(tmp_path, 'type="ToyModel"', 'type="ToyModle"')
    result = run(
        [
            sys.executable,
            "-m",
            "mainspring",
            "train",
            str(config),
            "--work-dir",
            str(tmp_path / "w"),
        ],
        capture_output=True,
        text=True,
        env={**_environment(), "PYTHONPATH": f"{PROGRAMS}:{_environment()['PYTHONPATH']}"},
    )
    assert result.returncode == 2
    assert "ToyModle" in result.stderr.partition(": error: ")[2].partition("\n")[0]


def _environment() -> dict[str, str]:
    import os

    import mainspring

    source = str(Path(mainspring.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": source}
