"""`mainspring runs`: what there is below a folder, how it went, in what it differs."""

from __future__ import annotations

import json
import os
import socket

import pytest

from mainspring.cli.main import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Three runs: a finished one, one that was killed, and one of MMEngine."""
    monkeypatch.chdir(tmp_path)
    own = {"pid": os.getpid(), "host": socket.gethostname(), "by_epoch": True}
    best = {"metric": "accuracy", "rule": "greater", "score": 99.0, "epoch": 2, "iter": 80}
    records = {
        "wide": {"state": "finished", "reason": "", "began": 1000.0, "ended": 1090.0},
        "narrow": {"state": "running", "began": 2000.0, "pid": 2**22 + 1},
        "theirs": None,
    }
    records["wide"] |= {"epoch": 3, "iter": 120, "best": best, "last": {"loss": 0.1}}
    for name, record in records.items():
        start = tmp_path / "work_dirs" / name / "20260101_000000"
        (start / "vis_data").mkdir(parents=True)
        if record is not None:
            (start / "run.json").write_text(json.dumps({**own, **record}))
        (start / "vis_data" / "scalars.json").write_text(
            '{"loss": 0.5, "lr": 0.1, "iter": 40, "step": 40}\n'
            '{"accuracy": 90.0, "step": 1}\n{"accuracy": 80.0, "step": 2}\n{"torn'
        )
    for name, width in (("wide", 64), ("narrow", 8)):
        (tmp_path / "work_dirs" / name / "net.py").write_text(f"model = dict(width={width})\n")
    return tmp_path


def shown(capsys, *words):
    assert main(["runs", *words, "--format", "json"]) == 0
    return {run["path"].rpartition("/")[2]: run for run in json.loads(capsys.readouterr().out)}


def test_each_run_tells_how_it_stands(folder, capsys):
    runs = shown(capsys)
    assert {name: run["state"] for name, run in runs.items()} == {
        "wide": "finished",
        "narrow": "crashed",
        "theirs": "unknown",
    }
    assert runs["wide"]["seconds"] == 90.0
    assert (runs["wide"]["epoch"], runs["wide"]["iter"]) == (3, 120)
    assert runs["wide"]["best"]["score"] == 99.0
    for name in ("narrow", "theirs"):  # from what was logged
        assert runs[name]["best"]["score"] == 90.0
        assert runs[name]["iter"] == 40
        assert runs[name]["last"] == {"loss": 0.5, "accuracy": 80.0}


def test_a_metric_that_began_as_no_number_has_a_best_value(folder, capsys):
    file = folder / "work_dirs" / "theirs" / "20260101_000000" / "vis_data" / "scalars.json"
    file.write_text('{"accuracy": NaN, "step": 1}\n{"accuracy": 80.0, "step": 2}\n')
    best = shown(capsys)["theirs"]["best"]
    assert (best["score"], best["epoch"]) == (80.0, 2)


def test_a_folder_that_cannot_be_read_hides_no_other(folder, capsys, monkeypatch):
    (folder / "work_dirs" / "gone").mkdir()
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("gone"):
            raise FileNotFoundError(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert set(shown(capsys)) == {"wide", "narrow", "theirs"}


def test_a_config_is_held_against_that_of_the_run_above(folder, capsys):
    assert list(shown(capsys, "--sort", "began")) == ["wide", "narrow", "theirs"]
    assert shown(capsys)["narrow"]["changes"] == {"model.width": "8"}
    turned = shown(capsys, "--sort", "began", "--reverse")
    assert list(turned) == ["theirs", "narrow", "wide"]
    assert turned["wide"]["changes"] == {"model.width": "64"}


def test_the_best_comes_first_where_that_is_asked_for(folder, capsys):
    assert next(iter(shown(capsys, "--sort", "best", "--reverse"))) == "wide"
    # What has no value of that name comes last.
    assert list(shown(capsys, "--sort", "accuracy"))[-1] == "wide"


def test_a_table_is_for_people(folder, capsys):
    assert main(["runs", "work_dirs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["run", "state", "began", "took", "done", "best", "last"]
    assert "1:30  3 epochs" in lines[1]
    assert "accuracy 99.00" in lines[1]
    assert "    model.width = 8" in lines
    assert "\x1b" not in "".join(lines)


def test_mistakes(folder, capsys):
    assert main(["runs", "nowhere"]) == 2
    assert "there is no directory 'nowhere'" in capsys.readouterr().err
    assert main(["runs", "--sort", "acuracy"]) == 2
    assert "did you mean 'accuracy'" in capsys.readouterr().err
    (folder / "empty").mkdir()
    assert main(["runs", "empty"]) == 0
    assert "no runs" in capsys.readouterr().out
