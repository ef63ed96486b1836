"""Convolution and batch norm in one step while the statistics stand still."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from mainspring.model.activation_checkpointing import find_submodule

__all__ = [
    "efficient_conv_bn_eval_forward",
    "efficient_conv_bn_eval_graph_transform",
    "turn_on_efficient_conv_bn_eval",
    "turn_on_efficient_conv_bn_eval_for_single_model",
]


def turn_on_efficient_conv_bn_eval(model: nn.Module, modules: list[str] | str) -> None:
    """Fuse convolutions with the batch norm behind them, on the fly, in some modules of a model.

    Used where batch norm stays in evaluation mode during training (transfer learning); it saves
    memory and time and changes the result by rounding only. Layers in training mode run as usual.

    Reference: You et al., "Efficient ConvBN blocks for transfer learning and beyond", ICLR 2024.

    Args:
        model: The model; the named modules are changed in place.
        modules: Dotted name or names of the modules. Their forward is traced by `torch.fx`, so it
            must have no control flow that depends on data.

    Raises:
        ConfigError: The model has no module of such a name.
    """
    for name in [modules] if isinstance(modules, str) else modules:
        module = find_submodule(model, name, "efficient_conv_bn_eval")
        turn_on_efficient_conv_bn_eval_for_single_model(module)


def turn_on_efficient_conv_bn_eval_for_single_model(model: nn.Module) -> None:
    """Fuse convolutions with the batch norm behind them in one module, see above."""
    traced = fx.symbolic_trace(model)
    if efficient_conv_bn_eval_graph_transform(traced):
        model.forward = traced.forward


def efficient_conv_bn_eval_graph_transform(fx_model: fx.GraphModule) -> bool:
    """Fuse convolutions with the batch norm behind them in a traced module, in place.

    Returns:
        Whether there were any.
    """
    modules: dict[str, nn.Module] = dict(fx_model.named_modules())
    fused = False
    for norm_node in list(fx_model.graph.nodes):
        pair = _pair_ending_at(norm_node, modules)
        if pair is None:
            continue
        conv_node, conv_name, norm_name = pair
        with fx_model.graph.inserting_before(norm_node):
            conv = fx_model.graph.get_attr(conv_name)
            norm = fx_model.graph.get_attr(norm_name)
            together = fx_model.graph.call_function(
                efficient_conv_bn_eval_control, (norm, conv, conv_node.args[0])
            )
        norm_node.replace_all_uses_with(together)
        fx_model.graph.erase_node(norm_node)
        fx_model.graph.erase_node(conv_node)
        fused = True
    if fused:
        fx_model.recompile()
    return fused


def efficient_conv_bn_eval_forward(bn: _BatchNorm, conv: _ConvNd, x: torch.Tensor) -> torch.Tensor:
    """Convolve with a weight and bias into which batch norm's evaluation is multiplied.

    Args:
        bn: Batch norm with running statistics.
        conv: Convolution whose output the batch norm takes.
        x: Input of the convolution.
    """
    mean, variance = bn.running_mean, bn.running_var
    if mean is None or variance is None:
        raise ValueError("batch norm without running statistics cannot be fused")
    scale = torch.rsqrt(variance + bn.eps)
    if bn.weight is not None:
        scale = scale * bn.weight
    bias = -mean if conv.bias is None else conv.bias - mean
    bias = bias * scale
    if bn.bias is not None:
        bias = bias + bn.bias
    weight = conv.weight * scale.reshape(-1, *[1] * (conv.weight.dim() - 1))
    # Layers with other padding modes pad first; the layer's own method knows how.
    layer: Any = conv
    result: torch.Tensor = layer._conv_forward(x, weight, bias)
    return result


def efficient_conv_bn_eval_control(bn: _BatchNorm, conv: _ConvNd, x: torch.Tensor) -> torch.Tensor:
    """Convolve and normalize, in one step while the statistics stand still."""
    if bn.training or bn.running_mean is None:
        result: torch.Tensor = bn(conv(x))
        return result
    return efficient_conv_bn_eval_forward(bn, conv, x)


def _pair_ending_at(
    node: fx.Node, modules: dict[str, nn.Module]
) -> tuple[fx.Node, str, str] | None:
    """The convolution whose only use is the batch norm at `node`, with both names."""
    if node.op != "call_module" or not isinstance(modules[str(node.target)], _BatchNorm):
        return None
    source = node.args[0] if node.args else None
    if not isinstance(source, fx.Node) or source.op != "call_module" or len(source.users) != 1:
        return None
    conv = modules[str(source.target)]
    if type(conv) not in (nn.Conv1d, nn.Conv2d, nn.Conv3d) or len(source.args) != 1:
        return None
    return source, str(source.target), str(node.target)
