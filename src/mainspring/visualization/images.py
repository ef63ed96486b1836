"""Images as PNG files, without any imaging package."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.visualization.errors import VisualizationError

__all__ = ["write_png"]

_COLOR_TYPES = {1: 0, 3: 2, 4: 6}
_FILTER_UP = 2


def write_png(image: np.ndarray[Any, Any], path: str | Path) -> None:
    """Write an image as PNG (ISO/IEC 15948).

    Args:
        image: uint8 of shape (H, W) or (H, W, 1) in grey, (H, W, 3) in RGB, (H, W, 4) in RGBA.
        path: The file.

    Raises:
        VisualizationError: The array has another shape or type.
    """
    pixels = image[..., None] if image.ndim == 2 else image
    if image.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in _COLOR_TYPES:
        raise VisualizationError(
            f"an image has dtype {image.dtype} and shape {image.shape}",
            help="give uint8 of shape (H, W) or (H, W, 3)",
        )
    height, width, channels = pixels.shape
    lines = pixels.reshape(height, width * channels)
    # Each line is stored as its difference from the one above, which compresses far better.
    rows = np.empty((height, 1 + width * channels), dtype=np.uint8)
    rows[:, 0] = _FILTER_UP
    rows[0, 1:] = lines[0]
    rows[1:, 1:] = lines[1:] - lines[:-1]
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOR_TYPES[channels], 0, 0, 0)
    chunks = [
        _chunk(b"IHDR", header),
        _chunk(b"IDAT", zlib.compress(rows.tobytes(), level=1)),
        _chunk(b"IEND", b""),
    ]
    Path(path).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
