"""The mean of several checkpoints' weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mainspring.checkpoint import contents
from mainspring.checkpoint.latest import _newest_first
from mainspring.checkpoint.seal import verify_file
from mainspring.errors import CheckpointError
from mainspring.logging import warn

__all__ = ["average_checkpoints", "last_checkpoints"]


def average_checkpoints(
    paths: Sequence[str | Path], weights: Sequence[float] | None = None
) -> dict[str, Any]:
    """Average the weights of models with the same architecture.

    Model soups, Wortsman et al. 2022, https://arxiv.org/abs/2203.05482. One file is in memory at a
    time; sums are taken in float64, those of types of 16 bits and less in float32. Whole numbers,
    such as BatchNorm's counters, and what is no tensor are taken from the last file.

    Args:
        paths: The files, at least one.
        weights: How much each counts, in any scale; all the same by default.

    Returns:
        A checkpoint: the averaged ``state_dict`` and the last file's ``meta``, with what was
        averaged under ``averaged_from``.

    Raises:
        CheckpointError: A file cannot be read, or names or shapes differ from those of the first.
        ValueError: There is no file, or `weights` do not fit them.
    """
    shares = _shares(paths, weights)
    sums: dict[str, Tensor] = {}
    kinds: dict[str, torch.dtype] = {}
    last: Mapping[str, Any] = {}
    state: Mapping[str, Any] = {}
    for path, share in zip(paths, shares, strict=True):
        previous, last = state, contents.read_checkpoint(path)
        state = contents.weights_of(last, path)
        if previous:
            _require_same(previous, state, paths[0], path)
        for name, value in state.items():
            if _is_averaged(value):
                kind = kinds.setdefault(name, value.dtype)
                real = torch.float64 if kind.itemsize > 2 else torch.float32
                wide = value.detach().to(torch.complex128 if kind.is_complex else real)
                sums[name] = sums[name].add_(wide, alpha=share) if name in sums else wide * share
    whole = math.fsum(shares)
    means = (
        (name, sums.pop(name).div_(whole).to(kinds[name]) if name in sums else value)
        for name, value in state.items()
    )
    averaged = contents.weights_like(state, means)
    meta = contents.meta_of(last)
    names = [Path(path).name for path in paths]
    origin = {"files": names, "weights": list(shares)}
    return {"meta": {**meta, "averaged_from": origin}, "state_dict": averaged}


def last_checkpoints(work_dir: str | Path, count: int) -> list[Path]:
    """The newest whole checkpoints of a run, oldest first; damaged ones are named in warnings.

    Args:
        work_dir: Work directory of the run.
        count: How many.

    Raises:
        CheckpointError: There are fewer.
        ValueError: `count` is not positive.
    """
    if count < 1:
        raise ValueError(f"the number of checkpoints is {count}, which is not positive")
    found: list[Path] = []
    for path in _newest_first(str(work_dir), first=None):
        verdict = verify_file(path)
        if verdict.is_valid:
            found.append(path)
        else:
            warn(f"{path} is not used: {verdict.reason}")
        if len(found) == count:
            return found[::-1]
    raise CheckpointError(
        f"{work_dir} has {len(found)} whole checkpoints, not {count}",
        help="those are counted that are named by epoch or iteration, such as epoch_12.pth",
    )


def _shares(paths: Sequence[str | Path], weights: Sequence[float] | None) -> Sequence[float]:
    if not paths:
        raise ValueError("there are no checkpoints to average")
    if weights is None:
        return [1.0] * len(paths)
    if len(weights) != len(paths):
        raise ValueError(f"{len(weights)} weights are given for {len(paths)} checkpoints")
    if any(not math.isfinite(weight) or weight < 0 for weight in weights) or not sum(weights):
        raise ValueError(f"weights are positive numbers, not {list(weights)}")
    return weights


def _is_averaged(value: Any) -> bool:
    return isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())


def _require_same(
    expected: Mapping[str, Any], found: Mapping[str, Any], first: str | Path, path: str | Path
) -> None:
    problems = []
    lacking = [name for name in expected if name not in found]
    if lacking:
        problems.append(f"it lacks {contents.listed(lacking)}")
    extra = [name for name in found if name not in expected]
    if extra:
        problems.append(f"only it has {contents.listed(extra)}")
    reshaped = [
        f"{name} is {_form(found[name])}, not {_form(expected[name])}"
        for name in expected
        if name in found and _form(found[name]) != _form(expected[name])
    ]
    if reshaped:
        problems.append(contents.listed(reshaped))
    if problems:
        raise CheckpointError(
            f"{path} and {first} are of different models: {'; '.join(problems)}",
            help="only checkpoints of one architecture can be averaged",
        )


def _form(value: Any) -> str:
    """Shape and kind of number; one of another precision fits."""
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    kind = "" if _is_averaged(value) else f" of {str(value.dtype).removeprefix('torch.')}"
    return f"{tuple(value.shape)}{kind}"
