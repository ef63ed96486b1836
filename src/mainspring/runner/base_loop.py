"""What every loop has."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from mainspring.hooks import Run

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["BaseLoop"]


class BaseLoop(metaclass=ABCMeta):
    """What every loop has: the runner and a loader.

    Args:
        runner: The runner that carries out the loop.
        dataloader: A loader, or the dict to build it from.
    """

    def __init__(self, runner: Run, dataloader: Iterable[Any] | Mapping[str, Any]) -> None:
        self._runner = cast("Runner", runner)
        self.dataloader = self._runner.ready_dataloader(dataloader)

    @property
    def runner(self) -> Runner:
        """The runner that carries out this loop."""
        return self._runner

    @abstractmethod
    def run(self) -> Any:
        """Carry out the loop."""
