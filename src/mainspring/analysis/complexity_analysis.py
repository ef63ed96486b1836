"""Counting flops, activations and parameters."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from torch import nn

from mainspring.analysis.jit_analysis import JitModelAnalysis, with_owners
from mainspring.analysis.jit_handles import (
    Handle,
    addmm_flop_jit,
    batchnorm_flop_jit,
    bmm_flop_jit,
    conv_flop_jit,
    einsum_flop_jit,
    elementwise_flop_counter,
    generic_activation_jit,
    linear_flop_jit,
    matmul_flop_jit,
    norm_flop_counter,
)
from mainspring.analysis.tables import in_columns, scaled

__all__ = [
    "ActivationAnalyzer",
    "FlopAnalyzer",
    "activation_count",
    "flop_count",
    "parameter_count",
    "parameter_count_table",
]

_DEFAULT_SUPPORTED_FLOP_OPS: dict[str, Handle] = {
    "aten::addmm": addmm_flop_jit,
    "aten::bmm": bmm_flop_jit,
    "aten::_convolution": conv_flop_jit,
    "aten::einsum": einsum_flop_jit,
    "aten::matmul": matmul_flop_jit,
    "aten::mm": matmul_flop_jit,
    "aten::linear": linear_flop_jit,
    "aten::batch_norm": batchnorm_flop_jit,
    "aten::group_norm": norm_flop_counter(2),
    "aten::layer_norm": norm_flop_counter(2),
    "aten::instance_norm": norm_flop_counter(1),
    "aten::upsample_nearest2d": elementwise_flop_counter(0, 1),
    "aten::upsample_bilinear2d": elementwise_flop_counter(0, 4),
    "aten::adaptive_avg_pool2d": elementwise_flop_counter(1, 0),
    "aten::grid_sampler": elementwise_flop_counter(0, 4),  # as if it were bilinear
}
_DEFAULT_SUPPORTED_ACT_OPS: dict[str, Handle] = {
    "aten::_convolution": generic_activation_jit("conv"),
    **{
        f"aten::{name}": generic_activation_jit()
        for name in ("addmm", "bmm", "einsum", "matmul", "linear")
    },
}


class FlopAnalyzer(JitModelAnalysis):
    """Counts the flops of a model; a multiplication with its addition is one flop.

    Args:
        model: The model.
        inputs: Its inputs, a tensor or a tuple.

    Examples:
        >>> flops = FlopAnalyzer(nn.Linear(1000, 10), torch.ones(1, 1000))
        >>> flops.total()
        10000
    """

    handles = _DEFAULT_SUPPORTED_FLOP_OPS


class ActivationAnalyzer(JitModelAnalysis):
    """Counts the elements that convolutions and products of a model give.

    Args:
        model: The model.
        inputs: Its inputs, a tensor or a tuple.
    """

    handles = _DEFAULT_SUPPORTED_ACT_OPS


def flop_count(
    model: nn.Module, inputs: Any, supported_ops: Mapping[str, Handle] | None = None
) -> tuple[defaultdict[str, float], Counter[str]]:
    """Count the flops of a model in billions (Gflops), by operation.

    Args:
        model: The model.
        inputs: Its inputs, a tuple.
        supported_ops: Functions for further operations, or other ones for known operations.

    Returns:
        The counts, and how often there were operations of which nothing is known.
    """
    return _in_units(FlopAnalyzer(model, inputs), supported_ops, 1e9)


def activation_count(
    model: nn.Module, inputs: Any, supported_ops: Mapping[str, Handle] | None = None
) -> tuple[defaultdict[str, float], Counter[str]]:
    """Count the activations of a model in millions, by operation.

    Args:
        model: The model.
        inputs: Its inputs, a tuple.
        supported_ops: Functions for further operations, or other ones for known operations.

    Returns:
        The counts, and how often there were operations of which nothing is known.
    """
    return _in_units(ActivationAnalyzer(model, inputs), supported_ops, 1e6)


def _in_units(
    analysis: JitModelAnalysis, supported_ops: Mapping[str, Handle] | None, unit: float
) -> tuple[defaultdict[str, float], Counter[str]]:
    counted = analysis.set_op_handle(**(supported_ops or {})).by_operator()
    in_units = defaultdict[str, float](float, {op: count / unit for op, count in counted.items()})
    return in_units, analysis.unsupported_ops()


def parameter_count(model: nn.Module) -> defaultdict[str, int]:
    """Count the elements of each parameter and module, by name; the model is ``""``.

    Args:
        model: The model. A parameter that it has twice counts once, under its first name.
    """
    count: defaultdict[str, int] = defaultdict(int)
    for name, parameter in model.named_parameters():
        for module in with_owners(name):
            count[module] += parameter.numel()
    return count


def parameter_count_table(model: nn.Module, max_depth: int = 3) -> str:
    """A table of the parameters of a model: sizes of modules, shapes of parameters.

    Args:
        model: The model.
        max_depth: How deep to go into modules.
    """
    count = parameter_count(model)
    shapes = {name: tuple(value.shape) for name, value in model.named_parameters()}

    def formatted(size: int) -> str:
        number, unit = scaled(size)
        return f"{number:.1f}{unit}" if unit else str(size)

    rows = [("model", formatted(count.pop("", 0)))]
    for name, size in count.items():
        depth = name.count(".") + 1
        if depth <= max_depth:
            indent = " " * depth
            shown = str(shapes[name]) if name in shapes else formatted(size)
            rows.append((indent + name, indent + shown))
    title = f"parameter count of {type(model).__name__}"
    return in_columns(("name", "#elements or shape"), rows, title)
