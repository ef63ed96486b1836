"""The states of the global generators of a process, to go on from later."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["RandomStates", "quiet_generators"]


def _cuda_is_in_use() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]  # - torch's


@dataclass
class RandomStates:
    """The states of all global generators of this process, as plain types and tensors.

    Attributes:
        python: `random.getstate()` as nested lists.
        numpy: The global generator of NumPy, as its `get_state` tells it.
        torch: CPU generator state, a byte tensor.
        cuda: One byte tensor for each CUDA device that was used.
    """

    python: list[Any]
    numpy: dict[str, Any]
    torch: Tensor
    cuda: list[Tensor] = field(default_factory=list)

    @classmethod
    def capture(cls, *, devices: bool = True) -> RandomStates:
        """Read the states, drawing nothing.

        Args:
            devices: Whether to read those of CUDA devices as well, which waits for them.
        """
        version, internal, gauss = random.getstate()
        used_cuda = devices and torch.cuda.is_available() and _cuda_is_in_use()
        return cls(
            python=[version, list(internal), gauss],
            numpy=np.random.get_state(legacy=False),  # noqa: NPY002 - transforms use it
            torch=torch.get_rng_state(),
            cuda=torch.cuda.get_rng_state_all() if used_cuda else [],
        )

    def restore(self) -> None:
        """Put the states back; CUDA states only for devices that exist here."""
        version, internal, gauss = self.python
        random.setstate((version, tuple(internal), gauss))
        name = self.numpy["bit_generator"]
        if type(np.random.get_bit_generator()).__name__ != name:  # type: ignore[attr-defined]  # - stubs lack it
            np.random.set_bit_generator(getattr(np.random, name)())  # type: ignore[attr-defined]  # - as above
        np.random.set_state(self.numpy)  # noqa: NPY002 - users' transforms draw from it
        torch.set_rng_state(self.torch.cpu())
        if self.cuda and torch.cuda.is_available():
            for device, state in enumerate(self.cuda[: torch.cuda.device_count()]):
                torch.cuda.set_rng_state(state.cpu(), device)

    def fingerprint(self) -> bytes:
        """What equal states of the CPU's generators have in common."""
        return pickle.dumps((self.python, self.numpy, self.torch.numpy().tobytes()))

    def state_dict(self) -> dict[str, Any]:
        """Plain types and tensors, for a checkpoint."""
        return {
            "python": self.python,
            "numpy": self.numpy,
            "torch": self.torch,
            "cuda": self.cuda,
        }

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> RandomStates:
        """The inverse of `state_dict`."""
        return cls(**dict(state))


@contextmanager
def quiet_generators(enabled: bool = True) -> Iterator[None]:
    """Keep what happens inside from shifting the random numbers of what comes after."""
    states = RandomStates.capture() if enabled else None
    try:
        yield
    finally:
        if states is not None:
            states.restore()
