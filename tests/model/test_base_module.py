"""When the weights of nested modules are initialised, and what is written about it."""

import logging

import pytest
import torch
from torch import nn

from mainspring.logging import MMLogger
from mainspring.model import BaseModule, ModuleDict, ModuleList, Sequential, update_init_info
from mainspring.registry import MODEL_WRAPPERS


def constant(value, layer="Linear", **kwargs):
    return {"type": "Constant", "val": value, "layer": layer, **kwargs}


class Inner(BaseModule):
    def __init__(self, init_cfg=None):
        super().__init__(init_cfg)
        self.linear = nn.Linear(2, 2)
        self.conv = nn.Conv1d(2, 2, 1)


class Outer(BaseModule):
    def __init__(self, init_cfg=None, inner=None):
        super().__init__(init_cfg)
        self.inner = Inner(inner)
        self.head = nn.Linear(1, 1)
        self.free = nn.Parameter(torch.zeros(3))


def test_children_win_over_parents():
    model = Outer(constant(1), constant(5))
    model.init_weights()
    assert model.head.weight.item() == 1
    assert (model.inner.linear.weight == 5).all()
    assert model.is_init
    assert model.inner.is_init


def test_pretrained_weights_win_over_children(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"state_dict": {"inner.linear.weight": torch.full((2, 2), 9.0)}}, path)
    pretrained = {"type": "Pretrained", "checkpoint": str(path)}
    model = Outer([pretrained, constant(1)], constant(5))
    model.init_weights()
    assert (model.inner.linear.weight == 9).all()
    assert model.head.weight.item() == 1

    part = Outer(None, {**pretrained, "prefix": "inner."})
    part.init_weights()
    assert (part.inner.linear.weight == 9).all()


def test_a_second_call_changes_nothing():
    model = Outer(constant(1))
    model.init_weights()
    with torch.no_grad():
        model.head.weight.fill_(7)
    model.init_weights()
    assert model.head.weight.item() == 7


def test_plain_children_with_init_weights_are_called():
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(1, 1)

        def init_weights(self):
            self.linear.weight.data.fill_(3)

    model = Sequential(Plain(), nn.Linear(1, 1), init_cfg=constant(1))
    model.init_weights()
    assert model[0].linear.weight.item() == 3
    assert model[1].weight.item() == 1


@pytest.mark.parametrize(
    "container",
    [
        lambda: Sequential(Inner(constant(4)), init_cfg=None),
        lambda: ModuleList([Inner()], init_cfg=constant(4)),
        lambda: ModuleDict({"a": Inner()}, init_cfg=constant(4)),
    ],
)
def test_containers_initialise_what_they_hold(container):
    module = container()
    module.init_weights()
    (inner,) = module.children()
    assert (inner.linear.weight == 4).all()


def test_containers_are_torchs():
    layers = [nn.Linear(2, 3), nn.Linear(3, 1)]
    sequential = Sequential(*layers)
    assert isinstance(sequential, nn.Sequential)
    assert sequential(torch.ones(1, 2)).shape == (1, 1)
    assert isinstance(sequential[:1], Sequential)
    assert list(ModuleList(layers)) == layers
    assert list(ModuleDict({"a": layers[0]}).keys()) == ["a"]
    assert len(ModuleList()) == len(ModuleDict()) == len(Sequential()) == 0


def test_the_config_is_copied_and_shown():
    cfg = constant(1)
    module = BaseModule(cfg)
    cfg["val"] = 2
    assert module.init_cfg["val"] == 1
    assert "init_cfg={'type': 'Constant', 'val': 1" in repr(module)
    assert "init_cfg" not in repr(BaseModule())


def test_the_log_file_says_what_set_each_parameter(tmp_path, monkeypatch):
    path = tmp_path / "run.log"
    handler = logging.FileHandler(path)
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, "handlers", [handler])

    class Custom(Inner):
        def init_weights(self):
            super().init_weights()
            self.conv.weight.data.fill_(3)

    model = Outer(constant(1, layer=["Linear", "Conv1d"]))
    model.inner = Custom(constant(5))
    model.init_weights()
    handler.close()
    text = path.read_text()
    assert "head.weight (1, 1): ConstantInit: bias=0, val=1" in text
    assert "inner.linear.weight (2, 2): ConstantInit: bias=0, val=5" in text
    assert "inner.conv.weight (2, 2, 1): init_weights of Custom" in text
    assert "free (3,): as constructed" in text
    assert not hasattr(model.head, "_params_init_info")


def test_update_init_info_outside_of_init_weights_does_nothing():
    module = nn.Linear(1, 1)
    before = set(vars(module))
    update_init_info(module, "anything")
    assert set(vars(module)) == before


def test_what_a_wrapper_holds_is_initialised(monkeypatch):
    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

    monkeypatch.setitem(MODEL_WRAPPERS.module_dict, "Wrapper", Wrapper)
    model = BaseModule()
    model.wrapped = Wrapper(Inner(constant(7)))
    model.init_weights()
    assert (model.wrapped.module.linear.weight == 7).all()
