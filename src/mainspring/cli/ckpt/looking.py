"""`mainspring ckpt ls`, `info` and `verify`: what there is, what it holds, whether it is whole."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.errors import CheckpointError

__all__ = ["add_parsers"]

_LONGEST_VALUE = 100


def add_parsers(inner: Any) -> list[tuple[Any, Any]]:
    """Add the parsers; returns each with its function."""
    listing = inner.add_parser(
        "ls",
        help="the checkpoints of a work directory",
        description="List the checkpoints of a work directory, oldest first: whether each is "
        "whole, and which one resume=True takes.",
    )
    listing.add_argument("folder", metavar="WORK_DIR")
    info = inner.add_parser(
        "info",
        help="what a checkpoint holds",
        description="Print the meta information of checkpoints, and how much is in each part.",
    )
    info.add_argument("files", nargs="+", metavar="FILE")
    verify = inner.add_parser(
        "verify",
        help="whether checkpoints are whole",
        description="Compare checkpoints with their digest, or else with the checksums of their "
        "archive. The exit code is 1 if one is damaged.",
    )
    verify.add_argument("files", nargs="+", metavar="FILE")
    return [(listing, _list), (info, _info), (verify, _verify)]


def _list(options: argparse.Namespace) -> None:
    folder = Path(options.folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no directory {str(folder)!r}")
    files = [path for path in folder.glob("*.pth") if path.is_file()]
    paths = sorted(files, key=lambda path: path.stat().st_mtime_ns)
    if not paths:
        print(f"{folder}: no checkpoints")
        return
    rows = [("file", "MB", "epoch", "iteration", "state")]
    rows += [_row(path) for path in paths]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    from mainspring.checkpoint import find_resumable_checkpoint

    found = find_resumable_checkpoint(str(folder))
    print(f"resume=True takes {Path(found.path).name}" if found else "nothing to resume")


def _row(path: Path) -> tuple[str, str, str, str, str]:
    from mainspring.checkpoint import read_checkpoint, verify_file

    size = f"{path.stat().st_size / 1e6:.1f}"
    verdict = verify_file(path)
    if not verdict.is_valid:
        return path.name, size, "", "", f"damaged: {verdict.reason}"
    try:
        meta = _meta_of(read_checkpoint(path))
    except CheckpointError as error:
        return path.name, size, "", "", f"refused: {error.message.removeprefix(f'{path} ')}"
    return path.name, size, str(meta.get("epoch", "")), str(meta.get("iter", "")), "whole"


def _meta_of(content: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = content.get("meta")
    return meta if isinstance(meta, Mapping) else {}


def _info(options: argparse.Namespace) -> None:
    from torch import Tensor

    from mainspring.checkpoint import read_checkpoint, verify_file

    for name in options.files:
        path = Path(name)
        content = read_checkpoint(path)
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB, {verify_file(path).reason}")
        for key, value in _meta_of(content).items():
            print(f"  meta.{key}: {'...' if key == 'cfg' else _in_one_line(value)}")
        if all(isinstance(value, Tensor) for value in content.values()):
            content = {"state_dict": content}
        for key, value in content.items():
            if key != "meta":
                print(f"  {key}: {_described(value)}")


def _in_one_line(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _described(value: Any) -> str:
    import torch

    tensors: list[torch.Tensor] = []
    _collect(value, tensors)
    if tensors:
        count = sum(tensor.numel() for tensor in tensors)
        return f"{len(tensors)} tensors, {count:,} values"
    if isinstance(value, Mapping):
        return ", ".join(map(str, value)) or "empty"
    return f"{type(value).__name__} of {len(value)}" if hasattr(value, "__len__") else repr(value)


def _collect(value: Any, into: list[Any]) -> None:
    import torch

    if isinstance(value, torch.Tensor):
        into.append(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            _collect(item, into)
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, into)


def _verify(options: argparse.Namespace) -> None:
    from mainspring.checkpoint import verify_file

    damaged = 0
    for name in options.files:
        verdict = verify_file(name)
        damaged += not verdict.is_valid
        digest = f"  sha256 {verdict.digest}" if verdict.is_valid and verdict.digest else ""
        print(f"{'ok     ' if verdict.is_valid else 'DAMAGED'}  {name}: {verdict.reason}{digest}")
    if damaged:
        raise SystemExit(1)
