"""Hands what a run shows over to backends, and draws on images."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

from mainspring.dist import master_only
from mainspring.errors import ConfigError
from mainspring.logging import print_log
from mainspring.registry import VISBACKENDS, VISUALIZERS
from mainspring.utils import ManagerMixin
from mainspring.visualization.drawing import Drawing
from mainspring.visualization.vis_backend import BaseVisBackend, LocalVisBackend

__all__ = ["Visualizer"]


@VISUALIZERS.register_module()
class Visualizer(Drawing, ManagerMixin):
    """Sends scalars, images and the config to backends, and draws on an image.

    All methods act on rank 0 only. Drawing methods return the visualizer, so that calls can be
    chained. A tracker that fails is switched off for the rest of the run, with one warning: it
    never ends a training.

    Args:
        name: Name of the run.
        image: Image to draw on, RGB of shape (H, W, 3), uint8.
        vis_backends: Backends, or their dicts; one may have a ``name`` of its own.
        save_dir: Directory of the backends' files; ``vis_data`` in it is used.
        fig_save_cfg: Arguments of the figure that is drawn on.
        fig_show_cfg: Arguments of the figure that is shown.

    Raises:
        ConfigError: Two backends have the same name.
    """

    def __init__(
        self,
        name: str = "visualizer",
        image: Any = None,
        vis_backends: Sequence[Any] | None = None,
        save_dir: str | None = None,
        fig_save_cfg: Mapping[str, Any] = {"frameon": False},
        fig_show_cfg: Mapping[str, Any] = {"frameon": False},
    ) -> None:
        ManagerMixin.__init__(self, name)
        Drawing.__init__(self, image, dict(fig_save_cfg), dict(fig_show_cfg))
        self._dataset_meta: dict[str, Any] | None = None
        self._vis_backends: dict[str, Any] = {}
        self._failed: set[str] = set()
        data_dir = None if save_dir is None else os.path.join(save_dir, "vis_data")
        for spec in vis_backends or []:
            self._add_backend(spec, data_dir)

    def _add_backend(self, spec: Any, data_dir: str | None) -> None:
        name = None
        if isinstance(spec, Mapping):
            settings = {key: spec[key] for key in spec}
            name = settings.pop("name", None)
            if data_dir is not None:
                settings.setdefault("save_dir", data_dir)
            if "save_dir" not in settings:
                print_log(
                    "a visualization backend has no save_dir, so it is not used",
                    logger="current",
                    level=logging.WARNING,
                )
                return
            backend = VISBACKENDS.build(settings)
        else:
            backend = spec
        if not isinstance(backend, BaseVisBackend):
            raise ConfigError(f"{backend!r} is no visualization backend")
        name = name or type(backend).__name__
        if name in self._vis_backends:
            raise ConfigError(
                f"two visualization backends are named {name!r}", help="give one of them a name"
            )
        self._vis_backends[name] = backend

    @classmethod
    def get_instance(cls, name: str, **kwargs: Any) -> Self:
        """The instance of that name; one of a subclass is found from `Visualizer` as well."""
        instance = super().get_instance(name, **kwargs)
        Visualizer._instance_dict[name] = instance
        return instance

    @classmethod
    def release_instance(cls, name: str) -> None:
        """Forget the visualizer of that name, and let its backends write what is waiting."""
        visualizer = cls._instance_dict.get(name)
        super().release_instance(name)
        if visualizer is not None:
            visualizer.close()

    @property
    def dataset_meta(self) -> dict[str, Any] | None:
        """Meta information of the data set, such as names and colours of classes."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict[str, Any] | None) -> None:
        self._dataset_meta = dataset_meta

    def get_backend(self, vis_backend_name: str) -> BaseVisBackend:
        """A backend by name."""
        backend: BaseVisBackend = self._vis_backends[vis_backend_name]
        return backend

    def _send(self, method: str, *args: Any, **kwargs: Any) -> None:
        for name, backend in self._vis_backends.items():
            if name in self._failed:
                continue
            try:
                getattr(backend, method)(*args, **kwargs)
            except Exception as error:
                if isinstance(backend, LocalVisBackend) or isinstance(error, ImportError):
                    raise
                self._failed.add(name)
                print_log(
                    f"{name} failed and is switched off for this run: "
                    f"{type(error).__name__}: {error}",
                    logger="current",
                    level=logging.WARNING,
                )

    @master_only
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config of the run."""
        self._send("add_config", config, **kwargs)

    @master_only
    def add_graph(self, model: Any, data_batch: Any, **kwargs: Any) -> None:
        """Record the structure of the model."""
        self._send("add_graph", model, data_batch, **kwargs)

    @master_only
    def add_image(self, name: str, image: Any, step: int = 0) -> None:
        """Record an image, RGB of shape (H, W, 3), uint8."""
        self._send("add_image", name, image, step)

    @master_only
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number."""
        self._send("add_scalar", name, value, step, **kwargs)

    @master_only
    def add_scalars(
        self,
        scalar_dict: Mapping[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Record several numbers.

        Args:
            scalar_dict: Numbers by name.
            step: The step that they belong to.
            file_path: Name of a further file that local backends write them into.
            **kwargs: Passed on to the backends.
        """
        self._send("add_scalars", scalar_dict, step, file_path, **kwargs)

    @master_only
    def add_datasample(
        self,
        name: str,
        image: Any,
        data_sample: Any = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        step: int = 0,
    ) -> None:
        """Draw what is known of a sample; for subclasses to override.

        Args:
            name: Name of the image.
            image: The image.
            data_sample: Annotations and predictions.
            draw_gt: Whether to draw annotations.
            draw_pred: Whether to draw predictions.
            show: Whether to show the result in a window.
            wait_time: Seconds to show it; 0 until a key is pressed.
            step: The step that it belongs to.
        """

    def close(self) -> None:
        """Let the backends write what is waiting, and end them."""
        self._send("close")
