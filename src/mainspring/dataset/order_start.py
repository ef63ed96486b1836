"""The generators as an iteration found them, so that its order can be made again.

Samplers such as torch's `RandomSampler` draw the order of an epoch when the epoch begins. An epoch
that is continued in its middle has the same order only if it begins from the same states.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from mainspring.device.random_states import RandomStates

__all__ = ["OrderStart"]


class OrderStart:
    """States of the global generators, and of those of a loader, at the start of an iteration.

    Args:
        states: The global generators of the CPU.
        own: A state for each generator of the loader and its samplers.
    """

    def __init__(self, states: RandomStates, own: list[torch.Tensor]) -> None:
        self._states = states
        self._own = own

    @classmethod
    def of(cls, loader: Any) -> OrderStart:
        """The states now.

        Args:
            loader: The loader that is about to be iterated.
        """
        own = [generator.get_state() for generator in _own_generators(loader)]
        return cls(RandomStates.capture(devices=False), own)

    @contextmanager
    def again(self, loader: Any) -> Iterator[None]:
        """Within the block, the generators are as they were.

        Afterwards the global ones go on from where they are now; those of the loader stay, since
        nobody else draws from them.

        Args:
            loader: The loader that is iterated again.
        """
        now = RandomStates.capture(devices=False)
        self._states.restore()
        for generator, state in zip(_own_generators(loader), self._own, strict=False):
            generator.set_state(state)
        try:
            yield
        finally:
            now.restore()

    def restore_own(self, loader: Any) -> None:
        """Put only the loader's generators into these states.

        Args:
            loader: The loader.
        """
        for generator, state in zip(_own_generators(loader), self._own, strict=False):
            generator.set_state(state)

    def state_dict(self) -> dict[str, Any]:
        """Plain types and tensors, for a checkpoint."""
        return {**self._states.state_dict(), "own": self._own}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> OrderStart:
        """The inverse of `state_dict`."""
        rest = {name: value for name, value in state.items() if name != "own"}
        return cls(RandomStates.from_state_dict(rest), list(state["own"]))


def _own_generators(loader: Any) -> list[torch.Generator]:
    """The generators of a loader and of its samplers, each once."""
    batch_sampler = getattr(loader, "batch_sampler", None)
    owners = (
        loader,
        getattr(loader, "sampler", None),
        batch_sampler,
        getattr(batch_sampler, "sampler", None),
    )
    found: list[torch.Generator] = []
    for owner in owners:
        generator = getattr(owner, "generator", None)
        if isinstance(generator, torch.Generator) and generator not in found:
            found.append(generator)
    return found
