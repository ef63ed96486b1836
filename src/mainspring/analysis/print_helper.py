"""What a model computes, as a table and as an annotated outline of the model."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import nn

from mainspring.analysis.complexity_analysis import (
    ActivationAnalyzer,
    FlopAnalyzer,
    parameter_count,
)
from mainspring.analysis.jit_analysis import with_owners
from mainspring.analysis.tables import in_columns, scaled
from mainspring.errors import ArgumentValueError

__all__ = ["complexity_stats_str", "complexity_stats_table", "get_model_complexity_info"]

ByModule = dict[str, dict[str, Any]]
"""For each module, by name, each quantity by its name."""


def _format_size(x: float, sig_figs: int = 3, hide_zero: bool = False) -> str:
    """A number with a unit, such as ``0.123M``.

    Args:
        x: The number.
        sig_figs: How many digits to show behind the point.
        hide_zero: Whether zero is shown as nothing.
    """
    if hide_zero and x == 0:
        return ""
    number, unit = scaled(x)
    return f"{number:.{sig_figs}f}".rstrip("0").rstrip(".") + unit if unit else str(x)


def _children(statistics: Collection[str], name: str) -> list[str]:
    prefix = f"{name}." if name else ""
    return [
        other
        for other in statistics
        if other and other.startswith(prefix) and "." not in other[len(prefix) :]
    ]


def _model_stats_str(module: nn.Module, statistics: ByModule, name: str = "") -> str:
    """What ``str(module)`` shows, with the quantities of each module in it."""
    quantities = ", ".join(f"{key}: {value}" for key, value in statistics.get(name, {}).items())
    lines = [line for text in (module.extra_repr(), quantities) for line in text.split("\n")]
    lines = list(filter(None, lines))
    children = []
    for key, child in module.named_children():
        inner = _model_stats_str(child, statistics, f"{name}.{key}" if name else key)
        children.append(f"({key}): " + inner.replace("\n", "\n  "))
    kind: Any = module._get_name  # a module may show itself under another name
    if len(lines) == 1 and not children:
        return f"{kind()}({lines[0]})"
    body = "".join(f"\n  {line}" for line in (*lines, *children))
    return f"{kind()}({body}\n)" if body else f"{kind()}()"


def _fastforward(name: str, statistics: ByModule) -> tuple[str, dict[str, str]]:
    """The innermost module of those that only wrap one another, with the quantities of all."""
    own = statistics[name]
    children = _children(statistics, name)
    if len(children) != 1 or own.keys() != statistics[children[0]].keys():
        return name, own
    inner = statistics[children[0]]
    if any(own[key] and inner[key] and own[key] != inner[key] for key in own):
        return name, own
    statistics[children[0]] = {key: own[key] or inner[key] for key in own}
    return _fastforward(children[0], statistics)


def _stats_table_format(statistics: ByModule, max_depth: int, columns: list[str]) -> str:
    """A table of the quantities; modules that wrap a single one are left out.

    Args:
        statistics: The quantities, as text.
        max_depth: How deep to go into modules.
        columns: Which quantities to show, in which order.
    """
    statistics = dict(statistics)
    rows: list[list[str]] = []
    root = _fastforward("", statistics)[0]

    def add(name: str, depth: int) -> None:
        inner, quantities = _fastforward(name, statistics)
        shown = inner.removeprefix(f"{root}.") if depth else inner or "model"
        indent = " " * depth
        cells = [indent + quantities[key] if key in quantities else "" for key in columns]
        rows.append([indent + shown, *cells])
        for child in _children(statistics, inner) if depth < max_depth else ():
            add(child, depth + 1)

    add("", 0)
    return in_columns(["module", *columns], rows)


def _quantities(
    params: str, flops: tuple[str, FlopAnalyzer], acts: tuple[str, ActivationAnalyzer | None]
) -> tuple[ByModule, dict[str, set[str]]]:
    """What modules and parameters have and compute; by quantity, modules that were not called."""
    found: ByModule = {}
    for module, count in parameter_count(flops[1]._model).items():
        found[module] = {params: count}
    uncalled = {}
    for quantity, analyzer in (flops, acts):
        if analyzer is not None:
            analyzer.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
            for module, count in analyzer.tracer_warnings("none").by_module().items():
                found.setdefault(module, {})[quantity] = count
            uncalled[quantity] = analyzer.uncalled_modules()
    return found, uncalled


def complexity_stats_str(flops: FlopAnalyzer, activations: ActivationAnalyzer | None = None) -> str:
    """An outline of a model, as ``str(model)`` gives, with what each module has and computes.

    Modules without parameters and flops are shown without numbers. ``N/A`` stands for those that
    were never called: what they computed counts for the module that ran them.

    Args:
        flops: The analysis of the model.
        activations: Another one, if activations are to be shown.
    """
    model = flops._model
    found, uncalled = _quantities("#params", ("#flops", flops), ("#acts", activations))
    anywhere = set[str]().union(*uncalled.values())
    stats: ByModule = {}
    for name, _ in model.named_modules():
        counts = {"#params": 0, **found[name]}
        if not name or name in anywhere or any(counts.values()):
            stats[name] = {
                quantity: "N/A" if name in uncalled.get(quantity, ()) else _format_size(count, 2)
                for quantity, count in counts.items()
            }
    note = (
        "N/A indicates a possibly missing statistic due to how the module was called. "
        "Missing values are still included in the parent's total.\n"
    )
    return (note if anywhere else "") + _model_stats_str(model, stats)


def complexity_stats_table(
    flops: FlopAnalyzer,
    max_depth: int = 3,
    activations: ActivationAnalyzer | None = None,
    show_param_shapes: bool = True,
) -> str:
    """A table of what each module of a model has and computes.

    Args:
        flops: The analysis of the model.
        max_depth: How deep to go into modules.
        activations: Another one, if activations are to be shown.
        show_param_shapes: Whether parameters are shown too, with their shapes.
    """
    params = "#parameters or shape" if show_param_shapes else "#parameters"
    found, uncalled = _quantities(params, ("#flops", flops), ("#activations", activations))
    kept = {""}.union(*(with_owners(name) for name in found if any(found[name].values())))
    stats = {
        name: {
            quantity: "" if name in uncalled.get(quantity, ()) else _format_size(count)
            for quantity, count in found[name].items()
        }
        for name in found
        if name in kept
    }
    for name, parameter in flops._model.named_parameters():
        if name in stats:
            if show_param_shapes:
                stats[name][params] = str(tuple(parameter.shape))
            else:
                del stats[name]
    return _stats_table_format(stats, max_depth, [params, *uncalled])


def get_model_complexity_info(
    model: nn.Module,
    input_shape: tuple[int, ...] | tuple[tuple[int, ...], ...] | None = None,
    inputs: Any = None,
    show_table: bool = True,
    show_arch: bool = True,
) -> dict[str, Any]:
    """Count what a model computes for one sample, and how large it is.

    Args:
        model: The model.
        input_shape: Shape of a sample, or a tuple of the shapes of several inputs; random numbers
            are put in.
        inputs: Instead of shapes, the inputs: a tensor, or a tuple.
        show_table: Whether to make a table of the modules.
        show_arch: Whether to make an outline of the model.

    Returns:
        ``flops``, ``activations`` and ``params``; the same with ``_str`` behind the name, as text;
        ``out_table`` and ``out_arch``.

    Raises:
        ValueError: Not exactly one of `input_shape` and `inputs` is given, or it is no shape.
    """
    if (input_shape is None) == (inputs is None):
        given = "neither" if inputs is None else "both"
        raise ArgumentValueError(
            f"{given} of input_shape and inputs are given", help="give one of them"
        )
    if inputs is None:
        inputs = _random_inputs(model, input_shape)
    flops, activations = FlopAnalyzer(model, inputs), ActivationAnalyzer(model, inputs)
    counts = {
        "flops": flops.total(),
        "activations": activations.total(),
        "params": parameter_count(model)[""],
    }
    table = f"\n{complexity_stats_table(flops, activations=activations)}" if show_table else ""
    outline = f"\n{complexity_stats_str(flops, activations)}" if show_arch else ""
    as_text = {f"{name}_str": _format_size(count) for name, count in counts.items()}
    return {**counts, **as_text, "out_table": table, "out_arch": outline}


def _random_inputs(model: nn.Module, shape: Any) -> tuple[torch.Tensor, ...]:
    shapes = shape if _is_tuple_of(shape, tuple) else (shape,)
    if not shapes or not all(_is_tuple_of(one, int) for one in shapes):
        raise ArgumentValueError(
            f"input_shape is {shape!r}",
            help="give the shape of a sample, such as (3, 224, 224), or a tuple of shapes",
        )
    first = next(model.parameters(), torch.empty(0))
    return tuple(torch.randn(1, *one, device=first.device) for one in shapes)


def _is_tuple_of(value: Any, kind: type) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, kind) for item in value)
