"""What the command prints, its exit codes, JSON, and `--build`."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path

import pytest
from check_configs import RECORDED

import mainspring
from mainspring.check import Problem, check_config, examine, report_as_text
from mainspring.cli import check
from mainspring.cli.main import main
from mainspring.config import Config
from mainspring.errors import ConfigError
from prepared_processes import run as run_program

WRONG = RECORDED.replace("depth=50", "depht=50") + "log_processor = dict(by_epoch=False)\n"


def run(*words):
    parser = argparse.ArgumentParser()
    check.add_parser(parser.add_subparsers())
    check.run(parser.parse_args(["check", *words]))


def test_mistakes_are_printed_and_the_code_is_2(write, capsys):
    write("config.py", WRONG)
    with pytest.raises(SystemExit) as left:
        run("config.py")
    assert left.value.code == 2
    assert capsys.readouterr().out == (
        "config.py:13:31: error: Backbone has no parameter 'depht'\n"
        "  at: model.backbone.depht\n"
        "  help: did you mean 'depth'?\n"
        "config.py:19:22: warning: log_processor says by_epoch=False, but train_cfg counts epochs\n"
        "  at: log_processor.by_epoch\n"
        "  help: leave by_epoch out: lines then count as the run does\n"
        "1 error, 1 warning in config.py\n"
    )


def test_warnings_alone_are_no_failure(write, capsys):
    write("config.py", RECORDED + "log_processor = dict(by_epoch=False)\n")
    run("config.py")
    assert capsys.readouterr().out.endswith("\n1 warning in config.py\n")


def test_a_right_config_gets_one_line(write, capsys):
    write("config.py", RECORDED)
    run("config.py")
    assert re.fullmatch(
        r"config.py: no problems \(10 calls, 13 arguments checked in \d+ ms, after [\d.]+ s of "
        r"imports\)\n",
        capsys.readouterr().out,
    )


def test_overrides_are_checked(write, capsys):
    write("config.py", RECORDED)
    with pytest.raises(SystemExit):
        run("config.py", "model.backbone.depth=deep")
    assert "error: depth is 'deep', but Backbone takes int" in capsys.readouterr().out


def test_json(write, capsys):
    write("config.py", WRONG)
    with pytest.raises(SystemExit):
        run("config.py", "--format", "json")
    report = json.loads(capsys.readouterr().out)
    assert report["config"] == "config.py"
    assert (report["errors"], report["warnings"]) == (1, 1)
    assert report["problems"][0] == {
        "severity": "error",
        "message": "Backbone has no parameter 'depht'",
        "file": "config.py",
        "line": 13,
        "column": 31,
        "config_path": "model.backbone.depht",
        "help": "did you mean 'depth'?",
    }
    assert {"calls", "arguments", "seconds", "import_seconds"} <= set(report)


def test_colours_are_for_terminals(write):
    write("config.py", WRONG)
    findings = examine(Config.fromfile("config.py"))
    assert "\x1b[" not in report_as_text(findings, "config.py")
    coloured = report_as_text(findings, "config.py", colour=True)
    assert re.sub(r"\x1b\[\d*m", "", coloured) == report_as_text(findings, "config.py")


def without_validation(text):
    return "\n".join(line for line in text.split("\n") if not line.startswith("val_"))


def test_build_says_what_it_did_and_leaves_nothing_behind(write, capsys, folder):
    write(
        "config.py",
        without_validation(
            RECORDED.replace("batch_size=4, shuffle", "batch_size=4, num_workers=2, shuffle")
        ),
    )
    before = sorted(folder.iterdir())
    run("config.py", "--build")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "model: Net with 8 parameters"
    assert re.fullmatch(r"batch: float32 \(4, 3\), int64 \(4,\) \d\.\.\d", lines[2])
    assert re.match(r"one training step on the CPU: loss 0?\d*\.\d+(e-\d+)? \(", lines[3])
    assert sorted(folder.iterdir()) == before


def test_checking_leaves_the_config_as_it_is(write):
    write("config.py", RECORDED.replace("depth=50", "50"))
    cfg = Config.fromfile("config.py")
    assert check_config(cfg) == []
    assert dict.__contains__(dict.__getitem__(cfg._cfg_dict, "train_dataloader"), "_args_")


@pytest.mark.parametrize("cfg", [{}, {"model": None}, dict(model=dict(type="Nothing"))])
def test_plain_dicts_are_checked_too(cfg):
    assert all(isinstance(problem, Problem) for problem in check_config(cfg))


def test_checking_the_config_of_the_demo_imports_nothing_heavy_but_torch():
    program = (
        "import sys\n"
        "from mainspring.cli.common import read_config\n"
        "from mainspring.check import examine\n"
        "findings = examine(read_config(sys.argv[1]))\n"
        "heavy = ('sklearn', 'scipy', 'matplotlib', 'cv2', 'tensorboard', 'optuna')\n"
        "print(len(findings.problems), [name for name in heavy if name in sys.modules])\n"
    )
    config = Path(__file__).parents[2] / "examples" / "digits" / "config.py"
    words = [sys.executable, "-c", program, str(config)]
    environment = {**os.environ, "PYTHONPATH": str(Path(mainspring.__file__).parents[1])}
    ran = run_program(words, capture_output=True, text=True, check=True, env=environment)
    assert ran.stdout.split(maxsplit=1) == ["0", "[]\n"]


def test_checking_does_not_change_a_config(write):
    write("config.py", WRONG)
    cfg, other = Config.fromfile("config.py"), Config.fromfile("config.py")
    check_config(cfg)
    assert cfg._cfg_dict == other._cfg_dict


@pytest.mark.parametrize(
    ("text", "line"), [("a = 1\nb = = 2\n", 2), ("a = undefined\n", 1)], ids=["syntax", "name"]
)
def test_a_config_that_cannot_be_read_is_a_problem_for_programs_too(
    tmp_path, monkeypatch, capsys, text, line
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text(text)
    with pytest.raises(SystemExit) as left:
        main(["check", "broken.py", "--format", "json"])
    assert left.value.code == 2
    said = json.loads(capsys.readouterr().out)
    assert said["errors"] == 1
    assert said["problems"][0]["line"] == line
    assert said["problems"][0]["message"]


def test_a_config_that_is_not_there_is_a_problem_for_programs_too(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["check", "none.py", "--format", "json"])
    assert "none.py" in json.loads(capsys.readouterr().out)["problems"][0]["message"]


def test_build_knows_the_names_of_metrics_of_ones_own(write, capsys):
    write(
        "own_metric.py",
        """
        from mainspring.evaluator import BaseMetric

        class F1(BaseMetric):
            def process(self, data_batch, data_samples):
                self.results += [1.0] * len(data_samples)

            def compute_metrics(self, results):
                return {"f1": sum(results) / len(results)}
        """,
    )
    text = RECORDED.replace(
        "Net(backbone=Backbone(depth=50))",
        "Supervised(nn.Linear(3, 2), loss=nn.CrossEntropyLoss())",
    )
    text = "from own_metric import F1\nfrom mainspring.model import Supervised\n" + text
    text = text.replace("val_evaluator = Accuracy()", "val_evaluator = F1()")
    watching = "default_hooks = dict(checkpoint=CheckpointHook(save_best={!r}, rule='greater'))\n"
    write("config.py", text + watching.format("f1"))
    run("config.py", "--build")
    assert "one validation batch: f1" in capsys.readouterr().out
    write("config.py", text + watching.format("f2"))
    with pytest.raises(ConfigError, match="save_best is 'f2', but the evaluator gives f1"):
        run("config.py", "--build")
