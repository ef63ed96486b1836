"""What every visualization backend offers."""
# ruff: noqa: B027 - a backend overrides the methods for what it can record

from __future__ import annotations

import functools
import importlib
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, ParamSpec, TypeVar

from mainspring.visualization.errors import VisualizationError, missing_package

__all__ = ["BaseVisBackend", "as_number", "force_init_env", "import_tracker", "without_step"]

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


def as_number(value: Any) -> Any:
    """A Python number from a number, or a tensor or array with one element; else the value."""
    size = value.numel() if hasattr(value, "numel") else getattr(value, "size", None)
    return value.item() if size == 1 and hasattr(value, "item") else value


def without_step(scalars: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among recorded values; what is none, trackers cannot draw.

    Raises:
        VisualizationError: The step is among the values.
    """
    if "step" in scalars:
        raise VisualizationError(
            "the step is among the scalars", help="give it as the argument step="
        )
    numbers = {name: as_number(value) for name, value in scalars.items()}
    return {name: value for name, value in numbers.items() if isinstance(value, int | float)}


def import_tracker(module: str, wanted_by: str, install: str | None = None) -> Any:
    """Import the package of a tracker.

    Args:
        module: The module.
        wanted_by: Name of the backend.
        install: What to give to ``pip install``; the module's own name by default.

    Raises:
        ImportError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise missing_package(error, wanted_by, install or module.partition(".")[0]) from error
