"""`mainspring ckpt average`, `strip`, `export` and `import-mmengine`: the files that they write."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import torch

from mainspring.checkpoint import load_file, save_checkpoint, verify_file
from mainspring.cli.main import main

FOREIGN = Path(__file__).parents[1] / "checkpoint" / "foreign"


@pytest.fixture(autouse=True)
def run(tmp_path, monkeypatch):
    """A work directory with three checkpoints whose weights are their epochs."""
    monkeypatch.chdir(tmp_path)
    for epoch in (1, 2, 3):
        weights = {
            "backbone.w": torch.full((2,), float(epoch)),
            "backbone.running_mean": torch.zeros(2),
            "head.w": torch.tensor(epoch),
        }
        raw = {f"module.{name}": value + 10 for name, value in weights.items()}
        content = {
            "meta": {"epoch": epoch, "iter": 10 * epoch},
            "state_dict": weights,
            "optimizer": {"state": {}},
            "ema_state_dict": {"steps": torch.tensor(5), **raw},
        }
        save_checkpoint(content, f"epoch_{epoch}.pth")
    return tmp_path


def read(path):
    """A file of ours: sealed, and of nothing but plain types."""
    assert verify_file(path).reason == "its digest is right"
    return torch.load(path, weights_only=True)


def test_averaging(capsys):
    assert main(["ckpt", "average", "epoch_1.pth", "epoch_3.pth", "-o", "mean.pth"]) == 0
    out = capsys.readouterr().out
    assert "mean.pth: the average of epoch_1.pth, epoch_3.pth\n" in out
    assert "running statistics" in out
    assert read("mean.pth")["state_dict"]["backbone.w"].tolist() == [2.0, 2.0]


def test_averaging_the_last(capsys):
    words = ["ckpt", "average", "--last", "2", ".", "-o", "out/mean.pth", "--weights", "1", "3"]
    assert main(words) == 0
    assert "of epoch_2.pth, epoch_3.pth" in capsys.readouterr().out
    assert read("out/mean.pth")["state_dict"]["backbone.w"].tolist() == [2.75, 2.75]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["epoch_1.pth", "epoch_2.pth", "--weights", "1"], "1 weights are given for 2 checkpoints"),
        (["epoch_1.pth", "--last", "2"], "--last takes one work directory"),
        ([".", "--last", "4"], "has 3 whole checkpoints, not 4"),
        ([".", "--last", "0"], "is 0, which is not positive"),
        ([".", "epoch_1.pth"], ". is a directory"),
    ],
)
def test_averaging_mistakes(words, message, capsys, run):
    assert main(["ckpt", "average", *words, "-o", "out.pth"]) == 2
    assert message in capsys.readouterr().err
    assert not (run / "out.pth").exists()


def test_stripping(capsys):
    assert main(["ckpt", "strip", "epoch_2.pth", "-o", "net.pth"]) == 0
    assert capsys.readouterr().out.endswith(" kB, without optimizer, ema_state_dict\n")
    stripped = read("net.pth")
    assert stripped.keys() == {"meta", "state_dict"}
    assert stripped["meta"]["epoch"] == 2
    assert stripped["state_dict"]["backbone.w"].tolist() == [2.0, 2.0]
    assert main(["ckpt", "strip", "epoch_2.pth", "-o", "raw.pth", "--ema", "raw"]) == 0
    assert read("raw.pth")["state_dict"]["backbone.w"].tolist() == [12.0, 12.0]
    assert main(["ckpt", "strip", "net.pth", "-o", "again.pth", "--ema", "raw"]) == 2
    assert "one kind of weights only" in capsys.readouterr().err


def test_publishing_by_hash(run, capsys):
    for _ in range(2):
        assert main(["ckpt", "strip", "epoch_2.pth", "-o", "out/net.pth", "--hash-name"]) == 0
    (written,) = (run / "out").iterdir()
    digest = hashlib.sha256(written.read_bytes()).hexdigest()
    assert written.name == f"net-{digest[:8]}.pth"
    assert read(written)["meta"]["epoch"] == 2
    assert str(written.relative_to(run)) in capsys.readouterr().out


def test_exporting_a_plain_state_dict(capsys):
    words = ["epoch_2.pth", "-o", "net.pth", "--prefix", "backbone.", "--dtype", "bf16"]
    assert main(["ckpt", "export", *words]) == 0
    assert capsys.readouterr().out.endswith(" kB, 2 tensors, 4 values\n")
    state = read("net.pth")
    assert list(state) == ["w", "running_mean"]
    assert state["w"].dtype == torch.bfloat16


def test_exporting_to_safetensors_and_back():
    pytest.importorskip("safetensors")
    words = ["ckpt", "export", "epoch_2.pth", "-o", "net.safetensors", "--ema", "raw"]
    assert main(words) == 0
    found = load_file("net.safetensors")
    assert found["meta"] == {"epoch": 2, "iter": 20}
    assert found["state_dict"]["backbone.w"].tolist() == [12.0, 12.0]
    assert main(["ckpt", "export", "net.safetensors", "-o", "back.pth"]) == 0
    assert main(["ckpt", "strip", "epoch_2.pth", "--ema", "raw", "-o", "raw.pth"]) == 0
    assert main(["ckpt", "diff", "back.pth", "raw.pth", "--weights"]) == 0


def test_what_safetensors_cannot_hold_is_named(capsys):
    pytest.importorskip("safetensors")
    save_checkpoint({"w": torch.ones(1), "_extra_state": {"a": 1}}, "extra.pth")
    assert main(["ckpt", "export", "extra.pth", "-o", "net.safetensors"]) == 0
    assert "_extra_state is left out: it is a dict, not a tensor" in capsys.readouterr().out
    assert load_file("net.safetensors")["state_dict"].keys() == {"w"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "net.onnx"], "net.onnx is of no known kind"),
        (["-o", "net.pth", "--prefix", "bacbone"], "did you mean 'backbone'?"),
    ],
)
def test_exporting_mistakes(words, message, capsys, run):
    assert main(["ckpt", "export", "epoch_2.pth", *words]) == 2
    assert message in capsys.readouterr().err
    assert not list(run.glob("net.*"))


def test_importing(run, capsys):
    shutil.copy(FOREIGN / "mmengine_epochs.pth", "epoch_2_old.pth")
    assert main(["ckpt", "import-mmengine", "epoch_2_old.pth", "-o", "ours.pth"]) == 0
    assert capsys.readouterr().out.endswith(" kB: epoch 2, iteration 8\n")
    assert read("ours.pth")["meta"]["dataset_meta"]["classes"] == ("one", "two")
    assert main(["ckpt", "diff", "epoch_2_old.pth", "ours.pth", "--weights"]) == 0
    save_checkpoint({"mainspring": {}, "state_dict": {}}, "new.pth")
    assert main(["ckpt", "import-mmengine", "new.pth", "-o", "out.pth"]) == 2
    assert "written by mainspring" in capsys.readouterr().err


VERBS = [
    ["average", "epoch_1.pth", "epoch_2.pth"],
    ["strip", "epoch_1.pth"],
    ["export", "epoch_1.pth"],
    ["import-mmengine", "epoch_1.pth"],
]


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
def test_nothing_is_overwritten_unless_asked(words, run, capsys):
    (run / "out.pth").write_bytes(b"precious")
    assert main(["ckpt", *words, "-o", "out.pth"]) == 2
    assert "out.pth exists already\n  help: --force replaces it" in capsys.readouterr().err
    assert (run / "out.pth").read_bytes() == b"precious"
    assert main(["ckpt", *words, "-o", "out.pth", "--force"]) == 0
    read("out.pth")


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
def test_a_failing_write_leaves_what_was_there(words, run, monkeypatch, capsys):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    (run / "out.pth").write_bytes(b"precious")
    before = sorted(path.name for path in run.iterdir())
    monkeypatch.setattr("mainspring.checkpoint.store.write_sealed", full)
    assert main(["ckpt", *words, "-o", "out.pth", "--force"]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert (run / "out.pth").read_bytes() == b"precious"
    assert sorted(path.name for path in run.iterdir()) == before


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
def test_outputs_that_cannot_be(words, run, capsys):
    (run / "folder").mkdir()
    assert main(["ckpt", *words, "-o", "folder", "--force"]) == 2
    assert "folder is a directory" in capsys.readouterr().err
    if words[0] != "export":
        assert main(["ckpt", *words, "-o", "a.safetensors"]) == 2
        assert "mainspring ckpt export" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main(["ckpt", *words])
    assert end.value.code == 2


def test_a_file_can_replace_itself():
    assert main(["ckpt", "strip", "epoch_1.pth", "-o", "epoch_1.pth", "--force"]) == 0
    assert read("epoch_1.pth").keys() == {"meta", "state_dict"}
