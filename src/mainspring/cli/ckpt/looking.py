"""`mainspring ckpt ls`, `info` and `verify`: what there is, what it holds, whether it is whole."""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.cli.common import add_format_option, tell
from mainspring.columns import as_bytes, as_number, in_columns
from mainspring.comparison import in_short
from mainspring.errors import CheckpointError
from mainspring.json_text import json_text
from mainspring.logging.run_record import read_record, record_files
from mainspring.logging.scalar_lines import ScalarLine, scalar_files

__all__ = ["add_parsers"]

_LONGEST_VALUE = 103
_NUMBERS = (int, float, type(None))


def add_parsers(inner: Any) -> list[tuple[Any, Any]]:
    """Add the parsers; returns each with its function."""
    listing = inner.add_parser(
        "ls",
        help="the checkpoints of a work directory",
        description="List the checkpoints of a work directory, oldest first: the metric that a "
        "validation gave there, whether each is whole, and which one resume=True takes.",
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
    verify.add_argument("files", nargs="+", metavar="FILE", help="or WORK_DIR: all in it")
    for parser in (listing, info, verify):
        add_format_option(parser)
    return [(listing, _list), (info, _info), (verify, _verify)]


def _list(options: argparse.Namespace) -> None:
    folder = Path(options.folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no directory {str(folder)!r}")
    paths = _checkpoints_in(folder)
    metrics = _metrics_by_step(folder)
    rows = [_row(path, metrics) for path in paths]
    heads = ("file", "MB", "date", "epoch", "iteration", "metric", "state")
    best = [read_record(file).get("best") for file in record_files(folder)]
    watched = next((item["metric"] for item in reversed(best) if item), None)
    cells = [[_cell(row[name], watched) for name in _COLUMNS] for row in rows]
    lines = in_columns([heads, *cells], [1]) if rows else [f"{folder}: no checkpoints"]
    tell(options, rows, "\n".join(lines))
    if rows and options.format == "text":
        from mainspring.checkpoint import find_resumable_checkpoint

        found = find_resumable_checkpoint(str(folder))
        print(f"resume=True takes {Path(found.path).name}" if found else "nothing to resume")


def _checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoint files of a work directory, oldest first."""
    files = [path for path in folder.glob("*.pth") if path.is_file()]
    return sorted(files, key=lambda path: path.stat().st_mtime_ns)


def _row(path: Path, metrics: Mapping[int, Mapping[str, float]]) -> dict[str, Any]:
    """What is known of a checkpoint, by column."""
    from mainspring.checkpoint import read_checkpoint, verify_file

    found = path.stat()
    date = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.st_mtime))
    row: dict[str, Any] = dict.fromkeys(_COLUMNS)
    row |= {"file": path.name, "megabytes": found.st_size / 1e6, "date": date}
    verdict = verify_file(path)
    if not verdict.is_valid:
        return {**row, "state": f"damaged: {verdict.reason}"}
    try:
        meta = _meta_of(read_checkpoint(path))
    except CheckpointError as error:
        return {**row, "state": f"refused: {error.message.removeprefix(f'{path} ')}"}
    epoch, iteration = meta.get("epoch"), meta.get("iter")
    measured = metrics.get(epoch or 0) or metrics.get(iteration or 0)
    return {**row, "epoch": epoch, "iter": iteration, "metrics": measured, "state": "whole"}


_COLUMNS = ("file", "megabytes", "date", "epoch", "iter", "metrics", "state")


def _cell(value: Any, watched: str | None) -> str:
    """A value in a table; of several metrics, the one that the run watched, or the first."""
    if isinstance(value, float):
        return as_number(value)
    if isinstance(value, Mapping):
        name = watched if watched in value else next(iter(value), None)
        return "" if name is None else f"{name} {as_number(value[name])}"
    return "" if value is None else str(value)


def _metrics_by_step(folder: Path) -> dict[int, dict[str, float]]:
    """What validations gave, by epoch, or by iteration where these are counted."""
    steps: dict[int, dict[str, float]] = {}
    for file in scalar_files(folder):
        for text in file.read_bytes().splitlines():
            line = ScalarLine.parse(text)
            if line is not None and line.kind == "val" and line.step is not None:
                steps[line.step] = line.numbers
    return steps


def _meta_of(content: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = content.get("meta")
    return meta if isinstance(meta, Mapping) else {}


def _info(options: argparse.Namespace) -> None:
    unread = 0
    found: list[dict[str, Any]] = []
    for path in map(Path, options.files):
        try:
            found.append(_info_of(path))
        except (CheckpointError, OSError) as error:
            if len(options.files) == 1:
                raise
            unread += 1
            found.append({"file": str(path), "error": str(getattr(error, "message", error))})
        if options.format == "text":
            print("\n".join(_info_lines(found[-1])))
    if options.format == "json":
        print(json_text(found, indent=2))
    if unread:
        raise SystemExit(2)


def _info_of(path: Path) -> dict[str, Any]:
    from torch import Tensor

    from mainspring.checkpoint import read_checkpoint, verify_file

    content = read_checkpoint(path)
    meta = {str(key): value for key, value in _meta_of(content).items()}
    for key, value in meta.items():
        if not isinstance(value, _NUMBERS):
            text = "..." if key == "cfg" else " ".join(str(value).split())
            meta[key] = in_short(text, _LONGEST_VALUE)
    if all(isinstance(value, Tensor) for value in content.values()):
        content = {"state_dict": content}
    parts = {str(key): _described(value) for key, value in content.items() if key != "meta"}
    size = path.stat().st_size / 1e6
    state = verify_file(path).reason
    return {"file": str(path), "megabytes": size, "state": state, "meta": meta, "parts": parts}


def _info_lines(found: Mapping[str, Any]) -> list[str]:
    if "error" in found:
        return [found["error"]]
    named = {f"meta.{key}": value for key, value in found["meta"].items()} | found["parts"]
    head = f"{found['file']}  {as_bytes(found['megabytes'] * 1e6)}, {found['state']}"
    return [head, *(f"  {key}: {value}" for key, value in named.items())]


def _described(value: Any) -> Any:
    from mainspring.structures.nested import tensors_in

    if tensors := list(tensors_in(value)):
        count = sum(tensor.numel() for tensor in tensors)
        return f"{len(tensors)} tensors, {count:,} values"
    if isinstance(value, _NUMBERS):
        return value
    if isinstance(value, Mapping):
        return ", ".join(map(str, value)) or "empty"
    return f"{type(value).__name__} of {len(value)}" if hasattr(value, "__len__") else repr(value)


def _verify(options: argparse.Namespace) -> None:
    from mainspring.checkpoint import verify_file

    is_text = options.format == "text"
    names: list[Path] = []
    for path in map(Path, options.files):
        found = _checkpoints_in(path) if path.is_dir() else [path]
        names += found
        if not found and is_text:
            print(f"{path}: no checkpoints")
    verdicts = []
    for name in names:
        verdict = verify_file(name)
        verdicts.append({"file": str(name), **dataclasses.asdict(verdict)})
        digest = f"  {verdict.digest}" if verdict.is_valid and verdict.digest else ""
        state = "ok     " if verdict.is_valid else "DAMAGED"
        if is_text:
            print(f"{state}  {name}: {verdict.reason}{digest}")
    if not is_text:
        print(json_text(verdicts, indent=2))
    if not all(verdict["is_valid"] for verdict in verdicts):
        raise SystemExit(1)
