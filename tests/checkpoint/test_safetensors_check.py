"""Files of the safetensors format are judged by their header; the library's own are the reference."""

from __future__ import annotations

import json

import pytest
import torch

from mainspring.checkpoint import find_resumable_checkpoint, require_whole, verify_file

safetensors_torch = pytest.importorskip("safetensors.torch")

TENSORS = {
    "a": torch.arange(6.0).reshape(2, 3),
    "b": torch.tensor([True, False, True]),
    "c": torch.zeros(0, 4),
    "d": torch.tensor(3, dtype=torch.int64),
    "e": torch.ones(5, dtype=torch.bfloat16),
}


@pytest.fixture(params=["net.safetensors", "net.pth"])
def path(tmp_path, request):
    """A whole file, by its name and by its content alone."""
    file = tmp_path / request.param
    safetensors_torch.save_file(TENSORS, file, {"format": "pt"})
    return file


def test_a_whole_file(path):
    verdict = verify_file(path)
    assert verdict.is_valid
    assert verdict.reason == "its sizes are right; the format has no checksums"
    require_whole(str(path))
    assert find_resumable_checkpoint(str(path.parent)) is None


def test_one_without_tensors(tmp_path):
    safetensors_torch.save_file({}, tmp_path / "empty.safetensors")
    assert verify_file(tmp_path / "empty.safetensors").is_valid


def test_one_that_is_cut_off_at_any_place(path):
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert not verify_file(path).is_valid, length


def test_one_that_is_too_long(path):
    path.write_bytes(path.read_bytes() + b"\0")
    assert "its header describes" in verify_file(path).reason


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header["a"].update(shape=[2, 4]),
        lambda header: header["a"].update(dtype="F64"),
        lambda header: header["a"].update(data_offsets=[0, 3]),
        lambda header: header["a"].pop("shape"),
        lambda header: header.pop("b"),
        lambda header: header.update(f=3),
    ],
)
def test_a_header_that_does_not_fit(path, change):
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header)
    changed = json.dumps(header).encode()
    path.write_bytes(len(changed).to_bytes(8, "little") + changed + content[8 + length :])
    assert not verify_file(path).is_valid
