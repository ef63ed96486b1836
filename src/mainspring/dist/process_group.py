"""Who this process is among its peers, and how the group of them comes to be."""

from __future__ import annotations

import datetime as dt
import functools
import gc
import logging
import os
import socket
import subprocess
from collections.abc import Callable, Mapping, Sized
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from mainspring.errors import LaunchError


if TYPE_CHECKING:
    import torch
    from torch.distributed import ProcessGroup

__all__ = [
    "barrier",
    "cast_data_device",
    "destroy_dist",
    "free_port",
    "get_backend",
    "get_comm_device",
    "get_data_device",
    "get_default_group",
    "get_dist_info",
    "get_local_group",
    "get_local_rank",
    "get_local_size",
    "get_rank",
    "get_world_size",
    "infer_launcher",
    "init_dist",
    "init_local_group",
    "is_distributed",
    "is_main_process",
    "is_within_master_only",
    "master_only",
    "names_peers",
]

P = ParamSpec("P")
R = TypeVar("R")

_DEFAULT_PORT = 29500
_DEVICE_OF_BACKEND = {
    "nccl": "cuda",
    "smddp": "cuda",
    "hccl": "npu",
    "cncl": "mlu",
    "mccl": "musa",
}
_local_groups: list[Any] = []
_alone: ContextVar[bool] = ContextVar("within a master_only function", default=False)


def is_distributed() -> bool:
    """Whether a process group exists. Imports torch only if it is loaded already."""
    import sys

    torch = sys.modules.get("torch")
    if torch is None:
        return False
    return bool(torch.distributed.is_available() and torch.distributed.is_initialized())


def get_default_group() -> ProcessGroup | None:
    """The group of all processes; ``None`` when there is none."""
    if not is_distributed():
        return None
    import torch.distributed as dist

    return dist.distributed_c10d._get_default_group()


def get_rank(group: ProcessGroup | None = None) -> int:
    """Number of this process in a group; 0 when there is no group."""
    if not is_distributed():
        return 0
    import torch.distributed as dist

    return dist.get_rank(group)


def get_world_size(group: ProcessGroup | None = None) -> int:
    """Number of processes of a group; 1 when there is no group."""
    if not is_distributed():
        return 1
    import torch.distributed as dist

    return dist.get_world_size(group)


def get_dist_info(group: ProcessGroup | None = None) -> tuple[int, int]:
    """Rank and world size."""
    return get_rank(group), get_world_size(group)


def get_backend(group: ProcessGroup | None = None) -> str | None:
    """Name of a group's backend, such as ``"gloo"``; ``None`` when there is no group."""
    if not is_distributed():
        return None
    import torch.distributed as dist

    return str(dist.get_backend(group))


def is_main_process(group: ProcessGroup | None = None) -> bool:
    """Whether this is rank 0."""
    return get_rank(group) == 0


def master_only(func: Callable[P, R]) -> Callable[P, R | None]:
    """Run a function on rank 0 only; other ranks get ``None``."""

    @functools.wraps(func)
    def on_rank_0(*args: P.args, **kwargs: P.kwargs) -> R | None:
        if not is_main_process():
            return None
        token = _alone.set(True)
        try:
            return func(*args, **kwargs)
        finally:
            _alone.reset(token)

    return on_rank_0


def is_within_master_only() -> bool:
    """Whether a `master_only` function runs, in which other ranks cannot take part."""
    return _alone.get()


def barrier(group: ProcessGroup | None = None) -> None:
    """Wait until all ranks are here (all ranks)."""
    if is_distributed():
        import torch.distributed as dist

        dist.barrier(group)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def infer_launcher() -> str:
    """The launcher that the environment variables tell of."""
    if "WORLD_SIZE" in os.environ:
        return "pytorch"
    if "SLURM_NTASKS" in os.environ:
        return "slurm"
    if "OMPI_COMM_WORLD_LOCAL_RANK" in os.environ:
        return "mpi"
    return "none"


def names_peers() -> bool:
    """Whether the environment names other processes to meet, as ``torchrun`` sets it."""
    needed = ("RANK", "WORLD_SIZE", "MASTER_ADDR")
    return all(name in os.environ for name in needed) and os.environ["WORLD_SIZE"] != "1"


