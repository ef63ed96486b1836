"""Neptune."""

from __future__ import annotations

from typing import Any

import numpy as np

from mainspring.names.packages import import_optional
from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.tracker import TrackerVisBackend

__all__ = ["NeptuneVisBackend"]


@VISBACKENDS.register_module()
class NeptuneVisBackend(TrackerVisBackend):
    """Sends a run to Neptune.

    Args:
        save_dir: Of no effect.
        init_kwargs: Arguments of ``neptune.init_run``; without any, the run is kept offline.

    Raises:
        ImportError: neptune is not installed; when the run starts.

    Example:
        >>> backend = dict(type="NeptuneVisBackend", init_kwargs=dict(project="team/digits"))
        >>> visualizer = dict(type="Visualizer", vis_backends=[backend])
    """

    package = "neptune"
    handle = "_neptune"
    _neptune: Any
    _file: Any

    def __init__(
        self, save_dir: str | None = None, init_kwargs: dict[str, Any] | None = None
    ) -> None:
        super().__init__(save_dir, {"mode": "offline"} if init_kwargs is None else init_kwargs)

    def _start(self, package: Any) -> Any:
        self._file = import_optional("neptune.types", type(self).__name__).File
        return package.init_run(**self._init_kwargs)

    def _send_config(self, config: Any) -> None:
        self._neptune["config"].upload(self._file.from_content(config.pretty_text))

    def _send_image(self, name: str, image: Any, step: int) -> None:
        scaled = image.astype(np.float32) / 255
        self._neptune["images"].append(self._file.as_image(scaled), name=name, step=step)

    def _send_scalar(self, name: str, value: Any, step: int) -> None:
        self._neptune[name].append(value, step=step)

    def _end(self) -> None:
        self._neptune.stop()
