"""Names of published weights mean the URLs that they mean in MMEngine."""

from __future__ import annotations

import json
import sys
import types

import pytest
import torch

from mainspring.checkpoint import schemes
from mainspring.errors import CheckpointError
from mainspring.runner import (
    CheckpointLoader,
    get_deprecated_model_names,
    get_external_models,
    get_mmcls_models,
    get_torchvision_models,
)

THIRD_PARTY = "https://download.openmmlab.com/pretrain/third_party"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MMENGINE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def downloads(monkeypatch):
    """What would be downloaded; each URL gives the content set for it."""
    found: dict = {}

    def load_from_http(url, map_location=None):
        return found.setdefault(url, {"url": url})

    monkeypatch.setattr(schemes, "load_from_http", load_from_http)
    return found


def load(name):
    return CheckpointLoader.load_checkpoint(name, map_location="cpu", logger="silent")


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("open-mmlab://resnet50_v1c", f"{THIRD_PARTY}/resnet50_v1c-2cccc1ad.pth"),
        ("openmmlab://jhu/resnet50_gn_ws", f"{THIRD_PARTY}/resnet50_gn_ws-15beedd8.pth"),
        (
            "open-mmlab://mmedit/mobilenet_v2",
            "https://download.openmmlab.com/mmediting/third_party/mobilenet_v2.pth",
        ),
        ("torchvision://resnet50", "https://download.pytorch.org/models/resnet50-0676ba61.pth"),
        ("modelzoo://alexnet", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"),
    ],
)
def test_a_name_means_its_url(name, url, downloads):
    assert load(name) == {"url": url}


def test_the_tables_hold_every_name_of_mmengine_0_10_7(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.models", None)  # an installed one adds its own
    tables = get_external_models(), get_mmcls_models(), get_torchvision_models()
    assert [len(table) for table in tables] == [48, 57, 55]
    assert set(get_deprecated_model_names().values()) <= set(get_external_models()) | {
        "detectron2/resnet50_caffe_bgr",
        "detectron2/resnet101_caffe_bgr",
    }


def test_a_renamed_model_is_loaded_and_said(downloads, capfd):
    url = f"{THIRD_PARTY}/resnet50_caffe-788b5fa3.pth"
    assert load("open-mmlab://resnet50_caffe") == {"url": url}
    said = capfd.readouterr()
    assert "in favor of open-mmlab://detectron/resnet50_caffe" in said.out + said.err


def test_mmcls_gives_the_backbone_alone(downloads):
    one = torch.ones(1)
    downloads[get_mmcls_models()["vgg11"]] = {
        "meta": {},
        "state_dict": {"backbone.conv.weight": one, "head.fc.weight": one},
    }
    assert load("mmcls://vgg11") == {"state_dict": {"conv.weight": one}}


def test_bare_weights_of_a_backbone_stay(downloads):
    weights = downloads[get_mmcls_models()["vgg13"]] = {"conv.weight": torch.ones(1)}
    assert load("mmcls://vgg13") == weights


def test_own_names_are_added_and_may_be_files_of_the_home_folder(home, downloads):
    home.mkdir()
    torch.save({"w": torch.arange(2)}, home / "mine.pth")
    own = {"mine": "mine.pth", "resnet50_v1c": "https://example.org/better.pth"}
    (home / "open_mmlab.json").write_text(json.dumps(own))
    assert load("open-mmlab://mine")["w"].tolist() == [0, 1]
    assert load("open-mmlab://resnet50_v1c") == {"url": "https://example.org/better.pth"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("open-mmlab://resnet50_v1", "has no weights of 'resnet50_v1'.*resnet50_v1c"),
        ("mmcls://vgg12", "has no weights of 'vgg12'.*vgg1[13]"),
        ("torchvision://resnet51", "has no weights of 'resnet51'.*resnet50"),
        ("torchvision://shufflenetv2_x2.0", "never published weights of 'shufflenetv2_x2.0'"),
    ],
)
def test_a_name_without_weights_is_a_key_error_naming_the_nearest(name, message):
    with pytest.raises(KeyError, match=f"(?s){message}") as caught:
        load(name)
    assert isinstance(caught.value, CheckpointError)


def test_names_of_the_installed_torchvision(monkeypatch, downloads):
    class Weights:
        def __init__(self, name, url):
            self.name, self.url = name, url

    class Choices(list):
        __name__ = "ResNet50_Weights"
        DEFAULT = Weights("IMAGENET1K_V2", "https://example.org/v2.pth")

    choices = Choices([Weights("IMAGENET1K_V1", "https://example.org/v1.pth"), Choices.DEFAULT])
    models = types.ModuleType("torchvision.models")
    models.get_model_weights = {"resnet50": choices}.__getitem__
    models.list_models = lambda: ["resnet50"]
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.models", models)
    assert load("torchvision://resnet50.default") == {"url": "https://example.org/v2.pth"}
    assert load("torchvision://resnet50.imagenet1k_v1") == {"url": "https://example.org/v1.pth"}
    assert load("torchvision://resnet50.IMAGENET1K_V2") == {"url": "https://example.org/v2.pth"}


def test_pavi_is_asked_for_its_models(monkeypatch):
    class Model:
        name = "a.pth"

        def download(self, file):
            torch.save({"asked": asked}, file)

    asked: list[str] = []
    pavi = types.ModuleType("pavi")
    pavi.modelcloud = types.SimpleNamespace(get=lambda name: asked.append(name) or Model())
    monkeypatch.setitem(sys.modules, "pavi", pavi)
    assert load("pavi://team/a") == {"asked": ["team/a"]}
    monkeypatch.setitem(sys.modules, "pavi", None)
    with pytest.raises(ImportError, match="pavi"):
        load("pavi://team/a")
