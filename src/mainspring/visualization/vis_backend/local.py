"""Scalars as lines of JSON, images as PNG files, the config as a Python file."""

from __future__ import annotations

import json
import os
from typing import Any, ClassVar

from mainspring.errors import VisualizationError
from mainspring.fileio.local_folder import local_folder
from mainspring.registry import VISBACKENDS
from mainspring.visualization.images import write_png
from mainspring.visualization.vis_backend.base import BaseVisBackend, force_init_env
from mainspring.visualization.vis_backend.line_file import LineFile

__all__ = ["LocalVisBackend"]


@VISBACKENDS.register_module()
class LocalVisBackend(BaseVisBackend):
    """Writes into a directory.

    A line of scalars is handed to the operating system at once, so that a run that is killed keeps
    its lines; those that a full disk refuses wait for space. Files are opened once and only
    appended to. What else goes wrong here ends the run.

    Args:
        save_dir: The directory; created at the first use.
        img_save_dir: Directory of the images in it.
        config_save_file: Name of the config file in it, ending in ``.py``.
        scalar_save_file: Name of the file of scalars in it, ending in ``.json``.

    Raises:
        VisualizationError: A file name has another ending.

    Example:
        >>> backend = LocalVisBackend("line")
        >>> backend.add_scalar("loss", 0.5, step=1)
        >>> backend.close()
        >>> from pathlib import Path
        >>> print(Path("line/scalars.json").read_text(), end="")
        {"loss": 0.5, "step": 1}
    """

    may_fail: ClassVar[bool] = False
    by_tag: ClassVar[bool] = False

    def __init__(
        self,
        save_dir: str,
        img_save_dir: str = "vis_image",
        config_save_file: str = "config.py",
        scalar_save_file: str = "scalars.json",
    ) -> None:
        _check_ending("config_save_file", config_save_file, ".py")
        _check_ending("scalar_save_file", scalar_save_file, ".json")
        super().__init__(save_dir)
        self._img_save_dir = img_save_dir
        self._config_save_file = config_save_file
        self._scalar_save_file = scalar_save_file
        self._files: dict[str, LineFile] = {}

    def _init_env(self) -> None:
        if self._save_dir is None:
            raise VisualizationError("LocalVisBackend has no save_dir")
        os.makedirs(local_folder(self._save_dir, "visualizer.save_dir"), exist_ok=True)
        self._img_save_dir = os.path.join(self._save_dir, self._img_save_dir)
        self._config_save_file = os.path.join(self._save_dir, self._config_save_file)
        self._scalar_save_file = os.path.join(self._save_dir, self._scalar_save_file)

    @property
    @force_init_env
    def experiment(self) -> LocalVisBackend:
        """The backend itself."""
        return self

    @force_init_env
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Write the config.

        Args:
            config: The config.
            **kwargs: Ignored.
        """
        config.dump(self._config_save_file)

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Write an image as ``{name}_{step}.png``.

        Args:
            name: Its name; slashes make directories.
            image: RGB of shape (H, W, 3) or grey of shape (H, W), uint8.
            step: The step.
            **kwargs: Ignored.

        Raises:
            VisualizationError: The image has another shape or type.
        """
        path = os.path.join(self._img_save_dir, f"{name}_{step}.png")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write_png(image, path)

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Write a line with one number.

        Args:
            name: Its name.
            value: A number, tensor or array.
            step: The step.
            **kwargs: Ignored.
        """
        self._write({name: value, "step": step})

    @force_init_env
    def add_scalars(
        self,
        scalar_dict: dict[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Write a line with several numbers.

        Args:
            scalar_dict: Numbers, tensors or arrays by name.
            step: The step, unless there is one among them.
            file_path: Name of a second file in the directory to write the line to, ending in
                ``.json``.
            **kwargs: Ignored.

        Raises:
            VisualizationError: `scalar_dict` is no dict, or the second file the first one.
        """
        if not isinstance(scalar_dict, dict):
            raise VisualizationError(f"scalar_dict is a {type(scalar_dict).__name__}, not a dict")
        second: tuple[str, ...] = ()
        if file_path is not None:
            _check_ending("file_path", file_path, ".json")
            second = (os.path.join(str(self._save_dir), file_path),)
            if second[0] == self._scalar_save_file:
                raise VisualizationError(
                    f"file_path is {file_path!r}, which is the file of all scalars",
                    help="give another name",
                )
        self._write({**scalar_dict, "step": scalar_dict.get("step", step)}, *second)

    def _write(self, values: dict[str, Any], *others: str) -> None:
        """Write a line into the file of scalars, and into others before it."""
        line = _ENCODER.encode(values) + "\n"
        for path in (*others, self._scalar_save_file):
            if path not in self._files:
                self._files[path] = LineFile(path)
            self._files[path].write(line)

    def close(self) -> None:
        """Close the files; a later line opens them again."""
        while getattr(self, "_files", None):
            self._files.popitem()[1].close()

    __del__ = close


def _check_ending(name: str, value: str, ending: str) -> None:
    if not value.endswith(ending):
        raise VisualizationError(f"{name} is {value!r}", help=f"end it in {ending}")


def _as_json(value: Any) -> Any:
    """Numbers and lists for NumPy's numbers, arrays and tensors."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, set | range):
        return list(value)
    raise TypeError(f"a {type(value).__name__} cannot be written as a scalar: {value!r}")


_ENCODER = json.JSONEncoder(default=_as_json)
