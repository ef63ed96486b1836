"""Scalars as lines of JSON, images as files, the config as Python."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from mainspring.errors import ConfigError
from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.base import BaseVisBackend, as_number, force_init_env

__all__ = ["LocalVisBackend"]


@VISBACKENDS.register_module()
class LocalVisBackend(BaseVisBackend):
    """Writes into a directory of the run.

    Each call of `add_scalars` writes one line and hands it to the system, so that a killed run
    keeps its lines.

    Args:
        save_dir: The directory.
        img_save_dir: Folder of the images in it.
        config_save_file: Name of the config file in it, ending in ``.py``.
        scalar_save_file: Name of the file of scalars in it, ending in ``.json``.

    Raises:
        ConfigError: A file has another ending.
    """

    def __init__(
        self,
        save_dir: str,
        img_save_dir: str = "vis_image",
        config_save_file: str = "config.py",
        scalar_save_file: str = "scalars.json",
    ) -> None:
        if not config_save_file.endswith(".py"):
            raise ConfigError(f"config_save_file is {config_save_file!r}", help="end it in .py")
        if not scalar_save_file.endswith(".json"):
            raise ConfigError(f"scalar_save_file is {scalar_save_file!r}", help="end it in .json")
        super().__init__(save_dir)
        self._img_save_dir = img_save_dir
        self._config_save_file = config_save_file
        self._scalar_save_file = scalar_save_file
        self._files: dict[str, IO[str]] = {}

    def _init_env(self) -> None:
        os.makedirs(self._save_dir, exist_ok=True)
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
        """Write the config."""
        config.dump(self._config_save_file)

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Write an image as ``{name}_{step}.png``."""
        from mainspring.visualization.images import write_png

        os.makedirs(self._img_save_dir, exist_ok=True)
        write_png(image, Path(self._img_save_dir) / f"{name}_{step}.png")

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Write a line with one number."""
        self._write({name: as_number(value), "step": step}, self._scalar_save_file)

    @force_init_env
    def add_scalars(
        self,
        scalar_dict: Mapping[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Write a line with several numbers, into another file of the directory as well.

        Args:
            scalar_dict: Numbers by name.
            step: The step; a ``step`` among the numbers wins.
            file_path: Name of the other file, ending in ``.json``.
            **kwargs: Ignored.

        Raises:
            ConfigError: The other file is the same, or has another ending.
        """
        row = {name: as_number(value) for name, value in scalar_dict.items()}
        row.setdefault("step", step)
        if file_path is not None:
            other = os.path.join(self._save_dir, file_path)
            if not file_path.endswith(".json") or other == self._scalar_save_file:
                raise ConfigError(
                    f"file_path is {file_path!r}", help="name another file that ends in .json"
                )
            self._write(row, other)
        self._write(row, self._scalar_save_file)

    def _write(self, row: Mapping[str, Any], path: str) -> None:
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = open(path, "a", encoding="utf-8")  # noqa: SIM115 - kept open
        file.write(json.dumps(row) + "\n")
        file.flush()

    def close(self) -> None:
        """Close the files; a later line opens them again."""
        for file in self._files.values():
            file.close()
        self._files.clear()
