"""Weights in files of the safetensors format: https://huggingface.co/docs/safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from mainspring.errors import CheckpointError
from mainspring.replacing import replacing

__all__ = ["SUFFIX", "is_safetensors", "read_safetensors", "write_safetensors"]

SUFFIX = ".safetensors"
_FORMAT = {"format": "pt"}


def is_safetensors(path: str | Path) -> bool:
    """Whether a path or URI names a file of this format."""
    return str(path).endswith(SUFFIX)


def read_safetensors(file: str | Path | IO[bytes], map_location: Any = None) -> dict[str, Any]:
    """Read weights; a file of this format cannot run code.

    Args:
        file: Local path or binary stream.
        map_location: Device of the tensors; the CPU for ``None`` and functions.

    Returns:
        ``state_dict``, and as ``meta`` what the file says of itself.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: The file is damaged, or the package safetensors is missing.
    """
    library = _library()
    device = "cpu" if map_location is None or callable(map_location) else str(map_location)
    shown = file if isinstance(file, str | Path) else getattr(file, "name", "the stream")
    if isinstance(file, str | Path) and not Path(file).is_file():
        raise FileNotFoundError(f"checkpoint {str(file)!r} does not exist")
    try:
        if isinstance(file, str | Path):
            with library.safe_open(str(file), framework="pt", device=device) as opened:
                found = opened.metadata() or {}
                state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
        else:
            from safetensors.torch import load

            content = file.read()
            state = {name: tensor.to(device) for name, tensor in load(content).items()}
            header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
            found = header.get("__metadata__", {})
    except (library.SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{shown} is damaged or not of safetensors: {error}") from error
    return {"state_dict": state, "meta": _meta_of(found)}


def write_safetensors(
    state: Mapping[str, Any], path: str | Path, meta: Mapping[str, Any] | None = None
) -> None:
    """Write weights, whole or not at all.

    Tensors that share memory are written once for each name, so that every reader finds all names.
    Of `meta`, strings are kept as they are and other values as JSON; tuples come back as lists.

    Args:
        state: Tensors by name.
        path: Local path.
        meta: What the file says of itself; an entry ``format`` is left out, the format's own.

    Raises:
        CheckpointError: A value cannot be written in this format, or the package is missing.
        OSError: The storage refuses; the earlier file of that name, if any, is untouched.
    """
    library = _library()
    from safetensors.torch import save

    plain: dict[str, Tensor] = {}
    for name, value in state.items():
        if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized:
            kind = f"a {type(value).__name__}"
            if isinstance(value, Tensor):
                kind = "a quantized tensor" if value.is_quantized else f"a tensor of {value.layout}"
            raise CheckpointError(
                f"{name} cannot be written: {SUFFIX} files hold dense tensors only, not {kind}",
                help="write a .pth file instead",
            )
        # Memory that no other name shares.
        plain[name] = value.detach().to("cpu").contiguous().clone()
    texts = {
        # A string that reads as JSON is quoted, so that it comes back as a string.
        str(key): text
        if isinstance(text, str) and not _is_json(text)
        else json.dumps(text, default=_plain)
        for key, text in (meta or {}).items()
    }
    try:
        content = save(plain, metadata={**texts, **_FORMAT})
    except (library.SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be written in this format: {error}") from error
    with replacing(Path(path)) as file:
        file.write(content)


def _library() -> Any:
    try:
        import safetensors
    except ImportError as error:
        raise CheckpointError(
            f"{SUFFIX} files need the package safetensors, which is not installed",
            help="pip install safetensors",
        ) from error
    return safetensors


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _plain(value: Any) -> Any:
    """What JSON does not know: arrays as lists, others as they print."""
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _meta_of(found: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: json.loads(text) if _is_json(text) else text
        for name, text in sorted(found.items())
        if name not in _FORMAT
    }
