"""The single measures: matrix products, operations, memory, modules."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mainspring.tools.profiling.matmul_peak import measure_matmul_peak
from mainspring.tools.profiling.memory import MemoryPeak, available_memory, resident_memory
from mainspring.tools.profiling.module_times import ModuleTimer
from mainspring.tools.profiling.operations import OperationCount

ROWS, INPUTS, OUTPUTS = 5, 7, 3
PRODUCT = 2 * ROWS * INPUTS * OUTPUTS


@pytest.mark.parametrize(("input_needs_gradient", "products"), [(True, 3), (False, 2)])
def test_operations_of_a_linear_layer(input_needs_gradient, products):
    """One product forward, one for the weights, and one for the inputs if they need a gradient."""
    layer = nn.Linear(INPUTS, OUTPUTS)
    inputs = torch.ones(ROWS, INPUTS, requires_grad=input_needs_gradient)
    with OperationCount() as count:
        layer(inputs).sum().backward()
    assert count.flops == products * PRODUCT
    assert count.calls > 0


def test_attention_counts_on_the_cpu_too():
    """Two products forward, five backward: the scores are computed anew."""
    query = torch.ones(1, 2, ROWS, INPUTS, requires_grad=True)
    with OperationCount() as count:
        nn.functional.scaled_dot_product_attention(query, query, query).sum().backward()
    assert count.flops == (2 + 5) * 2 * (2 * ROWS * ROWS * INPUTS)


def test_views_are_no_operators_that_cost():
    tensor = torch.ones(4, 4)
    with OperationCount() as count:
        tensor.view(16).view(2, 8)
    assert count.calls == 0
    assert count.flops == 0


def test_memory_that_is_taken_and_given_back_within_the_block_counts():
    size = 64 * 2**20
    with MemoryPeak("cpu") as peak:
        block = torch.ones(size // 4)
        held = resident_memory()
        while peak._largest < held:
            block.add_(1)
        del block
    assert peak.bytes > size / 2


def test_available_memory_is_less_than_that_of_any_machine():
    found = available_memory()
    assert found is None or 0 < found < 2**50


def test_a_matrix_product_gives_a_rate():
    peak = measure_matmul_peak("cpu", torch.float32, seconds=1e-5)
    assert peak is not None
    assert peak.flops_per_second > 1e6
    assert peak.dtype == "float32"


def test_a_type_without_product_has_no_peak():
    assert measure_matmul_peak("cpu", torch.bool) is None


def test_modules_are_timed_without_those_inside_and_hooks_are_removed():
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.ReLU()))
    with ModuleTimer(model) as timer:
        model(torch.ones(2, 4))
    found = {item.name: item.kind for item in timer.result(1)}
    assert found == {"(model)": "Sequential", "0": "Linear", "1": "Sequential", "1.0": "ReLU"}
    assert not any(module._forward_hooks for module in model.modules())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_module_that_is_used_twice_counts_both_times():
    model = nn.Sequential(nn.Linear(4, 4))
    now = iter(range(100))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "mainspring.tools.profiling.section_clock.time.perf_counter", lambda: next(now)
        )
        with ModuleTimer(model) as timer:
            model(torch.ones(2, 4))
            model(torch.ones(2, 4))
    seconds = {item.name: item.seconds for item in timer.result(2)}
    assert seconds == {"(model)": 2.0, "0": 1.0}
