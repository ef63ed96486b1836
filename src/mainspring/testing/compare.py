"""Comparisons for tests. All but `assert_allclose` answer with a truth value, as MMEngine's do."""

from __future__ import annotations

import runpy
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from mainspring.optim.optimizer.norm_layers import is_norm

__all__ = [
    "assert_allclose",
    "assert_attrs_equal",
    "assert_dict_contains_subset",
    "assert_dict_has_keys",
    "assert_is_norm_layer",
    "assert_keys_equal",
    "assert_params_all_zeros",
    "check_python_script",
]

_TOLERANCES = {
    torch.float16: (1e-3, 1e-3),
    torch.float32: (1e-4, 1e-5),
    torch.float64: (1e-5, 1e-8),
}
"""Relative and absolute tolerance by type; other types must be equal."""


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str | Callable[[str], str] | None = "",
) -> None:
    """Assert that two tensors, or what can become tensors, are close; types may differ.

    Args:
        actual: What was computed.
        expected: What it should be.
        rtol: Relative tolerance, given with `atol` or not at all: by default 1e-3 for half, 1e-4
            for single and 1e-5 for double precision.
        atol: Absolute tolerance: by default 1e-3, 1e-5 and 1e-8.
        equal_nan: Whether NaN equals NaN.
        msg: Message of the error, or a function of torch's message.

    Raises:
        AssertionError: They are not close.
    """
    if not isinstance(actual, torch.Tensor):
        actual = torch.tensor(actual)
    if not isinstance(expected, torch.Tensor):
        expected = torch.tensor(expected, dtype=actual.dtype)
    if rtol is None and atol is None:
        pairs = [_TOLERANCES.get(tensor.dtype, (0.0, 0.0)) for tensor in (actual, expected)]
        rtol, atol = (max(values) for values in zip(*pairs, strict=True))
    torch.testing.assert_close(
        actual,
        expected,
        rtol=rtol,
        atol=atol,
        equal_nan=equal_nan,
        check_dtype=False,
        msg=msg or None,
    )


def check_python_script(cmd: str) -> None:
    """Run a script in this process, as ``__main__``.

    Args:
        cmd: The script and its arguments, with ``python`` in front of it or not.
    """
    words = shlex.split(cmd)
    if words[0] == "python":
        del words[0]
    with patch.object(sys, "argv", words):
        runpy.run_path(words[0], run_name="__main__")


def _any(judge_result: Any) -> bool:
    """Whether anything is true in the result of a comparison, nested or not."""
    is_number = getattr(judge_result, "ndim", None) == 0
    if isinstance(judge_result, Iterable) and not is_number:
        return any(map(_any, judge_result))
    return bool(judge_result)


def _holds(found: Mapping[Any, Any], expected: Mapping[Any, Any]) -> bool:
    return all(key in found and not _any(found[key] != value) for key, value in expected.items())


def assert_dict_contains_subset(
    dict_obj: Mapping[Any, Any], expected_subset: Mapping[Any, Any]
) -> bool:
    """Whether a dict has all keys of another, with equal values; arrays are values too."""
    return _holds(dict_obj, expected_subset)


def assert_attrs_equal(obj: Any, expected_attrs: Mapping[str, Any]) -> bool:
    """Whether an object has all these attributes, with equal values; arrays are values too."""
    return _holds({n: getattr(obj, n) for n in expected_attrs if hasattr(obj, n)}, expected_attrs)


def assert_dict_has_keys(obj: Mapping[str, Any], expected_keys: Iterable[str]) -> bool:
    """Whether a dict has all these keys."""
    return set(expected_keys) <= set(obj)


def assert_keys_equal(result_keys: Iterable[str], target_keys: Iterable[str]) -> bool:
    """Whether the keys are the same, in whatever order."""
    return set(result_keys) == set(target_keys)


def assert_is_norm_layer(module: nn.Module) -> bool:
    """Whether a module is batch, instance, group or layer norm."""
    return is_norm(module)


def assert_params_all_zeros(module: nn.Module) -> bool:
    """Whether the weight of a module, and its bias if it has one, are zero."""
    tensors = (module.weight, getattr(module, "bias", None))
    return all(
        torch.allclose(tensor, torch.zeros_like(tensor))
        for tensor in tensors
        if isinstance(tensor, torch.Tensor)
    )
