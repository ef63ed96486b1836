"""A work directory that somebody else prepared: nothing outside of it, nothing foreign, is written."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from mainspring.checkpoint import find_resumable_checkpoint
from mainspring.config import Config
from mainspring.runner.console.startup_log import config_dump_path, dump_config
from mainspring.runner.work_dir_lock import training_alone_in


@pytest.fixture
def work_dir(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    (tmp_path / "precious").write_text("PRECIOUS")
    yield folder
    assert (tmp_path / "precious").read_text() == "PRECIOUS"


def runner_in(folder, text="x = 1", name="c.py"):
    config = folder.parent / name
    if not config.exists():
        config.write_text(text)
    return SimpleNamespace(cfg=Config.fromfile(config), work_dir=str(folder), timestamp="now")


@pytest.mark.parametrize("make", [os.symlink, os.link], ids=["link", "second name"])
def test_the_lock_is_a_file_of_its_own(work_dir, make):
    make(work_dir.parent / "precious", work_dir / ".training")
    with training_alone_in(str(work_dir)):
        assert not (work_dir / ".training").is_symlink()
        assert "process" in (work_dir / ".training").read_text()


def test_a_lock_that_is_a_pipe_blocks_nothing(work_dir):
    os.mkfifo(work_dir / ".training")
    with training_alone_in(str(work_dir)):
        assert (work_dir / ".training").is_file()


@pytest.mark.parametrize("make", [os.symlink, os.link], ids=["link", "second name"])
def test_the_config_s_record_replaces_links(work_dir, make):
    make(work_dir.parent / "precious", work_dir / "c.py")
    runner = runner_in(work_dir)
    dump_config(runner)
    assert Config.fromfile(config_dump_path(runner)).x == 1


@pytest.mark.parametrize("text", ["# mine\nx = 1\n", "from torch import nn\nx = nn.Identity()\n"])
def test_the_user_s_own_file_stays(tmp_path, text):
    (tmp_path / "c.py").write_text(text)
    runner = SimpleNamespace(
        cfg=Config.fromfile(tmp_path / "c.py"), work_dir=str(tmp_path), timestamp="now"
    )
    for _ in range(2):
        dump_config(runner)
    assert (tmp_path / "c.py").read_text() == text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.py", "c.resolved.py"]


def test_the_record_of_an_earlier_start_is_replaced(work_dir):
    runner = runner_in(work_dir)
    dump_config(runner)
    dump_config(runner)
    assert [path.name for path in work_dir.iterdir()] == ["c.py"]


def test_a_record_does_not_lead_to_the_web(work_dir, caplog):
    (work_dir / "last_checkpoint").write_text("http://127.0.0.1:1/a.pth")
    assert find_resumable_checkpoint(str(work_dir)) is None
