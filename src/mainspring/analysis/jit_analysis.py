"""A quantity of each operation that a model runs, added up by module and by operation."""

from __future__ import annotations

import copy
import re
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from torch import nn

from mainspring.analysis.jit_handles import Handle
from mainspring.errors import (
    ArgumentKeyError,
    ArgumentTypeError,
    ArgumentValueError,
    MainspringError,
    did_you_mean,
)
from mainspring.logging import warn

__all__ = ["JitModelAnalysis", "Statistics", "with_owners"]

# Operations on shapes, indices and memory, which compute nothing.
_IGNORED_OPS = {
    f"aten::{name}"
    for name in re.findall(
        r"\w+",
        """
    Int ScalarImplicit __and__ arange bitwise_not cat chunk clamp clamp_ constant_pad_nd contiguous
    copy_ detach dropout empty eq expand flatten floor floor_divide full full_like gather ge gt
    index index_put_ masked_fill max narrow new_empty new_full new_zeros nonzero ones permute relu
    relu_ remainder reshape roll select size slice split split_with_sizes squeeze stack t to
    transpose type_as unbind unsqueeze unsqueeze_ view zeros zeros_like
    """,
    )
}
_CALLS = ("prim::PythonOp", "prim::CallFunction")
_WITHOUT_OPERATIONS = (nn.ModuleList, nn.ModuleDict, nn.Module, nn.Identity)
TracerWarnings = Literal["all", "no_tracer_warning", "none"]
AncestorMode = Literal["owner", "caller"]


class AnalysisOrderError(MainspringError, RuntimeError):
    """Something is asked for that the analysis has not found out yet."""


@dataclass
class Statistics:
    """What an analysis found, by module.

    Args:
        counts: The quantity, by operation.
        unsupported_ops: How often there was an operation of which nothing is known.
        uncalled_mods: The modules that were not called.
    """

    counts: dict[str, Counter[str]]
    unsupported_ops: dict[str, Counter[str]]
    uncalled_mods: set[str]


def with_owners(name: str) -> list[str]:
    """The names of the modules that own a module or a parameter, from the model on, and its own."""
    parts = name.split(".") if name else []
    return [".".join(parts[:end]) for end in range(len(parts) + 1)]


