"""Initialisers: what they fill, where, and how an init_cfg names them."""

import math

import pytest
import torch
from torch import nn

from mainspring.model import (
    ConstantInit,
    bias_init_with_prob,
    caffe2_xavier_init,
    constant_init,
    initialize,
    kaiming_init,
    normal_init,
    trunc_normal_init,
    uniform_init,
    xavier_init,
)
from mainspring.model.weight_init import BaseInit, trunc_normal_


def net():
    return nn.Sequential(nn.Conv1d(3, 1, 3), nn.Linear(1, 2))


def constants(module):
    """Weight and bias of each layer where they are constant, else None."""
    return [
        tensor.unique().tolist() if tensor.unique().numel() == 1 else None
        for layer in module
        for tensor in (layer.weight, layer.bias)
    ]


@pytest.mark.parametrize(
    ("ours", "torchs"),
    [
        (xavier_init, nn.init.xavier_normal_),
        (
            lambda m: xavier_init(m, gain=2, distribution="uniform"),
            lambda w: nn.init.xavier_uniform_(w, 2),
        ),
        (lambda m: normal_init(m, 1, 2), lambda w: nn.init.normal_(w, 1, 2)),
        (lambda m: uniform_init(m, -1, 1), lambda w: nn.init.uniform_(w, -1, 1)),
        (
            kaiming_init,
            lambda w: nn.init.kaiming_normal_(w, 0, "fan_out", "relu"),
        ),
        (
            caffe2_xavier_init,
            lambda w: nn.init.kaiming_uniform_(w, 1, "fan_in", "leaky_relu"),
        ),
        (lambda m: constant_init(m, 3), lambda w: nn.init.constant_(w, 3)),
    ],
)
def test_functions_draw_what_torch_draws(ours, torchs):
    module, weight = nn.Linear(5, 4), torch.empty(4, 5)
    torch.manual_seed(0)
    ours(module)
    torch.manual_seed(0)
    torchs(weight)
    assert torch.equal(module.weight, weight)
    assert not module.bias.any()


def test_functions_leave_modules_without_weight_alone():
    for initialise in (xavier_init, normal_init, kaiming_init, trunc_normal_init):
        initialise(nn.ReLU())
        norm = nn.BatchNorm1d(3, affine=False)
        initialise(norm)
        assert norm.weight is None
        assert norm.bias is None
        assert torch.equal(norm.running_var, torch.ones(3))


def test_truncated_normal_follows_the_cut_distribution():
    torch.manual_seed(0)
    values = trunc_normal_(torch.empty(200_000, dtype=torch.float64), 1.0, 2.0, 0.0, 4.0)
    assert values.min() >= 0
    assert values.max() <= 4

    def density(x):
        return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    def cumulative(x):
        return (1 + math.erf(x / math.sqrt(2))) / 2

    low, high = -0.5, 1.5
    mean = 1 + 2 * (density(low) - density(high)) / (cumulative(high) - cumulative(low))
    assert values.mean().item() == pytest.approx(mean, abs=0.01)


@pytest.mark.parametrize("probability", [0.01, 0.5, 0.9])
def test_the_bias_for_a_probability(probability):
    assert 1 / (1 + math.exp(-bias_init_with_prob(probability))) == pytest.approx(probability)


@pytest.mark.parametrize(
    "arguments", [{"bias": "x"}, {"bias_prob": "x"}, {"bias_prob": 1}, {"layer": 3}]
)
def test_wrong_arguments_of_initialisers(arguments):
    with pytest.raises(TypeError, match=next(iter(arguments))):
        BaseInit(**arguments)


class TestInitialize:
    def test_only_the_named_layers(self):
        module = net()
        initialize(module, {"type": "Constant", "val": 3, "bias": 1, "layer": "Conv1d"})
        assert constants(module) == [[3], [1], None, None]

    def test_without_a_layer_nothing(self):
        module = net()
        initialize(module, {"type": "Constant", "val": 3})
        assert constants(module) == [None, constants(module)[1], None, None]
        assert module[0].bias.item() != 0

    def test_direct_bases_count_as_names(self):
        module = net()
        initialize(module, {"type": "Constant", "val": 3, "layer": "_ConvNd"})
        assert constants(module)[:2] == [[3], [0]]

    def test_a_list_is_worked_off_in_order(self):
        module = net()
        initialize(
            module,
            [
                {"type": "Constant", "val": 1, "layer": ["Conv1d", "Linear"]},
                {"type": ConstantInit, "val": 2, "layer": "Linear", "bias_prob": 0.5},
            ],
        )
        assert constants(module) == [[1], [0], [2], [0]]

    @pytest.mark.parametrize(
        ("override", "expected"),
        [
            ({"name": "0"}, [[1], [2], [1], [2]]),
            ({"name": "0", "type": "Constant", "val": 5, "bias": 6}, [[5], [6], [1], [2]]),
            ([{"name": "0", "type": "Constant", "val": 5}], [[5], [0], [1], [2]]),
        ],
    )
    def test_overrides_fill_a_child_as_a_whole(self, override, expected):
        module = net()
        cfg = {"type": "Constant", "val": 1, "bias": 2, "layer": "Linear", "override": override}
        before = str(cfg)
        initialize(module, cfg)
        assert constants(module) == expected
        assert str(cfg) == before

    @pytest.mark.parametrize(
        ("cfg", "error", "message"),
        [
            (3, TypeError, "dict or a list of dict, but got 3"),
            ([3], TypeError, "dict or a list of dict, but got 3"),
            ({"type": "Constant", "val": 1, "override": 3}, TypeError, "override"),
            ({"type": "Constant", "val": 1, "override": {}}, ValueError, '"name"'),
            (
                {"type": "Constant", "val": 1, "override": {"name": "0", "val": 2}},
                ValueError,
                'no "type"',
            ),
            (
                {"type": "Constant", "val": 1, "override": {"name": "zz"}},
                RuntimeError,
                "did not have attribute zz",
            ),
            ({"type": "Constnat", "val": 1}, KeyError, "Constant"),
        ],
    )
    def test_wrong_configs(self, cfg, error, message):
        with pytest.raises(error, match=message):
            initialize(net(), cfg)


@pytest.mark.parametrize(
    ("layer", "is_said"), [("Liner", True), ("conv1d", True), ("Linear", False), ("LSTM", False)]
)
def test_a_layer_whose_name_is_misspelt_is_said(layer, is_said, capsys):
    initialize(net(), dict(type="Constant", val=1.0, layer=layer))
    assert ("has no effect: no layer is a" in capsys.readouterr().out) is is_said
