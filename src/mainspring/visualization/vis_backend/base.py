"""What every visualization backend offers."""
# ruff: noqa: B027 - a backend overrides the methods for what it can record

from __future__ import annotations

import functools
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, ParamSpec, TypeVar

__all__ = ["BaseVisBackend", "force_init_env"]

P = ParamSpec("P")
R = TypeVar("R")


def force_init_env(old_func: Callable[P, R]) -> Callable[P, R]:
    """Let a method of a backend call ``_init_env`` first, if that was not done yet."""

    @functools.wraps(old_func)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        backend: Any = args[0]
        if not getattr(backend, "_env_initialized", False):
            backend._init_env()
            backend._env_initialized = True
        return old_func(*args, **kwargs)

    return wrapper


class BaseVisBackend(metaclass=ABCMeta):
    """Base of backends: they receive the config, scalars and images of a run.

    What is behind a backend is started at its first use, by ``_init_env``; methods that need it are
    decorated with `force_init_env`.

    Args:
        save_dir: Directory for what the backend writes.
    """

    may_fail: ClassVar[bool] = True
    """Whether training goes on without the backend when it fails."""

    by_tag: ClassVar[bool] = True
    """Whether what a run logs comes as ``train/loss`` and ``val/loss`` over iterations, rather than
    under MMEngine's flat names, with metrics over epochs."""

    def __init__(self, save_dir: str | None) -> None:
        self._save_dir = save_dir
        self._env_initialized = False

    @property
    @abstractmethod
    def experiment(self) -> Any:
        """What is behind the backend, for what it can do beyond the methods here."""

    @abstractmethod
    def _init_env(self) -> Any:
        """Start what is behind the backend."""

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
        scalar_dict: dict[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Record several numbers."""

    def close(self) -> None:
        """Write what is waiting and end what is behind the backend."""
