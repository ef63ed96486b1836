"""Files from the network, kept in torch's cache."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch

__all__ = ["download_url", "load_url"]


def download_url(
    url: str,
    model_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
) -> Path:
    """Download a file unless the cache has it.

    Args:
        url: Address of the file.
        model_dir: Directory of the cache; ``checkpoints`` in torch's hub directory by default.
        progress: Whether to show a progress bar.
        check_hash: Whether the file's name ends in ``-<first digits of its SHA-256>``, to be
            compared with the content.
        file_name: Name in the cache; by default that in the address.

    Returns:
        Path of the file in the cache.
    """
    from torch.hub import HASH_REGEX, download_url_to_file, get_dir

    directory = Path(get_dir()) / "checkpoints" if model_dir is None else Path(model_dir)
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / (file_name or os.path.basename(urlparse(url).path))
    if not target.exists():
        match = HASH_REGEX.search(target.name) if check_hash else None
        download_url_to_file(url, str(target), match.group(1) if match else None, progress)
    return target


def load_url(
    url: str,
    model_dir: str | os.PathLike[str] | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
) -> Any:
    """Load tensors and plain values from a file in the network, through the cache.

    The file cannot run code: it is read with ``weights_only=True``.

    Args:
        url: Address of the file.
        model_dir: Directory of the cache; ``checkpoints`` in torch's hub directory by default.
        map_location: Where the tensors go, as in `torch.load`.
        progress: Whether to show a progress bar.
        check_hash: As in `download_url`.
        file_name: As in `download_url`.
    """
    file = download_url(url, model_dir, progress, check_hash, file_name)
    return torch.load(file, map_location=map_location, weights_only=True)
