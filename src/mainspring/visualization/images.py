"""Images as PNG files without any imaging package, and images of normalised tensors."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from mainspring.errors import ArgumentValueError, VisualizationError

__all__ = ["png_bytes", "tensor2imgs", "write_png"]

_COLOR_TYPES = {1: 0, 3: 2, 4: 6}
_FILTER_UP = 2


def write_png(image: np.ndarray[Any, Any], path: str | Path) -> None:
    """Write an image as a PNG file.

    Args:
        image: See `png_bytes`.
        path: The file.

    Raises:
        VisualizationError: The array has another shape or type.
    """
    Path(path).write_bytes(png_bytes(image))


def png_bytes(image: np.ndarray[Any, Any]) -> bytes:
    """An image as PNG (ISO/IEC 15948).

    Args:
        image: uint8 of shape (H, W) or (H, W, 1) in grey, (H, W, 3) in RGB, (H, W, 4) in RGBA.

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
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tensor2imgs(
    tensor: Tensor,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    to_bgr: bool = True,
) -> list[np.ndarray[Any, Any]]:
    """Undo the normalisation of a batch of images.

    Args:
        tensor: Images of shape (N, C, H, W), where C is 3 (in the order RGB) or 1.
        mean: Mean of each channel, 0 by default.
        std: Standard deviation of each channel, 1 by default.
        to_bgr: Whether to return the channels in the order BGR; must be false for one channel.

    Returns:
        N arrays of shape (H, W, C) in the tensor's type.
    """
    if tensor.ndim != 4 or tensor.size(1) not in (1, 3):
        shape = tuple(tensor.shape)
        raise ArgumentValueError(f"images have the shape (N, 3 or 1, H, W), but this is {shape}")
    channels = tensor.size(1)
    mean = (0.0,) * channels if mean is None else mean
    std = (1.0,) * channels if std is None else std
    if not len(mean) == len(std) == channels:
        raise ArgumentValueError(f"mean {mean} and std {std} must have {channels} values each")
    if channels == 1 and to_bgr:
        raise ArgumentValueError("images of one channel cannot become BGR: pass to_bgr=False")
    images = tensor.permute(0, 2, 3, 1) * tensor.new_tensor(std) + tensor.new_tensor(mean)
    if to_bgr:
        images = images.flip(-1)
    return [np.ascontiguousarray(image) for image in images.detach().cpu().numpy()]
