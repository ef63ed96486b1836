"""How long each module of a model takes in the forward pass, without the modules inside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from torch import nn

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
        self._names = {id(module): name or "(model)" for name, module in model.named_modules()}
        self._modules = list(model.modules())
        self._synchronize = synchronize
        self._seconds: dict[int, float] = {}
        self._inside: list[int] = []
        self._since = 0.0
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        for module in self._modules:
            self._handles.append(module.register_forward_pre_hook(self._begin))
            self._handles.append(module.register_forward_hook(self._end))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def result(self, iterations: int) -> list[ModuleTime]:
        """The modules that ran, slowest first.

        Args:
            iterations: Iterations that were timed.
        """
        total = sum(self._seconds.values()) or 1.0
        times = [
            ModuleTime(
                name=self._names[id(module)],
                kind=type(module).__name__,
                seconds=self._seconds[id(module)] / max(iterations, 1),
                share=self._seconds[id(module)] / total,
                comes_with_torch=type(module).__module__.partition(".")[0] == "torch",
            )
            for module in self._modules
            if id(module) in self._seconds
        ]
        return sorted(times, key=lambda item: -item.seconds)

    def _begin(self, module: nn.Module, _: Any) -> None:
        self._assign()
        self._inside.append(id(module))

    def _end(self, module: nn.Module, *_: Any) -> None:
        self._assign()
        if self._inside:
            self._inside.pop()

    def _assign(self) -> None:
        if self._synchronize is not None:
            self._synchronize()
        now = time.perf_counter()
        if self._inside:
            current = self._inside[-1]
            self._seconds[current] = self._seconds.get(current, 0.0) + now - self._since
        self._since = now
