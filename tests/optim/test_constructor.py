"""From the ``optim_wrapper`` section to parameter groups."""

from __future__ import annotations

import logging
from functools import partial

import pytest
import torch
from torch import nn

from mainspring.errors import ConfigError
from mainspring.logging import MMLogger
from mainspring.optim import (
    AmpOptimWrapper,
    DefaultOptimWrapperConstructor,
    OptimWrapper,
    build_optim_wrapper,
)
from mainspring.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mainspring.runner.building.build_optimization import build_optimizer_wrapper

SGD = dict(type="SGD", lr=0.1, weight_decay=0.01)


class DeformConv2d(nn.Module):
    """Stands for MMCV's layer, which is recognised by its name."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 2))
        self.bias = nn.Parameter(torch.ones(2))
        self.conv_offset = nn.Conv2d(2, 2, 1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)
        self.depthwise = nn.Conv2d(2, 2, 1, groups=2)
        self.norm = nn.BatchNorm2d(2)
        self.scale = nn.Parameter(torch.ones(2))
        self.deform = DeformConv2d()


def settings_by_name(model, paramwise_cfg, optimizer=SGD):
    """Learning rate and weight decay of each parameter, relative to the optimizer's."""
    wrapper = build_optim_wrapper(model, dict(optimizer=optimizer, paramwise_cfg=paramwise_cfg))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    settings = {}
    for group in wrapper.optimizer.param_groups:
        [parameter] = group["params"]
        lr, decay = group["lr"] / 0.1, group["weight_decay"] / 0.01
        settings[names[id(parameter)]] = (round(lr, 6), round(decay, 6))
    return settings


def changed(paramwise_cfg, model=None):
    settings = settings_by_name(model or Net(), paramwise_cfg)
    return {name: value for name, value in settings.items() if value != (1, 1)}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (
            dict(bias_lr_mult=2.0),
            {"conv.bias": (2, 1), "depthwise.bias": (2, 1)},
        ),
        (
            dict(bias_decay_mult=0.0),
            {"conv.bias": (1, 0), "depthwise.bias": (1, 0), "norm.bias": (1, 0)},
        ),
        (dict(norm_decay_mult=0.0), {"norm.weight": (1, 0), "norm.bias": (1, 0)}),
        (
            dict(norm_decay_mult=0.0, bias_decay_mult=0.5),
            {
                "norm.weight": (1, 0),
                "norm.bias": (1, 0),
                "conv.bias": (1, 0.5),
                "depthwise.bias": (1, 0.5),
            },
        ),
        (dict(dwconv_decay_mult=0.0), {"depthwise.weight": (1, 0), "depthwise.bias": (1, 0)}),
        (
            dict(flat_decay_mult=0.0),
            {
                "conv.bias": (1, 0),
                "depthwise.bias": (1, 0),
                "norm.weight": (1, 0),
                "norm.bias": (1, 0),
                "scale": (1, 0),
            },
        ),
        (
            dict(dcn_offset_lr_mult=0.1),
            {"deform.conv_offset.weight": (0.1, 1), "deform.conv_offset.bias": (0.1, 1)},
        ),
        (
            dict(custom_keys={"conv": dict(lr_mult=0.5), "conv.bias": dict(decay_mult=0.0)},
                 bias_lr_mult=3.0, norm_decay_mult=0.0),
            {
                "conv.weight": (0.5, 1),
                "conv.bias": (1, 0),
                "depthwise.bias": (3, 1),
                "norm.weight": (1, 0),
                "norm.bias": (1, 0),
                "deform.conv_offset.weight": (0.5, 1),
                "deform.conv_offset.bias": (0.5, 1),
            },
        ),
    ],
)  # fmt: skip
def test_rules_for_single_parameters(rules, expected):
    model = Net()
    if "bias_lr_mult" in rules or "bias_decay_mult" in rules or "flat_decay_mult" in rules:
        # Parameters of the deformable convolution itself follow the plain rules; its inner
        # convolution, which computes offsets, does not.
        own = settings_by_name(model, rules).pop("deform.bias")
        assert own != (1, 1)
        expected = {**expected, "deform.bias": own}
    assert changed(rules, model) == expected


def test_equally_long_keys_apply_in_alphabetical_order():
    rules = dict(custom_keys={"weight": dict(lr_mult=2.0), "conv.w": dict(lr_mult=3.0)})
    assert changed(rules)["conv.weight"] == (3, 1)


def test_custom_keys_hand_on_other_options():
    model = nn.Linear(2, 2)
    section = dict(
        optimizer=SGD, paramwise_cfg=dict(custom_keys={"bias": dict(momentum=0.5, lr_mult=2.0)})
    )
    groups = build_optim_wrapper(model, section).optimizer.param_groups
    assert [group["momentum"] for group in groups] == [0, 0.5]
    assert groups[1]["lr_mult"] == 2.0


