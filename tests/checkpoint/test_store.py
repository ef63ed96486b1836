"""A checkpoint file is whole or not there."""

from __future__ import annotations

import os
import pickle

import pytest
import torch

from mainspring.checkpoint import CheckpointLoader, load_file, save_checkpoint
from mainspring.errors import CheckpointError


def test_what_is_saved_is_read_by_plain_torch(tmp_path):
    path = tmp_path / "sub" / "a.pth"
    save_checkpoint({"state_dict": {"w": torch.arange(3)}, "meta": {"iter": 1}}, str(path))
    loaded = torch.load(path, weights_only=True)
    assert loaded["meta"] == {"iter": 1}
    assert loaded["state_dict"]["w"].tolist() == [0, 1, 2]
    assert os.listdir(path.parent) == ["a.pth"]


def test_a_failing_write_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "a.pth"
    save_checkpoint({"good": 1}, path)

    class Unwritable:
        def __reduce__(self):
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        save_checkpoint({"bad": Unwritable()}, path)
    assert load_file(path) == {"good": 1}
    assert os.listdir(tmp_path) == ["a.pth"]


def test_the_file_has_the_permissions_of_ordinary_files(tmp_path):
    save_checkpoint({}, tmp_path / "a.pth")
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "a.pth").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_both_spellings_of_backend_arguments_at_once_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not both"):
        save_checkpoint({}, tmp_path / "a", {"backend": "local"}, {"backend": "local"})


class Bomb:
    def __reduce__(self):
        return (os.system, ("touch " + os.environ["BOMB_MARK"],))


def test_a_malicious_file_is_refused_and_does_not_run(tmp_path, monkeypatch):
    mark = tmp_path / "exploded"
    monkeypatch.setenv("BOMB_MARK", str(mark))
    torch.save({"state_dict": Bomb()}, tmp_path / "bomb.pth")
    with pytest.raises(CheckpointError, match="only running code") as caught:
        load_file(tmp_path / "bomb.pth")
    assert "trust=True" in caught.value.help
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 torn", pickle.dumps(3)[:-1]])
def test_a_damaged_file_is_a_checkpoint_error(tmp_path, content):
    path = tmp_path / "torn.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"torn\.pth"):
        load_file(path)


def test_a_missing_file_suggests_its_neighbour(tmp_path):
    (tmp_path / "epoch_12.pth").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="did you mean 'epoch_12.pth'"):
        CheckpointLoader.load_checkpoint(tmp_path / "epoch12.pth", logger="silent")


def test_a_directory_is_no_checkpoint(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(CheckpointError, match="run' is a directory, not a checkpoint") as caught:
        CheckpointLoader.load_checkpoint(tmp_path / "run", logger="silent")
    assert "resume=True" in caught.value.help


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"\x89PNG\r\n\x1a\n and so on", r"it begins with b'\\x89PNG"),
        (b"import torch\n", "it begins with b'import t'"),
        (b"x,y\n1,2\n", "it begins with b'x,y"),
    ],
)
def test_a_file_of_another_kind_is_no_checkpoint(tmp_path, content, said):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"a\.pth is damaged or not a checkpoint: {said}"):
        load_file(tmp_path / "a.pth")


def test_a_scheme_of_ones_own(monkeypatch):
    monkeypatch.setattr(CheckpointLoader, "_schemes", dict(CheckpointLoader._schemes))

    @CheckpointLoader.register_scheme(prefixes="vault://")
    def load_from_vault(filename, map_location=None):
        return {"from": filename}

    found = CheckpointLoader.load_checkpoint("vault://x", logger="silent")
    assert found == {"from": "vault://x"}
    with pytest.raises(KeyError, match="already registered"):
        CheckpointLoader.register_scheme("vault://", load_from_vault)