def _get_scoped_trace_graph(
    module: nn.Module, inputs: Any, aliases: Mapping[str | nn.Module, str]
) -> Any:
    """The operations of a model for these inputs; the scope of each is where it was called.

    Args:
        module: The model.
        inputs: Its inputs, a tensor or a tuple.
        aliases: Name of each module.
    """
    # Torch has no public way to trace operations with the modules that run them.
    tracer: Any = torch._C
    trace: Any = torch.jit

    def enter(name: str) -> Any:
        def hook(*_: Any) -> None:
            if state := tracer._get_tracing_state():
                state.push_scope(name)

        return hook

    def leave(*_: Any) -> None:
        if state := tracer._get_tracing_state():
            state.pop_scope()

    named = [(aliases[part], part) for part in module.modules()]
    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        # The wrapper itself cannot be traced; what it wraps stands for both.
        inner: nn.Module = module.module
        named[0] = (aliases[module], inner)
        module = inner
    hooks = []
    try:
        for name, part in named:
            hooks.append(part.register_forward_pre_hook(enter(name)))
            hooks.append(part.register_forward_hook(leave))
        graph, _ = trace._get_trace_graph(module, inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return graph


class JitModelAnalysis:
    """Adds up a quantity over the operations that a model runs.

    The model is run once, traced, when something is asked for first. An operation counts for the
    modules in whose ``__call__`` it runs, and for those that own them. Modules go by their names;
    the model is ``""``, and of several names of one module the first counts.

    Args:
        model: The model.
        inputs: Its inputs, a tensor or a tuple.
    """

    # How operations are counted at first.
    handles: ClassVar[Mapping[str, Handle]] = {}

    def __init__(self, model: nn.Module, inputs: Any) -> None:
        self._op_handles = dict(self.handles)
        self._ignored_ops = set(_IGNORED_OPS)
        self._enable_warn_unsupported_ops = True
        self._enable_warn_uncalled_mods = True
        self._warn_trace: TracerWarnings = "no_tracer_warning"
        self._ancestor_mode: AncestorMode = "owner"
        self._take(model, inputs)

    def _take(self, model: nn.Module, inputs: Any) -> None:
        self._model = model
        self._inputs = inputs
        self._named_modules = dict(model.named_modules(remove_duplicate=False))
        self._aliases: dict[str | nn.Module, str] = {}
        for name, module in self._named_modules.items():
            self._aliases[name] = self._aliases.setdefault(module, name)
        self._stats: Statistics | None = None

    def total(self, module_name: str = "") -> int:
        """The quantity of a module, by default of the model.

        Args:
            module_name: Name of the module.
        """
        return sum(self.by_operator(module_name).values())

    def by_operator(self, module_name: str = "") -> Counter[str]:
        """The quantity of a module, by default of the model, by operation.

        Args:
            module_name: Name of the module.
        """
        return self._analyze().counts[self.canonical_module_name(module_name)]

    def by_module_and_operator(self) -> dict[str, Counter[str]]:
        """The quantity of each module, by operation."""
        return self._analyze().counts

    def by_module(self) -> Counter[str]:
        """The quantity of each module."""
        found: Counter[str] = Counter()
        found.update({name: sum(ops.values()) for name, ops in self._analyze().counts.items()})
        return found

    def unsupported_ops(self, module_name: str = "") -> Counter[str]:
        """How often a module ran operations of which nothing is known.

        Args:
            module_name: Name of the module; the model by default.

        Raises:
            RuntimeError: No quantity was asked for before.
        """
        if self._stats is None:
            raise AnalysisOrderError(
                "the model was not analysed yet", help="ask for a quantity first, such as total()"
            )
        return self._stats.unsupported_ops[self.canonical_module_name(module_name)]

    def uncalled_modules(self) -> set[str]:
        """The modules that were never called: unused, or run otherwise than by a call."""
        return self._analyze().uncalled_mods

    def set_op_handle(self, *args: Any, **kwargs: Handle | None) -> Self:
        """Say how to count operations; what was counted before is forgotten.

        Args:
            *args: Pairs of an operation, such as ``"aten::linear"``, and its function.
            **kwargs: The same by name. ``None`` stands for an operation that costs nothing.

        Raises:
            TypeError: The arguments are no pairs.
        """
        if len(args) % 2:
            raise ArgumentTypeError("set_op_handle takes pairs of an operation and a function")
        self._stats = None
        for name, handle in {**kwargs, **dict(zip(args[::2], args[1::2], strict=True))}.items():
            if handle is None:
                self._ignored_ops.add(name)
                self._op_handles.pop(name, None)
            else:
                self._op_handles[name] = handle
        return self

    def clear_op_handles(self) -> Self:
        """Forget how operations are counted."""
        self._op_handles = {}
        self._ignored_ops = set(_IGNORED_OPS)
        self._stats = None
        return self

    def canonical_module_name(self, name: str) -> str:
        """The name under which a module counts, which may have several.

        Args:
            name: One of its names.

        Raises:
            KeyError: The model has no module of that name.
        """
        found = self._aliases.get(name) if isinstance(name, str) else None  # type: ignore[redundant-expr]  # - a module may be given
        if found is None:
            raise ArgumentKeyError(
                f"{type(self._model).__name__} has no module named {name!r}",
                help=did_you_mean(str(name), self._named_modules),
            )
        return found

    def copy(self, new_model: nn.Module | None = None, new_inputs: Any = None) -> Self:
        """The same analysis, of another model or other inputs.

        Args:
            new_model: The model; the same by default.
            new_inputs: The inputs; the same by default.
        """
        other = copy.copy(self)
        other._op_handles = dict(self._op_handles)
        other._ignored_ops = set(self._ignored_ops)
        other._take(
            self._model if new_model is None else new_model,
            self._inputs if new_inputs is None else new_inputs,
        )
        return other

    def tracer_warnings(self, mode: TracerWarnings) -> Self:
        """Say which warnings of the traced model are shown.

        Args:
            mode: ``"all"``, all but ``"no_tracer_warning"``, or ``"none"``.
        """
        if mode not in ("all", "no_tracer_warning", "none"):
            raise ArgumentValueError(
                f"there is no tracer warning mode {mode!r}", help="all, no_tracer_warning or none"
            )
        self._warn_trace = mode
        return self

    def ancestor_mode(self, mode: AncestorMode) -> Self:
        """Say for which modules an operation counts.

        Args:
            mode: ``"caller"`` for all in whose call it runs; ``"owner"`` for the innermost of them
                and those that own it, by its first name.
        """
        if mode not in ("owner", "caller"):
            raise ArgumentValueError(f"there is no ancestor mode {mode!r}", help="owner or caller")
        self._ancestor_mode = mode
        return self

    def unsupported_ops_warnings(self, enabled: bool) -> Self:
        """Say whether operations of which nothing is known are logged."""
        self._enable_warn_unsupported_ops = enabled
        return self

    def uncalled_modules_warnings(self, enabled: bool) -> Self:
        """Say whether modules that are not called are logged."""
        self._enable_warn_uncalled_mods = enabled
        return self

    def _analyze(self) -> Statistics:
        if self._stats is None:
            with warnings.catch_warnings():
                if self._warn_trace == "none":
                    warnings.simplefilter("ignore")
                elif self._warn_trace == "no_tracer_warning":
                    unwanted = torch.jit.TracerWarning  # type: ignore[attr-defined]  # - stubs hide it
                    warnings.filterwarnings("ignore", category=unwanted)
                graph = _get_scoped_trace_graph(self._model, self._inputs, self._aliases)
            self._stats = self._count(graph)
            self._log(self._stats)
        return self._stats

    def _count(self, graph: Any) -> Statistics:
        names = list(dict.fromkeys(self._aliases.values()))
        stats = Statistics({n: Counter() for n in names}, {n: Counter() for n in names}, set(names))
        for node in graph.nodes():
            kind = node.kind()
            if kind == "prim::PythonOp":
                kind = f"{kind}.{node.pyname()}"
            scopes = node.scopeName().split("/")
            modules = set(scopes)
            if self._ancestor_mode == "owner":
                modules = set(with_owners(self.canonical_module_name(scopes[-1])))
            stats.uncalled_mods -= modules | set(scopes)
            if kind in self._op_handles:
                counted = self._quantity(kind, list(node.inputs()), list(node.outputs()))
                for name in modules:
                    stats.counts[name] += counted
            elif kind not in self._ignored_ops and (
                kind.startswith(_CALLS) or not kind.startswith("prim::")
            ):
                for name in modules:
                    stats.unsupported_ops[name][kind] += 1
        return stats

    def _quantity(self, kind: str, inputs: list[Any], outputs: list[Any]) -> Counter[str]:
        counted = self._op_handles[kind](inputs, outputs)
        if not isinstance(counted, Counter):
            counted = Counter({kind.rpartition("::")[2]: counted})
        for value in counted.values():
            if not isinstance(value, (int, float, np.int64)):  # pyright: ignore[reportArgumentType]
                raise ArgumentValueError(
                    f"{kind} is counted with a {type(value).__name__}, which may overflow",
                    help="count with int or float",
                )
        return counted

    def _log(self, stats: Statistics) -> None:
        if self._enable_warn_unsupported_ops:
            for kind, count in stats.unsupported_ops[""].items():
                warn(f"Unsupported operator {kind} encountered {count} time(s)")
        empty = [kind.forward for kind in _WITHOUT_OPERATIONS]
        missing = [
            name
            for name in sorted(stats.uncalled_mods)
            if type(self._named_modules[name]).forward not in empty
        ]
        if self._enable_warn_uncalled_mods and missing:
            warn(
                f"these modules were never called: {', '.join(missing)}. They are unused, or run "
                "by forward() or another method, and then count for the module that runs them."
            )
