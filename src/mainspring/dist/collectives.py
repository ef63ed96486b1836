"""Collectives that work alike with one process and with many; all of them are for all ranks."""

from __future__ import annotations

import contextlib
import os
import pickle
import tempfile
from collections.abc import Generator, Iterable
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from mainspring.errors import ArgumentTypeError, ArgumentValueError
from mainspring.dist.process_group import (
    barrier,
    get_comm_device,
    get_rank,
    get_world_size,
    is_distributed,
)

if TYPE_CHECKING:
    import torch
    from torch.distributed import ProcessGroup

__all__ = [
    "all_gather",
    "all_gather_object",
    "all_reduce",
    "all_reduce_dict",
    "all_reduce_params",
    "broadcast",
    "broadcast_object_list",
    "collect_results",
    "collect_results_cpu",
    "collect_results_gpu",
    "gather",
    "gather_object",
    "sync_random_seed",
]

_OPERATIONS = ("sum", "mean", "product", "min", "max", "band", "bor", "bxor")


def _reduce_op(op: str) -> Any:
    import torch.distributed as dist

    if op.lower() not in _OPERATIONS:
        raise ValueError(f"op is {op!r}; it is one of {', '.join(_OPERATIONS)}")
    return getattr(dist.ReduceOp, op.upper())


def all_reduce(data: torch.Tensor, op: str = "sum", group: ProcessGroup | None = None) -> None:
    """Combine a tensor over all ranks, in place.

    Args:
        data: The tensor; any shape, the same on all ranks.
        op: ``"sum"``, ``"mean"``, ``"product"``, ``"min"``, ``"max"``, ``"band"``, ``"bor"`` or
            ``"bxor"``.
        group: The group; all processes by default.
    """
    world_size = get_world_size(group)
    if world_size == 1:
        return
    import torch
    import torch.distributed as dist

    moved = data.to(get_comm_device(group)).contiguous()
    if op.lower() == "mean":
        dist.all_reduce(moved, _reduce_op("sum"), group)
        moved = torch.true_divide(moved, world_size)
    else:
        dist.all_reduce(moved, _reduce_op(op), group)
    if moved is not data:
        data.copy_(moved)


def all_gather(data: torch.Tensor, group: ProcessGroup | None = None) -> list[torch.Tensor]:
    """The tensors of all ranks, in order; all have the same shape."""
    world_size = get_world_size(group)
    if world_size == 1:
        return [data]
    import torch
    import torch.distributed as dist

    moved = data.to(get_comm_device(group)).contiguous()
    gathered = [torch.empty_like(moved) for _ in range(world_size)]
    dist.all_gather(gathered, moved, group)
    return [tensor.to(data.device) for tensor in gathered]


def gather(
    data: torch.Tensor, dst: int = 0, group: ProcessGroup | None = None
) -> list[torch.Tensor]:
    """The tensors of all ranks on rank `dst` of all processes, an empty list on the others."""
    world_size = get_world_size(group)
    if world_size == 1:
        return [data]
    import torch
    import torch.distributed as dist

    moved = data.to(get_comm_device(group)).contiguous()
    here = get_rank() == dst
    gathered = [torch.empty_like(moved) for _ in range(world_size)] if here else None
    dist.gather(moved, gathered, dst, group)
    return [tensor.to(data.device) for tensor in gathered or []]


def broadcast(data: torch.Tensor, src: int = 0, group: ProcessGroup | None = None) -> None:
    """Give all ranks the tensor of rank `src` of all processes, in place."""
    if get_world_size(group) == 1:
        return
    import torch.distributed as dist

    moved = data.to(get_comm_device(group)).contiguous()
    dist.broadcast(moved, src, group)
    if moved is not data:
        data.copy_(moved)


def sync_random_seed(group: ProcessGroup | None = None) -> int:
    """A random seed that all ranks share."""
    import numpy as np
    import torch

    seed = int(np.random.randint(2**31))  # noqa: NPY002 - MMEngine draws from the global generator
    if get_world_size(group) == 1:
        return seed
    import torch.distributed as dist

    shared = torch.tensor(seed if get_rank(group) == 0 else 0, dtype=torch.int64)
    broadcast(shared, 0 if group is None else dist.get_global_rank(group, 0), group)
    return int(shared.item())


def broadcast_object_list(data: list[Any], src: int = 0, group: ProcessGroup | None = None) -> None:
    """Give all ranks the objects of rank `src`, in place; pickled on the way.

    Raises:
        ArgumentTypeError: `data` is no list.
    """
    if not isinstance(data, list):
        raise ArgumentTypeError(f"data is a list, not {type(data).__name__}")
    if get_world_size(group) > 1:
        import torch.distributed as dist

        dist.broadcast_object_list(data, src, group)


def all_gather_object(data: Any, group: ProcessGroup | None = None) -> list[Any]:
    """The objects of all ranks, in order; pickled on the way."""
    world_size = get_world_size(group)
    if world_size == 1:
        return [data]
    import torch.distributed as dist

    gathered: list[Any] = [None] * world_size
    dist.all_gather_object(gathered, data, group)
    return gathered


def gather_object(data: Any, dst: int = 0, group: ProcessGroup | None = None) -> list[Any] | None:
    """The objects of all ranks on rank `dst` of all processes, ``None`` on the others; pickled."""
    world_size = get_world_size(group)
    if world_size == 1:
        return [data]
    import torch.distributed as dist

    gathered: list[Any] | None = [None] * world_size if get_rank() == dst else None
    dist.gather_object(data, gathered, dst, group)
    return gathered


