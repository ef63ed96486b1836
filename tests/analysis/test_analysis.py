"""What is counted, compared with closed forms and with torch's own counter."""

from __future__ import annotations

import logging
import warnings
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from mainspring.analysis import (
    ActivationAnalyzer,
    FlopAnalyzer,
    activation_count,
    flop_count,
    parameter_count,
    parameter_count_table,
)
from mainspring.analysis.jit_analysis import JitModelAnalysis
from mainspring.analysis.jit_handles import conv_flop_jit, linear_flop_jit
from mainspring.logging import MMLogger


class Function(nn.Module):
    """A module that calls a function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def flops_of(model, *inputs):
    if not isinstance(model, nn.Module):
        model = Function(model)
    return dict(FlopAnalyzer(model, inputs).unsupported_ops_warnings(False).by_operator())


def torchs_flops(model, *inputs):
    """Torch counts a multiplication and its addition as two."""
    with FlopCounterMode(display=False) as counter:
        model(*inputs)
    return counter.get_total_flops() / 2


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(10, 20), (5, 10)),
        (nn.Linear(10, 20), (5, 3, 10)),
        (nn.Conv1d(4, 6, 3, padding=1), (2, 4, 9)),
        (nn.Conv2d(10, 6, 3, stride=2), (2, 10, 20, 20)),
        (nn.Conv2d(16, 8, 5, groups=4), (5, 16, 15, 15)),
        (nn.Conv3d(2, 3, 3, dilation=2), (1, 2, 9, 9, 9)),
        (nn.ConvTranspose2d(4, 3, 3, stride=3, output_padding=2), (2, 4, 5, 5)),
    ],
)
def test_layers_cost_what_torch_counts(layer, shape):
    x = torch.randn(shape)
    name = "linear" if isinstance(layer, nn.Linear) else "conv"
    assert flops_of(layer, x) == {name: torchs_flops(layer, x)}
    acts = ActivationAnalyzer(layer, x)
    assert acts.by_operator() == {name: layer(x).numel()}


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (torch.mm, [(3, 4), (4, 5)]),
        (torch.bmm, [(2, 5, 3), (2, 3, 7)]),
        (torch.matmul, [(20, 10), (10, 7)]),
        (torch.matmul, [(2, 3, 20, 10), (2, 3, 10, 7)]),
        (torch.matmul, [(2, 20, 10), (10, 7)]),
        (torch.matmul, [(20, 10), (2, 10, 7)]),
        (torch.addmm, [(3, 5), (3, 4), (4, 5)]),
    ],
)
def test_products_cost_what_torch_counts(function, shapes):
    inputs = [torch.randn(shape) for shape in shapes]
    assert flops_of(function, *inputs) == {function.__name__: torchs_flops(function, *inputs)}


def test_products_with_vectors():
    matrix, vector = torch.randn(20, 10), torch.randn(10)
    assert flops_of(torch.matmul, matrix, vector) == {"matmul": 200}
    assert flops_of(torch.matmul, vector, vector) == {"matmul": 10}


@pytest.mark.parametrize(
    ("equation", "shapes", "count"),
    [
        ("nct,ncp->ntp", [(3, 5, 2), (3, 5, 12)], 3 * 5 * 2 * 12),
        ("ntg,ncg -> nct", [(1, 2, 6), (1, 5, 6)], 60),
        ("nc,nchw->hw", [(3, 4), (3, 4, 2, 3)], 72),
        ("ij,jk,kl->il", [(64, 8), (8, 64), (64, 3)], 64 * 8 * 3 * 2),
        ("...ij,...jk->...ik", [(2, 3, 4), (2, 4, 5)], 120),
        ("...ij,jk->...ik", [(2, 7, 3, 4), (4, 5)], 840),
        ("ij,jk", [(3, 4), (4, 5)], 60),
        ("...i,...i", [(7, 3), (7, 3)], 21),
        ("i,j->ij", [(6,), (4,)], 12),  # a multiplication alone is half a flop
        ("ijk,ikl->ijl", [(123, 45, 67), (123, 67, 89)], 123 * 45 * 67 * 89),
    ],
)
def test_einstein_sums(equation, shapes, count):
    inputs = [torch.randn(shape) for shape in shapes]
    assert flops_of(lambda *terms: torch.einsum(equation, *terms), *inputs) == {"einsum": count}


@pytest.mark.parametrize(
    ("function", "count"),
    [
        (nn.BatchNorm2d(2).eval(), {"batch_norm": 32}),
        (nn.BatchNorm2d(2, affine=False).eval(), {"batch_norm": 16}),
        (nn.BatchNorm2d(2), {"batch_norm": 80}),
        (nn.BatchNorm2d(2, affine=False), {"batch_norm": 64}),
        (nn.GroupNorm(2, 2), {"group_norm": 80}),
        (nn.GroupNorm(2, 2, affine=False), {"group_norm": 64}),
        (nn.LayerNorm(2), {"layer_norm": 80}),
        (nn.InstanceNorm2d(2, affine=True), {"instance_norm": 80}),
        (nn.AdaptiveAvgPool2d(1), {"adaptive_avg_pool2d": 16}),
        (nn.Upsample(scale_factor=2, mode="bilinear"), {"upsample_bilinear2d": 4 * 64}),
        (nn.Upsample(scale_factor=2), {"upsample_nearest2d": 64}),
        (lambda x: F.grid_sample(x, x, align_corners=False), {"grid_sampler": 64}),
        (nn.ReLU(), {}),
        (nn.Sigmoid(), {}),
    ],
)
def test_other_operations(function, count):
    assert flops_of(function, torch.rand(2, 2, 2, 2)) == count


class Block(nn.Module):
    """Uses one layer by a call, one by its forward, and one never."""

    def __init__(self):
        super().__init__()
        self.called = nn.Linear(4, 4)
        self.by_forward = nn.Linear(4, 3)
        self.unused = nn.Linear(9, 9)
        self.parts = nn.ModuleList([nn.Identity()])

    def forward(self, x):
        return self.by_forward.forward(self.called(x)).sigmoid() + 1


class Net(nn.Module):
    """A block, and a layer with two names."""

    def __init__(self):
        super().__init__()
        self.block = Block()
        self.first = nn.Linear(3, 4)
        self.second = self.first

    def forward(self, x):
        return self.second(self.first(self.block(x))[:, :3])


def test_by_module_and_operation():
    analyzer = FlopAnalyzer(Net(), torch.ones(2, 4))
    assert analyzer.by_module() == {
        "": 32 + 24 + 24 + 24,
        "block": 32 + 24,
        "block.called": 32,
        "block.by_forward": 0,
        "block.unused": 0,
        "block.parts": 0,
        "block.parts.0": 0,
        "first": 48,
    }
    assert analyzer.total() == 104
    assert analyzer.total("second") == analyzer.total("first") == 48
    assert analyzer.canonical_module_name("second") == "first"
    assert analyzer.by_module_and_operator()["block"] == Counter({"linear": 56})
    assert analyzer.by_operator("block.unused") == Counter()
    assert analyzer.unsupported_ops("block") == {"aten::sigmoid": 1, "aten::add": 1}
    assert analyzer.uncalled_modules() == {
        "block.by_forward",
        "block.unused",
        "block.parts",
        "block.parts.0",
    }


class Outer(nn.Module):
    """Two modules that share a layer, one of which is not called itself."""

    def __init__(self):
        super().__init__()
        shared = nn.Linear(4, 4)
        self.a, self.b = nn.Sequential(shared), nn.Sequential(shared)

    def forward(self, x):
        return self.b(self.a[0](x))


def test_owners_and_callers():
    owner = FlopAnalyzer(Outer(), torch.ones(1, 4))
    assert owner.by_module() == {"": 32, "a": 32, "a.0": 32, "b": 0}
    caller = FlopAnalyzer(Outer(), torch.ones(1, 4)).ancestor_mode("caller")
    assert caller.by_module() == {"": 32, "a": 0, "a.0": 32, "b": 16}
    assert caller.uncalled_modules() == {"a"}
    with pytest.raises(ValueError, match="no ancestor mode 'both'"):
        caller.ancestor_mode("both")


def test_a_module_that_calls_itself_counts_once():
    class Recursive(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x, times=3):
            return self(x, times - 1) if times else self.layer(x)

    assert FlopAnalyzer(Recursive(), torch.ones(1, 4)).total() == 16


@pytest.mark.parametrize("mode", ["owner", "caller"])
def test_a_wrapped_model(mode):
    flops = FlopAnalyzer(nn.DataParallel(nn.Linear(4, 4)).cpu(), torch.ones(2, 4))
    assert flops.ancestor_mode(mode).by_module() == {"": 32, "module": 32}
    assert flops.uncalled_modules() == set()


def test_an_analysis_leaves_no_hook_behind():
    net = Net()
    FlopAnalyzer(net, torch.ones(2, 4)).total()
    broken = nn.Sequential(net, nn.Linear(7, 7))
    with pytest.raises(RuntimeError, match="shapes"):
        FlopAnalyzer(broken, torch.ones(2, 4)).total()
    for module in broken.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_own_functions_for_operations():
    net, x = nn.Sequential(nn.Linear(4, 4), nn.Sigmoid()), torch.ones(2, 4)
    flops, skipped = flop_count(net, (x,))
    assert (flops, skipped) == ({"linear": 32e-9}, {"aten::sigmoid": 1})
    own = {"aten::sigmoid": lambda inputs, outputs: Counter(curve=7)}
    assert flop_count(net, (x,), own)[0] == {"linear": 32e-9, "curve": 7e-9}
    assert activation_count(net, (x,))[0] == {"linear": 8e-6}
    analyzer = FlopAnalyzer(net, x)
    assert analyzer.total() == 32
    assert analyzer.set_op_handle("aten::linear", None).total() == 0
    assert analyzer.clear_op_handles().unsupported_ops_warnings(False).total() == 0
    assert analyzer.unsupported_ops() == {"aten::linear": 1, "aten::sigmoid": 1}
    with pytest.raises(TypeError, match="pairs"):
        analyzer.set_op_handle("aten::linear")
    analyzer.set_op_handle("aten::linear", lambda inputs, outputs: np.int32(3))
    with pytest.raises(ValueError, match="int32, which may overflow"):
        analyzer.total()


def test_functions_of_ones_own_and_scripted_ones():
    class Same(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

    analyzer = FlopAnalyzer(Function(Same.apply), torch.ones(2))
    assert analyzer.set_op_handle("prim::PythonOp.Same", lambda *_: 42).total() == 42


def test_what_cannot_be_answered():
    analyzer = FlopAnalyzer(Net(), torch.ones(2, 4))
    with pytest.raises(RuntimeError, match="not analysed yet"):
        analyzer.unsupported_ops()
    with pytest.raises(KeyError, match="(?s)Net has no module named 'blockk'.*'block'"):
        analyzer.total("blockk")
    with pytest.raises(AssertionError):
        analyzer.total(analyzer._model)


def test_a_copy_has_settings_of_its_own():
    analyzer = JitModelAnalysis(nn.Linear(4, 4), torch.ones(1, 4))
    analyzer.set_op_handle("aten::linear", linear_flop_jit).tracer_warnings("none")
    other = analyzer.copy(new_inputs=torch.ones(3, 4))
    other.set_op_handle("aten::_convolution", conv_flop_jit).unsupported_ops_warnings(False)
    assert (analyzer.total(), other.total()) == (16, 48)
    assert other._warn_trace == "none"
    assert analyzer._enable_warn_unsupported_ops
    assert "aten::_convolution" not in analyzer._op_handles
    assert analyzer.copy(nn.Linear(4, 2)).total() == 8


class Branching(nn.Module):
    """Warns itself, and has the tracer warn."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 1), nn.Linear(4, 1)

    def forward(self, x):
        warnings.warn("of the model", RuntimeWarning, stacklevel=1)
        return self.a(x) + 1 if x.sum() > 0 else self.b(x)


