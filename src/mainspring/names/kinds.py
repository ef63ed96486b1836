"""The kinds of objects that data may name: parts of a run, plain values, operations on tensors.

An object is judged by what it is, not by the path that led to it. Nothing is imported: a class
whose base is of torch has imported torch.
"""

from __future__ import annotations

import builtins
import contextlib
import enum
import functools
import sys
import weakref
from collections.abc import Iterable
from types import ModuleType
from typing import Any

__all__ = ["is_for_data", "is_part", "package_of", "remember_registered", "was_registered"]

_registered: weakref.WeakSet[Any] = weakref.WeakSet()

_PARTS = {
    "torch.nn": ("Module",),
    "torch.optim": ("Optimizer",),
    "torch.optim.lr_scheduler": ("LRScheduler",),
    "torch.utils.data": ("Dataset", "Sampler", "DataLoader"),
    "torch.distributions": ("Distribution",),
    "mainspring.dataset": ("BaseDataset",),
    "mainspring.evaluator": ("BaseMetric", "Evaluator"),
    "mainspring.hooks": ("Hook",),
    "mainspring.infer": ("BaseInferencer",),
    "mainspring.model": ("BaseInit",),
    "mainspring.optim": (
        *("_ParamScheduler", "OptimWrapper", "OptimWrapperDict"),
        *("DefaultOptimWrapperConstructor",),
    ),
    "mainspring.runner": ("BaseLoop", "LogProcessor", "Runner"),
    "mainspring.strategy": ("BaseStrategy",),
    "mainspring.structures": ("BaseDataElement",),
    "mainspring.visualization": ("BaseVisBackend", "Visualizer"),
    "mmcv.transforms": ("BaseTransform",),
}
"""Base classes of the parts that the sections of a config take."""

_TRANSFORMS = "torchvision.transforms."
"""Transforms of this package have no base class in common."""

_PROGRAMS = {
    "torch.fx": ("GraphModule",),
    "torch.jit": ("ScriptModule",),
    "torch.utils.data": ("IterDataPipe", "MapDataPipe"),
    "torch.distributed.nn": ("RemoteModule",),
}
"""Modules and data sets that carry a program, or call and open what their arguments say."""

_VALUES = {
    "builtins": (
        *("bool", "bytearray", "bytes", "complex", "dict", "enumerate", "filter", "float"),
        *("frozenset", "int", "list", "map", "object", "range", "reversed", "set", "slice"),
        *("str", "tuple", "zip"),
    ),
    "collections": ("ChainMap", "Counter", "OrderedDict", "defaultdict", "deque"),
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "functools": ("partial",),
    "itertools": ("chain", "count", "cycle", "product", "repeat"),
    "numpy": ("dtype",),
    "pathlib": ("Path", "PosixPath", "PurePath", "PurePosixPath", "PureWindowsPath", "WindowsPath"),
    "torch": ("Generator", "Size", "device", "dtype"),
}
"""Classes of values that a config holds beside numbers and text, as dumps write them down."""

_MAKERS = {
    "builtins": ("abs", "all", "any", "len", "max", "min", "repr", "round", "sorted", "sum"),
    "numpy": ("arange", "array", "eye", "full", "linspace", "ones", "zeros"),
    "torch": ("arange", "eye", "full", "linspace", "ones", "tensor", "zeros"),
}
"""Functions that give a value and do nothing else, beside those of `math` and on tensors."""


def remember_registered(target: Any) -> None:
    """Note that a class or function was registered: data may name it, by any path.

    Args:
        target: The class or function.
    """
    with contextlib.suppress(TypeError):  # some callables cannot be referred to weakly
        _registered.add(target)


def was_registered(target: Any) -> bool:
    """Whether `remember_registered` has seen a class or function."""
    try:
        return target in _registered
    except TypeError:
        return False


def is_for_data(found: Any) -> bool:
    """Whether an object is of a kind that data may name.

    Args:
        found: What a name led to.
    """
    if was_registered(found):
        return True
    if isinstance(found, type):
        return is_part(found) or _is_value_class(found)
    if isinstance(found, ModuleType):
        return False
    return not callable(found) or isinstance(found, enum.Enum) or _is_maker(found)


def package_of(found: Any) -> str:
    """The top-level package that an object belongs to; empty if it does not say.

    Args:
        found: A module, class, function, method, or an object of some class.
    """
    if isinstance(found, ModuleType):
        return found.__name__.partition(".")[0]
    while isinstance(found, functools.partial):
        found = found.func
    module = getattr(found, "__module__", None)
    if not isinstance(module, str):
        # Methods that are written in C say where they belong only through their owner.
        owner = getattr(found, "__objclass__", None) or getattr(found, "__self__", None)
        module = getattr(owner, "__module__", None) or getattr(type(owner), "__module__", "")
    return str(module).partition(".")[0]


def is_part(found: type) -> bool:
    """Whether a class is of a kind that the sections of a config take."""
    bases = set(found.__mro__)
    if not bases.isdisjoint(_named(_PROGRAMS)):
        return False
    return found.__module__.startswith(_TRANSFORMS) or not bases.isdisjoint(_named(_PARTS))


def _is_value_class(found: type) -> bool:
    if issubclass(found, enum.Enum | BaseException):
        return True
    if issubclass(found, tuple) and hasattr(found, "_fields"):
        return True
    numpy_number = getattr(sys.modules.get("numpy"), "generic", enum.Enum)
    return issubclass(found, numpy_number) or any(found is value for value in _named(_VALUES))


def _is_maker(found: Any) -> bool:
    """Whether it gives a value of the values that it gets, and nothing else happens."""
    module, name = getattr(found, "__module__", None), getattr(found, "__name__", "")
    if module in ("math", "cmath", "statistics"):
        return True
    if any(found is maker for maker in _named(_MAKERS)):
        return True
    functional = sys.modules.get("torch.nn.functional")
    if getattr(functional, name, None) is found:
        return module in ("torch", "torch._C._nn", "torch.nn.functional")
    # Of the other functions of torch, those that tensors have as methods.
    torch: Any = sys.modules.get("torch")
    is_operation = module == "torch" and hasattr(torch.Tensor, name)
    return is_operation and getattr(torch, name, None) is found and not hasattr(found, "__code__")


def _named(table: dict[str, tuple[str, ...]]) -> Iterable[Any]:
    """What of a table is imported by now."""
    for module, names in table.items():
        owner = builtins if module == "builtins" else sys.modules.get(module)
        for name in names if owner is not None else ():
            found = getattr(owner, name, None)
            if found is not None:
                yield found
