"""Batches that are on the device when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import torch

from mainspring.structures.nested import tensors_in, to_device

__all__ = ["Copies", "CudaCopies", "DevicePrefetcher"]


class Copies(Protocol):
    """How batches get to a device while it computes."""

    def start(self, batch: Any) -> Any:
        """Begin to copy a batch; returns what it will be there."""
        ...

    def finish(self, batch: Any) -> Any:
        """Let computation from now on wait for that copy; returns the batch."""
        ...


class CudaCopies:
    """Copies on a stream of their own, beside the kernels of the current one.

    They overlap with computation if the batches lie in pinned memory. The host waits for nothing.

    Args:
        device: A CUDA device.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: torch.cuda.Stream | None = None

    def start(self, batch: Any) -> Any:
        """Begin to copy a batch."""
        if self._stream is None:
            self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # - torch's
        with torch.cuda.stream(self._stream):
            return to_device(batch, self._device, non_blocking=True)

    def finish(self, batch: Any) -> Any:
        """Let the current stream wait for the copies."""
        if self._stream is not None:
            current = torch.cuda.current_stream(self._device)
            current.wait_stream(self._stream)
            for tensor in tensors_in(batch):
                # Its memory must not serve a later copy while a kernel still reads it.
                if tensor.is_cuda:
                    tensor.record_stream(current)
        return batch


class DevicePrefetcher:
    """Copies the next batch to the device before it gives out the current one.

    What goes wrong with a batch is raised when its turn comes, not before.

    Args:
        batches: Batches in main memory.
        copies: How they get to the device.
    """

    def __init__(self, batches: Iterator[Any], copies: Copies) -> None:
        self._batches = batches
        self._copies = copies
        self._has_next = False
        self._next: Any = None
        self._error: Exception | None = None

    def __iter__(self) -> DevicePrefetcher:
        return self

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]  # - torch's iterators have a length

    def __next__(self) -> Any:
        if not self._has_next:
            self._fetch()
        self._has_next = False
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # its traceback holds this frame
        batch, self._next = self._copies.finish(self._next), None
        self._fetch()
        return batch

    def _fetch(self) -> None:
        try:
            self._next = self._copies.start(next(self._batches))
        except Exception as error:  # noqa: BLE001 - raised when this batch is asked for
            self._error = error
        self._has_next = True
