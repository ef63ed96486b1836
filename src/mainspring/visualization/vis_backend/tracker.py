"""What the backends of trackers share: each says how to start its own, and what to call."""

from __future__ import annotations

import os
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from mainspring.errors import VisualizationError
from mainspring.fileio import list_dir_or_file
from mainspring.names.packages import import_optional
from mainspring.output import masked_values
from mainspring.visualization.vis_backend.base import BaseVisBackend, force_init_env

__all__ = ["Suffixes", "TrackerVisBackend", "config_values", "plain_values"]

Suffixes = tuple[str, ...] | str


class TrackerVisBackend(BaseVisBackend):
    """Base of backends that hand a run over to the package of a tracker.

    Args:
        save_dir: Directory for what the tracker writes.
        init_kwargs: Arguments of what starts the tracker.
    """

    package: ClassVar[str]
    """Module to import."""
    install: ClassVar[str | None] = None
    """What to give to ``pip install``; the module's own name by default."""
    handle: ClassVar[str]
    """The attribute that holds what is started, MMEngine's name for it; ``None`` until then."""
    numbers_only: ClassVar[bool] = True
    """Whether the tracker takes no other scalars, and has a place of its own for the step."""

    def __init__(
        self, save_dir: str | None = None, init_kwargs: dict[str, Any] | None = None
    ) -> None:
        super().__init__(save_dir)
        self._init_kwargs = dict(init_kwargs or {})
        self._artifact_suffix: Suffixes = ()
        self.cfg: Any = None
        setattr(self, self.handle, None)

    def _init_env(self) -> None:
        setattr(self, self.handle, self._start(self._import()))

    def _import(self) -> Any:
        return import_optional(self.package, type(self).__name__, self.install)

    @property
    @force_init_env
    def experiment(self) -> Any:
        """What is started: the run of the tracker, or its module."""
        return getattr(self, self.handle)

    @force_init_env
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config.

        Args:
            config: The config.
            **kwargs: Ignored.
        """
        self.cfg = config
        self._send_config(config)

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image.

        Args:
            name: Its name.
            image: RGB of shape (H, W, 3), uint8.
            step: The step.
            **kwargs: Ignored.
        """
        self._send_image(name, image, step)

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number; a warning says so where the tracker cannot take it.

        Args:
            name: Its name.
            value: A number, or tensor or array with one element.
            step: The step.
            **kwargs: Ignored.
        """
        for number in self._accepted({name: value}).values():
            self._send_scalar(name, number, step)

    @force_init_env
    def add_scalars(
        self,
        scalar_dict: dict[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Record several numbers; a warning says so where the tracker cannot take one.

        Args:
            scalar_dict: Numbers by name.
            step: The step.
            file_path: Ignored.
            **kwargs: Ignored.

        Raises:
            VisualizationError: The step is among the numbers.
        """
        if self.numbers_only and "step" in scalar_dict:
            raise VisualizationError(
                "the step is among the scalars", help="give it as the argument step="
            )
        self._send_scalars(self._accepted(scalar_dict), step)

    def close(self) -> None:
        """Hand over the files that are kept, send what is waiting and end the run."""
        if getattr(self, self.handle) is not None:
            self._end()

    def _accepted(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Python numbers for numbers, and for tensors and arrays with one element."""
        numbers = {name: _as_number(value) for name, value in values.items()}
        for name, value in list(numbers.items()) if self.numbers_only else ():
            if not isinstance(value, int | float):
                del numbers[name]
                warnings.warn(
                    f"{name} is a {type(value).__name__}, not a number: {type(self).__name__} "
                    "leaves it out",
                    stacklevel=4,
                )
        return numbers

    def _artifacts(self, directory: str | None, *, recursive: bool) -> Iterator[tuple[str, str]]:
        """Files to keep: the path of each, and its directory relative to that of the run."""
        if directory is None and self.cfg is not None:
            directory = self.cfg.get("work_dir")
        if directory and os.path.isdir(directory):
            suffix = self._artifact_suffix
            found = list_dir_or_file(directory, False, suffix=suffix, recursive=recursive)
            for name in sorted(found):
                yield os.path.join(directory, name), os.path.dirname(name)

    @abstractmethod
    def _start(self, package: Any) -> Any:
        """Start the tracker, whose package is given; what is returned becomes the handle."""

    @abstractmethod
    def _send_config(self, config: Any) -> None: ...

    @abstractmethod
    def _send_image(self, name: str, image: Any, step: int) -> None: ...

    @abstractmethod
    def _send_scalar(self, name: str, value: Any, step: int) -> None: ...

    def _send_scalars(self, values: dict[str, Any], step: int) -> None:
        for name, value in values.items():
            self._send_scalar(name, value, step)

    @abstractmethod
    def _end(self) -> None: ...


def config_values(config: Any) -> Any:
    """What a config says as plain dicts, without secrets."""
    return masked_values(config.to_dict() if hasattr(config, "to_dict") else config)


def plain_values(value: Any) -> Any:
    """A value made of numbers, texts, lists and dicts; anything else is given as text.

    Args:
        value: Nested values.
    """
    if isinstance(value, Mapping):
        return {str(key): plain_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(item) for item in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    return value if isinstance(value, bool | int | float | str) else str(value)


def _as_number(value: Any) -> Any:
    size = value.numel() if hasattr(value, "numel") else getattr(value, "size", None)
    return value.item() if size == 1 and hasattr(value, "item") else value
