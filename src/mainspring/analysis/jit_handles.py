"""What an operation costs: a function for each kind of operation in a trace.

Each takes the inputs and the outputs of the operation, values of torch's tracer, and returns a
number, or a `Counter` by name. A multiplication with its addition counts as one flop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from math import prod
from typing import Any, TypeAlias

import numpy as np

__all__ = [
    "addmm_flop_jit",
    "batchnorm_flop_jit",
    "bmm_flop_jit",
    "conv_flop_count",
    "conv_flop_jit",
    "einsum_flop_jit",
    "elementwise_flop_counter",
    "generic_activation_jit",
    "get_shape",
    "linear_flop_jit",
    "matmul_flop_jit",
    "norm_flop_counter",
]

Count: TypeAlias = Counter[str] | float
Handle: TypeAlias = Callable[[list[Any], list[Any]], Count]


def get_shape(val: Any) -> list[int] | None:
    """The shape of a value of the tracer, ``None`` if it is no tensor."""
    return val.type().sizes() if val.isCompleteTensor() else None


def _shape(value: Any) -> list[int]:
    shape: list[int] = value.type().sizes()
    return shape


def _size(value: Any) -> int:
    return prod(_shape(value))


def generic_activation_jit(op_name: str | None = None) -> Handle:
    """Counts the elements of the first output.

    Args:
        op_name: Name to count under; that of the operation by default.
    """

    def count(inputs: list[Any], outputs: list[Any]) -> Count:  # noqa: ARG001 - a Handle
        size = _size(outputs[0])
        return size if op_name is None else Counter({op_name: size})

    return count


def addmm_flop_jit(inputs: list[Any], outputs: list[Any]) -> Count:  # noqa: ARG001 - a Handle
    """Flops of ``b + x @ w``."""
    return _size(inputs[1]) * _shape(inputs[2])[1]


def linear_flop_jit(inputs: list[Any], outputs: list[Any]) -> Count:  # noqa: ARG001 - a Handle
    """Flops of a linear layer, for inputs of any number of dimensions."""
    return _size(inputs[0]) * _shape(inputs[1])[0]


def bmm_flop_jit(inputs: list[Any], outputs: list[Any]) -> Count:  # noqa: ARG001 - a Handle
    """Flops of a product of batches of matrices."""
    return _size(inputs[0]) * _shape(inputs[1])[-1]


def matmul_flop_jit(inputs: list[Any], outputs: list[Any]) -> Count:
    """Flops of a product of matrices or vectors, also broadcast ones."""
    return _size(outputs[0]) * _shape(inputs[0])[-1]


def conv_flop_count(
    x_shape: Sequence[int],
    w_shape: Sequence[int],
    out_shape: Sequence[int],
    transposed: bool = False,
) -> int:
    """Flops of a convolution, without its bias.

    Args:
        x_shape: Shape of the input.
        w_shape: Shape of the weight.
        out_shape: Shape of the output.
        transposed: Whether the convolution is transposed.
    """
    places = (x_shape if transposed else out_shape)[2:]
    return x_shape[0] * prod(w_shape) * prod(places)


def conv_flop_jit(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """Flops of a convolution, under the name ``conv``."""
    x, weight, out = map(_shape, (*inputs[:2], outputs[0]))
    return Counter({"conv": conv_flop_count(x, weight, out, inputs[6].toIValue())})


def einsum_flop_jit(inputs: list[Any], outputs: list[Any]) -> Count:  # noqa: ARG001 - a Handle
    """Flops of an Einstein sum, in the best order where it has more than two terms."""
    equation = inputs[0].toIValue().replace(" ", "")
    shapes = [_shape(value) for value in inputs[1].node().inputs()]
    stand_ins = [np.broadcast_to(0.0, shape) for shape in shapes]
    order: list[Any] = np.einsum_path(equation, *stand_ins, optimize="optimal")[0][1:]
    terms, result = _indices(equation, shapes)
    sizes: dict[str, int] = {}
    for index, size in zip(chain(*terms), chain(*shapes), strict=True):
        sizes[index] = max(size, sizes.get(index, 1))
    operations = 0
    for step in order:
        taken = [terms.pop(place) for place in sorted(step, reverse=True)]
        met = set().union(*taken)
        kept = met & set(result).union(*terms)
        # Multiplications, and additions where an index is summed over.
        operations += prod(sizes[index] for index in met) * (len(taken) - 1 + (kept != met))
        terms.append("".join(kept))
    return operations // 2


def _indices(equation: str, shapes: list[list[int]]) -> tuple[list[str], str]:
    """The letters of the terms and of the result, with digits where dots stand for indices."""
    written, arrow, result = equation.partition("->")
    terms = written.split(",")
    hidden = [
        len(shape) - len(term.replace("...", "")) for term, shape in zip(terms, shapes, strict=True)
    ]
    digits = "0123456789"
    shown = [
        term.replace("...", digits[:count][::-1]) for term, count in zip(terms, hidden, strict=True)
    ]
    if not arrow:
        letters = written.replace(",", "").replace(".", "")
        result = "..." + "".join(sorted(i for i in letters if letters.count(i) == 1))
    return shown, result.replace("...", digits[: max(hidden)])


def norm_flop_counter(affine_arg_index: int) -> Handle:
    """Counts five flops for each element of a normalised input, four without a weight.

    Args:
        affine_arg_index: Which input of the operation is the weight.
    """

    def count(inputs: list[Any], outputs: list[Any]) -> Count:  # noqa: ARG001 - a Handle
        return _size(inputs[0]) * (4 if get_shape(inputs[affine_arg_index]) is None else 5)

    return count


def batchnorm_flop_jit(inputs: list[Any], outputs: list[Any]) -> Count:
    """Flops of batch norm: in evaluation two for each element, one without a weight."""
    if inputs[5].toIValue():
        return norm_flop_counter(1)(inputs, outputs)
    return _size(inputs[0]) * (1 if get_shape(inputs[1]) is None else 2)


def elementwise_flop_counter(input_scale: float = 1, output_scale: float = 0) -> Handle:
    """Counts so many flops for each element of the first input and of the first output.

    Args:
        input_scale: Flops for an element of the input.
        output_scale: Flops for an element of the output.
    """

    def count(inputs: list[Any], outputs: list[Any]) -> Count:
        counted = ((input_scale, inputs[0]), (output_scale, outputs[0]))
        return sum(scale * _size(value) for scale, value in counted if scale)

    return count
