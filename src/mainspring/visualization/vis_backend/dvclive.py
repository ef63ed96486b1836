"""DVCLive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.artifacts import Suffixes, find_artifacts
from mainspring.visualization.vis_backend.base import (
    BaseVisBackend,
    as_number,
    force_init_env,
    import_tracker,
)

__all__ = ["DVCLiveVisBackend"]


@VISBACKENDS.register_module()
class DVCLiveVisBackend(BaseVisBackend):
    """Records a run with DVCLive.

    Args:
        save_dir: Directory that it writes to.
        artifact_suffix: Endings of the files in `save_dir` that are kept as artifacts.
        init_kwargs: Arguments of ``dvclive.Live``.

    Raises:
        ImportError: dvclive is not installed; when the run starts.
    """

    def __init__(
        self,
        save_dir: str,
        artifact_suffix: Suffixes = (".json", ".py", "yaml"),
        init_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(save_dir)
        self._artifact_suffix = artifact_suffix
        self._init_kwargs = dict(init_kwargs or {})
        self._dvclive: Any = None

    def _init_env(self) -> None:
        package = import_tracker("dvclive", type(self).__name__)
        defaults = {"dir": self._save_dir, "save_dvc_exp": True, "cache_images": True}
        self._dvclive = package.Live(**{**defaults, **self._init_kwargs})

    @property
    @force_init_env
    def experiment(self) -> Any:
        """The ``dvclive.Live``."""
        return self._dvclive

    @force_init_env
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config as parameters.

        Args:
            config: The config.
            **kwargs: Ignored.
        """
        self._dvclive.log_params(_as_params(config.to_dict()))

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image as ``{name}.png``.

        Args:
            name: Its name.
            image: RGB of shape (H, W, 3), uint8.
            step: The step.
            **kwargs: Ignored.
        """
        self._dvclive.step = step
        self._dvclive.log_image(f"{name}.png", image)

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number.

        Args:
            name: Its name.
            value: A number, or tensor or array with one element.
            step: The step.
            **kwargs: Ignored.
        """
        self._dvclive.step = step
        self._dvclive.log_metric(name, as_number(value))

    @force_init_env
    def add_scalars(
        self,
        scalar_dict: dict[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Record several numbers.

        Args:
            scalar_dict: Numbers by name.
            step: The step.
            file_path: Ignored.
            **kwargs: Ignored.
        """
        for name, value in scalar_dict.items():
            self.add_scalar(name, value, step)

    def close(self) -> None:
        """Keep the files of the directory and end the run."""
        if self._dvclive is None:
            return
        for path, _ in find_artifacts(self._save_dir, self._artifact_suffix, recursive=True):
            self._dvclive.log_artifact(path)
        self._dvclive.end()


def _as_params(value: Any) -> Any:
    """A value made of what DVC takes as parameters: numbers, texts, lists and dicts."""
    if isinstance(value, Mapping):
        return {str(key): _as_params(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_params(item) for item in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    return value if isinstance(value, bool | int | float | str) else str(value)
