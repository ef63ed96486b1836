"""Whether a file of the safetensors format is whole, as far as its header tells."""

from __future__ import annotations

import json
import math
from typing import IO, Any

__all__ = ["looks_like_safetensors", "what_is_wrong"]

_LENGTH_SIZE = 8
_LARGEST_HEADER = 100_000_000
_BITS = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8,
    "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}  # fmt: skip


def looks_like_safetensors(file: IO[bytes], size: int) -> bool:
    """Whether a file begins like one of this format: a length, then a JSON object of that length.

    Args:
        file: Open for reading bytes.
        size: Its size in bytes.
    """
    file.seek(0)
    start = file.read(_LENGTH_SIZE + 1)
    length = int.from_bytes(start[:_LENGTH_SIZE], "little")
    return size > _LENGTH_SIZE and start[_LENGTH_SIZE:] == b"{" and length <= _LARGEST_HEADER


def what_is_wrong(file: IO[bytes], size: int) -> str | None:
    """What is damaged; ``None`` when the header can be read and fits the size of the file.

    The format has no checksums, so values that changed are not noticed.

    Args:
        file: Open for reading bytes.
        size: Its size in bytes.
    """
    file.seek(0)
    length = int.from_bytes(file.read(_LENGTH_SIZE), "little")
    if length > size - _LENGTH_SIZE or length > _LARGEST_HEADER:
        return "its header is cut off or damaged"
    try:
        header = json.loads(file.read(length))
        ends = sorted(
            _extent(name, entry) for name, entry in header.items() if name != "__metadata__"
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return f"its header is damaged: {type(error).__name__}: {error}"
    position = 0
    for begin, end, name in ends:
        if begin != position:
            return f"its header is damaged: {name} begins at {begin}, not at {position}"
        position = end
    present = size - _LENGTH_SIZE - length
    if position != present:
        return f"it holds {present} bytes of tensors, and its header describes {position}"
    return None


def _extent(name: str, entry: Any) -> tuple[int, int, str]:
    """Where a tensor begins and ends.

    Raises:
        ValueError: Its size does not fit its type and shape.
        KeyError: Something is missing.
    """
    begin, end = entry["data_offsets"]
    bits = _BITS.get(entry["dtype"])
    if bits is not None and math.prod(entry["shape"]) * bits != (end - begin) * 8:
        raise ValueError(f"the size of {name} does not fit its shape")
    return begin, end, name