def test_custom_keys_hand_on_what_only_code_of_a_project_reads(capsys):
    rules = dict(custom_keys={"conv": dict(fix_lr=True), "norm": dict(wd_mult=0.0)})
    groups = build_optim_wrapper(
        Net(), dict(optimizer=SGD, paramwise_cfg=rules)
    ).optimizer.param_groups
    assert [group.get("fix_lr") for group in groups].count(True) >= 1
    assert capsys.readouterr().out.count("has the unknown setting") == 2


class ReadsMore(torch.optim.SGD):
    """As the LARS of MMPretrain, which asks each group whether it is left out."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            if group.get("lars_exclude", False):
                return None
        return super().step(closure)


def test_what_the_optimizer_asks_its_groups_for_is_known(capsys):
    rules = dict(custom_keys={"conv": dict(lars_exclude=True)})
    build_optim_wrapper(Net(), dict(optimizer=dict(type=ReadsMore, lr=0.1), paramwise_cfg=rules))
    assert "unknown setting" not in capsys.readouterr().out


def test_without_rules_all_parameters_are_one_group():
    wrapper = build_optim_wrapper(Net(), dict(optimizer=SGD))
    assert type(wrapper) is OptimWrapper
    [group] = wrapper.optimizer.param_groups
    assert len(group["params"]) == len(list(Net().parameters()))


def test_frozen_parameters_are_left_out():
    model = Net()
    model.conv.requires_grad_(False)
    settings = settings_by_name(model, dict(norm_decay_mult=0.0))
    assert not any(name.startswith("conv.") for name in settings)


def test_a_wrapped_model_is_looked_into():
    wrapped = nn.Module()
    wrapped.module = nn.Linear(2, 2)
    section = dict(optimizer=SGD, paramwise_cfg=dict(custom_keys={"weight": dict(lr_mult=0.1)}))
    assert len(build_optim_wrapper(wrapped, section).optimizer.param_groups) == 2


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(2, 2)
        self.b = nn.Linear(2, 2)
        self.b.weight = self.a.weight


@pytest.mark.parametrize("asked", [{}, {"bypass_duplicate": True}, {"bypass_duplicate": False}])
def test_a_shared_parameter_belongs_to_one_group(asked):
    section = dict(optimizer=SGD, paramwise_cfg=dict(bias_lr_mult=2.0, **asked))
    assert len(build_optim_wrapper(Tied(), section).optimizer.param_groups) == 3


@pytest.mark.parametrize("kind", ["AdamW", torch.optim.AdamW])
def test_what_the_optimizer_has_where_nothing_is_said_is_scaled(kind):
    section = dict(
        optimizer=dict(type=kind), paramwise_cfg=dict(bias_decay_mult=0.0, bias_lr_mult=2)
    )
    groups = build_optim_wrapper(nn.Linear(2, 2), section).optimizer.param_groups
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(1e-3, 0.01), (2e-3, 0)]


def test_rules_of_a_derived_constructor_are_its_own():
    class ByDepth(DefaultOptimWrapperConstructor):
        def add_params(self, params, module, prefix="", is_dcn_module=None):
            rate = self.paramwise_cfg["layer_decay_rate"]
            for depth, parameter in enumerate(module.parameters()):
                params.append({"params": [parameter], "lr": self.base_lr * rate**depth})

    wrapper = ByDepth(dict(optimizer=SGD), dict(layer_decay_rate=0.5))(nn.Linear(2, 2))
    assert [group["lr"] for group in wrapper.optimizer.param_groups] == [SGD["lr"], SGD["lr"] / 2]
    with pytest.raises(ConfigError, match="bias_lr_mult"):
        DefaultOptimWrapperConstructor(dict(optimizer=SGD), dict(bias_lr_mul=0.5))


def test_the_section_stays_as_it_was():
    section = dict(
        type="AmpOptimWrapper",
        optimizer=dict(SGD),
        dtype="bfloat16",
        accumulative_counts=2,
        paramwise_cfg=dict(norm_decay_mult=0.0),
        constructor="DefaultOptimWrapperConstructor",
    )
    written = {**section, "optimizer": dict(SGD)}
    wrapper = build_optim_wrapper(Net(), section)
    assert type(wrapper) is AmpOptimWrapper
    assert section == written


def test_subclasses_decide_by_overriding_add_params():
    @OPTIM_WRAPPER_CONSTRUCTORS.register_module(force=True)
    class LayerDecay(DefaultOptimWrapperConstructor):
        def add_params(self, params, module, prefix="", is_dcn_module=None):
            decay = self.paramwise_cfg["decay_rate"]
            for depth, parameter in enumerate(module.parameters()):
                params.append({"params": [parameter], "lr": self.base_lr * decay**depth})

    try:
        section = dict(optimizer=SGD, constructor="LayerDecay", paramwise_cfg=dict(decay_rate=0.5))
        wrapper = build_optim_wrapper(nn.Linear(2, 2), section)
    finally:
        del OPTIM_WRAPPER_CONSTRUCTORS.module_dict["LayerDecay"]
    assert wrapper.get_lr() == {"lr": [0.1, 0.05], "base_lr": [0.1]}


def test_attributes_that_subclasses_use():
    made = DefaultOptimWrapperConstructor(dict(optimizer=SGD, clip_grad=1), dict(bias_lr_mult=2))
    assert (made.base_lr, made.base_wd) == (0.1, 0.01)
    assert made.optimizer_cfg == SGD
    assert made.optim_wrapper_cfg == {"clip_grad": 1}
    assert made.paramwise_cfg == {"bias_lr_mult": 2}
    first, second = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))
    assert made._is_in({"params": [first]}, [{"params": [first, second]}])
    assert not made._is_in({"params": [first]}, [{"params": {second}}])


def test_optimizers_that_name_their_first_argument_otherwise():
    from mainspring.registry import OPTIMIZERS

    class Renamed(torch.optim.SGD):
        def __init__(self, weights, lr=0.1):
            super().__init__(weights, lr=lr)

    class PassedOn(torch.optim.SGD):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)

    for kind in (Renamed, PassedOn):
        wrapper = build_optim_wrapper(nn.Linear(2, 2), dict(optimizer=dict(type=kind, lr=0.3)))
        assert wrapper.get_lr() == {"lr": [0.3]}
    assert "Renamed" not in OPTIMIZERS.module_dict


def test_one_summary_is_logged_and_each_parameter_only_for_debugging(caplog):
    logger = MMLogger.get_instance("groups", log_level="DEBUG")
    logger.addHandler(caplog.handler)
    model = Net()
    model.scale.requires_grad_(False)
    build_optim_wrapper(model, dict(optimizer=SGD, paramwise_cfg=dict(norm_decay_mult=0.0)))
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    assert [line.split() for line in told[0].splitlines()[1:]] == [
        ["parameters", "lr", "weight_decay"],
        ["8", "0.1", "0.01"],
        ["2", "0.1", "0"],
        ["1", "frozen,", "left", "out"],
    ]
    assert len(told) == 1
    details = [record.getMessage() for record in caplog.records if record.levelno < logging.INFO]
    assert "paramwise_options -- norm.weight:weight_decay=0.0" in details


@pytest.mark.parametrize(
    ("section", "kind", "wrong"),
    [
        (dict(type="OptimWrapper"), ValueError, "names no optimizer"),
        (dict(optimizer="SGD"), TypeError, "optim_wrapper.optimizer should be a dict"),
        (dict(optimizer=SGD, paramwise_cfg=[1]), TypeError, "paramwise_cfg should be a dict"),
        (dict(optimizer=SGD, paramwise_cfg=dict(custom_keys=[1])), TypeError, "custom_keys is a"),
        (
            dict(optimizer=SGD, paramwise_cfg=dict(custom_keys={"a": 0.1})),
            ValueError,
            r"custom_keys\['a'\] is 0.1",
        ),
        (
            dict(optimizer=SGD, paramwise_cfg=dict(norm_decay_mul=0.0)),
            ValueError,
            "did you mean 'norm_decay_mult'",
        ),
        (
            dict(optimizer=dict(type="SGD", lr=0.1), paramwise_cfg=dict(norm_decay_mult=0.0)),
            ValueError,
            "scales the weight decay .norm_decay_mult., but the optimizer has none",
        ),
        (dict(optimizer=dict(type="SDG", lr=0.1)), KeyError, "SDG"),
        (dict(optimizer=dict(type="SGD", learning_rate=0.1)), TypeError, "learning_rate"),
    ],
)
def test_sections_that_make_no_sense(section, kind, wrong):
    with pytest.raises(kind, match=wrong):
        build_optim_wrapper(Net(), section)


def test_the_constructor_takes_a_dict_only():
    with pytest.raises(TypeError, match="optim_wrapper should be a dict"):
        DefaultOptimWrapperConstructor([])


@pytest.mark.parametrize(
    "optimizer", [{"type": "SGD", "lr": 0.1}, partial(torch.optim.SGD, lr=0.1)]
)
def test_a_model_without_parameters_is_named(optimizer):
    section = {"optimizer": optimizer}
    with pytest.raises(ConfigError, match="ReLU has no parameter, so an optimizer has nothing"):
        build_optimizer_wrapper(nn.ReLU(), section)
    frozen = nn.Linear(1, 1).requires_grad_(False)
    with pytest.raises(ConfigError, match="Linear has no parameter that is not frozen"):
        build_optimizer_wrapper(frozen, partial(torch.optim.SGD, lr=0.1))
