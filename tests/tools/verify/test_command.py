"""`mainspring verify` as it is typed: what it prints, its exit codes, and what it leaves alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import mainspring
from mainspring.cli.main import main

HERE = Path(__file__).parent
PLACES = "5 (middle of an epoch) and 10 (end of an epoch)"


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A config in a folder of its own, with a work directory that an earlier run has filled."""
    monkeypatch.setenv("PYTHONPATH", str(Path(mainspring.__file__).parents[1]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    folder = tmp_path / "project"
    work_dir, best = folder / "work", folder / "best"
    for directory in (work_dir, best):
        directory.mkdir(parents=True)
        (directory / "epoch_1.pth").write_bytes(b"an earlier checkpoint")
    (work_dir / "last_checkpoint").write_text("epoch_1.pth")
    (folder / "planted.py").write_text((HERE / "planted.py").read_text())
    path = folder / "config.py"
    path.write_text(
        (HERE / "planted_config.py").read_text()
        + f"work_dir = {str(work_dir)!r}\n"
        + f"load_from = {str(work_dir / 'epoch_1.pth')!r}\n"
        + "resume = True\n"
        + "default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1, "
        + f"out_dir={str(best)!r}))\n"
        + "visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend', "
        + f"save_dir={str(best)!r})])\n"
    )
    return path


def state_of(folder):
    """All files and folders with their times; what Python compiles beside a module is left out."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in [folder, *folder.rglob("*")]
        if "__pycache__" not in path.parts
    }


def test_a_config_that_holds_and_the_files_of_its_user(config, capsys, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(config.parent)
    before = state_of(config.parent)
    assert (
        main(["verify", "config.py", "--only", "same-seed", "kill-and-resume", "--device=cpu"]) == 0
    )
    assert state_of(config.parent) == before
    assert capsys.readouterr().out.splitlines() == [
        "same-seed        holds           12 iterations, twice",
        f"kill-and-resume  holds           killed, went on after iteration {PLACES}",
    ]


@pytest.mark.usefixtures("shared_trials")
def test_a_config_that_does_not_hold(config, capsys, tmp_path):
    kept = tmp_path / "kept"
    with pytest.raises(SystemExit) as raised:
        main([
            "verify", str(config), "--only", "workers", "train_dataloader.dataset.fault=worker",
            "--iterations", "3", "--keep", str(kept), "--format", "json",
        ])  # fmt: skip
    assert raised.value.code == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["config"] == str(config)
    assert not printed["holds"]
    (check,) = printed["checks"]
    assert check["check"] == "workers"
    assert check["outcome"] == "broken"
    assert check["reason"] == "3 batches from 0 and 2 workers"
    assert check["differences"][0].startswith("iteration 1, batch 0.0: ")
    assert (kept / "workers" / "none" / "tensors.pt").is_file()


@pytest.mark.usefixtures("shared_trials")
def test_what_is_broken_is_explained_below_the_table(config, capsys):
    words = ["model.fault=batchnorm", "--only", "save-and-load", "accumulation"]
    with pytest.raises(SystemExit):
        main(["verify", str(config), *words])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("save-and-load    holds           weights and outputs")
    assert lines[1].startswith("accumulation     broken          gradients of 4 samples")
    assert lines[2:4] == ["", "accumulation"]
    assert lines[4].startswith("    iteration 1, gradient net.0.weight: differs by ")
    assert lines[5].startswith("    hint: BatchNorm in training mode (net.1) ")


@pytest.mark.usefixtures("shared_trials")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "same-sed"], "did you mean 'same-seed'"),
        (["model.type=Nett"], "Nett"),
        (["modle.type=Net"], "modle"),
        (["--keep", "{folder}"], "is not empty"),
        (["train_cfg=None"], "describes no training"),
    ],
)
def test_mistakes_exit_with_2(words, said, config, capsys):
    words = [word.replace("{folder}", str(config.parent)) for word in words]
    assert main(["verify", str(config), *words]) == 2
    printed = capsys.readouterr().err
    assert "error: " in printed.splitlines()[0]
    assert said in printed
    assert "Traceback" not in printed


@pytest.mark.usefixtures("shared_trials")
def test_a_training_that_fails_exits_with_2_and_says_why(config, capsys):
    code = main(["verify", str(config), "train_dataloader.dataset.fault=raises"])
    assert code == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: the training fails by itself")
    assert printed.count("OSError: cannot read point 3") == 1
