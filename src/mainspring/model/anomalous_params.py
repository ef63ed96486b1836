"""Finding the parameters that a loss does not depend on."""

from __future__ import annotations

import torch
from torch import nn

from mainspring.logging import print_log

__all__ = ["detect_anomalous_params"]


def detect_anomalous_params(loss: torch.Tensor, model: nn.Module) -> None:
    """Log an error for each trainable parameter that is not in the graph of a loss.

    Such parameters make distributed training wait for gradients that never come.

    Args:
        loss: The loss, before its graph is released.
        model: The model whose parameters are looked for.
    """
    reached: set[int] = set()
    seen = set()
    waiting = [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            reached.add(id(leaf))
        waiting.extend(following for following, _ in node.next_functions)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and id(parameter) not in reached and parameter is not loss:
            print_log(
                f"{name} with shape {parameter.size()} is not in the computational graph",
                logger="current",
                level=40,
            )
