"""Storage that refuses: what is on the disk stays, and training says what happens."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from mainspring.checkpoint import save_checkpoint, verify_file
from mainspring.errors import CheckpointError
from mainspring.hooks import Hook
from mainspring.model import Supervised
from mainspring.runner import Runner
from prepared_processes import Popen, run

PROGRAM = Path(__file__).parent / "program.py"


@pytest.fixture
def no_large_files():
    """The system refuses files above some size, as it refuses any on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB, where the tests may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = (
        shutil.which("mount")
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True
        ).returncode
    )
    if not mounted:
        pytest.skip("mounting a file system is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def make(work_dir, *, width=4, hook=None, **changes):
    torch.manual_seed(0)
    batches = [(torch.randn(2, 4), torch.randn(2, 1)) for _ in range(4)]
    settings = {
        "model": Supervised(
            nn.Sequential(nn.Linear(4, width), nn.Linear(width, 1)), nn.MSELoss()
        ),
        "work_dir": str(work_dir),
        "train_dataloader": batches,
        "train_cfg": {"max_iters": 8},
        "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 1e-6}},
        "default_hooks": {
            "checkpoint": {
                "type": "CheckpointHook", "interval": 2, "by_epoch": False, **(hook or {}),
            },
            "logger": {"type": "LoggerHook", "interval": 2},
        },
        "randomness": {"seed": 1},
    }  # fmt: skip
    return Runner(**{**settings, **changes})


def checkpoints(folder):
    return sorted(path.name for path in Path(folder).glob("*.pth"))


def errors_in(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def test_the_system_s_own_error_comes_through(tmp_path, no_large_files):
    target = tmp_path / "a.pth"
    save_checkpoint({"state_dict": {"w": torch.ones(3)}}, target)
    before = target.read_bytes()
    no_large_files(100_000)
    with pytest.raises(OSError, match="File too large"):
        save_checkpoint({"state_dict": {"w": torch.ones(100_000)}}, target)
    assert target.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.pth"]


@pytest.mark.parametrize("async_save", [False, True])
def test_a_full_disk_keeps_the_last_good_checkpoint(small_disk, async_save, capfd):
    """Weights of 0.9 MB: two checkpoints fit, a third does not."""
    runner = make(small_disk, width=45_000, hook={"async_save": async_save})
    with pytest.raises(CheckpointError, match=r"the last checkpoint .* No space left on device"):
        runner.train()
    kept = checkpoints(small_disk)
    assert kept
    assert all(verify_file(small_disk / name).is_valid for name in kept)
    assert (small_disk / "last_checkpoint").read_text() == kept[-1]
    assert not list(small_disk.glob(".*.tmp"))
    said = capfd.readouterr()
    assert (
        "could not be written: OSError: [Errno 28] No space left on device" in said.out + said.err
    )


def fill(path):
    """Leave no space on a file system."""
    with path.open("wb", buffering=0) as file:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))


@pytest.mark.parametrize("async_save", [False, True])
def test_a_disk_that_has_space_again_gets_the_next_checkpoint(small_disk, async_save):
    filler = small_disk / "filler"

    class Filler(Hook):
        priority = "HIGHEST"

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter + 1 == 3:
                runner.finish_saving()
                fill(filler)
            if runner.iter + 1 == 5:
                filler.unlink()

    hook = {"async_save": async_save, "max_keep_ckpts": 1}
    runner = make(small_disk, width=4000, hook=hook, custom_hooks=[Filler()])
    runner.train()
    assert checkpoints(small_disk) == ["iter_8.pth"]
    assert (small_disk / "last_checkpoint").read_text() == "iter_8.pth"
    scalars = next(small_disk.glob("*/vis_data/scalars.json")).read_text().splitlines()
    assert [json.loads(line)["step"] for line in scalars] == [2, 4, 6, 8]


def test_a_work_dir_that_vanishes_is_made_again(tmp_path):
    class Vanish(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter + 1 == 5:
                shutil.rmtree(runner.work_dir)

    runner = make(tmp_path / "run", custom_hooks=[Vanish()])
    runner.train()
    assert checkpoints(tmp_path / "run") == ["iter_6.pth", "iter_8.pth"]


def test_a_second_training_in_the_same_work_dir_is_refused(tmp_path):
    first = Popen(
        [sys.executable, PROGRAM, tmp_path / "run", "500"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (tmp_path / "run" / ".training").exists():
            assert first.poll() is None
        second = run(
            [sys.executable, PROGRAM, tmp_path / "run", "1"], capture_output=True, text=True
        )
        assert second.returncode
        assert f"is in use: process {first.pid} on " in second.stderr
        assert "give another work_dir" in second.stderr
        assert first.poll() is None
    finally:
        first.kill()
        first.wait()
    third = run([sys.executable, PROGRAM, tmp_path / "run", "1"], capture_output=True, text=True)
    assert third.returncode == 0, third.stderr
    assert not (tmp_path / "run" / ".training").exists()


def test_a_checkpoint_of_another_size_is_not_resumed(tmp_path):
    make(tmp_path / "small", width=4).train()
    wide = make(tmp_path / "wide", width=8, resume=str(tmp_path / "small" / "iter_8.pth"))
    with pytest.raises(CheckpointError, match=r"its model is another one: .*\(4, 4\).*\(8, 4\)"):
        wide.train()


def test_a_work_dir_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(OSError, match="Not a directory|File exists") as caught:
        make(tmp_path / "file" / "run")
    assert "file/run cannot be written to" in caught.value.__notes__[0]
    assert "another work_dir" in caught.value.__notes__[0]


def test_a_disk_that_is_full_from_the_start(small_disk):
    """What is undone of the start fails as well, and must not hide the first error."""
    fill(small_disk / "filler")
    with pytest.raises(OSError, match="No space left on device") as caught:
        make(small_disk / "run").train()
    assert "cannot be written to: make space there" in caught.value.__notes__[0]
    assert not (small_disk / "run").exists()
