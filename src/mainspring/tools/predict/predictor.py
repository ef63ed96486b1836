"""From inputs to the model's predictions, batch by batch; what cannot be read is left out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import default_collate

from mainspring.checkpoint.apply import _load_checkpoint_to_model, unwrap
from mainspring.dataset import build_dataloader
from mainspring.dataset.any_loader import is_named_loaders
from mainspring.dataset.compose import Compose
from mainspring.errors import CheckpointError, ConfigError, DataError, mark_user_mistake
from mainspring.infer import BaseInferencer, ReadsInputs
from mainspring.model.samples import rows
from mainspring.names.packages import import_optional
from mainspring.registry import VISUALIZERS, DefaultScope
from mainspring.report.samples import Display
from mainspring.runner.evaluation import precision
from mainspring.tools.predict.inputs import Input, is_image
from mainspring.visualization import Visualizer

__all__ = ["Predictor", "Unreadable"]


@dataclass(frozen=True)
class Unreadable:
    """What stands in place of a prediction.

    Attributes:
        error: Why the input could not be read.
    """

    error: Exception


class Predictor(BaseInferencer):
    """The model of a config, with what makes its items of inputs.

    The first of these that there is makes the item: `ReadsInputs` of the model, the pipeline of the
    test data (of the validation data, where there is none), `ReadsInputs` of the data set, and its
    ``transform``, which gets a PIL image. Where nothing is said, an image is a float tensor
    (3, H, W) from 0 to 1, ``.npy`` and ``.pt`` files and lists of numbers are tensors, and a text
    is what it is.

    Args:
        cfg: The config.
        checkpoint: Its weights.
        device: Where to compute; the best available device by default.
        partial: Whether the checkpoint may hold other weights than the model.
    """

    def __init__(
        self, cfg: Any, checkpoint: str, device: str | None = None, *, partial: bool = False
    ) -> None:
        self._partial = partial
        self.classes: list[str] = []
        self.dataset: Any = None
        self._collate: Callable[[Any], Any] | None = None
        super().__init__(cfg, checkpoint, device, cfg.get("default_scope"), show_progress=False)

    def predict(
        self, inputs: Iterable[Input], batch_size: int = 1
    ) -> Iterator[tuple[Input, Any, Any]]:
        """Predict, while inputs come.

        Args:
            inputs: The inputs.
            batch_size: How many the model gets at once.

        Yields:
            Each input, its item, and the prediction of the model or an `Unreadable`.
        """
        for chunk in self._get_chunk_data(inputs, batch_size):
            items = [self._read_or_say(given) for given in chunk]
            readable = [item for item in items if not isinstance(item, Unreadable)]
            predictions = iter(self._predict_batch(readable, chunk) if readable else ())
            for given, item in zip(chunk, items, strict=True):
                yield given, item, item if isinstance(item, Unreadable) else next(predictions)

    def _predict_batch(self, items: list[Any], chunk: list[Input]) -> list[Any]:
        try:
            batch = self.collate_fn(items)
            fp16 = bool((self.cfg.get("test_cfg") or {}).get("fp16", False))
            with precision(fp16):
                predictions = self.forward(batch)
        except Exception as error:
            shown = ", ".join(given.name for given in chunk)
            error.add_note(f"while predicting for {shown}")
            if len(items) > 1:
                error.add_note("help: --batch-size 1 gives the model one input at a time")
            raise
        if not isinstance(predictions, list | tuple) or len(predictions) != len(items):
            predictions = rows(predictions, len(items))
        return list(predictions)

    def _read_or_say(self, given: Input) -> Any:
        try:
            if isinstance(given.source, Exception):
                raise given.source
            item = self.pipeline(given)
            if item is None:
                raise DataError("the pipeline gave nothing for it")
        except ConfigError:
            raise  # no input can be read
        except Exception as error:  # noqa: BLE001 - whatever a file does to a reader
            return Unreadable(error)
        return item

    def _init_pipeline(self, cfg: Any) -> Callable[[Any], Any]:
        section = _first_loader(cfg)
        model = unwrap(self.model)
        if isinstance(model, ReadsInputs):
            return lambda given: self._named(model.read_input(given.source))
        pipeline = _pipeline_in(section)
        if pipeline is not None:
            with DefaultScope.overwrite_default_scope(self.scope):
                compose = Compose(pipeline)
            return lambda given: compose(_as_sample(given))
        dataset: Any = None
        if section is not None:
            with DefaultScope.overwrite_default_scope(self.scope):
                loader = build_dataloader(section, seed=0)
            dataset = self.dataset = loader.dataset
            self._collate = loader.collate_fn
            self.classes = Display.of_dataset(dataset).classes
        if isinstance(dataset, ReadsInputs):
            return lambda given: self._named(dataset.read_input(given.source))
        transform = getattr(dataset, "transform", None)
        return lambda given: self._named(_read(given, transform))

    def _named(self, item: Any) -> Any:
        """An item as the model takes it: a single value is forward's first argument."""
        if isinstance(item, Mapping | tuple):
            return item
        model = unwrap(self.model)
        forward = getattr(model, "_own_class", type(model)).forward
        names = list(inspect.signature(forward).parameters)
        return {names[1]: item}

    def _load_weights_to_model(
        self, model: nn.Module, checkpoint: Mapping[str, Any] | None, cfg: Any
    ) -> None:
        try:
            _load_checkpoint_to_model(model, checkpoint or {}, strict=not self._partial)
        except CheckpointError as error:
            error.help = error.help or "--partial takes the weights that fit, and new ones beside"
            raise mark_user_mistake(error) from None
        meta = ((checkpoint or {}).get("meta") or {}).get("dataset_meta") or {}
        self.classes = list(map(str, meta.get("classes") or ()))

    def _init_collate(self, cfg: Any) -> Callable[[Any], Any]:
        section = _first_loader(cfg)
        if self._collate is not None:
            return self._collate
        if isinstance(section, Mapping) and "type" not in section:
            collate: Callable[[Any], Any] = super()._init_collate(
                SimpleNamespace(test_dataloader=section)
            )
            return collate
        return default_collate

    def _init_visualizer(self, cfg: Any) -> Any:
        visualizer = cfg.get("visualizer")
        if not isinstance(visualizer, Visualizer):
            spec = visualizer if isinstance(visualizer, Mapping) else {"type": "Visualizer"}
            settings = {"name": f"predict-{id(self)}", "vis_backends": None, "save_dir": None}
            with DefaultScope.overwrite_default_scope(self.scope):
                visualizer = VISUALIZERS.build({**spec, **settings})
        if self.classes:
            visualizer.dataset_meta = {"classes": self.classes}
        return visualizer

    def visualize(self, inputs: list[Any], preds: Any, show: bool = False, **kwargs: Any) -> Any:
        """Nothing: `Output` draws."""

    def postprocess(
        self, preds: Any, visualization: Any, return_datasample: bool = False, **kwargs: Any
    ) -> Any:
        """The predictions as they are."""
        return preds