def all_reduce_dict(
    data: dict[str, torch.Tensor], op: str = "sum", group: ProcessGroup | None = None
) -> None:
    """Combine a dict of tensors over all ranks, in place, with one collective.

    Args:
        data: Tensors by name; the same names and shapes on all ranks.
        op: As in `all_reduce`.
        group: The group; all processes by default.
    """
    if not isinstance(data, dict):
        raise ArgumentTypeError(f"data is a dict, not {type(data).__name__}")
    if get_world_size(group) == 1 or not data:
        return
    import torch

    keys = sorted(data)
    flat = torch.cat([data[key].flatten() for key in keys])
    all_reduce(flat, op, group)
    parts = torch.split(flat, [data[key].numel() for key in keys])
    for key, part in zip(keys, parts, strict=True):
        data[key] = part.view_as(data[key])


def all_reduce_params(
    params: Iterable[torch.Tensor] | Generator[torch.Tensor, None, None],
    coalesce: bool = True,
    bucket_size_mb: int = -1,
    op: str = "sum",
    group: ProcessGroup | None = None,
) -> None:
    """Combine many tensors over all ranks, in place.

    Args:
        params: The tensors.
        coalesce: Send tensors of the same type together.
        bucket_size_mb: Size of what is sent together, in MiB; -1 for no limit.
        op: As in `all_reduce`.
        group: The group; all processes by default.
    """
    if get_world_size(group) == 1:
        return
    tensors = [tensor.data for tensor in params]
    if not coalesce:
        for tensor in tensors:
            all_reduce(tensor, op, group)
        return
    import torch

    for bucket in _buckets(tensors, bucket_size_mb * 1024 * 1024):
        flat = torch.cat([tensor.flatten() for tensor in bucket])
        all_reduce(flat, op, group)
        parts = torch.split(flat, [tensor.numel() for tensor in bucket])
        for tensor, part in zip(bucket, parts, strict=True):
            tensor.copy_(part.view_as(tensor))


def _buckets(tensors: list[Any], limit: int) -> list[list[Any]]:
    """Tensors of one type and device together, up to `limit` bytes; no limit when negative."""
    finished: list[list[Any]] = []
    growing: dict[tuple[Any, Any], tuple[list[Any], int]] = {}
    for tensor in tensors:
        key = (tensor.dtype, tensor.device)
        bucket, size = growing.get(key, ([], 0))
        bytes_here = tensor.numel() * tensor.element_size()
        if bucket and 0 < limit < size + bytes_here:
            finished.append(bucket)
            bucket, size = [], 0
        growing[key] = ([*bucket, tensor], size + bytes_here)
    return finished + [bucket for bucket, _ in growing.values()]


def collect_results(
    results: list[Any], size: int, device: str = "cpu", tmpdir: str | None = None
) -> list[Any] | None:
    """The results of all ranks on rank 0, in the order of the data set.

    Args:
        results: Results of this rank's samples.
        size: Length of the data set; results of padding samples beyond it are cut off.
        device: ``"cpu"``, ``"gpu"`` or ``"npu"``; both ways go over the process group.
        tmpdir: Shared directory to exchange files in, instead of over the process group.

    Returns:
        The results on rank 0, ``None`` on the others.

    Raises:
        NotImplementedError: `device` is none of the three.
        ArgumentValueError: `tmpdir` is given with another device than ``"cpu"``.
    """
    if device not in ("cpu", "gpu", "npu"):
        raise NotImplementedError(f"device is 'cpu', 'gpu' or 'npu', not {device!r}")
    if device != "cpu":
        if tmpdir is not None:
            raise ArgumentValueError("tmpdir goes with device='cpu'")
        return collect_results_gpu(results, size)
    return collect_results_cpu(results, size, tmpdir)


def collect_results_cpu(
    result_part: list[Any], size: int, tmpdir: str | None = None
) -> list[Any] | None:
    """`collect_results` over the process group, or through files in `tmpdir`."""
    if tmpdir is None or get_world_size() == 1:
        return collect_results_gpu(result_part, size)
    os.makedirs(tmpdir, exist_ok=True)
    rank, world_size = get_rank(), get_world_size()
    with tempfile.NamedTemporaryFile(dir=tmpdir, delete=False) as file:
        pickle.dump(result_part, file)
    os.replace(file.name, os.path.join(tmpdir, f"part_{rank}.pkl"))
    barrier()
    if rank != 0:
        barrier()
        return None
    parts = []
    for other in range(world_size):
        path = os.path.join(tmpdir, f"part_{other}.pkl")
        with open(path, "rb") as part:
            parts.append(pickle.load(part))
        os.remove(path)
    with contextlib.suppress(OSError):  # there are other files in it
        os.rmdir(tmpdir)
    barrier()
    return _interleave(parts, size)


def collect_results_gpu(result_part: list[Any], size: int) -> list[Any] | None:
    """`collect_results` over the process group."""
    if not is_distributed() or get_world_size() == 1:
        return result_part[:size]
    parts = gather_object(result_part, dst=0)
    return None if parts is None else _interleave(parts, size)


_NOTHING = object()


def _interleave(parts: list[list[Any]], size: int) -> list[Any]:
    """Samples are dealt out in turn, so the results are taken back in turn."""
    rows = zip_longest(*parts, fillvalue=_NOTHING)
    ordered = [item for row in rows for item in row if item is not _NOTHING]
    return ordered[:size]
