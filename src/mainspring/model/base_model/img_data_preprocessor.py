"""Preprocessing of images: colour order, normalisation, padding to one size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from mainspring.errors import ArgumentTypeError, DataError
from mainspring.model.base_model.data_preprocessor import BaseDataPreprocessor
from mainspring.model.batching import stack_batch
from mainspring.registry import MODELS

__all__ = ["ImgDataPreprocessor"]


@MODELS.register_module()
class ImgDataPreprocessor(BaseDataPreprocessor):
    """Turns images into one normalised batch on the device.

    In this order: move to the device, swap the colour channels, convert to float32, subtract the
    mean and divide by the standard deviation, pad at the right and bottom, stack.

    Args:
        mean: Mean of the pixel values, one for gray images or three; together with `std`.
        std: Standard deviation of the pixel values, as many values as `mean` or one.
        pad_size_divisor: Height and width are padded to multiples of it.
        pad_value: What the padding is filled with, after normalisation.
        bgr_to_rgb: Swap the first and third channel.
        rgb_to_bgr: The same under the other name; not both.
        non_blocking: Whether copies from pinned memory overlap with computation.

    Raises:
        ArgumentTypeError: A switch is neither true nor false.
        AssertionError: Only one of `mean` and `std` is given, one has another length than 1 or 3,
            or both swaps are asked for.

    Example:
        >>> preprocessor = ImgDataPreprocessor(mean=[127.5], std=[127.5], pad_size_divisor=4)
        >>> images = [torch.full((1, 2, 3), 255, dtype=torch.uint8)]
        >>> batch = preprocessor(dict(inputs=images))["inputs"]
        >>> batch.shape, batch[0, 0, 0].tolist()
        (torch.Size([1, 1, 4, 4]), [1.0, 1.0, 1.0, 0.0])
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        pad_size_divisor: int = 1,
        pad_value: float = 0,
        bgr_to_rgb: bool = False,
        rgb_to_bgr: bool = False,
        non_blocking: bool | None = False,
    ) -> None:
        super().__init__(non_blocking)
        for name, switch in (("bgr_to_rgb", bgr_to_rgb), ("rgb_to_bgr", rgb_to_bgr)):
            if not isinstance(switch, bool):
                raise ArgumentTypeError(f"{name} is True or False, not {switch!r}")
        if bgr_to_rgb and rgb_to_bgr:
            raise AssertionError("`bgr_to_rgb` and `rgb_to_bgr` cannot be set at the same time")
        if (mean is None) != (std is None):
            raise AssertionError(f"mean and std go together, but got mean={mean} and std={std}")
        self._enable_normalize = mean is not None
        if mean is not None and std is not None:
            self.register_buffer("mean", _per_channel("mean", mean), persistent=False)
            self.register_buffer("std", _per_channel("std", std), persistent=False)
        self._channel_conversion = bgr_to_rgb or rgb_to_bgr
        self.pad_size_divisor = pad_size_divisor
        self.pad_value = pad_value

    def forward(self, data: Any, training: bool = False) -> Any:
        """Preprocess a batch of images.

        Args:
            data: Dict with ``inputs``, a list of (C, H, W) tensors of any sizes or one (N, C, H, W)
                tensor, and perhaps ``data_samples``.
            training: Whether the batch is for training.

        Returns:
            The dict with ``inputs`` as one float tensor (N, C, H', W') and ``data_samples``, which
            is ``None`` when it was absent.

        Raises:
            DataError: ``inputs`` is absent.
            TypeError: ``inputs`` is neither a list of tensors nor a tensor.
            AssertionError: The shapes do not fit.
        """
        data = self.cast_data(data)
        try:
            images = data["inputs"]
        except (KeyError, TypeError) as error:
            found = sorted(data) if isinstance(data, dict) else type(data).__name__
            raise DataError(
                f"ImgDataPreprocessor needs a dict with 'inputs', but the batch is {found}"
            ) from error
        if isinstance(images, torch.Tensor):
            if images.dim() != 4:
                raise AssertionError(
                    "The input of `ImgDataPreprocessor` should be a NCHW tensor or a list of "
                    f"tensor, but got a tensor with shape {tuple(images.shape)}"
                )
            batch = self._pad(self._colours(images))
        elif isinstance(images, list | tuple) and all(
            isinstance(image, torch.Tensor) for image in images
        ):
            coloured = [self._colours(image) for image in images]
            batch = stack_batch(coloured, self.pad_size_divisor, self.pad_value)
        else:
            raise TypeError(
                "'inputs' should be a list of (C, H, W) tensors or a (N, C, H, W) tensor, but got "
                f"{type(images).__name__}"
            )
        data["inputs"] = batch
        data.setdefault("data_samples", None)
        return data

    def _colours(self, image: torch.Tensor) -> torch.Tensor:
        """Swap channels and normalise an image or a batch of them; channels are third from last."""
        if self._channel_conversion:
            image = image[..., [2, 1, 0], :, :]
        image = image.float()
        if not self._enable_normalize:
            return image
        channels = image.shape[-3] if image.dim() > 2 else None
        if image.dim() < 3 or (self.mean.shape[0] == 3 and channels != 3):
            raise AssertionError(
                f"with {self.mean.shape[0]} values of mean and std the images should be "
                f"(C, H, W) with as many channels, but got shape {tuple(image.shape)}"
            )
        return (image - self.mean) / self.std

    def _pad(self, batch: torch.Tensor) -> torch.Tensor:
        height, width = batch.shape[-2:]
        divisor = self.pad_size_divisor
        bottom = math.ceil(height / divisor) * divisor - height
        right = math.ceil(width / divisor) * divisor - width
        return F.pad(batch, (0, right, 0, bottom), "constant", self.pad_value)


def _per_channel(name: str, values: Sequence[float]) -> torch.Tensor:
    if len(values) not in {1, 3}:
        raise AssertionError(
            f"`{name}` should have 1 or 3 values, to be compatible with gray or RGB images, but "
            f"got {len(values)}: {list(values)}"
        )
    return torch.tensor(values).view(-1, 1, 1)
