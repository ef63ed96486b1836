"""The command: help without torch, overrides, resume."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import mainspring
from mainspring.cli.common import looks_like_override
from mainspring.cli.main import main, make_parser
from mainspring.config.override import parse_value
from prepared_processes import Popen, run

PROGRAMS = Path(__file__).parents[1] / "e2e" / "programs"


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["test", "--help"], ["--version"]]
)
def test_help_imports_nothing_heavy(words):
    code = (
        "import sys\n"
        "from mainspring.cli.main import main\n"
        f"try: main({words!r})\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'rich', 'yaml', 'fsspec'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_an_unknown_verb_is_refused(capsys):
    with pytest.raises(SystemExit) as end:
        main(["trian"])
    assert end.value.code == 2
    assert "trian" in capsys.readouterr().err


@pytest.mark.parametrize(("verb", "asked"), [("check", "CONFIG"), ("diff", "A, B")])
def test_what_a_verb_needs_is_asked_for_and_nothing_else(verb, asked, capsys):
    with pytest.raises(SystemExit):
        main([verb])
    assert capsys.readouterr().err.endswith(f"arguments are required: {asked}\n")


def test_a_package_that_is_not_there_is_not_allowed(tmp_path, capsys):
    (tmp_path / "beside.py").write_text("")
    (tmp_path / "run.py").write_text("a = 1\n")
    words = ["show", str(tmp_path / "run.py"), "--allow", "beside", "numpy", "sys"]
    assert main(words) == 0
    assert main([*words, "numpyy"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: --allow numpyy: there is no package of this name\n  help: did")


def test_words_may_stand_behind_options(tmp_path, capsys):
    config = str(tmp_path / "run.py")
    (tmp_path / "run.py").write_text("a = 1\nb = 3\n")
    for words in (["--origin", config, "a", "a=2"], [config, "--origin", "a=2", "a"]):
        assert main(["show", *words]) == 0
        said = capsys.readouterr().out
        assert said.startswith("a = 2\n")
        assert "b = 3" not in said
        assert re.search(r"command line +a=2\n", said)
    with pytest.raises(SystemExit):
        main(["show", "--orign", config, "a"])
    assert "unrecognized arguments: --orign" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["ckpt", "info", "one.pth", "--format", "json", "two.pth"])
    assert [each["file"] for each in json.loads(capsys.readouterr().out)] == ["one.pth", "two.pth"]


@pytest.mark.filterwarnings("default")
def test_warnings_of_ours_are_shown_without_lines_of_ours(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(warnings, "showwarning", lambda *told: sys.stderr.write(shown(*told)))
    (tmp_path / "config.yaml").write_text("a: yes\n")
    (tmp_path / "config.py").write_text("import warnings\nwarnings.warn('mine')\n")

    def shown(message, category, filename, lineno, file=None, line=None):
        return warnings.formatwarning(message, category, filename, lineno, line)

    assert main(["show", str(tmp_path / "config.yaml")]) == 0
    assert re.fullmatch(r"warning: .*config.yaml:1:4: yes is text, .*\n", capsys.readouterr().err)
    assert main(["show", str(tmp_path / "config.py")]) == 0
    assert "config.py:2: UserWarning: mine" in capsys.readouterr().err


def test_a_dict_that_is_none_is_said_without_words_of_the_parser(tmp_path, capsys):
    (tmp_path / "config.py").write_text("a = 1\n")
    assert main(["show", str(tmp_path / "config.py"), "a={seed: 3}"]) == 2
    said = capsys.readouterr().err
    assert "'{seed: 3}' is no dict and no list of dicts of plain values" in said
    assert "ast." not in said


@pytest.mark.parametrize("long", [False, True])
def test_a_reader_that_has_enough_is_no_error(long, tmp_path):
    items = 20_000 if long else 10  # more than the 64 kB that a pipe holds
    config = tmp_path / "config.py"
    config.write_text(f"values = list(range({items}))\n")
    source = str(Path(mainspring.__file__).parents[1])
    # Without a buffer, Python itself overlooks that a long text was written in part only.
    environment = {**os.environ, "PYTHONPATH": source, "PYTHONUNBUFFERED": ""}
    with subprocess.Popen(
        [sys.executable, "-m", "mainspring", "show", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as process:
        if long:
            assert process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize(
    ("word", "expected"),
    [("a=1", True), ("a.b.0.c=x", True), ("path/to.pth", False), ("out=", True), ("a b=1", False)],
)
def test_overrides_are_told_from_paths(word, expected):
    assert looks_like_override(word) is expected


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("1e-3", 1e-3), ("true", True), ("None", None), ("[1,2]", [1, 2]), ("adam", "adam")],
)
def test_values_are_typed(text, value):
    assert parse_value(text) == value


def test_train_change_resume_and_test(tmp_path, capsys):
    config, work_dir = str(PROGRAMS / "base_config.py"), str(tmp_path / "w")
    assert main(["train", config, "train_cfg.max_epochs=1", "--work-dir", work_dir]) == 0
    assert (tmp_path / "w" / "epoch_1.pth").is_file()
    assert main(["train", config, "--work-dir", work_dir, "--resume"]) == 0
    assert (tmp_path / "w" / "epoch_2.pth").is_file()
    capsys.readouterr()
    config_with_test = tmp_path / "tested.py"
    config_with_test.write_text(
        f"_base_ = {config!r}\n"
        "test_dataloader = {{_base_.val_dataloader}}\n"
        "test_cfg = dict()\n"
        "test_evaluator = {{_base_.val_evaluator}}\n"
    )
    code = main(["test", str(config_with_test), f"{work_dir}/epoch_2.pth", "--work-dir", work_dir])
    assert code == 0
    tested = capsys.readouterr().out
    assert "test  acc 0." in tested
    predictions = str(tmp_path / "predictions.pkl")
    words = ["val", config, f"{work_dir}/epoch_2.pth", "--work-dir", work_dir]
    assert main([*words, "--out", predictions]) == 0
    validated = capsys.readouterr().out
    assert (
        validated.splitlines()[-1].split()[1:] == tested.splitlines()[-1].split()[1:]
    )  # the same data
    assert len(pickle.loads(Path(predictions).read_bytes())) == 40


def test_resume_with_nothing_to_resume_begins_with_the_weights_of_load_from(tmp_path, capsys):
    config, work_dir = str(PROGRAMS / "base_config.py"), tmp_path / "w"
    epochs = "train_cfg.max_epochs=1"
    assert main(["train", config, epochs, "--work-dir", str(tmp_path / "before")]) == 0
    weights = tmp_path / "before" / "epoch_1.pth"
    words = ["train", config, epochs, f"+load_from={weights}", "--resume"]
    capsys.readouterr()
    for start in (f"with weights of {weights}", "from epoch_1.pth, at iteration"):
        assert main([*words, "--work-dir", str(work_dir)]) == 0
        assert start in " ".join(capsys.readouterr().out.split())


def test_cfg_options_and_words_change_the_config(tmp_path):
    config = str(PROGRAMS / "base_config.py")
    words = ["train", config, "--cfg-options", "train_cfg.max_epochs=1", "lr=0.5"]
    words += ["--work-dir", str(tmp_path), "train_dataloader.batch_size=12"]
    assert main(words) == 0
    dumped = (tmp_path / "base_config.py").read_text()
    assert "max_epochs=1" in dumped
    assert "batch_size=12" in dumped
    assert "lr = 0.5" in dumped


def test_amp_trains_with_bfloat16_on_the_cpu(tmp_path):
    config = str(PROGRAMS / "base_config.py")
    words = ["train", config, "train_cfg.max_epochs=1", "--amp", "--work-dir", str(tmp_path)]
    assert main(words) == 0


def test_modules_beside_the_config_can_be_named(tmp_path):
    (tmp_path / "beside.py").write_text("from mainspring.model import BaseModule\n")
    config = tmp_path / "run.py"
    config.write_text("custom_imports = dict(imports=['beside'])\n")
    result = run(
        [sys.executable, "-m", "mainspring", "train", str(config)],
        capture_output=True,
        text=True,
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(Path(mainspring.__file__).parents[1])},
    )
    assert result.returncode == 2
    assert "the config has no 'model'" in result.stderr


WRITTEN_CONFIG = """
from torch import nn
from torch.optim import SGD
from written import Numbers
from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.model import Supervised
from mainspring.optim import OptimWrapper
from mainspring.runner import ByEpoch

