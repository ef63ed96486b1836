"""DVCLive."""

from __future__ import annotations

from typing import Any

from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.tracker import (
    Suffixes,
    TrackerVisBackend,
    config_values,
    plain_values,
)

__all__ = ["DVCLiveVisBackend"]


@VISBACKENDS.register_module()
class DVCLiveVisBackend(TrackerVisBackend):
    """Records a run with DVCLive; images become ``{name}.png``.

    Args:
        save_dir: Directory that it writes to.
        artifact_suffix: Endings of the files in `save_dir` that are kept as artifacts.
        init_kwargs: Arguments of ``dvclive.Live``.

    Raises:
        ImportError: dvclive is not installed; when the run starts.

    Example:
        >>> backend = dict(type="DVCLiveVisBackend", init_kwargs=dict(save_dvc_exp=True))
        >>> visualizer = dict(type="Visualizer", vis_backends=[backend])
    """

    package = "dvclive"
    handle = "_dvclive"
    numbers_only = False
    _dvclive: Any

    def __init__(
        self,
        save_dir: str,
        artifact_suffix: Suffixes = (".json", ".py", "yaml"),
        init_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(save_dir, init_kwargs)
        self._artifact_suffix = artifact_suffix

    def _start(self, package: Any) -> Any:
        defaults = {"dir": self._save_dir, "save_dvc_exp": True, "cache_images": True}
        live = package.Live(**{**defaults, **self._init_kwargs})
        if getattr(live, "_dvc_repo", live) is None:
            live._cache_images = False  # there is no cache outside of a repository: it would fail
        return live

    def _send_config(self, config: Any) -> None:
        self._dvclive.log_params(plain_values(config_values(config)))

    def _send_image(self, name: str, image: Any, step: int) -> None:
        self._dvclive.step = step
        self._dvclive.log_image(f"{name}.png", image)

    def _send_scalar(self, name: str, value: Any, step: int) -> None:
        self._dvclive.step = step
        self._dvclive.log_metric(name, value)

    def _end(self) -> None:
        for path, _ in self._artifacts(self._save_dir, recursive=True):
            self._dvclive.log_artifact(path)
        self._dvclive.end()
