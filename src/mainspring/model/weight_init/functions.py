"""Functions that fill the weight and the bias of one module."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import torch
from torch import nn

__all__ = [
    "Distribution",
    "bias_init_with_prob",
    "caffe2_xavier_init",
    "constant_init",
    "kaiming_init",
    "normal_init",
    "trunc_normal_",
    "trunc_normal_init",
    "uniform_init",
    "xavier_init",
]

Distribution: TypeAlias = Literal["normal", "uniform"]
FanMode: TypeAlias = Literal["fan_in", "fan_out"]


def constant_init(module: nn.Module, val: float, bias: float = 0) -> None:
    """Fill the weight of a module with `val` and its bias with `bias`; either may be absent."""
    weight = _weight_of(module)
    if weight is not None:
        nn.init.constant_(weight, val)
    _fill_bias(module, bias)


def xavier_init(
    module: nn.Module, gain: float = 1, bias: float = 0, distribution: Distribution = "normal"
) -> None:
    """Glorot initialisation of the weight, a constant for the bias.

    Reference: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.

    Raises:
        AssertionError: `distribution` is neither ``"normal"`` nor ``"uniform"``.
    """
    check_distribution(distribution)
    weight = _weight_of(module)
    if weight is not None:
        if distribution == "uniform":
            nn.init.xavier_uniform_(weight, gain=gain)
        else:
            nn.init.xavier_normal_(weight, gain=gain)
    _fill_bias(module, bias)


def normal_init(module: nn.Module, mean: float = 0, std: float = 1, bias: float = 0) -> None:
    """Draw the weight from a normal distribution; a constant for the bias."""
    weight = _weight_of(module)
    if weight is not None:
        nn.init.normal_(weight, mean, std)
    _fill_bias(module, bias)


def trunc_normal_init(
    module: nn.Module,
    mean: float = 0,
    std: float = 1,
    a: float = -2,
    b: float = 2,
    bias: float = 0,
) -> None:
    """Draw the weight from a normal distribution cut to ``[a, b]``; a constant for the bias."""
    weight = _weight_of(module)
    if weight is not None:
        trunc_normal_(weight, mean, std, a, b)
    _fill_bias(module, bias)


def uniform_init(module: nn.Module, a: float = 0, b: float = 1, bias: float = 0) -> None:
    """Draw the weight uniformly from ``[a, b)``; a constant for the bias."""
    weight = _weight_of(module)
    if weight is not None:
        nn.init.uniform_(weight, a, b)
    _fill_bias(module, bias)


def kaiming_init(
    module: nn.Module,
    a: float = 0,
    mode: FanMode = "fan_out",
    nonlinearity: str = "relu",
    bias: float = 0,
    distribution: Distribution = "normal",
) -> None:
    """He initialisation of the weight, a constant for the bias.

    Reference: He et al., "Delving deep into rectifiers", ICCV 2015.

    Args:
        module: Module with a ``weight`` and perhaps a ``bias``.
        a: Negative slope of the rectifier, used with ``nonlinearity="leaky_relu"``.
        mode: Keep the variance of the forward (``"fan_in"``) or backward (``"fan_out"``) pass.
        nonlinearity: Name as in `torch.nn.init.calculate_gain`.
        bias: Value for the bias.
        distribution: ``"normal"`` or ``"uniform"``.

    Raises:
        AssertionError: `distribution` is neither ``"normal"`` nor ``"uniform"``.
    """
    check_distribution(distribution)
    weight = _weight_of(module)
    if weight is not None:
        fill: Any = (
            nn.init.kaiming_uniform_ if distribution == "uniform" else nn.init.kaiming_normal_
        )
        fill(weight, a=a, mode=mode, nonlinearity=nonlinearity)
    _fill_bias(module, bias)


def caffe2_xavier_init(module: nn.Module, bias: float = 0) -> None:
    """What Caffe2 calls XavierFill: uniform with variance ``1 / (3 * fan_in) * 3``, see He et al.

    It equals `kaiming_init` with ``a=1, mode="fan_in", nonlinearity="leaky_relu"`` and a uniform
    distribution.
    """
    kaiming_init(
        module, a=1, mode="fan_in", nonlinearity="leaky_relu", bias=bias, distribution="uniform"
    )


def bias_init_with_prob(prior_prob: float) -> float:
    """The bias at which a sigmoid answers `prior_prob`.

    Reference: Lin et al., "Focal loss for dense object detection", ICCV 2017.
    """
    return float(-math.log((1 - prior_prob) / prior_prob))


@torch.no_grad()
def trunc_normal_(
    tensor: torch.Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> torch.Tensor:
    """Fill a tensor in place from a normal distribution cut to ``[a, b]``.

    The inverse cumulative distribution is applied to one uniform draw for each element, so that the
    generator advances by the same amount whatever the bounds are.

    Args:
        tensor: Tensor of any shape.
        mean: Mean of the distribution before cutting.
        std: Its standard deviation.
        a: Lower bound, in the units of the values.
        b: Upper bound.
    """
    low = _normal_cdf((a - mean) / std)
    high = _normal_cdf((b - mean) / std)
    tensor.uniform_(2 * low - 1, 2 * high - 1)
    tensor.erfinv_()
    tensor.mul_(std * math.sqrt(2.0)).add_(mean)
    return tensor.clamp_(min=a, max=b)


def check_distribution(distribution: str) -> None:
    """Refuse any distribution but the two known ones.

    Raises:
        AssertionError: It is neither ``"normal"`` nor ``"uniform"``.
    """
    if distribution not in {"normal", "uniform"}:
        raise AssertionError(
            f"distribution must be 'normal' or 'uniform', but got {distribution!r}"
        )


def _normal_cdf(value: float) -> float:
    return (1.0 + math.erf(value / math.sqrt(2.0))) / 2.0


def _weight_of(module: nn.Module) -> torch.Tensor | None:
    weight = getattr(module, "weight", None)
    return weight if isinstance(weight, torch.Tensor) else None


def _fill_bias(module: nn.Module, value: float) -> None:
    bias = getattr(module, "bias", None)
    if isinstance(bias, torch.Tensor):
        nn.init.constant_(bias, value)
