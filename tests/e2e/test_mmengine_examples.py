"""The projects of ``examples/mmengine`` run under MMEngine's name, and log what it logs.

What MMEngine 0.10.7 logged is kept in ``golden`` (`compare_with_mmengine.py --write-golden`, which
compares in every digit); here rates are compared, and losses while they do not depend on the
processor.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from e2e.compare_with_mmengine import EXAMPLES, PROJECTS, scalars
from prepared_processes import run

GOLDEN = Path(__file__).parent / "golden"
ALIAS = "import runpy, sys, mainspring.compat.mmengine; sys.argv = sys.argv[1:]; "
SCRIPT = "runpy.run_path(sys.argv[0], run_name='__main__')"


def execute(words, cwd, *, real_start=False):
    """Run a script of a project under MMEngine's name; returns what it prints."""
    start = ["-m", "mainspring", "exec"] if real_start else ["-c", ALIAS + SCRIPT]
    result = run(
        [sys.executable, *start, *words], cwd=cwd, capture_output=True, text=True, timeout=150
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def words_of(project, script="train"):
    config = EXAMPLES / project / "configs" / f"{PROJECTS[project]}.py"
    return [EXAMPLES / "tools" / f"{script}.py", config]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Trains a project once; returns its work directory."""
    folders = {}

    def train(project):
        if project not in folders:
            folders[project] = tmp_path_factory.mktemp(project)
            words = [*words_of(project), "--work-dir", folders[project]]
            execute(words, folders[project], real_start=project == "classification")
        return folders[project]

    return train


@pytest.mark.parametrize(
    ("project", "metric", "least"),
    [
        ("detection", "det/f1", 0.6),
        ("segmentation", "mIoU", 70),
        ("classification", "accuracy/top1", 90),
        ("gan", "ring/modes", 6),
    ],
)
def test_a_project_trains_and_logs_what_mmengine_logs(project, metric, least, trained):
    rows = scalars(trained(project))
    golden = [json.loads(line) for line in (GOLDEN / f"{project}.json").read_text().splitlines()]
    assert [row.keys() for row in rows] == [row.keys() for row in golden]
    for number, (row, expected) in enumerate(zip(rows, golden, strict=True)):
        for key, value in expected.items():
            if number < 2 or key.endswith(("lr", "iter", "epoch", "step")):
                assert row[key] == pytest.approx(value, rel=1e-3), (number, key)
    assert [row for row in rows if metric in row][-1][metric] >= least


def test_a_project_resumes_with_changed_settings(trained, tmp_path):
    checkpoint = trained("segmentation") / "iter_40.pth"
    words = [*words_of("segmentation"), "--work-dir", tmp_path, "--resume", checkpoint]
    execute([*words, "--cfg-options", "val_cfg.fp16=False"], tmp_path)
    rows, whole = (scalars(folder) for folder in (tmp_path, trained("segmentation")))
    assert rows == whole[-len(rows) :]
    assert [row["step"] for row in rows] == [50, 60, 70, 80, 80]


def test_test_time_augmentation(trained, tmp_path):
    checkpoint = trained("classification") / "epoch_4.pth"
    printed = execute(
        [*words_of("classification", "test"), checkpoint, "--tta", "--work-dir", tmp_path], tmp_path
    )
    assert "'accuracy/top1': 100.0" in printed.splitlines()[-1]


def test_results_are_dumped(trained, tmp_path):
    checkpoint = trained("detection") / "epoch_8.pth"
    out = tmp_path / "results.pkl"
    words = [*words_of("detection", "test"), checkpoint, "--work-dir", tmp_path, "--out", out]
    assert "det/f1" in execute(words, tmp_path)
    assert out.stat().st_size > 1000
    pictures = list(tmp_path.glob("*/vis_data/vis_image/*.png"))
    assert not pictures  # the hook draws in validation
    assert list(trained("detection").glob("*/vis_data/vis_image/val_img_10*.png"))


def test_a_project_of_mmcv_1_logs_what_mmcv_1_7_2_logged(tmp_path):
    folder = EXAMPLES / "mmcv1"
    execute([folder / "train.py", folder / "config.py", "--work-dir", tmp_path], tmp_path)
    (log,) = tmp_path.glob("*.log.json")
    golden = (GOLDEN / "mmcv1.json").read_text().splitlines()
    rows = log.read_text().splitlines()
    for number, (row, expected) in enumerate(
        zip(map(json.loads, rows), map(json.loads, golden), strict=True)
    ):
        assert row.keys() - {"time", "data_time"} == expected.keys()
        for key in expected if number < 3 else expected.keys() & {"lr", "epoch", "iter", "mode"}:
            value = expected[key]
            near = value if isinstance(value, str) else pytest.approx(value, rel=1e-3, abs=1e-5)
            assert row[key] == near, (number, key)
    assert row["r2"] > 0.4
    more, checkpoint = tmp_path / "more", tmp_path / "epoch_4.pth"
    words = [folder / "config.py", "--work-dir", more, "--resume-from", checkpoint]
    execute([folder / "train.py", *words], tmp_path)
    (log,) = more.glob("*.log.json")
    times = ("time", "data_time")
    losses = [
        [{key: value for key, value in json.loads(row).items() if key not in times} for row in part]
        for part in (rows, log.read_text().splitlines())
    ]
    assert losses[1][1:] == losses[0][-len(losses[1]) + 1 :]
