"""`mainspring ckpt average`, `strip`, `export` and `import-mmengine`: other files out of files."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mainspring.cli.common import add_format_option, telling_result
from mainspring.columns import as_bytes
from mainspring.errors import CheckpointError

__all__ = ["add_parsers"]


def add_parsers(inner: Any) -> list[tuple[Any, Any]]:
    """Add the parsers; returns each with its function."""
    made = []

    def making(name: str, short: str, long: str, function: Any) -> Callable[..., Any]:
        parser: argparse.ArgumentParser = inner.add_parser(name, help=short, description=long)
        parser.add_argument("-o", "--out", required=True, metavar="OUT", help="file to write")
        parser.add_argument("--force", action="store_true", help="replace OUT if it exists")
        add_format_option(parser)
        made.append((parser, functools.partial(_make, function)))
        return parser.add_argument

    of_run = "which weights of a run that averages them (default: averaged)"
    long = "Average the weights of checkpoints of one architecture (model soups, arXiv:2203.05482)."
    add = making("average", "the mean of several checkpoints' weights", long, _average)
    add("files", nargs="+", metavar="FILE", help="or WORK_DIR, with --last")
    newest = "the N newest whole checkpoints of a work directory"
    add("--last", type=int, metavar="N", help=newest)
    each = "how much each counts (default: same)"
    add("--weights", type=float, nargs="+", metavar="W", help=each)

    long = (
        "Write a checkpoint without what only training needs, such as the state of the optimizer."
    )
    add = making("strip", "weights and meta information only, for publishing", long, _strip)
    add("file", metavar="FILE")
    digits = "end the name in the first digits of its SHA-256, as torch.hub expects"
    add("--hash-name", action="store_true", help=digits)
    add("--ema", choices=["averaged", "raw"], help=of_run)

    long = "Write weights alone: as safetensors, or as a plain state dict (.pth)."
    add = making("export", "weights for other programs", long, _export)
    add("file", metavar="FILE")
    add("--dtype", choices=["fp32", "fp16", "bf16"], help="type of the numbers")
    add("--prefix", default="", help="take only weights below it, and cut it off: backbone.")
    add("--ema", choices=["averaged", "raw"], help=of_run)

    short = "a checkpoint of MMEngine or MMCV 1.x as one of mainspring"
    long = "Make a checkpoint of MMEngine 0.x or MMCV 1.x into one of plain types that resumes "
    add = making("import-mmengine", short, f"{long}here, and say what it lacks.", _import)
    add("file", metavar="FILE")
    risk = "let the file run code while it is read: only for files that you made yourself"
    add("--trust", action="store_true", help=risk)
    return made


def _make(
    function: Callable[[argparse.Namespace], dict[str, Any]], options: argparse.Namespace
) -> None:
    with telling_result(options) as told:
        told.append(function(options))


def _average(options: argparse.Namespace) -> dict[str, Any]:
    from mainspring.checkpoint import average_checkpoints, last_checkpoints, save_checkpoint

    out = _target(options)
    paths = [Path(name) for name in options.files]
    try:
        if options.last is not None:
            if len(paths) != 1 or not paths[0].is_dir():
                raise CheckpointError(
                    f"--last takes one work directory, not {' '.join(map(str, paths))}",
                    help="mainspring ckpt average --last 5 WORK_DIR -o OUT",
                )
            paths = last_checkpoints(paths[0], options.last)
        averaged = average_checkpoints(paths, options.weights)
    except ValueError as error:
        raise CheckpointError(str(error)) from None
    save_checkpoint(averaged, out)
    print(f"{out}: the average of {', '.join(path.name for path in paths)}")
    if any(name.endswith("running_mean") for name in averaged["state_dict"]):
        print(
            "it has running statistics of normalization, averaged too: torch.optim.swa_utils."
            "update_bn takes them anew over training data"
        )
    return {"file": str(out), "averaged": list(map(str, paths))}


def _strip(options: argparse.Namespace) -> dict[str, Any]:
    from mainspring.checkpoint import read_checkpoint, save_checkpoint
    from mainspring.checkpoint.strip import save_by_hash, strip_checkpoint

    out = _target(options)
    checkpoint = read_checkpoint(options.file)
    stripped = strip_checkpoint(checkpoint, options.file, options.ema)
    if options.hash_name:
        out = save_by_hash(stripped, out)
    else:
        save_checkpoint(stripped, out)
    dropped = [str(key) for key in checkpoint if key not in stripped]
    if "state_dict" not in checkpoint:
        dropped = []
    print(f"{out}  {_size_of(out)}, without {', '.join(dropped) or 'leaving anything out'}")
    return {"file": str(out), "dropped": dropped}


def _export(options: argparse.Namespace) -> dict[str, Any]:
    from torch import Tensor

    from mainspring.checkpoint import (
        export_weights,
        read_checkpoint,
        save_checkpoint,
        write_safetensors,
    )
    from mainspring.checkpoint.export import DTYPES
    from mainspring.checkpoint.safetensors_files import SUFFIX, is_safetensors
    from mainspring.checkpoint.strip import strip_checkpoint

    out = _target(options, SUFFIX, ".pth")
    stripped = strip_checkpoint(read_checkpoint(options.file), options.file, options.ema)
    dtype = DTYPES[options.dtype] if options.dtype else None
    state = export_weights(stripped["state_dict"], prefix=options.prefix, dtype=dtype)
    others = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if is_safetensors(out):
        tensors = {name: value for name, value in state.items() if name not in others}
        write_safetensors(tensors, out, stripped["meta"])
        for name in others:
            print(f"{name} is left out: it is a {type(state[name]).__name__}, not a tensor")
    else:
        save_checkpoint(state, out)
    count = sum(value.numel() for value in state.values() if isinstance(value, Tensor))
    print(f"{out}  {_size_of(out)}, {len(state) - len(others)} tensors, {count:,} values")
    return {"file": str(out), "tensors": len(state) - len(others), "values": count, "left": others}


def _import(options: argparse.Namespace) -> dict[str, Any]:
    from mainspring.checkpoint import import_mmengine, read_checkpoint, save_checkpoint

    out = _target(options)
    checkpoint = read_checkpoint(options.file, trust=options.trust)
    imported, notes = import_mmengine(checkpoint, options.file)
    save_checkpoint(imported, out)
    meta = imported["meta"]
    place = f": epoch {meta.get('epoch')}, iteration {meta['iter']}" if "iter" in meta else ""
    print(f"{out}  {_size_of(out)}{place}")
    for note in notes:
        print(note)
    place_in_run = {name: meta[name] for name in ("epoch", "iter") if name in meta}
    return {"file": str(out), **place_in_run, "notes": notes}


def _target(options: argparse.Namespace, *suffixes: str) -> Path:
    """The file to write.

    Raises:
        CheckpointError: It exists, is a directory, or of an unknown kind.
    """
    out = Path(options.out)
    if out.is_dir():
        raise CheckpointError(f"{out} is a directory", help="give the name of a file with -o")
    if suffixes and out.suffix not in suffixes:
        raise CheckpointError(
            f"{out} is of no known kind", help=f"end the name in {' or '.join(suffixes)}"
        )
    if not suffixes and out.suffix == ".safetensors":
        raise CheckpointError(
            f"{out} would be no file of safetensors",
            help="mainspring ckpt export FILE -o OUT.safetensors writes one",
        )
    is_final = not getattr(options, "hash_name", False)
    if is_final and out.exists() and not options.force:
        raise CheckpointError(f"{out} exists already", help="--force replaces it")
    return out


def _size_of(path: Path) -> str:
    return as_bytes(path.stat().st_size)
