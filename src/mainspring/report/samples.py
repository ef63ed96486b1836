"""Samples as people look at them: images with what is known of them, texts, values by name.

A batch may have any form that a loader gives: a pair of inputs and targets, a dict, a list of
samples. What a model predicts of it is a list of samples, as metrics take them.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mainspring.evaluator.samples import PREDICTIONS, TARGETS
from mainspring.model.samples import batch_size, rows
from mainspring.report.record import Shown
from mainspring.structures import BaseDataElement
from mainspring.visualization.drawing import Color, Drawing
from mainspring.visualization.images import png_bytes

__all__ = [
    "Display",
    "draw_mask",
    "first_of",
    "inputs_and_targets",
    "pixel_classes",
    "plain_sample",
]

Image = np.ndarray[Any, Any]

_INPUTS = ("inputs", "image", "images", "img", "pixel_values", "input_ids", "tokens", "text", "x")
_OF_PREDICTION = (*PREDICTIONS, "pred_instances", "pred_sem_seg")
_OF_TARGET = (*TARGETS, "targets", "y", "gt_instances", "gt_sem_seg", "data_samples", "data_sample")

_SMALLEST, _LARGEST = 320, 320  # pixels of the longer side, where something is drawn; of any image
_CONFIDENT = 0.3
_MOST_BOXES = 30
_MOST_VALUES = 8
_MOST_LETTERS = 400
_TARGET_COLOR, _PREDICTED_COLOR = (46, 160, 67), (230, 126, 34)
_PALETTE: tuple[tuple[int, int, int], ...] = (
    (230, 126, 34), (59, 111, 182), (46, 160, 67), (155, 89, 182), (231, 76, 60),
    (22, 160, 133), (241, 196, 15), (127, 140, 141), (233, 30, 99), (121, 85, 72),
)  # fmt: skip


def first_of(sample: Any, names: Sequence[str]) -> Any:
    """What a mapping holds under the first of several names that it has, or ``None``."""
    return next((sample[name] for name in names if name in sample), None)


def plain_sample(sample: Any) -> Any:
    """A data element as a dict; anything else as it is."""
    return sample.to_dict() if isinstance(sample, BaseDataElement) else sample


def inputs_and_targets(batch: Any) -> list[tuple[Any, Any]]:
    """The samples of a batch: what goes into the model, and what is right or ``None``.

    Args:
        batch: What a loader gave, or what a data preprocessor made of it.

    Raises:
        TypeError: It holds nothing of which there is one for each sample.
    """
    if isinstance(batch, list | tuple) and batch and all(isinstance(i, Mapping) for i in batch):
        return [_input_and_target(item) for item in batch]
    inputs, targets = _input_and_target(batch)
    if isinstance(inputs, list) and all(isinstance(item, Tensor | str) for item in inputs):
        count = len(inputs)  # of different sizes
    else:
        count = batch_size(inputs)
    each = rows(inputs, count)
    return list(zip(each, [None] * count if targets is None else rows(targets, count), strict=True))


def _input_and_target(item: Any) -> tuple[Any, Any]:
    if isinstance(item, Mapping):
        found = first_of(item, _INPUTS)
        rest = {name: value for name, value in item.items() if name not in _OF_TARGET}
        return rest if found is None else found, first_of(item, _OF_TARGET)
    if isinstance(item, list | tuple) and item:
        return item[0], item[1] if len(item) > 1 else None
    return item, None


@dataclass
class Display:
    """How samples of a data set are shown.

    Attributes:
        classes: Names of its classes; empty where they are not known.
        decode: Makes a text of token ids, if the data set can.
        bgr: Whether its images have blue first.
    """

    classes: list[str] = field(default_factory=list)
    decode: Callable[[list[int]], str] | None = None
    bgr: bool = False

    @classmethod
    def of_dataset(cls, dataset: Any, preprocessor: Any = None) -> Display:
        """How samples of a data set are shown, by what it says of itself.

        Args:
            dataset: The data set: its ``metainfo["classes"]`` or ``classes``, its ``decode`` or
                that of its ``tokenizer``.
            preprocessor: The data preprocessor of the model, which tells whether blue comes first.
        """
        meta = getattr(dataset, "metainfo", None)
        classes = meta.get("classes") if isinstance(meta, Mapping) else None
        classes = classes or getattr(dataset, "classes", None)
        decode = getattr(dataset, "decode", None)
        decode = decode or getattr(getattr(dataset, "tokenizer", None), "decode", None)
        if not isinstance(classes, Collection) or isinstance(classes, str):
            classes = ()
        return cls(
            list(map(str, classes)),
            decode,
            bool(getattr(preprocessor, "_channel_conversion", False)),
        )

    def show(self, inputs: Any, sample: Any = None, target: Any = None) -> Shown:
        """A sample as a page shows it.

        Args:
            inputs: What goes into the model.
            sample: What the model predicted, maybe with what is right.
            target: What is right, where `sample` does not say.
        """
        known = plain_sample(sample)
        predicted = known
        if isinstance(known, Mapping):
            predicted, right = first_of(known, _OF_PREDICTION), first_of(known, _OF_TARGET)
            target = target if right is None else right
        target = plain_sample(target)
        if isinstance(target, Mapping) and self.boxes(target) is None:
            inner = first_of(target, _OF_TARGET)  # of a data sample
            target = target if inner is None else inner
        shown = Shown()
        image = self._image(inputs)
        if image is not None:
            pixels, size = image
            drawn = self._drawn(pixels, predicted, target, size)
            shown.image = base64.b64encode(png_bytes(drawn)).decode()
        elif isinstance(inputs, Mapping):
            shown.row = {str(name): _in_words(value) for name, value in inputs.items()}
        else:
            shown.text = self._text(inputs)
        shown.target, shown.predicted = self._answer(target), self._answer(predicted)
        right_class, predicted_class = _class_of(target), _class_of(predicted)
        if right_class is not None and predicted_class is not None:
            shown.is_right = right_class == predicted_class
        return shown

    def name(self, index: int) -> str:
        """Name of a class."""
        return self.classes[index] if 0 <= index < len(self.classes) else str(index)

    def _image(self, value: Any) -> tuple[Image, tuple[int, int]] | None:
        """RGB of shape (H, W, 3), uint8, and its size before; ``None`` for what is no image."""
        if not isinstance(value, Tensor | np.ndarray):
            return None
        tensor = torch.as_tensor(value).detach().cpu()
        if tensor.dim() == 2 and min(tensor.shape) >= 8:
            tensor = tensor[None]
        if tensor.dim() != 3:
            return None
        if tensor.shape[0] not in (1, 3, 4) and tensor.shape[2] in (1, 3, 4):
            tensor = tensor.permute(2, 0, 1)
        if tensor.shape[0] not in (1, 3, 4):
            return None
        pixels = tensor[:3].float().nan_to_num()
        low, high = float(pixels.min()), float(pixels.max())
        if low < 0 or high > 255:  # normalised
            pixels = (pixels - low) / ((high - low) or 1.0) * 255
        elif high <= 1 and tensor.dtype != torch.uint8:
            pixels = pixels * 255
        size = (pixels.shape[1], pixels.shape[2])
        longest = max(size)
        if longest > _LARGEST:
            pixels = functional.interpolate(
                pixels[None], scale_factor=_LARGEST / longest, mode="area"
            )[0]
        array = pixels.round().to(torch.uint8).permute(1, 2, 0).numpy()
        if array.shape[2] == 1:
            return np.repeat(array, 3, axis=2), size
        return np.ascontiguousarray(array[..., ::-1] if self.bgr else array), size

    def _drawn(self, image: Image, predicted: Any, target: Any, size: tuple[int, int]) -> Image:
        """The image with boxes, or beside itself with masks, where there are any.

        Args:
            image: The image.
            predicted: What was predicted.
            target: What is right.
            size: Height and width before the image was made smaller, to which these belong.
        """
        height, width = image.shape[:2]
        masks = [_mask(value, size, (height, width)) for value in (target, predicted)]
        with_masks = [_with_mask(image, mask) for mask in masks if mask is not None]
        if with_masks:
            return np.concatenate([image, *with_masks], axis=1)
        boxes = [self.boxes(value, _MOST_BOXES) for value in (target, predicted)]
        if boxes == [None, None]:
            return image
        zoom = max(1, -(-_SMALLEST // max(height, width)))
        scale = zoom * width / size[1]
        drawing = Drawing({"frameon": False})
        drawing.set_image(image.repeat(zoom, axis=0).repeat(zoom, axis=1))
        colors = (_TARGET_COLOR, _PREDICTED_COLOR)
        for found, color in zip(boxes, colors, strict=True):
            if found is not None and len(found[0]):
                corners, _, texts = found
                drawing.draw_bboxes(corners * scale, edge_colors=color)
                if color == _PREDICTED_COLOR:
                    drawing.draw_texts(
                        texts,
                        (corners[:, :2] * scale).clip(0, zoom * max(height, width) - 1),
                        colors="white",
                        bboxes={"facecolor": "#00000099", "edgecolor": "none", "pad": 1},
                        font_sizes=8,
                    )
        return drawing._drawn()

    def boxes(
        self, value: Any, most: int | None = None
    ) -> tuple[Image, list[Color], list[str]] | None:
        """Corners of boxes, colours of their classes, and what is said of each.

        Args:
            value: A target or prediction; of the latter, boxes with a fair score count.
            most: How many to give, those with the highest scores; all by default.

        Returns:
            `None` where there are no boxes of four numbers.
        """
        found = first_of(value, ("bboxes", "boxes")) if isinstance(value, Mapping) else None
        corners = torch.as_tensor(getattr(found, "tensor", [] if found is None else found))
        if found is None or corners.shape[-1:] not in ((0,), (4,)):
            return None
        corners = corners.detach().cpu().float().reshape(-1, 4)
        count = len(corners)
        labels = _one_each(first_of(value, ("labels", "label")), count)
        scores = _one_each(first_of(value, ("scores", "score")), count)
        order = sorted(range(count), key=lambda index: -scores[index] if scores else 0)
        kept = [i for i in order if not scores or scores[i] >= _CONFIDENT][:most]
        names = [self.name(int(label)) for label in labels] or [""] * count
        shares = [f" {score:.0%}" for score in scores] or [""] * count
        colors = [_color_of(int(labels[i]) if labels else 0) for i in kept]
        return corners[kept].numpy(), colors, [(names[i] + shares[i]).strip() for i in kept]

    def _text(self, value: Any) -> str:
        if isinstance(value, Tensor | np.ndarray):
            tensor = torch.as_tensor(value)
            if self.decode is not None and tensor.dim() == 1 and not tensor.is_floating_point():
                return str(self.decode(tensor.tolist()))[:_MOST_LETTERS]
        return _in_words(value)

    def _answer(self, value: Any) -> str:
        """A target or prediction in a few words; empty for what is drawn."""
        if value is None or isinstance(value, Mapping):
            return ""
        if isinstance(value, str):
            return value[:_MOST_LETTERS]
        found = _class_of(value)
        if found is not None:
            index, share = found, _probability(value)
            return self.name(index) + (f" {share:.0%}" if share is not None else "")
        if isinstance(value, Tensor | np.ndarray):
            tensor = torch.as_tensor(value)
            if tensor.dim() == 2 and tensor.is_floating_point() and self.decode is not None:
                tensor = tensor.argmax(-1)  # scores of tokens
            if tensor.dim() > 1:
                return ""
            return self._text(tensor)
        return _in_words(value)


def _class_of(value: Any) -> int | None:
    """The class that a label says, or scores of classes."""
    if isinstance(value, bool) or value is None or isinstance(value, str | Mapping):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, Tensor | np.ndarray):
        tensor = torch.as_tensor(value)
        if tensor.numel() == 1 and not tensor.is_floating_point():
            return int(tensor)
        if tensor.dim() == 1 and tensor.numel() > 1 and tensor.is_floating_point():
            return int(tensor.argmax())
    return None


def _probability(scores: Any) -> float | None:
    """The share of the highest score, or ``None`` for a label."""
    tensor = torch.as_tensor(scores) if isinstance(scores, Tensor | np.ndarray) else None
    if tensor is None or not tensor.is_floating_point() or tensor.dim() != 1:
        return None
    values = tensor.float()
    is_distribution = bool((values >= 0).all()) and abs(float(values.sum()) - 1) < 1e-3
    return float((values if is_distribution else values.softmax(0)).max())


def _one_each(values: Any, count: int) -> list[Any]:
    """Values of which there is one for each of some boxes; else none."""
    listed = [] if values is None else torch.as_tensor(values).reshape(-1).tolist()
    return listed if len(listed) == count else []


def _mask(value: Any, size: tuple[int, int], shown: tuple[int, int]) -> Image | None:
    """Class of each pixel, 0 for the background; ``None`` where there is none.

    Args:
        value: A target or prediction.
        size: Height and width of the image that it belongs to.
        shown: Those of the image that is shown.
    """
    classes = pixel_classes(value, size)
    if classes is None or size == shown:
        return None if classes is None else classes.numpy()
    smaller = functional.interpolate(classes[None, None].double(), size=shown, mode="nearest")
    return smaller[0, 0].long().numpy()


def pixel_classes(value: Any, size: tuple[int, int]) -> Tensor | None:
    """Class of each pixel, 0 for the background; ``None`` for what is no map of an image.

    Args:
        value: Classes, scores of classes, masks of instances, or a mapping that holds such.
        size: Height and width of the image.
    """
    if isinstance(value, Mapping):
        instances = value.get("masks")
        if isinstance(instances, Tensor | np.ndarray):
            layers = torch.as_tensor(instances).detach().cpu() > 0.5
            if not len(layers) or layers.shape[1:] != size:
                return None
            return (layers * torch.arange(1, len(layers) + 1)[:, None, None]).amax(0)
        value = value.get("data", value.get("sem_seg"))
    if not isinstance(value, Tensor | np.ndarray):
        return None
    tensor = torch.as_tensor(value).detach().cpu()
    if tensor.shape[-2:] != size or tensor.dim() not in (2, 3):
        return None
    if tensor.dim() == 3 and tensor.shape[0] > 1:
        return tensor.argmax(0)
    tensor = tensor.reshape(size)
    if tensor.is_floating_point():
        is_share = bool((tensor >= 0).all() and (tensor <= 1).all())
        return (tensor > (0.5 if is_share else 0.0)).long()
    return tensor.long()


def _with_mask(image: Image, mask: Image) -> Image:
    drawing = Drawing({"frameon": False})
    drawing.set_image(image)
    draw_mask(drawing, mask)
    return drawing._drawn()


def draw_mask(drawing: Drawing, mask: Image) -> None:
    """Colour the pixels of an image by their classes.

    Args:
        drawing: Shows the image.
        mask: The classes; 0 for the background, 255 for what does not count.
    """
    found = [int(label) for label in np.unique(mask) if 0 < label < 255]
    if found:
        layers = np.stack([mask == label for label in found])
        drawing.draw_binary_masks(layers, colors=[*map(_color_of, found)], alphas=0.55)


def _color_of(label: int) -> Color:
    """The colour of a class."""
    return _PALETTE[label % len(_PALETTE)]


def _in_words(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, Tensor | np.ndarray):
        tensor = torch.as_tensor(value)
        if tensor.numel() == 1:
            value = tensor.item()
        else:
            first = [_in_words(item) for item in tensor.flatten()[:_MOST_VALUES].tolist()]
            more = ", ..." if tensor.numel() > _MOST_VALUES else ""
            shape = f"  {tuple(tensor.shape)}" if tensor.dim() > 1 or more else ""
            return f"{', '.join(first)}{more}{shape}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)[:_MOST_LETTERS]
