"""Checkpoints without the weights that are not trained, such as those below an adapter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import xxhash
from torch import Tensor, nn

from mainspring.checkpoint.contents import weights_like
from mainspring.errors import CheckpointError

__all__ = ["leave_out_frozen", "weight_digest", "with_left_out"]

_AVERAGE = "ema_state_dict"


def leave_out_frozen(
    own: Mapping[str, Any], checkpoint: dict[str, Any], digests: dict[str, tuple[Any, str]]
) -> None:
    """Take the parameters without gradient out of a checkpoint, and note what they are.

    Args:
        own: The state of the model, with its parameters themselves.
        checkpoint: What is about to be written.
        digests: What was found out for earlier checkpoints, filled here: weights that did not
            change since are not read again.

    Raises:
        CheckpointError: Each rank has a part of the model only.
    """
    left_out: dict[str, str] = {}
    for name, value in own.items():
        if isinstance(value, nn.Parameter) and not value.requires_grad:
            if hasattr(value, "full_tensor"):
                raise CheckpointError("save_frozen=False is not for models sharded over ranks")
            version = value.data_ptr(), value._version
            if digests.get(name, (None, ""))[0] != version:
                digests[name] = version, weight_digest(value)
            left_out[name] = digests[name][1]
            checkpoint["state_dict"].pop(name, None)
            checkpoint.get(_AVERAGE, {}).pop(f"module.{name}", None)
    checkpoint["mainspring"]["left_out"] = left_out


def with_left_out(own: Mapping[str, Any], checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    """A checkpoint whose left-out weights are those of the model, if that has the same ones.

    Args:
        own: The state of the model that the weights are for.
        checkpoint: What was read.

    Raises:
        CheckpointError: A weight of the model is another one than that which was left out.
    """
    ours = checkpoint.get("mainspring")
    left_out = ours.get("left_out") if isinstance(ours, Mapping) else None
    if not isinstance(ours, Mapping) or not left_out:
        return checkpoint
    differing = [
        n for n, digest in left_out.items() if n not in own or weight_digest(own[n]) != digest
    ]
    if differing:
        raise CheckpointError(
            f"the checkpoint holds trained weights only, and {len(differing)} of the "
            f"{len(left_out)} frozen ones below them are others in this model, such as "
            f"{differing[0]}",
            help="build the model with the weights that the run began with",
        )
    whole = {**checkpoint, "mainspring": {n: v for n, v in ours.items() if n != "left_out"}}
    for key, prefix in (("state_dict", ""), (_AVERAGE, "module.")):
        if key in checkpoint:
            supplied = {f"{prefix}{name}": own[name] for name in left_out}
            whole[key] = weights_like(checkpoint[key], {**checkpoint[key], **supplied}.items())
    return whole


def weight_digest(value: Tensor) -> str:
    """Type, shape and a digest of the numbers of a tensor."""
    raw = value.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8)
    return f"{value.dtype} {tuple(value.shape)} {xxhash.xxh3_128_hexdigest(raw.numpy().tobytes())}"