def _first_loader(cfg: Any) -> Any:
    """The section of the test or validation data; of several loaders, the first."""
    section = cfg.get("test_dataloader") or cfg.get("val_dataloader")
    if is_named_loaders(section):
        return next(iter(section.values()))
    return section[0] if isinstance(section, list | tuple) else section


def _pipeline_in(section: Any) -> Any:
    """The pipeline that a loader's data set is described with, perhaps inside of a wrapper."""
    described = section.get("dataset") if isinstance(section, Mapping) else None
    while isinstance(described, Mapping):
        if described.get("pipeline"):
            return described["pipeline"]
        described = described.get("dataset")
    return None


def _as_sample(given: Input) -> dict[str, Any]:
    """An input as the transforms of OpenMMLab take it."""
    if given.is_file:
        return {"img_path": given.source, "img_id": 0}
    if isinstance(given.source, Mapping):
        return {str(key): value for key, value in given.source.items()}
    return {"text": given.source}


def _read(given: Input, transform: Callable[[Any], Any] | None) -> Any:
    """An item of an input, where neither model nor data set says how."""
    source = given.source
    if given.is_file and is_image(source):
        image = read_image(source)
        if transform is not None:
            return transform(image)
        pixels = np.asarray(image.convert("RGB"))
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255
    if given.is_file and source.endswith(".npy"):
        return torch.from_numpy(np.load(source))
    if given.is_file and source.endswith((".pt", ".pth")):
        return torch.load(source, weights_only=True)
    if given.is_file:
        raise DataError(
            "nothing says how to read it",
            help="give the model or the test data set read_input(source), or a pipeline",
        )
    if isinstance(source, Mapping):
        return {str(key): _as_tensor(value) for key, value in source.items()}
    return _as_tensor(source)


def _as_tensor(value: Any) -> Any:
    """Numbers as a tensor, anything else as it is."""
    if isinstance(value, list | int | float):
        tensor = torch.tensor(value)
        return tensor.float() if tensor.is_floating_point() else tensor
    return value


def read_image(path: str) -> Any:
    """An image file as a PIL image, read whole.

    Args:
        path: The file.
    """
    opened = import_optional("PIL.Image", "reading images", "pillow").open(path)
    opened.load()
    return opened
