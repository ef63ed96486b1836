"""Weights for other programs: safetensors and plain state dicts, there and back."""

from __future__ import annotations

import builtins
import sys

import pytest
import torch
from torch import nn

from mainspring import fileio
from mainspring.checkpoint import (
    CheckpointLoader,
    export_weights,
    load_checkpoint,
    load_file,
    read_checkpoint,
    read_safetensors,
    save_checkpoint,
    strip_checkpoint,
    write_safetensors,
)
from mainspring.checkpoint.strip import save_by_hash
from mainspring.errors import CheckpointError
from mainspring.model import BaseModel
from mainspring.runner import Runner

safetensors_torch = pytest.importorskip("safetensors.torch")


class Net(BaseModel):
    """Has a counter, half precision, and an embedding whose weight the head shares."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.embedding = nn.Embedding(5, 4)
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.embedding.weight
        self.scale = nn.Parameter(torch.randn(3).half())

    def forward(self, inputs, data_samples=None, mode="tensor"):
        return self.head(self.backbone(inputs))


def equal(left, right):
    return left.keys() == right.keys() and all(
        torch.equal(left[name], right[name]) and left[name].dtype == right[name].dtype
        for name in left
    )


def test_safetensors_there_and_back(tmp_path):
    model, other = Net(), Net()
    path = tmp_path / "sub" / "net.safetensors"
    write_safetensors(model.state_dict(), path)
    load_checkpoint(other, path, strict=True, logger="silent")
    assert equal(other.state_dict(), model.state_dict())
    assert other.head.weight is other.embedding.weight
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_run_begins_from_safetensors(tmp_path):
    model, other = Net(), Net()
    path = tmp_path / "net.safetensors"
    write_safetensors(model.state_dict(), path, {"epoch": 3})
    runner = Runner(model=other, work_dir=str(tmp_path / "work"), load_from=str(path))
    runner.load_or_resume()
    assert equal(other.state_dict(), model.state_dict())


def test_the_package_itself_reads_what_we_write_and_we_read_its_files(tmp_path):
    state = Net().state_dict()
    write_safetensors(state, tmp_path / "a.safetensors")
    assert equal(safetensors_torch.load_file(tmp_path / "a.safetensors"), dict(state))
    plain = {name: value.clone() for name, value in state.items()}
    safetensors_torch.save_file(plain, tmp_path / "b.safetensors")
    assert equal(load_file(tmp_path / "b.safetensors")["state_dict"], plain)


META = {
    "epoch": 3,
    "lr": 1e-3,
    "name": "net",
    "number as text": "3",
    "none": None,
    "text that looks like null": "null",
    "lines": "a = 1\nb = 'ü'\n",
    "classes": ["cat", "dog"],
    "nested": {"a": [1, {"b": True}]},
}


def test_meta_information_comes_back(tmp_path):
    path = tmp_path / "a.safetensors"
    write_safetensors({"w": torch.ones(1)}, path, META)
    assert read_safetensors(path)["meta"] == META
    with safetensors_torch.safe_open(path, "pt") as file:
        found = file.metadata()
    assert found["format"] == "pt"
    assert found["name"] == "net"
    assert found["epoch"] == "3"


def test_meta_information_that_json_does_not_know(tmp_path):
    path = tmp_path / "a.safetensors"
    meta = {"mean": torch.ones(2), "classes": ("cat",), "set": {2, 1}, "kind": int, "format": "x"}
    write_safetensors({}, path, meta)
    assert read_safetensors(path)["meta"] == {
        "mean": [1.0, 1.0],
        "classes": ["cat"],
        "set": [1, 2],
        "kind": "<class 'int'>",
    }


def test_views_and_empty_tensors_are_written(tmp_path):
    whole = torch.arange(12.0).view(3, 4)
    state = {"row": whole[1], "column": whole[:, 1], "turned": whole.T, "none": torch.ones(0, 2)}
    path = tmp_path / "a.safetensors"
    write_safetensors(state, path)
    assert equal(read_safetensors(path)["state_dict"], state)


def test_from_object_storage(tmp_path, monkeypatch):
    state = {"w": torch.arange(3.0)}
    write_safetensors(state, tmp_path / "a.safetensors", {"epoch": 3})
    content = (tmp_path / "a.safetensors").read_bytes()
    monkeypatch.setattr(fileio, "get", lambda name, backend_args=None: content)
    found = CheckpointLoader.load_checkpoint("s3://bucket/a.safetensors", "cpu", logger="silent")
    assert equal(found["state_dict"], state)
    assert found["meta"] == {"epoch": 3}
    monkeypatch.setattr(fileio, "get", lambda name, backend_args=None: content[:20])
    with pytest.raises(CheckpointError, match="damaged or not of safetensors"):
        CheckpointLoader.load_checkpoint("s3://bucket/a.safetensors", logger="silent")


@pytest.mark.parametrize("value", [torch.ones(3).to_sparse(), 3], ids=["sparse", "no tensor"])
def test_what_the_format_cannot_hold_is_refused(value, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"earlier")
    with pytest.raises(CheckpointError, match=r"^w cannot be written"):
        write_safetensors({"w": value}, path)
    assert path.read_bytes() == b"earlier"


@pytest.mark.parametrize("read", [load_file, read_checkpoint, read_safetensors])
def test_damaged_files_are_refused(read, tmp_path):
    path = tmp_path / "a.safetensors"
    write_safetensors({"w": torch.ones(100)}, path)
    content = path.read_bytes()
    for damaged in (b"", b"x", content[:-1], content[:40], b"\xff" * 8 + content[8:], b"{}" * 50):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"a\.safetensors is (damaged|empty)"):
            read(path)


def test_without_the_package_one_error_says_what_to_install(tmp_path, monkeypatch):
    real_import = builtins.__import__

    def without(name, *arguments, **keywords):
        if name.split(".")[0] == "safetensors":
            raise ImportError(name)
        return real_import(name, *arguments, **keywords)

    for name in [name for name in sys.modules if name.split(".")[0] == "safetensors"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    for use in (
        lambda: write_safetensors({}, tmp_path / "a.safetensors"),
        lambda: read_safetensors(tmp_path / "a.safetensors"),
    ):
        with pytest.raises(CheckpointError, match="package safetensors") as caught:
            use()
        assert caught.value.help == "pip install safetensors"


def test_a_prefix_is_taken_and_cut_off():
    model = Net()
    for prefix in ("backbone", "backbone."):
        exported = export_weights(model.state_dict(), prefix=prefix)
        assert equal(exported, dict(model.backbone.state_dict()))
    with pytest.raises(CheckpointError, match=r"no weight starts with 'backbon\.'") as caught:
        export_weights(model.state_dict(), prefix="backbon")
    assert caught.value.help == "did you mean 'backbone'?"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_floating_point_weights_are_cast_and_others_kept(dtype):
    state = Net().state_dict()
    exported = export_weights(state, dtype=dtype)
    for name, value in exported.items():
        if name.endswith("num_batches_tracked"):
            assert value.dtype == torch.int64
        else:
            assert torch.equal(value, state[name].to(dtype))
    assert exported["head.weight"].data_ptr() == exported["embedding.weight"].data_ptr()


def test_numbers_beyond_the_type_are_refused():
    state = {"good": torch.ones(1), "large": torch.tensor([7e4]), "inf": torch.tensor([torch.inf])}
    with pytest.raises(CheckpointError, match="numbers of large are too large") as caught:
        export_weights(state, dtype=torch.float16)
    assert "bf16" in caught.value.help
    export_weights(state, dtype=torch.bfloat16)


def test_a_part_of_a_large_memory_is_written_without_the_rest(tmp_path):
    memory = torch.zeros(100_000)
    state = {"part": memory[:10], "same": memory[:10], "other": memory[10:20]}
    exported = export_weights(state)
    save_checkpoint(exported, tmp_path / "a.pth")
    assert (tmp_path / "a.pth").stat().st_size < 5_000
    assert exported["part"].data_ptr() == exported["same"].data_ptr()
    assert equal(load_file(tmp_path / "a.pth"), state)


AVERAGED = {
    "meta": {"epoch": 2},
    "state_dict": {"w": torch.tensor([1.0]), "counter": torch.tensor(4)},
    "ema_state_dict": {"steps": torch.tensor(7), "module.w": torch.tensor([2.0])},
    "optimizer": {},
}


def test_what_is_published(tmp_path):
    stripped = strip_checkpoint(AVERAGED, "a.pth")
    assert stripped == {"meta": {"epoch": 2}, "state_dict": AVERAGED["state_dict"]}
    assert strip_checkpoint(AVERAGED["state_dict"], "a.pth") == {
        "meta": {},
        "state_dict": AVERAGED["state_dict"],
    }


def test_averaged_or_raw_weights_are_chosen():
    averaged = strip_checkpoint(AVERAGED, "a.pth", "averaged")["state_dict"]
    raw = strip_checkpoint(AVERAGED, "a.pth", "raw")["state_dict"]
    assert (averaged["w"], raw["w"]) == (torch.tensor([1.0]), torch.tensor([2.0]))
    assert raw["counter"] == 4
    plain = {"state_dict": {"w": torch.ones(1)}}
    for which in ("averaged", "raw"):
        with pytest.raises(CheckpointError, match="one kind of weights only"):
            strip_checkpoint(plain, "a.pth", which)


def test_the_hash_in_a_name_is_that_of_the_file(tmp_path):
    """`torch.hub` takes the digits of the name for the beginning of the file's SHA-256."""
    written = save_by_hash({"w": torch.ones(2)}, tmp_path / "net.pth")
    assert written.name.startswith("net-")
    again = save_by_hash({"w": torch.ones(2)}, tmp_path / "net.pth")
    assert again == written
    assert [path.name for path in tmp_path.iterdir()] == [written.name]
    loaded = torch.hub.load_state_dict_from_url(
        written.as_uri(), str(tmp_path / "hub"), check_hash=True, progress=False, weights_only=True
    )
    assert torch.equal(loaded["w"], torch.ones(2))
