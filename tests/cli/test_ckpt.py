"""`mainspring ckpt`: what is in the files, and whether they are whole."""

from __future__ import annotations

import json
import os
import pickle

import pytest
import torch

from mainspring.checkpoint import save_checkpoint
from mainspring.cli.main import main

STATE = {
    "meta": {"epoch": 2, "iter": 40, "cfg": "a = 1\n"},
    "state_dict": {"w": torch.zeros(3, 4), "b": torch.zeros(4)},
    "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1}]},
    "message_hub": {"log_scalars": {}},
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_checkpoint(STATE, tmp_path / "epoch_2.pth")
    (tmp_path / "epoch_3.pth").write_bytes((tmp_path / "epoch_2.pth").read_bytes()[:500])
    (tmp_path / "last_checkpoint").write_text("epoch_3.pth")
    return tmp_path


def test_listing(run, capsys):
    assert main(["ckpt", "ls", "."]) == 0
    lines = capsys.readouterr().out.splitlines()
    heads = ["file", "MB", "date", "epoch", "iteration", "metric", "state"]
    assert lines[0].split() == heads
    name, size, date, _, *rest = lines[1].split()
    assert (name, size, rest) == ("epoch_2.pth", "0.0023", ["2", "40", "whole"])
    assert date.startswith("20")
    assert "damaged: its end is missing" in lines[2]
    assert lines[-1] == "resume=True takes epoch_2.pth"


def test_listing_tells_what_a_validation_gave_there(run, capsys):
    (run / "20260101_000000" / "vis_data").mkdir(parents=True)
    (run / "20260101_000000" / "vis_data" / "scalars.json").write_text(
        '{"loss": 0.5, "lr": 0.1, "iter": 40, "epoch": 2, "step": 40}\n'
        '{"accuracy": 90.0, "val_loss": 0.7, "time": 0.1, "step": 2}\n'
    )
    assert main(["ckpt", "ls", "."]) == 0
    assert "accuracy 90.00  whole" in capsys.readouterr().out
    assert main(["ckpt", "ls", ".", "--format", "json"]) == 0
    row = json.loads(capsys.readouterr().out)[0]
    assert row["metrics"] == {"accuracy": 90.0, "val_loss": 0.7}
    assert (row["file"], row["epoch"], row["iter"]) == ("epoch_2.pth", 2, 40)


def test_describing(run, capsys):
    assert main(["ckpt", "info", "epoch_2.pth"]) == 0
    out = capsys.readouterr().out
    assert "its digest is right" in out
    assert "  meta.iter: 40\n  meta.cfg: ...\n" in out
    assert "  state_dict: 2 tensors, 16 values\n" in out
    assert "  message_hub: log_scalars\n" in out


def test_verifying(run, capsys):
    assert main(["ckpt", "verify", "epoch_2.pth"]) == 0
    assert capsys.readouterr().out.startswith("ok       epoch_2.pth: its digest is right  xxh3 ")
    with pytest.raises(SystemExit) as end:
        main(["ckpt", "verify", "epoch_2.pth", "epoch_3.pth", "none.pth"])
    assert end.value.code == 1
    assert capsys.readouterr().out.count("DAMAGED") == 2


def test_a_file_of_safetensors_is_described_and_verified(run, capsys):
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file({"w": torch.zeros(3)}, "a.safetensors")
    assert main(["ckpt", "info", "a.safetensors"]) == 0
    assert "  state_dict: 1 tensors, 3 values\n" in capsys.readouterr().out
    assert main(["ckpt", "verify", "a.safetensors"]) == 0
    assert "its sizes are right" in capsys.readouterr().out
    content = (run / "a.safetensors").read_bytes()
    (run / "a.safetensors").write_bytes(content[:-1])
    with pytest.raises(SystemExit):
        main(["ckpt", "verify", "a.safetensors"])
    assert "DAMAGED  a.safetensors: it holds 11 bytes of tensors" in capsys.readouterr().out


def test_a_plain_state_dict_is_described(run, capsys):
    save_checkpoint(STATE["state_dict"], "plain.pth")
    assert main(["ckpt", "info", "plain.pth"]) == 0
    assert "  state_dict: 2 tensors, 16 values\n" in capsys.readouterr().out


def test_listing_mistakes(run, capsys):
    assert main(["ckpt", "ls", "nowhere"]) == 2
    assert "there is no directory 'nowhere'" in capsys.readouterr().err
    (run / "empty").mkdir()
    assert main(["ckpt", "ls", "empty"]) == 0
    assert "no checkpoints" in capsys.readouterr().out


BAD = {
    "missing.pth": None,
    "empty.pth": b"",
    "text.pth": b"hello world, this is no checkpoint at all",
    "number.pth": pickle.dumps(3, 2),
    "torn.pth": "cut",
    "flipped.pth": "flip",
    "altered.pth": "alter",
    "list.pth": [1, 2],
    "folder.pth": "folder",
    "bad.safetensors": b"\xff" * 30,
}


@pytest.fixture(params=BAD)
def bad(request, run):
    """The name of something that is no checkpoint."""
    name, content = request.param, BAD[request.param]
    whole = (run / "epoch_2.pth").read_bytes()
    if content == "folder":
        (run / name).mkdir()
    elif content == "cut":
        (run / name).write_bytes(whole[: len(whole) // 2])
    elif content == "flip":
        at = whole.index(b"state_dict")
        (run / name).write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
    elif content == "alter":
        # A bit of a weight: torch.load reads such a file without a word.
        at = whole.index(STATE["state_dict"]["w"].numpy().tobytes())
        (run / name).write_bytes(whole[:at] + b"\x01" + whole[at + 1 :])
    elif isinstance(content, list):
        torch.save(content, run / name)
    elif content is not None:
        (run / name).write_bytes(content)
    return name


@pytest.mark.parametrize(
    "words",
    [
        ["info", "BAD"],
        ["diff", "BAD", "epoch_2.pth"],
        ["diff", "epoch_2.pth", "BAD"],
        ["average", "epoch_2.pth", "BAD", "-o", "out.pth"],
        ["strip", "BAD", "-o", "out.pth"],
        ["strip", "BAD", "-o", "out.pth", "--hash-name"],
        ["export", "BAD", "-o", "out.pth"],
        ["export", "BAD", "-o", "out.safetensors"],
        ["import-mmengine", "BAD", "-o", "out.pth"],
    ],
    ids=" ".join,
)
def test_what_is_no_checkpoint_is_refused_with_one_line(run, bad, words, capsys):
    before = sorted(path.name for path in run.iterdir())
    assert main(["ckpt", *[bad if word == "BAD" else word for word in words]]) == 2
    captured = capsys.readouterr()
    first, *more = captured.err.splitlines()
    assert first.startswith("error: ")
    assert bad in first
    assert all(line.startswith("  help: ") for line in more)
    assert len(more) <= 1
    assert captured.out == ""
    assert sorted(path.name for path in run.iterdir()) == before


@pytest.mark.parametrize(
    "words",
    [["average", "numbered.pth"], ["strip", "numbered.pth"], ["export", "numbered.pth"]],
    ids=" ".join,
)
def test_tensors_without_names_are_no_weights(run, words, capsys):
    save_checkpoint({"state_dict": {0: torch.ones(2), "w": torch.ones(2)}}, "numbered.pth")
    assert main(["ckpt", *words, "-o", "out.pth"]) == 2
    err = capsys.readouterr().err
    assert err == "error: numbered.pth holds no weights by name: its keys are 0, 'w'\n"
    assert not (run / "out.pth").exists()


@pytest.mark.parametrize("meta", [None, "written by hand", [1, 2]])
@pytest.mark.parametrize("verb", ["average", "strip", "export"])
def test_meta_information_of_another_kind_is_left_out(run, verb, meta):
    save_checkpoint({"state_dict": STATE["state_dict"], "meta": meta}, "foreign.pth")
    assert main(["ckpt", verb, "foreign.pth", "-o", "out.pth"]) == 0
    written = torch.load("out.pth", weights_only=True)
    assert torch.equal(written.get("state_dict", written)["w"], STATE["state_dict"]["w"])


@pytest.mark.parametrize(
    "verb", ["ls", "info", "verify", "diff", "average", "strip", "export", "import-mmengine"]
)
def test_the_help_of_each_verb_says_in_a_sentence_what_it_does(verb, capsys):
    with pytest.raises(SystemExit) as end:
        main(["ckpt", verb, "--help"])
    assert end.value.code == 0
    paragraphs = capsys.readouterr().out.split("\n\n")
    assert paragraphs[0].startswith("usage: ")
    assert paragraphs[1].endswith(".")


def test_changes_of_a_config_are_refused(run, capsys):
    assert main(["ckpt", "strip", "epoch_2.pth", "-o", "out.pth", "lr=1"]) == 2
    assert "ckpt takes files, but got 'lr=1'" in capsys.readouterr().err
    assert not (run / "out.pth").exists()


def test_odd_files_are_one_line_and_the_others_are_shown(tmp_path, capsys):
    torch.save(
        {"state_dict": {"w": torch.ones(2)}, "meta": {"epoch": "\x1b[2J"}}, tmp_path / "a.pth"
    )
    torch.save({"state_dict": {"w": torch.ones(1).expand(1 << 40)}}, tmp_path / "b.pth")
    os.mkfifo(tmp_path / "c.pth")
    assert main(["ckpt", "ls", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "whole" in said
    assert "1,099,511,627,776 values" in said
    assert "\x1b" not in said
    with pytest.raises(SystemExit) as left:
        main(["ckpt", "info", *(str(tmp_path / f"{name}.pth") for name in "bca")])
    assert left.value.code == 2
    said = capsys.readouterr().out
    assert "c.pth is no file" in said
    assert "2 values" in said
    assert main(["ckpt", "info", str(tmp_path / "b.pth")]) == 2
    with pytest.raises(SystemExit) as left:
        main(["ckpt", "verify", str(tmp_path / "c.pth")])
    assert left.value.code == 1
    (tmp_path / "empty").mkdir()
    assert main(["ckpt", "verify", str(tmp_path / "empty")]) == 0
    assert "DAMAGED" not in capsys.readouterr().out.replace(
        "DAMAGED  " + str(tmp_path / "c.pth"), ""
    )
