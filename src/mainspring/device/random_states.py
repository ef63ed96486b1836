"""The states of the global generators of a process, to go on from later."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["RandomStates"]


def _cuda_is_in_use() -> bool:
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]  # - torch's


@dataclass
class RandomStates:
    """The states of all global generators of this process, as plain types and tensors.

    Attributes:
        python: `random.getstate()` as nested lists.
        numpy: The legacy generator of NumPy: algorithm, keys, position, gauss flag and value.
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
        name, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002 - transforms use it
        used_cuda = devices and torch.cuda.is_available() and _cuda_is_in_use()
        return cls(
            python=[version, list(internal), gauss],
            numpy={
                "name": str(name),
                "keys": torch.from_numpy(np.asarray(keys).astype(np.int64)),
                "position": int(position),
                "has_gauss": int(has_gauss),
                "cached_gaussian": float(cached),
            },
            torch=torch.get_rng_state(),
            cuda=torch.cuda.get_rng_state_all() if used_cuda else [],
        )

    def restore(self) -> None:
        """Put the states back; CUDA states only for devices that exist here."""
        version, internal, gauss = self.python
        random.setstate((version, tuple(internal), gauss))
        np.random.set_state(  # noqa: NPY002 - users' transforms draw from the global generator
            (
                self.numpy["name"],
                self.numpy["keys"].numpy().astype(np.uint32),
                self.numpy["position"],
                self.numpy["has_gauss"],
                self.numpy["cached_gaussian"],
            )
        )
        torch.set_rng_state(self.torch.cpu())
        if self.cuda and torch.cuda.is_available():
            for device, state in enumerate(self.cuda[: torch.cuda.device_count()]):
                torch.cuda.set_rng_state(state.cpu(), device)

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
