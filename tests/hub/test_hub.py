"""Configs and models of an installed package, as OpenMMLab's packages install them."""

from __future__ import annotations

import sys
import textwrap

import pytest
import torch

from mainspring.config import Config
from mainspring.hub import get_config, get_model, hub
from mainspring.registry import MODELS, DefaultScope

FILES = {
    "__init__.py": "",
    "registry.py": """
        from mainspring.registry import MODELS as ROOT, Registry
        MODELS = Registry("model", parent=ROOT, scope="hubbed")
    """,
    "utils.py": """
        def register_all_modules(init_default_scope=True):
            import hubbed.models
    """,
    "models.py": """
        from mainspring.model import BaseModel
        from hubbed.registry import MODELS
        import torch

        @MODELS.register_module()
        class Point(BaseModel):
            def __init__(self, width=1, data_preprocessor=None, init_cfg=None):
                super().__init__(data_preprocessor, init_cfg)
                self.layer = torch.nn.Linear(width, 1)
                self.described_preprocessor = data_preprocessor
            def forward(self, inputs, data_samples=None, mode="tensor"):
                return self.layer(inputs)
    """,
    ".mim/model-index.yml": "Import: [configs/point/metafile.yml]",
    ".mim/configs/point/metafile.yml": """
        Models:
          - Name: point_wide
            Config: configs/point/wide.py
            Weights: WEIGHTS
          - Name: point_none
            Config: configs/point/none.py
    """,
    ".mim/configs/_base_/point.py": "model = dict(type='Point')",
    ".mim/configs/point/wide.py": """
        _base_ = "../_base_/point.py"
        model = dict(width=3)
        data_preprocessor = dict(type="BaseDataPreprocessor")
    """,
    ".mim/configs/point/none.py": "_base_ = '../_base_/point.py'",
}


@pytest.fixture
def weights(tmp_path):
    file = tmp_path / "wide.pth"
    state = {"layer.weight": torch.full((1, 3), 5.0), "layer.bias": torch.zeros(1)}
    torch.save({"state_dict": state}, file)
    return file


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch, weights):
    for name, text in FILES.items():
        file = tmp_path / "hubbed" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).replace("WEIGHTS", str(weights)))
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "hubbed"
    for name in [name for name in sys.modules if name.split(".")[0] == "hubbed"]:
        del sys.modules[name]
    MODELS.children.pop("hubbed", None)


def test_a_config(package, weights):
    cfg = get_config("hubbed::point/wide.py")
    assert cfg.to_dict() == Config.fromfile(package / ".mim/configs/point/wide.py").to_dict()
    assert "model_path" not in cfg
    assert get_config("hubbed::point/wide.py", pretrained=True).model_path == str(weights)


def test_a_base_config():
    assert get_config("hubbed::_base_/point.py").model == dict(type="Point")


def test_a_model_is_built_in_the_scope_of_its_package():
    DefaultScope.get_instance("outer", scope_name="mainspring")
    model = get_model("hubbed::point/wide.py")
    assert type(model).__module__ == "hubbed.models"
    assert model.described_preprocessor == dict(type="BaseDataPreprocessor")
    assert DefaultScope.get_current_instance().scope_name == "mainspring"
    DefaultScope.release_instance("outer")


def test_arguments_fill_what_the_config_leaves_out():
    assert get_model("hubbed::point/none.py", width=2).layer.in_features == 2


def test_a_pretrained_model_keeps_its_weights():
    model = get_model("hubbed::point/wide.py", pretrained=True)
    assert model.layer.weight.tolist() == [[5, 5, 5]]
    model.init_weights()
    assert model.layer.weight.tolist() == [[5, 5, 5]]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("hubbed/point/wide.py", ValueError, "names no config of a package"),
        ("hubbed::point::wide.py", ValueError, "names no config of a package"),
        ("mmdett::point/wide.py", AssertionError, "(?s)'mmdett' is not installed.*'mmdet'"),
        ("hubbed::point/narrow.py", FileNotFoundError, "no config 'point/narrow.py'"),
    ],
)
def test_a_name_that_means_nothing(name, error, message):
    with pytest.raises(error, match=message):
        get_config(name)


def test_weights_that_were_never_published():
    with pytest.raises(AssertionError, match="no weights are published for .*none.py"):
        get_config("hubbed::point/none.py", pretrained=True)


def test_a_package_of_openmmlab_is_installed_first(monkeypatch):
    asked = []

    def install(name):
        asked.append(name)
        raise SystemExit  # what pip would do next is not tested

    monkeypatch.setattr(hub, "install_package", install)
    with pytest.raises(SystemExit):
        get_config("mmflow::raft/raft.py")
    assert asked == ["mmflow"]