def init_dist(
    launcher: str, backend: str = "nccl", init_backend: str = "torch", **kwargs: Any
) -> None:
    """Join the group of processes that a launcher started.

    Args:
        launcher: ``"pytorch"``, ``"slurm"`` or ``"mpi"``.
        backend: Backend; ``"nccl"`` becomes ``"gloo"`` where there is no accelerator.
        init_backend: Only ``"torch"``.
        **kwargs: ``timeout`` in seconds, ``port`` (slurm), and whatever
            `torch.distributed.init_process_group` takes.

    Raises:
        ValueError: There is no such launcher.
        LaunchError: The environment lacks what the launcher sets.
    """
    import torch
    import torch.distributed as dist

    starters = {"pytorch": _read_torchrun, "slurm": _read_slurm, "mpi": _read_mpi}
    if launcher not in starters:
        raise ValueError(f"launcher is {launcher!r}; it is one of {', '.join(starters)}")
    if init_backend != "torch":
        raise ValueError(f"init_backend is {init_backend!r}; only 'torch' is supported")
    if "timeout" in kwargs and not isinstance(kwargs["timeout"], dt.timedelta):
        kwargs["timeout"] = dt.timedelta(seconds=kwargs["timeout"])
    starters[launcher](kwargs.pop("port", None))
    if backend == "nccl" and not torch.cuda.is_available():
        logging.getLogger(__name__).info("no accelerator: processes talk over gloo, not nccl")
        backend = "gloo"
    if torch.cuda.is_available():
        local = int(os.environ.get("LOCAL_RANK", "0"))
        torch.cuda.set_device(local % torch.cuda.device_count())
    dist.init_process_group(backend=backend, **kwargs)


def destroy_dist() -> None:
    """Leave the process group, if there is one (all ranks)."""
    if is_distributed():
        import torch.distributed as dist

        # A wrapped model that outlives its group can abort the process when the interpreter ends.
        gc.collect()
        dist.destroy_process_group()
        _local_groups.clear()


def _require(launcher: str, *names: str, help: str | None = None) -> None:  # noqa: A002 - as in errors
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise LaunchError(
            f"launcher={launcher!r} needs {' and '.join(missing)} in the environment", help=help
        )


def _read_torchrun(_port: int | None) -> None:
    _require(
        "pytorch",
        "RANK",
        "WORLD_SIZE",
        help="torchrun --nproc-per-node N -m mainspring train CONFIG",
    )
    os.environ.setdefault("LOCAL_RANK", os.environ["RANK"])
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", str(_DEFAULT_PORT))


def _read_mpi(_port: int | None) -> None:
    environment = os.environ
    _require(
        "mpi",
        "OMPI_COMM_WORLD_LOCAL_RANK",
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "MASTER_ADDR",
        help="start with mpirun -x MASTER_ADDR=HOST, HOST being the machine of rank 0",
    )
    environment["LOCAL_RANK"] = environment["OMPI_COMM_WORLD_LOCAL_RANK"]
    environment["RANK"] = environment["OMPI_COMM_WORLD_RANK"]
    environment["WORLD_SIZE"] = environment["OMPI_COMM_WORLD_SIZE"]
    environment.setdefault("MASTER_PORT", str(_DEFAULT_PORT))


def _read_slurm(port: int | None) -> None:
    environment = os.environ
    _require("slurm", "SLURM_PROCID", "SLURM_NTASKS")
    environment["RANK"] = environment["SLURM_PROCID"]
    environment["WORLD_SIZE"] = environment["SLURM_NTASKS"]
    environment["LOCAL_RANK"] = environment.get("SLURM_LOCALID", "0")
    environment.setdefault("MASTER_PORT", str(port or _DEFAULT_PORT))
    if port is not None:
        environment["MASTER_PORT"] = str(port)
    if "MASTER_ADDR" not in environment:
        _require("slurm", "SLURM_NODELIST")
        nodes = environment["SLURM_NODELIST"]
        ask = ["scontrol", "show", "hostname", nodes]
        try:
            answer = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()
        except (OSError, subprocess.CalledProcessError) as error:
            raise LaunchError(
                f"launcher='slurm' asks scontrol for the first node of {nodes}, and it cannot "
                f"tell: {getattr(error, 'stderr', '') or error}",
                help="set MASTER_ADDR to that node's name, in the batch script for example",
            ) from error
        environment["MASTER_ADDR"] = answer[0] if answer else nodes


