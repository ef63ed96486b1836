"""Test-time augmentation: predict on several versions of a sample and merge."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from mainspring.errors import mark_user_mistake
from mainspring.model.base_model.base_model import BaseModel
from mainspring.registry import MODELS

__all__ = ["BaseTTAModel"]


@MODELS.register_module()
class BaseTTAModel(BaseModel):
    """Predicts with a model on every augmented version of a batch and merges the predictions.

    A batch is a dict whose values are lists over the versions (or a list or tuple of such lists).

    Args:
        module: The model, or a dict that describes it.
        data_preprocessor: As in `BaseModel`. A dict as `module` takes it over, since the inner
            model's own one prepares the batches.

    Raises:
        TypeError: `module` is neither a module nor a dict.

    Example:
        >>> class Mean(BaseTTAModel):
        ...     def merge_preds(self, data_samples_list):
        ...         return [sum(versions) / len(versions) for versions in data_samples_list]
        >>> Mean(nn.Identity()).merge_preds([[torch.tensor(1.0), torch.tensor(3.0)]])
        [tensor(2.)]
    """

    def __init__(
        self,
        module: Mapping[str, Any] | nn.Module,
        data_preprocessor: Mapping[str, Any] | nn.Module | None = None,
    ) -> None:
        if isinstance(module, Mapping) and data_preprocessor is not None:
            # Its kind is known to the model inside, which prepares the batches.
            module = {**module, "data_preprocessor": data_preprocessor}
            data_preprocessor = None
        super().__init__(data_preprocessor)
        if isinstance(module, Mapping):
            module = MODELS.build(module)
        if not isinstance(module, nn.Module):
            raise mark_user_mistake(
                TypeError(
                    "The type of module should be a `nn.Module` instance or a dict, but got "
                    f"{module!r}"
                )
            )
        self.module = module

    @abstractmethod
    def merge_preds(self, data_samples_list: list[list[Any]]) -> list[Any]:
        """Merge the predictions of the versions.

        Args:
            data_samples_list: For each sample, its predictions in the order of the versions.

        Returns:
            One prediction for each sample.
        """

    def test_step(self, data: Any) -> list[Any]:
        """Predict on all versions of a batch and merge.

        Raises:
            TypeError: The batch is no dict, list or tuple.
        """
        if isinstance(data, Mapping):
            count = len(next(iter(data.values())))
            versions: list[Any] = [
                {key: value[index] for key, value in data.items()} for index in range(count)
            ]
        elif isinstance(data, list | tuple):
            versions = [[part[index] for part in data] for index in range(len(data[0]))]
        else:
            raise TypeError(
                "data given by dataLoader should be a dict, tuple or a list, but got "
                f"{type(data).__name__}"
            )
        model: Any = self.module
        predictions = [model.test_step(version) for version in versions]
        by_sample: list[Any] = list(zip(*predictions, strict=True))
        return self.merge_preds(by_sample)

    def forward(
        self, inputs: torch.Tensor, data_samples: list[Any] | None = None, mode: str = "tensor"
    ) -> Any:
        """Not used: testing goes through `test_step`.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            "BaseTTAModel is for test_step only; implement forward to call it otherwise"
        )
