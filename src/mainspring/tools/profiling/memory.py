"""How much memory something takes: of a CUDA device, or of this process."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from pathlib import Path
from typing import Self

import torch

__all__ = ["MemoryPeak", "available_memory", "resident_memory"]

_SECONDS_BETWEEN_SAMPLES = 0.001


def resident_memory() -> int:
    """Bytes of this process that are in memory; the largest so far where only that is known."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def available_memory() -> int | None:
    """Bytes that this process may still take, by the machine and its control group.

    Returns:
        The smaller of both; ``None`` where neither is known.
    """
    found = []
    with contextlib.suppress(OSError):
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        found += [int(line.split()[1]) * 1024 for line in text.splitlines() if "MemAvail" in line]
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        with contextlib.suppress(OSError):
            words = [Path("/sys/fs/cgroup", name).read_text().strip() for name in (limit, used)]
            if all(word.isdigit() for word in words):
                found.append(max(0, int(words[0]) - int(words[1])))
    return min(found, default=None)


class MemoryPeak:
    """The most memory that is taken within a ``with`` block.

    On a CUDA device it is what tensors take. On the CPU it is how much the process grows over what
    it took at the time of `baseline`, sampled each millisecond from a thread.

    Args:
        device: ``"cuda"``, or anything else for the process.
        baseline: Resident bytes to count from; those of now by default.

    Attributes:
        bytes: The peak, once the block has ended.
    """

    def __init__(self, device: str, baseline: int | None = None) -> None:
        self._on_cuda = device.startswith("cuda")
        self._baseline = resident_memory() if baseline is None else baseline
        self._largest = 0
        self._over = threading.Event()
        self._sampler: threading.Thread | None = None
        self.bytes = 0

    def __enter__(self) -> Self:
        if self._on_cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            self._sampler = threading.Thread(target=self._sample, daemon=True)
            self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._on_cuda:
            self.bytes = torch.cuda.max_memory_allocated()
            return
        self._over.set()
        if self._sampler is not None:
            self._sampler.join()
        self.bytes = max(0, max(self._largest, resident_memory()) - self._baseline)

    def _sample(self) -> None:
        while not self._over.wait(_SECONDS_BETWEEN_SAMPLES):
            self._largest = max(self._largest, resident_memory())