@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        ("all", {RuntimeWarning, torch.jit.TracerWarning}),
        ("no_tracer_warning", {RuntimeWarning}),
        ("none", set()),
    ],
)
def test_warnings_of_the_tracer(mode, shown):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        FlopAnalyzer(Branching(), torch.ones(1, 4)).tracer_warnings(mode).total()
    assert {warning.category for warning in caught} == shown
    with pytest.raises(ValueError, match="no tracer warning mode 'some'"):
        FlopAnalyzer(Branching(), torch.ones(1, 4)).tracer_warnings("some")


def test_what_is_not_counted_is_logged(caplog):
    logger = MMLogger.get_instance("analysis")
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.WARNING):
        analyzer = FlopAnalyzer(Branching(), torch.ones(1, 4)).tracer_warnings("none")
        analyzer.total()
    assert "Unsupported operator aten::add encountered 1 time(s)" in caplog.text
    assert "never called: b." in caplog.text
    caplog.clear()
    analyzer.copy().unsupported_ops_warnings(False).uncalled_modules_warnings(False).total()
    assert caplog.text == ""
    MMLogger.release_instance("analysis")


def test_parameters():
    net = Net()
    count = parameter_count(net)
    assert count[""] == sum(parameter.numel() for parameter in net.parameters())
    assert count["block.called"] == 20
    assert count["block.called.weight"] == 16
    assert "second" not in count
    net.block.by_forward.weight = net.block.called.weight
    assert parameter_count(net)["block.by_forward"] == 3


def test_a_table_of_parameters():
    net = nn.Sequential(nn.Linear(20, 20), nn.Sequential(nn.Linear(2, 1)))
    lines = [line.strip("| ") for line in parameter_count_table(net).splitlines()]
    assert lines[0] == "parameter count of Sequential"
    cells = [tuple(cell.strip() for cell in line.split("|")) for line in lines[4:-1]]
    assert cells == [
        ("model", "0.4K"),
        ("0", "0.4K"),
        ("0.weight", "(20, 20)"),
        ("0.bias", "(20,)"),
        ("1", "3"),
        ("1.0", "3"),
        ("1.0.weight", "(1, 2)"),
        ("1.0.bias", "(1,)"),
    ]
    assert "weight" not in parameter_count_table(net, max_depth=1)
    assert "| model | 0 " in parameter_count_table(nn.ReLU())
