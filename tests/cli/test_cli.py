"""The command: help without torch, overrides, resume."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import mainspring
from mainspring.cli.common import looks_like_override
from mainspring.cli.main import main
from mainspring.config.override import parse_value
from prepared_processes import run

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


@pytest.mark.parametrize("long", [False, True])
def test_a_reader_that_has_enough_is_no_error(long, tmp_path):
    items = 200_000 if long else 10
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
