"""What processes exchange."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from mainspring.dist import all_reduce_params, get_dist_info, init_dist, master_only

__all__ = ["allreduce_grads", "allreduce_params", "get_dist_info", "init_dist", "master_only"]


def allreduce_params(
    params: Iterable[torch.Tensor], coalesce: bool = True, bucket_size_mb: int = -1
) -> None:
    """Average parameters or buffers over the processes, in place."""
    all_reduce_params([one.data for one in params], coalesce, bucket_size_mb, op="mean")


def allreduce_grads(
    params: Iterable[torch.nn.Parameter], coalesce: bool = True, bucket_size_mb: int = -1
) -> None:
    """Average the gradients of parameters over the processes, in place."""
    having = [one.grad for one in params if one.requires_grad and one.grad is not None]
    allreduce_params(having, coalesce, bucket_size_mb)
