"""Hands what a run shows over to backends, and draws on images."""

from __future__ import annotations

import functools
import inspect
import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import torch

from mainspring.config.words import Factory
from mainspring.dist import is_main_process, master_only
from mainspring.errors import ArgumentTypeError, MissingPackageError, VisualizationError
from mainspring.logging import MMLogger
from mainspring.names.packages import import_optional
from mainspring.registry import VISBACKENDS, VISUALIZERS
from mainspring.registry.manager import ManagerMixin
from mainspring.visualization.drawing import Drawing
from mainspring.visualization.featmap import featmap_image
from mainspring.visualization.figure import new_window, wait_continue
from mainspring.visualization.vis_backend import BaseVisBackend

__all__ = ["Visualizer"]

Image = np.ndarray[Any, Any]
AnyBackend: TypeAlias = BaseVisBackend | Factory[BaseVisBackend]

_NO_FRAME = {"frameon": False}


@VISUALIZERS.register_module()
class Visualizer(Drawing, ManagerMixin):
    """Sends scalars, images and the config of a run to backends, and draws on an image.

    All methods act on rank 0 only. Drawing methods return the visualizer, so that calls can be
    chained. A tracker that fails is switched off for the rest of the run, with one warning: it
    never ends a training. Subclasses override `add_datasample`.

    Args:
        name: Name of the run.
        image: Image to draw on, RGB of shape (H, W, 3), values 0 to 255.
        vis_backends: Backends, what makes them when given a directory, or their configs; a config
            may give a ``name``, which is the name of the class by default.
        save_dir: Directory of the run; backends write into ``vis_data`` in it. Without it, those
            that need a directory of their own are left out.
        fig_save_cfg: Arguments of the matplotlib figure that is drawn on.
        fig_show_cfg: Arguments of the matplotlib figure that is shown.

    Raises:
        VisualizationError: Two backends have the same name.
        ArgumentTypeError: A backend is neither a backend nor a config.

    Example:
        >>> import numpy as np
        >>> visualizer = Visualizer(image=np.zeros((20, 20, 3), np.uint8))
        >>> _ = visualizer.draw_bboxes(torch.tensor([2, 2, 12, 12]), edge_colors="r")
        >>> visualizer.get_image().shape
        (20, 20, 3)
    """

    def __init__(
        self,
        name: str = "visualizer",
        image: Image | None = None,
        vis_backends: Sequence[AnyBackend | Mapping[str, Any]]
        | AnyBackend
        | Mapping[str, Any]
        | None = None,
        save_dir: str | None = None,
        fig_save_cfg: Mapping[str, Any] = _NO_FRAME,
        fig_show_cfg: Mapping[str, Any] = _NO_FRAME,
    ) -> None:
        ManagerMixin.__init__(self, name)
        Drawing.__init__(self, fig_save_cfg)
        self.fig_show_cfg = dict(fig_show_cfg)
        self.manager: Any = None
        self._dataset_meta: dict[str, Any] | None = None
        self._vis_backends: dict[str, BaseVisBackend] = {}
        self._failed: set[str] = set()
        given: Any = vis_backends
        if isinstance(given, Mapping | BaseVisBackend | type | functools.partial):
            given = [given]
        data_dir = None if save_dir is None else os.path.join(save_dir, "vis_data")
        for spec in given or ():
            self._add_backend(spec, data_dir)
        if image is not None:
            self.set_image(image)

    def _add_backend(self, spec: Any, data_dir: str | None) -> None:
        name, backend = None, spec
        if isinstance(spec, Mapping):
            settings = {"save_dir": data_dir, **spec}
            name = settings.pop("name", None)
            backend = VISBACKENDS.build(settings)
        elif isinstance(spec, type | functools.partial):
            backend = spec(data_dir)
        if not (isinstance(spec, Mapping) or hasattr(backend, "add_scalars")):
            raise ArgumentTypeError(
                f"vis_backends has {spec!r}, which is neither a backend nor the config of one"
            )
        name = name or type(backend).__name__
        parameter = inspect.signature(type(backend)).parameters.get("save_dir")
        needs_one = parameter is not None and parameter.default is parameter.empty
        if getattr(backend, "_save_dir", data_dir) is None and needs_one:
            warnings.warn(
                f"{name} needs a directory: it is left out, because no save_dir is given",
                stacklevel=4,
            )
            return
        if name in self._vis_backends:
            raise VisualizationError(
                f"two visualization backends are named {name!r}",
                help="give one of them another name=",
            )
        self._vis_backends[name] = backend

    @classmethod
    def get_instance(cls, name: str, **kwargs: Any) -> Self:
        """The visualizer of that name, created if there is none.

        A new one of a subclass becomes the current instance of `Visualizer` as well.

        Args:
            name: Name of the run.
            **kwargs: Further arguments of the constructor.
        """
        instance = super().get_instance(name, **kwargs)
        if Visualizer._instance_dict.get(name) is not instance:
            Visualizer._instance_dict[name] = instance
        return instance

    @property
    def dataset_meta(self) -> dict[str, Any] | None:
        """Meta information of the data set, such as names and colours of classes."""
        return self._dataset_meta if is_main_process() else None

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict[str, Any] | None) -> None:
        self._dataset_meta = dataset_meta

    @master_only
    def get_backend(self, name: str) -> BaseVisBackend | None:
        """The backend of that name, or ``None``."""
        return self._vis_backends.get(name)

    @master_only
    def show(
        self,
        drawn_img: Image | None = None,
        win_name: str = "image",
        wait_time: float = 0.0,
        continue_key: str = " ",
        backend: Literal["matplotlib", "cv2"] = "matplotlib",
    ) -> Any:
        """Show an image in a window.

        Args:
            drawn_img: The image; by default the one that was drawn.
            win_name: Title of the window.
            wait_time: Seconds to show it; 0 waits for a key.
            continue_key: The key that closes it.
            backend: Whose window it is.

        Returns:
            In a notebook, the matplotlib figure.

        Raises:
            ValueError: There is no such backend.
            ImportError: It is not installed.
        """
        if backend not in ("matplotlib", "cv2"):
            raise ValueError(f"backend is {backend!r}, not 'matplotlib' or 'cv2'")
        image = self._drawn() if drawn_img is None else drawn_img
        if backend == "cv2":
            cv2 = import_optional("cv2", "show(backend='cv2')", "opencv-python")
            window = str(id(self))
            cv2.namedWindow(window)
            cv2.setWindowTitle(window, win_name)
            cv2.imshow(window, image[..., ::-1])  # OpenCV has blue first
            cv2.waitKey(int(np.ceil(wait_time * 1000)))
            return None
        if self.manager is None:  # else the window of the last call is still there
            self.manager = new_window(self.fig_show_cfg)
            self.manager.canvas.mpl_connect("close_event", self._forget_window)
        self.manager.set_window_title(win_name)
        figure = self.manager.canvas.figure
        figure.subplots_adjust(left=0, right=1, bottom=0, top=1)
        figure.clear()
        axes = figure.add_subplot()
        axes.axis(False)
        axes.imshow(image)
        self.manager.canvas.draw()
        import matplotlib.pyplot as plt

        if "inline" in plt.get_backend():
            return figure
        wait_continue(figure, timeout=wait_time, continue_key=continue_key)
        return None

    def _forget_window(self, event: Any) -> None:
        self.manager = None

    draw_featmap = staticmethod(master_only(featmap_image))

    @master_only
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config of the run.

        Args:
            config: The config.
            **kwargs: Passed on to the backends.
        """
        self._send("add_config", config, **kwargs)

    @master_only
    def add_graph(self, model: torch.nn.Module, data_batch: Any, **kwargs: Any) -> None:
        """Record the structure of the model.

        Args:
            model: The model.
            data_batch: A batch that it takes.
            **kwargs: Passed on to the backends.
        """
        self._send("add_graph", model, data_batch, **kwargs)

    @master_only
    def add_image(self, name: str, image: Image, step: int = 0) -> None:
        """Record an image.

        Args:
            name: Its name.
            image: RGB of shape (H, W, 3), uint8.
            step: The step that it belongs to.
        """
        self._send("add_image", name, image, step)

    @master_only
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number.

        Args:
            name: Its name.
            value: The number.
            step: The step that it belongs to.
            **kwargs: Passed on to the backends.
        """
        self._send("add_scalar", name, value, step, **kwargs)

    @master_only
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
            step: The step that they belong to.
            file_path: Name of a further file for backends that write files.
            **kwargs: Passed on to the backends.
        """
        self._send("add_scalars", scalar_dict, step, file_path, **kwargs)

    @master_only
    def add_log(
        self,
        scalars: dict[str, Any],
        tagged: dict[str, Any],
        *,
        step: int,
        iteration: int,
        file_path: str | None = None,
    ) -> None:
        """Record what a run logs: each backend gets it in the form that it takes.

        Args:
            scalars: Numbers under MMEngine's flat names, such as ``loss`` and ``val_loss``.
            tagged: The same as ``train/loss`` and ``val/loss``, with the ``epoch``.
            step: Iteration or epoch that the first belong to.
            iteration: Iteration that the second belong to.
            file_path: Name of a further file for backends that write files.
        """
        if type(self).add_scalars is not Visualizer.add_scalars:  # it sees to it by itself
            self.add_scalars(scalars, step, file_path)
            return
        by_tag = {name for name, backend in self._vis_backends.items() if backend.by_tag}
        self._send("add_scalars", scalars, step, file_path, leaving_out=by_tag)
        self._send("add_scalars", tagged, iteration, leaving_out=self._vis_backends.keys() - by_tag)

    @master_only
    def add_datasample(
        self,
        name: str,
        image: Image,
        data_sample: Any = None,
        draw_gt: bool = True,
        draw_pred: bool = True,
        show: bool = False,
        wait_time: float = 0,
        step: int = 0,
    ) -> None:
        """Draw what is known of a sample; does nothing unless a subclass overrides it.

        Args:
            name: Name of the image.
            image: RGB of shape (H, W, 3), uint8.
            data_sample: Annotations and predictions.
            draw_gt: Whether to draw annotations.
            draw_pred: Whether to draw predictions.
            show: Whether to show the result in a window.
            wait_time: Seconds to show it; 0 waits for a key.
            step: The step that it belongs to.
        """

    def close(self) -> None:
        """Let the backends write what is waiting, and end them."""
        self._send("close")

    def _send(
        self, method: str, *args: Any, leaving_out: Collection[str] = (), **kwargs: Any
    ) -> None:
        for name, backend in self._vis_backends.items():
            if name in self._failed or name in leaving_out:
                continue
            try:
                getattr(backend, method)(*args, **kwargs)
            except Exception as error:
                # A tracker that is not installed is a mistake, which shows when the run starts.
                may_fail = getattr(backend, "may_fail", False)
                if not may_fail or isinstance(error, MissingPackageError):
                    raise
                self._failed.add(name)
                MMLogger.get_current_instance().warning(
                    f"{name} failed and is switched off for the rest of this run: "
                    f"{type(error).__name__}: {error}",
                    exc_info=error,
                )
