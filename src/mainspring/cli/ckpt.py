"""`mainspring ckpt`: look at checkpoint files."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.errors import CheckpointError

__all__ = ["add_parser"]


def add_parser(verbs: Any) -> None:
    """Add the verb to the command."""
    parser = verbs.add_parser(
        "ckpt",
        help="list, describe and verify checkpoints",
        description="List, describe and verify checkpoints; nothing of a file is run.",
    )
    inner = parser.add_subparsers(title="what to do", metavar="WHAT", required=True)
    listing = inner.add_parser("ls", help="the checkpoints of a work directory")
    listing.add_argument("files", nargs=1, metavar="WORK_DIR")
    listing.set_defaults(run=_list)
    info = inner.add_parser("info", help="what a checkpoint holds")
    info.add_argument("files", nargs="+", metavar="FILE")
    info.set_defaults(run=_info)
    verify = inner.add_parser("verify", help="whether checkpoints are whole")
    verify.add_argument("files", nargs="+", metavar="FILE")
    verify.set_defaults(run=_verify)
    for each in (listing, info, verify):
        each.set_defaults(overrides=[])


def _list(options: argparse.Namespace) -> None:
    folder = Path(options.files[0])
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no directory {str(folder)!r}")
    paths = sorted(folder.glob("*.pth"), key=lambda path: path.stat().st_mtime_ns)
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
    from mainspring.checkpoint import verify_file

    size = f"{path.stat().st_size / 1e6:.1f}"
    verdict = verify_file(path)
    if not verdict.is_valid:
        return path.name, size, "", "", f"damaged: {verdict.reason}"
    meta = _read(path).get("meta") or {}
    return path.name, size, str(meta.get("epoch", "")), str(meta.get("iter", "")), "whole"


def _read(path: Path) -> Mapping[str, Any]:
    """The content of a file."""
    from mainspring.checkpoint import load_file

    content = load_file(path, map_location="cpu")
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a checkpoint")
    return content


def _info(options: argparse.Namespace) -> None:
    from mainspring.checkpoint import verify_file

    for name in options.files:
        path = Path(name)
        content = _read(path)
        verdict = verify_file(path)
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB, {verdict.reason}")
        for key, value in (content.get("meta") or {}).items():
            shown = "..." if key == "cfg" else value
            print(f"  meta.{key}: {shown}")
        for key, value in content.items():
            if key != "meta":
                print(f"  {key}: {_described(value)}")


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
