"""Digests of tensors that differ whenever a bit does, computed where the tensors are."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

__all__ = ["bit_digests"]

_ROW = 512
"""Words of 8 bytes in a row; tensors are filled up with zeros to whole rows."""

_ROWS_AT_ONCE = {"cpu": 64, "cuda": 8192}
"""Rows of one pass: what stays in a core's cache, or 32 MB of temporary memory on a GPU."""

_LOW_HALF = 0xFFFFFFFF


@torch.no_grad()
def bit_digests(tensors: Sequence[Tensor]) -> list[str]:
    """Digests of 64 bits of shape, type and bits of tensors; NaN payloads and ``-0.0`` count.

    Rows of 4 KB are hashed on the device by integer arithmetic modulo 2**64, which is exact in
    whatever order it is summed up, so that equal bits give equal digests on every device. Only 16
    bytes a row are copied to the host, all at once, and hashed there with BLAKE2b.

    A change within 8 bytes of a row is always seen. For others, both sums of a row stay as they
    were with a probability of at most 2**-64.

    Args:
        tensors: Tensors of any type, shape, layout and device; of a distributed tensor, the shard
            of this process.

    Returns:
        16 hexadecimal digits for each.
    """
    plain = [_plain(tensor) for tensor in tensors]
    by_device: dict[torch.device, list[int]] = {}
    for index, tensor in enumerate(plain):
        by_device.setdefault(tensor.device, []).append(index)
    digests = [""] * len(plain)
    for device, indices in by_device.items():
        parts = [_rows(plain[index]) for index in indices]
        hashes = _hash_rows([rows for rows_of_one in parts for rows in rows_of_one], device)
        begin = 0
        for index, rows_of_one in zip(indices, parts, strict=True):
            end = begin + sum(len(rows) for rows in rows_of_one)
            digests[index] = _digest(tensors[index], hashes[begin:end])
            begin = end
    return digests


def _plain(tensor: Tensor) -> Tensor:
    """The values as an ordinary contiguous tensor of one dimension."""
    to_local = getattr(tensor, "to_local", None)
    if to_local is not None:
        tensor = to_local()
    tensor = tensor.detach()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_quantized:
        tensor = tensor.int_repr()
    if tensor.device.type not in _ROWS_AT_ONCE:
        tensor = tensor.to("cpu") if tensor.device.type != "meta" else torch.empty(0)
    return tensor.resolve_conj().resolve_neg().reshape(-1)


def _rows(tensor: Tensor) -> list[Tensor]:
    """The bytes of a tensor as rows of words: whole rows without a copy, and a filled last one."""
    data = tensor.view(torch.uint8)
    whole = data.numel() // (8 * _ROW) * (8 * _ROW)
    found = []
    if whole:
        begin = data[:whole]
        if begin.data_ptr() % 8 or begin.storage_offset() % 8:
            begin = begin.clone()
        found.append(begin.view(torch.int64).view(-1, _ROW))
    if whole < data.numel():
        rest = torch.nn.functional.pad(data[whole:], (0, 8 * _ROW - (data.numel() - whole)))
        found.append(rest.view(torch.int64).view(1, _ROW))
    return found


def _hash_rows(parts: Iterable[Tensor], device: torch.device) -> np.ndarray:
    """Two sums for each row, as an array of shape (rows, 2) on the host."""
    limit = _ROWS_AT_ONCE[device.type]
    found: list[Tensor] = []
    waiting: list[Tensor] = []
    count = 0
    for part in parts:
        for piece in torch.split(part, limit):
            if count + len(piece) > limit:
                found.append(_sums(waiting))
                waiting, count = [], 0
            waiting.append(piece)
            count += len(piece)
    if waiting:
        found.append(_sums(waiting))
    if not found:
        return np.empty((0, 2), np.int64)
    hashes: np.ndarray = torch.cat(found).cpu().numpy()
    return hashes


def _sums(pieces: list[Tensor]) -> Tensor:
    words = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
    # A change of high bits alone would change a product in few bits; it shall change low ones too.
    words = (words >> 32).bitwise_and_(_LOW_HALF).bitwise_xor_(words)
    first, second = _keys(words.device)
    return torch.stack([(words * first).sum(1), (words * second).sum(1)], 1)


@functools.lru_cache(maxsize=64)
def _keys(device: torch.device) -> tuple[Tensor, Tensor]:
    """Two odd factors for each place in a row; the same ones in every run."""
    data = hashlib.shake_256(b"mainspring bit digest").digest(2 * 8 * _ROW)
    keys = torch.from_numpy(np.frombuffer(data, "<i8").astype(np.int64) | 1).to(device)
    return keys[:_ROW], keys[_ROW:]


def _digest(tensor: Tensor, hashes: np.ndarray) -> str:
    described = f"{tensor.dtype} {tuple(tensor.shape)}\0".encode()
    return hashlib.blake2b(described + hashes.tobytes(), digest_size=8).hexdigest()
