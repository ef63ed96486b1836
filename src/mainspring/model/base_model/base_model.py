"""The base of models: losses in training, predictions in evaluation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from mainspring.errors import mark_user_mistake
from mainspring.model.base_model.steps import ModelSteps
from mainspring.model.base_module import BaseModule
from mainspring.model.weight_init.initialize import InitCfg
from mainspring.registry import MODELS

__all__ = ["BaseModel", "build_data_preprocessor"]


class BaseModel(ModelSteps, BaseModule):
    """Base of the models that loops can run.

    Args:
        data_preprocessor: Module that prepares batches on the device, or a dict that describes one
            (``BaseDataPreprocessor`` without a ``type``); by default batches are only moved.
        init_cfg: How to initialise the weights, see `initialize`.

    Attributes:
        data_preprocessor: The module that prepares batches.

    Example:
        >>> class Classifier(BaseModel):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.net = nn.Linear(4, 3)
        ...
        ...     def forward(self, inputs, labels=None, mode="tensor"):
        ...         scores = self.net(inputs)
        ...         if mode == "loss":
        ...             return dict(loss=nn.functional.cross_entropy(scores, labels))
        ...         return list(scores.argmax(1)) if mode == "predict" else scores
        >>> batch = dict(inputs=torch.zeros(2, 4), labels=torch.tensor([0, 1]))
        >>> len(Classifier().val_step(batch))
        2
    """

    def __init__(
        self,
        data_preprocessor: Mapping[str, Any] | nn.Module | None = None,
        init_cfg: InitCfg | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.data_preprocessor = build_data_preprocessor(data_preprocessor)

    @abstractmethod
    def forward(
        self, inputs: torch.Tensor, data_samples: list[Any] | None = None, mode: str = "tensor"
    ) -> Any:
        """Run the model on a preprocessed batch.

        Args:
            inputs: The inputs, batch first.
            data_samples: What is known about each sample: labels, image sizes and the like.
            mode: ``"loss"``: return the losses, a dict from name to tensor, list of tensors or
                `NormalizedLoss`. ``"predict"``: return a list with one result for each sample.
                ``"tensor"``: return whatever the network gives.
        """


def build_data_preprocessor(spec: Mapping[str, Any] | nn.Module | None) -> nn.Module:
    """Build a data preprocessor from a module, a dict or nothing.

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(spec, nn.Module):
        return spec
    if spec is None or isinstance(spec, Mapping):
        cfg = {"type": "BaseDataPreprocessor", **(spec or {})}
        built: nn.Module = MODELS.build(cfg)
        return built
    raise mark_user_mistake(
        TypeError(f"data_preprocessor should be a `dict` or `nn.Module` instance, but got {spec!r}")
    )
