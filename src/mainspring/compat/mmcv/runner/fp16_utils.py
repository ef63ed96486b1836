"""Half precision for the methods of models that ask for it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from mainspring.device import autocast
from mainspring.utils import apply_to

__all__ = ["auto_fp16", "cast_tensor_type", "force_fp32", "wrap_fp16_model"]


def cast_tensor_type(inputs: Any, src_type: torch.dtype, dst_type: torch.dtype) -> Any:
    """Cast the tensors of one type in nested lists, tuples and dicts to another one."""
    return apply_to(
        inputs,
        lambda item: isinstance(item, torch.Tensor) and item.dtype == src_type,
        lambda tensor: tensor.to(dst_type),
    )


def auto_fp16(
    apply_to: Iterable[str] | None = None,
    out_fp32: bool = False,
    supported_types: tuple[type, ...] = (nn.Module,),
) -> Callable[[Any], Any]:
    """A decorator of methods that compute in half precision where ``fp16_enabled`` is set.

    Args:
        apply_to: Arguments that are cast; all by default.
        out_fp32: Whether results are cast back.
        supported_types: Classes whose methods may be decorated.
    """
    return _casting(apply_to, torch.half if out_fp32 else None, supported_types, half=True)


def force_fp32(
    apply_to: Iterable[str] | None = None, out_fp16: bool = False
) -> Callable[[Any], Any]:
    """A decorator of methods that compute in single precision where ``fp16_enabled`` is set.

    Args:
        apply_to: Arguments that are cast; all by default.
        out_fp16: Whether results are cast back.
    """
    return _casting(apply_to, torch.float if out_fp16 else None, (nn.Module,), half=False)


def _casting(
    apply_to: Iterable[str] | None,
    result: torch.dtype | None,
    supported: tuple[type, ...],
    *,
    half: bool,
) -> Callable[[Any], Any]:
    before, after = (torch.float, torch.half) if half else (torch.half, torch.float)

    def decorate(function: Any) -> Any:
        names = inspect.getfullargspec(function).args
        cast = set(names if apply_to is None else apply_to)

        def casted(name: str, value: Any) -> Any:
            return cast_tensor_type(value, before, after) if name in cast else value

        @functools.wraps(function)
        def called(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not isinstance(self, supported):
                raise TypeError(
                    f"{function.__name__} of {type(self).__name__} is decorated, but only methods "
                    f"of {supported} can be"
                )
            if not getattr(self, "fp16_enabled", False):
                return function(self, *args, **kwargs)
            given = [casted(*pair) for pair in zip(names[1:], args, strict=False)]
            given += args[len(given) :]
            named = {name: casted(name, value) for name, value in kwargs.items()}
            with autocast(enabled=half):
                output = function(self, *given, **named)
            return output if result is None else cast_tensor_type(output, result, before)

        return called

    return decorate


def wrap_fp16_model(model: nn.Module) -> None:
    """Let the modules that have ``fp16_enabled`` compute in half precision."""
    for module in model.modules():
        if hasattr(module, "fp16_enabled"):
            module.fp16_enabled = True  # type: ignore[assignment]  # - a flag of the module
