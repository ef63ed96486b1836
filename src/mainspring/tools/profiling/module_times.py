"""How long each module of a model takes in the forward pass, without the modules inside it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from torch import nn

from mainspring.tools.profiling.section_clock import SectionClock

__all__ = ["ModuleTime", "ModuleTimer"]


@dataclass(frozen=True, slots=True)
class ModuleTime:
    """The time of a module.

    Attributes:
        name: Its name in the model; ``(model)`` for the model itself.
        kind: Its class.
        seconds: Seconds of an iteration, without the modules inside it.
        share: Share of the time of all modules.
        comes_with_torch: Whether its class is torch's.
    """

    name: str
    kind: str
    seconds: float
    share: float
    comes_with_torch: bool = True


class ModuleTimer:
    """Times the modules of a model within a ``with`` block, by hooks that are removed again.

    Args:
        model: The model.
        synchronize: Waits for what a device still computes; ``None`` on the CPU.
    """

    def __init__(self, model: nn.Module, synchronize: Callable[[], Any] | None = None) -> None:
        self._modules = {name or "(model)": module for name, module in model.named_modules()}
        self._clock = SectionClock(synchronize)
        self._seconds: dict[str, float] = {}
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        for name, module in self._modules.items():
            enter = functools.partial(self._clock.enter, name)
            self._handles.append(module.register_forward_pre_hook(lambda *_, enter=enter: enter()))
            self._handles.append(module.register_forward_hook(lambda *_: self._clock.leave()))
        self._clock.start("")
        return self

    def __exit__(self, *_: object) -> None:
        self._seconds = self._clock.take()
        while self._handles:
            self._handles.pop().remove()

    def result(self, iterations: int) -> list[ModuleTime]:
        """The modules that ran, slowest first.

        Args:
            iterations: Iterations that were timed.
        """
        ran = {name: self._seconds[name] for name in self._modules if name in self._seconds}
        total = sum(ran.values()) or 1.0
        times = []
        for name, seconds in ran.items():
            kind, each = type(self._modules[name]), seconds / max(iterations, 1)
            is_torchs = kind.__module__.partition(".")[0] == "torch"
            times.append(ModuleTime(name, kind.__name__, each, seconds / total, is_torchs))
        return sorted(times, key=lambda item: -item.seconds)
