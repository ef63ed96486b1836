"""A checkpoint knows its own digest: what is torn, cut or altered is found."""

from __future__ import annotations

import hashlib
import io
import os
import random
import threading

import pytest
import torch

from mainspring.checkpoint import save_checkpoint
from mainspring.checkpoint.seal import SealedWriter, verify_file

STATE = {"state_dict": {"w": torch.arange(3000.0), "b": torch.zeros(7)}, "meta": {"iter": 3}}


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "epoch_1.pth"
    save_checkpoint(STATE, file)
    return file


def test_a_whole_file_is_valid_and_torch_reads_it(path):
    verdict = verify_file(path)
    assert verdict.is_valid
    assert len(verdict.digest) == 64
    for options in ({}, {"mmap": True}):
        loaded = torch.load(path, weights_only=True, **options)
        assert torch.equal(loaded["state_dict"]["w"], STATE["state_dict"]["w"])


def test_every_flipped_bit_is_found(path):
    content = path.read_bytes()
    places = random.Random(0)
    edges = [*range(30), *range(len(content) - 110, len(content))]
    for offset in [*edges, *(places.randrange(len(content)) for _ in range(150))]:
        damaged = bytearray(content)
        damaged[offset] ^= 1 << places.randrange(8)
        path.write_bytes(damaged)
        assert not verify_file(path).is_valid, offset


def test_every_truncation_is_found(path):
    content = path.read_bytes()
    cuts = random.Random(0)
    for size in [
        0,
        1,
        21,
        22,
        len(content) - 1,
        *(cuts.randrange(len(content)) for _ in range(60)),
    ]:
        path.write_bytes(content[:size])
        assert not verify_file(path).is_valid, size


def test_what_is_appended_is_found(path):
    path.write_bytes(path.read_bytes() + b"x")
    assert not verify_file(path).is_valid


def test_files_of_others_are_judged_by_their_checksums(tmp_path):
    path = tmp_path / "foreign.pth"
    torch.save(STATE, path)
    assert verify_file(path).is_valid
    content = bytearray(path.read_bytes())
    at = content.find(STATE["state_dict"]["w"].numpy().tobytes()[:64])
    content[at + 100] ^= 1
    path.write_bytes(content)
    assert not verify_file(path).is_valid


def test_the_older_format_of_torch_cannot_be_judged(tmp_path):
    path = tmp_path / "old.pth"
    torch.save(STATE, path, _use_new_zipfile_serialization=False)
    assert verify_file(path).is_valid
    assert "no checksums" in verify_file(path).reason


@pytest.mark.parametrize("content", [b"", b"text", os.urandom(4000)])
def test_what_is_no_checkpoint(tmp_path, content):
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    assert not verify_file(path).is_valid


def test_a_missing_file(tmp_path):
    verdict = verify_file(tmp_path / "none.pth")
    assert not verdict.is_valid
    assert "cannot be read" in verdict.reason


def test_only_archives_are_sealed():
    writer = SealedWriter(io.BytesIO())
    writer.write(b"x" * 40)
    with pytest.raises(ValueError, match="zip"):
        writer.seal()


@pytest.mark.parametrize("size", [10, (1 << 20) - 1, 1 << 20, 5_000_000])
def test_pieces_of_any_size_are_in_the_digest_in_order(size, tmp_path):
    pieces = [os.urandom(size), b"between", os.urandom(size)]
    with open(tmp_path / "file", "w+b") as file:
        writer = SealedWriter(file)
        for piece in pieces:
            writer.write(memoryview(piece))
    assert writer._hash.hexdigest() == hashlib.sha256(b"".join(pieces)).hexdigest()
    assert (tmp_path / "file").read_bytes() == b"".join(pieces)


def test_without_further_threads_it_is_hashed_all_the_same(tmp_path, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    data = os.urandom(3_000_000)
    with open(tmp_path / "file", "w+b") as file:
        writer = SealedWriter(file)
        writer.write(data)
    assert writer._hash.hexdigest() == hashlib.sha256(data).hexdigest()


def test_a_refused_piece_is_given_back_only_when_it_is_hashed():
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    writer = SealedWriter(Full())
    with pytest.raises(OSError, match="No space"):
        writer.write(bytes(30_000_000))
    assert "digest" not in [thread.name for thread in threading.enumerate()]
    assert isinstance(writer.refusal, OSError)
