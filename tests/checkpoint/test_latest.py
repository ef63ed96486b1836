"""Which checkpoint a run continues from when files are missing or damaged."""

from __future__ import annotations

import os

import pytest
import torch

from mainspring.checkpoint import (
    begin_anew,
    find_resumable_checkpoint,
    require_whole,
    save_checkpoint,
)
from mainspring.errors import CheckpointError


@pytest.fixture
def run(tmp_path):
    for number in (1, 2, 10):
        save_checkpoint({"meta": {"iter": number}}, tmp_path / f"epoch_{number}.pth")
    save_checkpoint({"meta": {}}, tmp_path / "best_accuracy_epoch_11.pth")
    save_checkpoint({"meta": {}}, tmp_path / "epoch_12-0123abcd.pth")
    (tmp_path / "last_checkpoint").write_text("epoch_10.pth")
    return tmp_path


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_recorded_one_when_it_is_whole(run):
    found = find_resumable_checkpoint(str(run))
    assert found.path == str(run / "epoch_10.pth")
    assert found.reason == "the newest checkpoint; its digest is right"


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "gone"])
def test_the_one_before_when_the_newest_is_damaged(run, how, capsys):
    newest = run / "epoch_10.pth"
    if how == "flipped":
        damage(newest)
    elif how == "gone":
        newest.unlink()
    else:
        newest.write_bytes(newest.read_bytes()[: 100 if how == "cut" else 0])
    found = find_resumable_checkpoint(str(run))
    assert found.path == str(run / "epoch_2.pth")
    assert found.reason.startswith("the newest whole checkpoint")


def test_without_a_record_the_greatest_number_wins_whatever_the_clock_says(run):
    (run / "last_checkpoint").unlink()
    os.utime(run / "epoch_10.pth", (1, 1))
    assert find_resumable_checkpoint(str(run)).path == str(run / "epoch_10.pth")


def test_nothing_is_whole(run):
    for path in run.glob("epoch_*.pth"):
        damage(path)
    assert find_resumable_checkpoint(str(run)) is None


def test_no_run(tmp_path):
    assert find_resumable_checkpoint(str(tmp_path)) is None
    assert find_resumable_checkpoint(str(tmp_path / "none")) is None


def test_a_checkpoint_that_is_named_must_be_whole(run):
    require_whole(str(run / "epoch_2.pth"))
    require_whole("s3://bucket/x.pth")
    damage(run / "epoch_2.pth")
    with pytest.raises(CheckpointError, match="epoch_2.pth is damaged: .* the digest differs"):
        require_whole(str(run / "epoch_2.pth"))


def test_files_of_torch_are_taken(run):
    torch.save({"meta": {"iter": 11}}, run / "epoch_11.pth")
    (run / "last_checkpoint").write_text("epoch_11.pth")
    assert "no digest" in find_resumable_checkpoint(str(run)).reason


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"/gone/epoch_11.pth", b".", None])
def test_a_record_that_says_nothing_of_use(run, content, capsys):
    record = run / "last_checkpoint"
    if content is None:
        record.unlink()
        record.mkdir()
    else:
        record.write_bytes(content)
    assert find_resumable_checkpoint(str(run)).path == str(run / "epoch_10.pth")
    assert ("is not used" in capsys.readouterr().out) == (content != b"")


def test_checkpoints_of_the_run_that_are_written_elsewhere(tmp_path):
    """As `CheckpointHook(out_dir=...)` does it, in a folder named like the work directory."""
    work_dir, elsewhere = tmp_path / "runs" / "a", tmp_path / "large_disk" / "a"
    work_dir.mkdir(parents=True)
    for number in (1, 2):
        save_checkpoint({"meta": {"iter": number}}, elsewhere / f"epoch_{number}.pth")
    (work_dir / "last_checkpoint").write_text(str(elsewhere / "epoch_2.pth"))
    assert find_resumable_checkpoint(str(work_dir)).path == str(elsewhere / "epoch_2.pth")
    damage(elsewhere / "epoch_2.pth")
    assert find_resumable_checkpoint(str(work_dir)).path == str(elsewhere / "epoch_1.pth")


def test_checkpoints_of_another_run_are_not_taken(run, tmp_path):
    other = tmp_path / "other" / "epoch_11.pth"
    save_checkpoint({"meta": {"iter": 11}}, other)
    save_checkpoint({"meta": {"iter": 12}}, other.with_name("epoch_12.pth"))
    (run / "last_checkpoint").write_text(str(other))
    damage(other)
    assert find_resumable_checkpoint(str(run)).path == str(run / "epoch_10.pth")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda run: (run / "last_checkpoint").write_bytes(b"\0" * 10),
        lambda run: (run / "last_checkpoint").write_text("a" * 300),
        lambda run: (run / "last_checkpoint").write_text("a/" * 5000),
        lambda run: (run / "last_checkpoint").write_bytes(b"\xff\xfe"),
        lambda run: (run / "last_checkpoint").write_text("epoch_10.pth\nepoch_2.pth"),
        lambda run: [(run / "last_checkpoint").unlink(), (run / "last_checkpoint").mkdir()],
        lambda run: [(run / "last_checkpoint").unlink(), os.mkfifo(run / "last_checkpoint")],
        lambda run: [(run / "last_checkpoint").unlink(), (run / "last_checkpoint").symlink_to("x")],
        lambda run: (run / "epoch_11.pth").symlink_to("gone.pth"),
        lambda run: (run / "epoch_11.pth").symlink_to("epoch_11.pth"),
        lambda run: (run / "epoch_11.pth").mkdir(),
        lambda run: os.mkfifo(run / "epoch_11.pth"),
        lambda run: [(run / "d.pth").mkdir(), (run / "last_checkpoint").write_text("d.pth")],
    ],
)
def test_whatever_else_lies_there(run, spoil):
    spoil(run)
    assert find_resumable_checkpoint(str(run)).path == str(run / "epoch_10.pth")


def test_those_of_an_earlier_run_are_not_taken(run):
    begin_anew(str(run))
    assert find_resumable_checkpoint(str(run)) is None
    save_checkpoint({"meta": {"iter": 1}}, run / "epoch_2.pth")
    assert find_resumable_checkpoint(str(run)).path == str(run / "epoch_2.pth")
    begin_anew(str(run))
    assert find_resumable_checkpoint(str(run)) is None
    for path in run.glob("*.pth"):
        path.unlink()
    begin_anew(str(run))
    assert [path.name for path in run.iterdir()] == ["last_checkpoint"]