def init_local_group(node_rank: int, num_gpus_per_node: int) -> None:
    """Make one group for each machine (all ranks).

    Args:
        node_rank: Number of this machine.
        num_gpus_per_node: Processes of each machine.
    """
    import torch.distributed as dist

    if _local_groups:
        return
    for node in range(get_world_size() // num_gpus_per_node):
        ranks = list(range(node * num_gpus_per_node, (node + 1) * num_gpus_per_node))
        group = dist.new_group(ranks)
        if node == node_rank:
            _local_groups.append(group)


def get_local_group() -> ProcessGroup | None:
    """The group of this machine's processes; ``None`` when there is no group at all.

    Raises:
        RuntimeError: `init_local_group` was not called.
    """
    if not is_distributed():
        return None
    if not _local_groups:
        raise RuntimeError("call init_local_group first")
    group: ProcessGroup = _local_groups[0]
    return group


def get_local_size() -> int:
    """Number of this machine's processes."""
    return get_world_size(get_local_group()) if is_distributed() else 1


def get_local_rank() -> int:
    """Number of this process on its machine."""
    return get_rank(get_local_group()) if is_distributed() else 0


def get_comm_device(group: ProcessGroup | None = None) -> torch.device:
    """The device on which a group's backend communicates."""
    import torch

    kind = _DEVICE_OF_BACKEND.get(get_backend(group) or "")
    if kind is None:
        return torch.device("cpu")
    return torch.device(kind, getattr(torch, kind).current_device())


def get_data_device(data: Any) -> torch.device:
    """The device that all tensors of nested data lie on.

    Raises:
        ValueError: There is no tensor, or they lie on several devices.
    """
    import torch

    devices: set[torch.device] = {tensor.device for tensor in _tensors(data, torch.Tensor)}
    if len(devices) != 1:
        raise ValueError(
            "the data holds no tensor"
            if not devices
            else f"tensors lie on {sorted(map(str, devices))}"
        )
    return devices.pop()


def _tensors(data: Any, kind: type) -> list[Any]:
    if isinstance(data, kind):
        return [data]
    if isinstance(data, Mapping):
        return [item for value in data.values() for item in _tensors(value, kind)]
    if isinstance(data, list | tuple):
        return [item for value in data for item in _tensors(value, kind)]
    raise TypeError(
        f"nested data holds tensors, dicts, lists and tuples, not {type(data).__name__}"
    )


def cast_data_device(data: Any, device: torch.device, out: Any = None) -> Any:
    """Move nested data to a device, into `out` where given.

    Raises:
        TypeError: The data holds something else, or `out` has other types.
        ValueError: `out` has other entries.
    """
    import torch

    if out is not None and type(data) is not type(out):
        raise TypeError(f"out is a {type(out).__name__}, the data a {type(data).__name__}")
    if isinstance(data, torch.Tensor):
        moved = data if get_data_device(data) == device else data.to(device)
        if out is not None:
            out.copy_(moved)
        return moved
    if out is not None and isinstance(data, Sized) and len(data) != len(out):
        raise ValueError(f"out has {len(out)} entries, the data {len(data)}")
    if isinstance(data, Mapping):
        if out is not None and set(data) != set(out):
            raise ValueError(f"out has the keys {list(out)}, the data {list(data)}")
        moved_items = {
            key: cast_data_device(value, device, None if out is None else out[key])
            for key, value in data.items()
        }
        return moved_items if type(data) is dict else type(data)(moved_items)  # type: ignore[call-arg]  # - a mapping is made of a dict
    if isinstance(data, list | tuple):
        items = [
            cast_data_device(value, device, None if out is None else out[index])
            for index, value in enumerate(data)
        ]
        return type(data)(items) if not hasattr(data, "_fields") else type(data)(*items)
    raise TypeError(
        f"nested data holds tensors, dicts, lists and tuples, not {type(data).__name__}"
    )
