"""Arrays in memory that several processes of a machine look at, instead of having copies.

Forked workers share what was there before they were forked. Workers that are started in another way
(``multiprocessing_context="spawn"``) get what is pickled for them, and each rank reads its own
annotations: without sharing, a machine holds them once for each process. The memory is an anonymous
file (``memfd_create`` of Linux), found through the process that made it: it has no name that could
be left behind when processes are killed, and no limit such as that of ``/dev/shm`` in containers.
Where there is none, everybody has copies.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import socket
import weakref
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mainspring.dist import get_world_size

__all__ = ["SharedArrays", "share_between_ranks"]

_WORTH_SHARING = 1 << 20
"""Bytes below which a copy for each process is nothing."""
_ALIGNMENT = 64
_NAME = "mainspring-"

Layout = list[tuple[str, tuple[int, ...], int]]


class SharedArrays:
    """Arrays in memory that other processes can open.

    Attributes:
        arrays: The arrays; they cannot be written to.

    Args:
        descriptor: Descriptor of the memory, which is closed together with this object.
        layout: For each array its type, its shape, and where it begins.
    """

    def __init__(self, descriptor: int, layout: Layout) -> None:
        self._close = weakref.finalize(self, os.close, descriptor)
        self.path = f"/proc/{os.getpid()}/fd/{descriptor}"
        self.layout = layout
        memory = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
        self.arrays = tuple(
            np.ndarray(shape, dtype, buffer=memory, offset=begin) for dtype, shape, begin in layout
        )

    @classmethod
    def of(cls, arrays: Sequence[NDArray[Any]], name: str = "") -> Self | None:
        """Copy arrays into memory that can be shared; ``None`` where there is no such memory.

        Args:
            arrays: The arrays.
            name: By which the memory is known to be the right one.
        """
        if not hasattr(os, "memfd_create"):
            return None
        layout, size = _layout_of(arrays)
        descriptor = os.memfd_create(_NAME + name, os.MFD_CLOEXEC)
        try:
            os.ftruncate(descriptor, max(size, 1))
            with mmap.mmap(descriptor, 0) as memory:
                for array, (dtype, shape, begin) in zip(arrays, layout, strict=True):
                    np.ndarray(shape, dtype, buffer=memory, offset=begin)[...] = array
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor, layout)

    @classmethod
    def open(cls, path: str, layout: Layout, name: str = "") -> Self | None:
        """Look at the memory of another process; ``None`` if that is not possible.

        Args:
            path: Its `path`.
            layout: Its `layout`.
            name: The name that it was given.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        # The other process may have closed it, and opened something else under that number.
        if not os.readlink(f"/proc/self/fd/{descriptor}").startswith(f"/memfd:{_NAME}{name}"):
            os.close(descriptor)
            return None
        return cls(descriptor, layout)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def share_between_ranks(arrays: Sequence[NDArray[Any]]) -> SharedArrays | None:
    """Let all ranks on this machine that have equal arrays look at those of the first one.

    Ranks do not wait for each other, and need not all be here.

    Args:
        arrays: The arrays of this rank.

    Returns:
        Equal arrays in shared memory; ``None`` if each keeps its own, as with a single process, or
        with arrays that are small.
    """
    if get_world_size() == 1 or sum(array.nbytes for array in arrays) < _WORTH_SHARING:
        return None
    machine = _machine()
    if machine is None:
        return None
    from torch.distributed import distributed_c10d

    name = _digest(arrays)
    store: Any = distributed_c10d._get_default_store()
    key = f"mainspring/shared-arrays/{machine}/{name}"
    found = store.get(key).decode() if store.check([key]) else ""
    if found:
        shared = SharedArrays.open(found, _layout_of(arrays)[0], name)
        if shared is not None:
            return shared
    own = SharedArrays.of(arrays, name)
    if own is None:
        return None
    winner = store.compare_set(key, found, own.path).decode()
    if winner == own.path:
        return own
    return SharedArrays.open(winner, own.layout, name) or own


def _layout_of(arrays: Sequence[NDArray[Any]]) -> tuple[Layout, int]:
    """Where each array lies, and how many bytes all of them take."""
    layout: Layout = []
    size = 0
    for array in arrays:
        layout.append((array.dtype.str, array.shape, size))
        size += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
    return layout, size


def _digest(arrays: Sequence[NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:32]


def _machine() -> str | None:
    """What processes have in common that can look into each other; ``None`` where none can."""
    try:
        return f"{socket.gethostname()}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None
