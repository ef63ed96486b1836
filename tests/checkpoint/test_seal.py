"""A checkpoint knows its own digest: what is torn, cut or altered is found."""

from __future__ import annotations

import hashlib
import io
import os
import random

import pytest
import torch
import xxhash

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
    assert verdict.digest.startswith("xxh3 ")
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


def test_the_digest_is_of_all_before_it(path):
    content = path.read_bytes()
    name, digest = verify_file(path).digest.split()
    before = content[: -len(f"mainspring-{name}:{digest}") - 2] + b"\0\0"
    assert name == "xxh3"
    assert digest == xxhash.xxh3_128_hexdigest(before)


def test_files_sealed_with_sha256_are_verified(tmp_path):
    path = tmp_path / "x.pth"
    torch.save(STATE, path)
    content = path.read_bytes()
    comment = f"mainspring-sha256:{hashlib.sha256(content).hexdigest()}".encode()
    sealed = content[:-2] + len(comment).to_bytes(2, "little") + comment
    path.write_bytes(sealed)
    assert verify_file(path).is_valid
    assert verify_file(path).digest.startswith("sha256 ")
    path.write_bytes(sealed[:300] + bytes([sealed[300] ^ 1]) + sealed[301:])
    assert not verify_file(path).is_valid


def test_the_refusal_of_the_storage_is_kept():
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    writer = SealedWriter(Full())
    with pytest.raises(OSError, match="No space"):
        writer.write(bytes(30_000_000))
    assert isinstance(writer.refusal, OSError)