model = Supervised(nn.Linear(4, 2), nn.CrossEntropyLoss())
train_dataloader = DataLoader(Numbers(8), batch_size=4)
train_cfg = ByEpoch(max_epochs=1)
optim_wrapper = OptimWrapper(later(SGD)(lr=0.1))
"""
WRITTEN_DATA = """
import torch
from torch.utils.data import Dataset

class Numbers(Dataset):
    def __init__(self, length, missing=-1, label=0):
        self.length, self.missing, self.label = length, missing, label

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        if index == self.missing:
            open("gone/picture.png")
        return torch.ones(4), self.label
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The config of a run on data of a module beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "written", raising=False)
    (tmp_path / "written.py").write_text(WRITTEN_DATA)
    (tmp_path / "config.py").write_text(WRITTEN_CONFIG)
    yield "config.py"
    sys.modules.pop("written", None)


def test_a_file_that_the_users_own_code_misses_is_said_with_the_line_of_that_code(written, capsys):
    assert main(["train", written, "train_dataloader.dataset.missing=3"]) == 1
    said = capsys.readouterr().err
    assert 'open("gone/picture.png")' in said
    assert "while loading index 3" in said
    assert said.splitlines()[-1].startswith("mainspring: the run failed: FileNotFoundError: ")


def test_an_error_that_is_explained_is_told_without_frames_of_ours(written, capsys):
    assert main(["train", written, "train_dataloader.dataset.label=2"]) == 1
    said = capsys.readouterr().err
    assert "at least 3" in said
    assert 'File "' not in said
    assert "Traceback" not in said


