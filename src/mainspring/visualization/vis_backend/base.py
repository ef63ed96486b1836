"""What every visualization backend offers."""

from __future__ import annotations

import functools
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

__all__ = ["BaseVisBackend", "force_init_env"]

Method = TypeVar("Method", bound=Callable[..., Any])


def force_init_env(old_func: Method) -> Method:
    """Let a method of a backend start its tracker first, if that has not happened."""

    @functools.wraps(old_func)
    def with_environment(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not getattr(self, "_env_initialized", False):
            self._env_initialized = True
            self._init_env()
        return old_func(self, *args, **kwargs)

    return with_environment  # type: ignore[return-value]  # - it has the same signature


class BaseVisBackend(metaclass=ABCMeta):
    """Base of backends: they receive the config, scalars and images of a run.

    The tracker behind a backend is started at the first use.

    Args:
        save_dir: Directory for what the backend writes.
    """

    def __init__(self, save_dir: str) -> None:
        self._save_dir = save_dir
        self._env_initialized = False

    @property
    @abstractmethod
    def experiment(self) -> Any:
        """The tracker's own object."""

    @abstractmethod
    def _init_env(self) -> None:
        """Start the tracker."""

    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config of the run."""

    def add_graph(self, model: Any, data_batch: Any, **kwargs: Any) -> None:
        """Record the structure of the model."""

    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image, RGB of shape (H, W, 3), uint8."""

    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number."""

    def add_scalars(
        self,
        scalar_dict: Mapping[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Record several numbers."""

    def close(self) -> None:
        """Write what is waiting and end the tracker."""


def as_number(value: Any) -> Any:
    """A Python number from a number, tensor or array; text stays."""
    return value.item() if hasattr(value, "item") else value
