"""Write checkpoints while training goes on."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from mainspring.structures.nested import tensors_in

__all__ = ["CheckpointWriter", "Snapshots"]


class CheckpointWriter:
    """Writes one checkpoint at a time in a thread of its own.

    Whoever trains waits only until the checkpoint is copied in the host's memory, and, if the one
    before is still being written, for that. The thread is no daemon: a program that ends waits for
    it.
    """

    def __init__(self) -> None:
        self._snapshots = Snapshots()
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def reserve(self, part: Any) -> None:
        """Take the memory for copies in the background.

        Args:
            part: What checkpoints will consist of.
        """
        self._snapshots.reserve(part)

    def start(
        self, checkpoint: Mapping[str, Any], write: Callable[[Mapping[str, Any]], None]
    ) -> None:
        """Copy a checkpoint and begin to write it.

        Args:
            checkpoint: What to write; may change as soon as this returns.
            write: Called in the thread with the copy.
        """
        self._join()
        copied = self._snapshots.take(checkpoint)

        def run() -> None:
            try:
                write(copied)
            except BaseException as error:  # noqa: BLE001 - whoever waits is told
                self._failure = error

        self._thread = threading.Thread(target=run, name="mainspring checkpoint writer")
        self._thread.start()

    def wait(self) -> BaseException | None:
        """Wait until nothing is being written.

        Returns:
            Why the last one could not be written, once; ``None`` if it could.
        """
        self._join()
        failure, self._failure = self._failure, None
        return failure

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None


class Snapshots:
    """Copies the tensors of checkpoints, each time into the same memory.

    Memory is taken once, as much as one checkpoint needs; it is pinned where tensors come from a
    CUDA device, so that they are copied without waiting for each other. Tensors that share memory
    share it in the copy.
    """

    def __init__(self) -> None:
        self._free: dict[tuple[int, bool], list[torch.UntypedStorage]] = {}
        self._used: dict[tuple[int, bool], list[torch.UntypedStorage]] = {}
        self._reserving: threading.Thread | None = None

    def reserve(self, part: Any) -> None:
        """Take the memory for a checkpoint in the background, which is slow the first time.

        Args:
            part: What checkpoints will consist of, such as weights and optimizer state.
        """
        kinds = [_memory_of(tensors) for tensors in _by_storage(part)]
        needed = [kind for kind in kinds if kind is not None]

        def touch() -> None:
            for size, pinned in needed:
                self._memory(size, pinned, touched=True)

        self._reserving = threading.Thread(target=touch, name="mainspring checkpoint memory")
        self._reserving.start()

    def take(self, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
        """Copy a checkpoint; the copy before this one becomes invalid.

        Args:
            checkpoint: Tensors on any device, in dicts, lists and tuples, and anything that can be
                copied deeply.

        Returns:
            The same with tensors on the CPU.
        """
        if self._reserving is not None:
            self._reserving.join()
            self._reserving = None
        self._free, self._used = self._used, {}
        copies: dict[int, Any] = {}
        for tensors in _by_storage(checkpoint):
            for tensor, copied in zip(tensors, self._copied(tensors), strict=True):
                copies[id(tensor)] = copied
        self._free.clear()
        if any(tensor.is_pinned() for tensor in copies.values()):
            torch.cuda.current_stream().synchronize()
        return copy.deepcopy(dict(checkpoint), copies)

    def _copied(self, tensors: list[Tensor]) -> list[Tensor]:
        """Copies of tensors of one storage."""
        first = tensors[0]
        kind = _memory_of(tensors)
        if kind is None:
            return [tensor.detach().to("cpu", copy=True) for tensor in tensors]
        target = self._memory(*kind)
        storage = first.untyped_storage()
        if storage.nbytes() > target.nbytes():
            alone = torch.empty(0, dtype=first.dtype, device="cpu").set_(target).view(first.shape)
            return [alone.copy_(first.detach(), non_blocking=first.is_cuda)]
        source = torch.empty(0, dtype=torch.uint8, device=first.device).set_(storage)
        copied = torch.empty(0, dtype=torch.uint8, device="cpu").set_(target)
        copied.copy_(source, non_blocking=first.is_cuda)
        return [
            torch.empty(0, dtype=tensor.dtype, device="cpu").set_(
                target, tensor.storage_offset(), tensor.size(), tensor.stride()
            )
            for tensor in tensors
        ]

    def _memory(self, size: int, pinned: bool, *, touched: bool = False) -> torch.UntypedStorage:
        """Memory of the copy before, or new one; touched, it has its pages already."""
        kind = (size, pinned)
        free = self._free.get(kind)
        if free:
            memory = free.pop()
        else:
            new = torch.empty(size, dtype=torch.uint8, device="cpu", pin_memory=pinned)
            memory = (new.zero_() if touched else new).untyped_storage()
        self._used.setdefault(kind, []).append(memory)
        return memory


def _memory_of(tensors: list[Tensor]) -> tuple[int, bool] | None:
    """How much memory tensors of one storage need, and whether pinned; ``None``: not of ours."""
    first = tensors[0]
    if not _is_plain(first):
        return None
    # One that is a part of something large is copied without the rest.
    size = first.nbytes if len(tensors) == 1 else first.untyped_storage().nbytes()
    return size, first.is_cuda


def _by_storage(part: Any) -> list[list[Tensor]]:
    """The tensors of a checkpoint, each once; those that share memory together."""
    groups: dict[Any, dict[int, Tensor]] = {}
    for tensor in tensors_in(part):
        key: Any = id(tensor)
        if _is_plain(tensor):
            storage = tensor.untyped_storage()
            key = (tensor.device, storage.data_ptr(), storage.nbytes())
        groups.setdefault(key, {})[id(tensor)] = tensor
    return [list(group.values()) for group in groups.values()]


def _is_plain(tensor: Tensor) -> bool:
    """Whether a tensor is nothing but numbers in memory."""
    return (
        type(tensor) in (Tensor, torch.nn.Parameter)
        and tensor.layout == torch.strided
        and tensor.device.type in ("cpu", "cuda")
        and tensor.nbytes > 0
        and not (tensor.is_quantized or tensor.is_conj() or tensor.is_neg())
    )
