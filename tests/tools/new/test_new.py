"""Projects that `mainspring new` writes: they pass the check, their own test, and train."""

from __future__ import annotations

import re
import sys

import pytest

from mainspring.cli.main import main
from mainspring.tools.new import TASKS
from prepared_processes import run


@pytest.mark.parametrize("task", TASKS)
def test_a_project_passes_check_and_trains(task, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "mine", "--from", task]) == 0
    folder = tmp_path / "mine"
    files = {path.name for path in folder.iterdir()}
    assert files - {"shapes.py"} == {
        "README.md", "config.py", "data.py", "model.py", "test_training.py",
    }  # fmt: skip
    assert not re.search(rf"{task}_(data|model)", "".join(p.read_text() for p in folder.iterdir()))
    assert (folder / "README.md").read_text().startswith("# mine\n")
    command = [sys.executable, "-m", "mainspring"]
    checked = run([*command, "check", "config.py"], cwd=folder, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    words = [*command, "train", "config.py", "epochs=1"]
    trained = run(words, cwd=folder, capture_output=True, text=True)
    assert trained.returncode == 0, trained.stdout + trained.stderr
    assert (folder / "work_dirs" / "config" / "epoch_1.pth").is_file()


def test_the_test_of_a_project_passes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "mine", "--from", "tabular"]) == 0
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = run(words, cwd=tmp_path / "mine", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_folder_that_is_not_empty_is_refused(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["new", str(tmp_path), "--from", "gan"]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_the_command_that_comes_next_can_be_pasted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "my project", "--from", "gan"]) == 0
    assert capsys.readouterr().out.endswith("\ncd 'my project'; mainspring train config.py\n")
