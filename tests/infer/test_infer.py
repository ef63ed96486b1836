"""An inferencer: steps, arguments, models, weights."""

from __future__ import annotations

import textwrap
import types

import numpy as np
import pytest
import torch

from mainspring.config import Config, ConfigDict
from mainspring.infer import BaseInferencer
from mainspring.infer import infer as module
from mainspring.infer.infer import InferencerMeta
from mainspring.model import BaseModel
from mainspring.registry import FUNCTIONS, MODELS, VISUALIZERS, DefaultScope
from mainspring.runner import save_checkpoint
from mainspring.visualization import Visualizer


class Doubler(BaseModel):
    """Predicts a weight times the input."""

    def __init__(self, data_preprocessor=None, init_cfg=None):
        super().__init__(data_preprocessor, init_cfg)
        self.factor = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, inputs, data_samples=None, mode="tensor"):
        return [self.factor * value for value in inputs]


class Toy(BaseInferencer):
    preprocess_kwargs = {"offset"}
    forward_kwargs = {"scale"}
    visualize_kwargs = {"frame"}
    postprocess_kwargs = {"digits"}

    def preprocess(self, inputs, batch_size=1, offset=0):
        for batch in super().preprocess(inputs, batch_size):
            self.batches.append(len(batch))
            yield [value + offset for value in batch]

    def forward(self, inputs, scale=1):
        return [scale * value for value in super().forward({"inputs": inputs})]

    def visualize(self, inputs, preds, show=False, frame="."):
        return [f"{frame}{value}{frame}" for value in inputs]

    def postprocess(self, preds, visualization, return_datasample=False, digits=3):
        values = preds if return_datasample else [round(float(p), digits) for p in preds]
        return dict(predictions=values, visualization=visualization)

    def _init_pipeline(self, cfg):
        self.batches = []

        def pipeline(value):
            return torch.tensor(float(np.load(value) if isinstance(value, str) else value))

        return pipeline


@pytest.fixture(autouse=True)
def registered():
    MODELS.register_module(module=Doubler, force=True)
    yield
    MODELS.module_dict.pop("Doubler")


@pytest.fixture
def weights(tmp_path):
    file = tmp_path / "weights.pth"
    state = {"factor": torch.tensor(2.0)}
    save_checkpoint(
        {"state_dict": state, "meta": {"cfg": "model = dict(type='Doubler')\nsize = 3\n"}}, file
    )
    return str(file)


@pytest.fixture
def toy(weights):
    return Toy(dict(model=dict(type="Doubler")), weights, device="cpu", show_progress=False)


def test_the_four_steps(toy):
    assert toy([1, 2, 3], batch_size=2) == dict(
        predictions=[2, 4, 6], visualization=[".1.", ".2.", ".3."]
    )
    assert toy.batches == [2, 1]
    assert not toy.model.training


def test_arguments_go_to_the_step_that_names_them(toy):
    done = toy(1.04, offset=1, scale=0.1, frame="|", digits=1)
    assert done == dict(predictions=[0.4], visualization=["|1.04|"])


def test_predictions_stay_as_they_are_on_demand(toy):
    (prediction,) = toy(1, return_datasamples=True)["predictions"]
    assert isinstance(prediction, torch.Tensor)
    assert not prediction.requires_grad


def test_an_argument_that_no_step_takes(toy):
    with pytest.raises(ValueError, match="(?s)unknown argument 'scales'.*'scale'"):
        toy(1, scales=2)


def test_a_folder_stands_for_its_files(toy, tmp_path):
    folder = tmp_path / "inputs"
    folder.mkdir()
    for number in range(3):
        np.save(folder / f"{number}.npy", np.array(number))
    assert sorted(toy(str(folder))["predictions"]) == [0, 2, 4]


def test_progress_is_shown_on_demand(weights, capsys):
    Toy(dict(model=dict(type="Doubler")), weights)([1, 2])
    assert "Inference" in capsys.readouterr().out


@pytest.mark.parametrize("kind", [Config, ConfigDict, dict])
def test_the_model_is_a_config(kind, weights):
    described = kind(dict(model=ConfigDict(type="Doubler", pretrained="somewhere")))
    toy = Toy(described, weights)
    assert toy(1)["predictions"] == [2]
    assert toy.cfg.model == toy.model.cfg.model == dict(type="Doubler")
    assert described["model"].pretrained == "somewhere"


def test_the_model_is_a_file(tmp_path, weights):
    file = tmp_path / "c.py"
    file.write_text("model = dict(type='Doubler')")
    assert Toy(str(file), weights)(1)["predictions"] == [2]


def test_the_model_is_a_file_of_recorded_calls(tmp_path, weights, monkeypatch):
    (tmp_path / "doublers.py").write_text(
        textwrap.dedent(
            """
            import torch
            class Doubler(torch.nn.Module):
                def __init__(self):
                    super().__init__()
                    self.factor = torch.nn.Parameter(torch.tensor(1.0))
                def test_step(self, data):
                    return [self.factor * value for value in data["inputs"]]
            """
        )
    )
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "c.py"
    file.write_text("from doublers import Doubler\n\nmodel = Doubler()\n")
    assert Toy(str(file), weights)(1)["predictions"] == [2]