def test_a_checkpoint_that_is_none_is_said_without_traceback(written, tmp_path, capsys):
    (tmp_path / "broken.pth").write_bytes(b"PK\x03\x04 and no more")
    assert main(["train", written, "--resume", "broken.pth"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("mainspring: the run failed: broken.pth is damaged")
    assert "Traceback" not in said


def test_a_word_that_is_no_choice_is_answered_by_the_nearest(capsys):
    with pytest.raises(SystemExit):
        main(["new", "mine", "--from", "tabula"])
    assert capsys.readouterr().err.endswith("; did you mean 'tabular'?\n")


@pytest.mark.parametrize(
    ("name", "text"), [("c.yaml", "model:\n\ttype: x\n"), ("c.toml", "model = \n")]
)
def test_what_a_parser_says_is_said_once(name, text, tmp_path, capsys):
    (tmp_path / name).write_text(text)
    assert main(["check", str(tmp_path / name)]) == 2
    said = capsys.readouterr().err
    assert "not valid" in said
    assert "caused by" not in said
    assert ("YAML takes no tabs" in said) is (name == "c.yaml")


def test_a_cause_that_is_in_the_message_is_not_said_again(tmp_path, capsys):
    (tmp_path / "config.py").write_text("epochs = 5 +\n")
    assert main(["show", str(tmp_path / "config.py")]) == 2
    assert "caused by" not in capsys.readouterr().err


def test_a_log_that_nobody_reads_any_more_is_left_out(written):
    command = [sys.executable, "-m", "mainspring", "train", written]
    source = str(Path(mainspring.__file__).parents[1])
    with Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": source},
    ) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plot", "config.py", "--out", "lr.txt"], "end it in .png or"),
        (["plot", "config.py", "--out", "lr"], "end it in .png or"),
        (["browse", "config.py", "--out", "x.jpg"], "end it in .png or .html"),
        (["report", ".", "--out", "page.png"], "end it in .html"),
        (["report", ".", "--watch", "--out", "x.html"], "leave out --out, or --watch"),
        (["eject", "config.py", "--out", "config.py"], "'config.py', which is read"),
        (["export", "config.py", "c.pth", "--to", "torch", "--out", "c.pth"], "which is read"),
        (["export", "config.py", "c.pth", "--to", "torch", "--out", "x.onnx"], "end it in .pt2"),
        (["predict", "config.py", "c.pth", "c.pth", "--out", "config.py"], "is a file"),
        (["export", "config.py", "c.pth", "--to", "torch", "-o", "c.pth"], "which is read"),
        (["train", "config.py", "--work-dir", "c.pth"], "command line: --work-dir c.pth: error"),
        (["train", "config.py", "--resume", "d.pth"], "command line: --resume d.pth: error"),
        (["val", "config.py", "d.pth"], "command line: d.pth: error: load_from is 'd.pth'"),
        (["train", "config.py", "train_cfg=@ByEpoch(max_epochs=1)"], "write the whole path: @"),
        (["new", "config.py/mine", "--from", "gan"], "'config.py' is a file"),
        (["new", "config.py", "--from", "gan"], "'config.py' is a file"),
        (["new", "", "--from", "gan"], "NAME is empty"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_runs(
    words, said, written, tmp_path, capsys
):
    (tmp_path / "c.pth").touch()
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert main(words) == 2
    assert said in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("verb", ["val", "test", "predict", "export"])
def test_a_checkpoint_before_the_config_is_said(verb, capsys):
    more = {"predict": ["x.png"], "export": ["--to", "torch"]}.get(verb, [])
    assert main([verb, "epoch_1.pth", "config.py", *more]) == 2
    assert "the config comes first: config.py epoch_1.pth" in capsys.readouterr().err


def test_a_port_that_is_none_is_refused(capsys):
    with pytest.raises(SystemExit) as end:
        main(["report", ".", "--watch", "--port", "80000"])
    assert end.value.code == 2
    assert "no port" in capsys.readouterr().err


def test_a_folder_above_runs_is_answered_with_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    log_dir = tmp_path / "project" / "work_dirs" / "digits" / "20260101_000000"
    log_dir.mkdir(parents=True)
    (log_dir / "run.json").write_text("{}")
    assert main(["report", "project"]) == 2
    assert "such as project/work_dirs/digits" in capsys.readouterr().err


NOTHING_TO_PRINT = {"exec", "schema"}
"""Verbs whose output is another program's, or JSON in any case."""


def parsers_of(parser, *words):
    inner = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not inner:
        yield words, parser
    for action in inner:
        for name, each in action.choices.items():
            yield from parsers_of(each, *words, name)


@pytest.mark.parametrize(
    ("words", "parser"),
    [
        pytest.param(words, parser, id=" ".join(words))
        for words, parser in parsers_of(make_parser())
        if words[0] not in NOTHING_TO_PRINT
    ],
)
def test_what_a_verb_finds_can_be_had_as_json(words, parser):
    choices = [a.choices for a in parser._actions if "--format" in a.option_strings]
    assert choices
    assert "json" in choices[0]


def test_a_life_of_a_model_in_json(written, tmp_path, capsys):
    config = f"{WRITTEN_CONFIG}\nfrom mainspring.evaluator import Accuracy\n"
    config += "val_dataloader = train_dataloader\nval_evaluator = Accuracy()\nval_cfg = dict()\n"
    (tmp_path / "valued.py").write_text(config)
    (tmp_path / "empty").mkdir()

    def printed(*words):
        capsys.readouterr()
        assert main([*words, "--format", "json"]) == 0
        return json.loads(capsys.readouterr().out)

    trained = printed("train", written, "--work-dir", "w", "+randomness={'seed': 0}")
    assert (trained["state"], trained["epoch"]) == ("finished", 1)
    assert trained["last"]["loss"] > 0
    assert printed("val", "valued.py", "w/epoch_1.pth", "--work-dir", "v") == {"accuracy": 100.0}
    assert printed("report", "w") == {"report": "w/report.html", "runs": ["w"]}
    assert printed("ckpt", "ls", "empty") == []
    [info] = printed("ckpt", "info", "w/epoch_1.pth")
    assert info["meta"]["epoch"] == 1
    [verdict] = printed("ckpt", "verify", "w/epoch_1.pth")
    assert verdict["is_valid"]
    words = ["export", "valued.py", "w/epoch_1.pth", "--to", "torch", "--out", "x.pt2"]
    exported = printed(*words)
    assert exported["file"] == "x.pt2"
    assert exported["inputs"] == {"inputs": {"type": "float32", "shape": ["batch", 4]}}
    assert exported["is_close"]
    assert printed("ckpt", "strip", "w/epoch_1.pth", "-o", "s.pth")["file"] == "s.pth"
    planned = printed("sweep", written, "--sweep", "train_cfg.max_epochs=1,2", "--dry-run")
    assert len(planned["runs"]) == 2
    (tmp_path / "old.py").write_text("optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))\n")
    converted = printed("convert", "old.py", "new.py")
    assert (converted["written"], converted["calls"]) == (["new.py"], 1)
    assert printed("eject", written)["verified"] is None
    assert printed("new", "mine", "--from", "gan")["folder"] == "mine"


def test_a_training_that_fails_says_so_in_json_too(written, capsys):
    words = ["train", written, "train_dataloader.dataset.label=2", "--format", "json"]
    assert main(words) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["state"] == "crashed"
    assert "at least 3" in json.loads(printed.out)["reason"] + printed.err


def test_an_output_that_has_no_character_for_a_path_gets_escapes(written, tmp_path):
    folder = tmp_path / "été"
    folder.mkdir()
    for file in (written, "written.py"):
        shutil.copy(file, folder)
    # A locale that cannot read the name of the folder either.
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    result = subprocess.run(
        [sys.executable, "-m", "mainspring", "train", written],
        cwd=folder, env={**os.environ, **ascii_only}, capture_output=True,
    )  # fmt: skip
    said = (result.stdout + result.stderr).decode("ascii")
    assert result.returncode == 0, said
    assert "Error" not in said
    [log] = folder.glob("work_dirs/config/*/*.log")
    assert "saved to" in log.read_text("utf-8")
    assert (folder / "work_dirs" / "config" / "report.html").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["val", "absent.pth"], "command line: absent.pth: "),
        (["test", "no/absent.pth"], "there is no folder 'no'"),
        (["train", "--resume", "absent.pth"], "command line: --resume absent.pth: "),
    ],
)
def test_a_checkpoint_that_is_not_there_is_named_as_it_was_given(written, capsys, words, said):
    verb, *rest = words
    assert main([verb, written, *rest]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "absent.pth', which does not exist" in err