def test_the_config_in_the_checkpoint(weights):
    toy = Toy(weights=weights)
    assert toy(1)["predictions"] == [2]
    assert toy.cfg.size == 3


def test_the_message_hubs_config_comes_first(tmp_path):
    file = str(tmp_path / "w.pth")
    hub = {"runtime_info": {"cfg": "model = dict(type='Doubler')\nsize = 4\n"}}
    content = {"state_dict": {"factor": torch.tensor(3.0)}, "message_hub": hub, "meta": {}}
    save_checkpoint(content, file)
    assert Toy(weights=file).cfg.size == 4
    del content["message_hub"]
    save_checkpoint(content, file)
    with pytest.raises(ValueError, match="Cannot find the config in the checkpoint"):
        Toy(weights=file)


def test_no_model():
    with pytest.raises(ValueError, match="neither a model nor weights"):
        Toy()
    with pytest.raises(TypeError, match="model must be a filepath"):
        Toy([1])


def test_without_weights_a_warning_says_so():
    with pytest.warns(UserWarning, match="randomly initialized"):
        toy = Toy(dict(model=dict(type="Doubler")))
    assert toy(1)["predictions"] == [1]


def test_the_preprocessor_of_the_config_is_the_models(weights):
    settings = dict(type="BaseDataPreprocessor", non_blocking=True)
    cfg = dict(model=dict(type="Doubler"), data_preprocessor=settings)
    assert Toy(cfg, weights).model.data_preprocessor._non_blocking


def stack_twice(items, times=2):
    return [torch.stack(items)] * times


@pytest.mark.parametrize(
    ("described", "length"),
    [("stack_twice", 2), (dict(type="stack_twice", times=3), 3), (stack_twice, 2)],
)
def test_items_are_put_together_as_in_the_test(described, length, weights):
    FUNCTIONS.register_module(module=stack_twice, force=True)
    cfg = dict(model=dict(type="Doubler"), test_dataloader=dict(collate_fn=described))
    assert len(Toy(cfg, weights).collate_fn([torch.ones(1)])) == length
    FUNCTIONS.module_dict.pop("stack_twice")


def test_a_visualizer_for_each(weights):
    VISUALIZERS.register_module(name="OwnVisualizer", module=Visualizer, force=True)
    cfg = dict(model=dict(type="Doubler"), visualizer=dict(type="OwnVisualizer", name="drawn"))
    first, second = Toy(cfg, weights).visualizer, Toy(cfg, weights).visualizer
    assert first.instance_name == "drawn"
    assert second.instance_name.startswith("drawn-")
    assert Toy(dict(model=dict(type="Doubler")), weights).visualizer is None
    VISUALIZERS.module_dict.pop("OwnVisualizer")


def test_steps_share_no_argument():
    with pytest.raises(AssertionError, match="Class define error! Wrong gives 'a' both to"):

        class Wrong(BaseInferencer):
            preprocess_kwargs = {"a"}
            postprocess_kwargs = {"a"}

    with pytest.raises(AssertionError, match=r"Wrong.forward_kwargs is \['a'\]"):

        class Wrong(BaseInferencer):
            forward_kwargs = ["a"]

    assert type(BaseInferencer) is InferencerMeta


@pytest.fixture
def published(tmp_path, monkeypatch, weights):
    """A package of OpenMMLab with one model."""
    package = tmp_path / "mmflow"
    for name, text in {
        "configs/a.py": "model = dict(type='Doubler')",
        "model-index.yml": "Import: [configs/metafile.yml]",
        "configs/metafile.yml": f"""
            Models:
              - {{Name: Doubler_R1, Alias: double, Config: configs/a.py, Weights: ['{weights}']}}
            """,
    }.items():
        file = package / ".mim" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    imported = types.SimpleNamespace(__path__=[str(package)])
    monkeypatch.setattr(module.importlib, "import_module", lambda name: imported)


@pytest.mark.parametrize("name", ["doubler_r1", "Doubler_R1", "double"])
def test_a_published_model_by_name(name, published):
    inferencer = Toy.__new__(Toy)
    inferencer.scope = "mmflow"
    cfg, weights = inferencer._load_model_from_metafile(name)
    assert cfg.model.type == "Doubler"
    assert weights.endswith("weights.pth")
    with pytest.raises(ValueError, match="(?s)Cannot find model: doublr.*'double'"):
        inferencer._load_model_from_metafile("doublr")


def test_published_models_are_listed(published):
    assert BaseInferencer.list_models("mmflow") == ["Doubler_R1", "double"]
    assert BaseInferencer.list_models("mmflow", "dou") == ["double"]


def test_a_scope_that_has_no_models():
    with pytest.raises(AssertionError, match="unknown not in"):
        BaseInferencer.list_models("unknown")
    with pytest.raises(AssertionError, match="unknown not in"):
        Toy("no-file", scope="unknown")
    DefaultScope._instance_dict.clear()
    with pytest.raises(AssertionError, match="scope should be"):
        BaseInferencer.list_models()
