"""A run looked at before it trains: its schedules, its model, its batches."""

import base64
import json

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from mainspring.cli.main import main
from mainspring.config import Config
from mainspring.dataset import DataLoader
from mainspring.model import BaseDataPreprocessor, BaseModel
from mainspring.tools.preview import (
    first_batches,
    schedules_of,
    summary_as_text,
    summary_of,
    write_grid,
    write_page,
)


class Net(BaseModel):
    """A convolution that is frozen and a linear layer."""

    def __init__(self, frozen=True, **kwargs):
        super().__init__(**kwargs)
        self.conv, self.head = nn.Conv2d(1, 2, 3, bias=False), nn.Linear(2 * 36, 10)
        self.conv.requires_grad_(not frozen)

    def forward(self, images, labels, mode="loss"):
        scores = self.head(torch.relu(self.conv(images)).flatten(1))
        return {"loss": nn.functional.cross_entropy(scores, labels)}


def config(**changes):
    data = TensorDataset(torch.rand(12, 1, 8, 8), torch.arange(12) % 10)
    return Config(
        dict(
            dict(
                model=Net(),
                train_dataloader=DataLoader(data, batch_size=4),
                train_cfg=dict(by_epoch=True, max_epochs=2),
                optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1, momentum=0.9)),
            ),
            **changes,
        )
    )


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Adversaries(BaseModel):
    """Two networks that a step of its own calls, the second one three times."""

    def __init__(self):
        super().__init__()
        self.maker, self.judge = nn.Linear(4, 64, bias=False), nn.Linear(64, 1, bias=False)

    def forward(self, images, labels, mode="tensor"):
        return self.judge(images.flatten(1))

    def train_step(self, data, optim_wrapper):
        assert optim_wrapper["judge"].should_update()
        images, _ = data
        made = self.maker(images[:, 0, 0, :4])
        judged = self.judge(images.flatten(1)).mean() - self.judge(made.detach()).mean()
        optim_wrapper["judge"].update_params(judged)
        loss = self.judge(made).mean()
        optim_wrapper["maker"].update_params(loss)
        return {"loss": loss.detach()}


def test_the_summary_counts_networks_that_a_step_of_the_model_calls():
    sgd = dict(optimizer=dict(type="SGD", lr=0.1))
    found = summary_of(config(model=Adversaries(), optim_wrapper=dict(maker=sgd, judge=sgd)))
    maker, judge = 2 * 4 * 4 * 64, 2 * 4 * 64
    flops = {row.name: row.flops for row in found.modules}
    assert (flops["maker"], flops["judge"], flops[""]) == (maker, 3 * judge, maker + 3 * judge)
    assert found.flops == maker + 3 * judge
    # The weights of both, and what the second network sends back to the first one.
    assert found.backward_flops == 3 * judge + judge + maker


def test_the_summary_counts_what_a_step_takes(tmp_path):
    found = summary_of(config())
    rows = {row.name: row for row in found.modules}
    assert (rows["conv"].parameters, rows["conv"].trained) == (18, 0)
    assert (rows[""].parameters, rows[""].trained) == (18 + 730, 730)
    assert (rows["conv"].shape, rows["head"].shape) == ([4, 2, 6, 6], [4, 10])
    conv, head = 2 * 4 * 2 * 9 * 36, 2 * 4 * 72 * 10
    assert (rows["conv"].flops, rows["head"].flops, found.flops) == (conv, head, conv + head)
    assert found.backward_flops == head  # of its weights; nothing below is trained
    assert found.batch == 4
    assert found.memory["parameters"] == 4 * 748
    assert found.memory["gradients"] == found.memory["optimizer"] == 4 * 730
    assert found.memory["activations"] > 0
    assert list(tmp_path.iterdir()) == []
    text = summary_as_text(found)
    assert "18 frozen" in text
    assert "748" in text
    assert "conv" not in summary_as_text(found, depth=0)


def test_the_first_samples_are_those_that_the_model_gets(tmp_path):
    class Shift(BaseDataPreprocessor):
        def forward(self, data, training=False):
            return super().forward([data[0] + 5, data[1]], training)

    found = first_batches(config(model=Net(data_preprocessor=Shift())), 6)
    assert 5 <= float(found.contents[0][3].split()[0]) < 6
    assert len(found.samples) == 6
    assert [sample.target for sample in found.samples] == ["0", "1", "2", "3", "4", "5"]
    assert base64.b64decode(found.samples[0].image)[:4] == b"\x89PNG"
    assert [(kind, shape) for _, kind, shape, _ in found.contents] == [
        ("float32", "4 x 1 x 8 x 8"),
        ("int64", "4"),
    ]
    write_grid(found, tmp_path / "grid.png")
    assert (tmp_path / "grid.png").read_bytes()[:4] == b"\x89PNG"
    write_page(found, tmp_path / "page.html", "Samples")
    assert (tmp_path / "page.html").read_text().count("<img") == 6


def test_values_are_a_table():
    data = TensorDataset(torch.arange(8.0).view(4, 2), torch.tensor([0.5, 1.5, 2.5, 3.5]))

    class Sum(BaseModel):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 1)

        def forward(self, x, y, mode="loss"):
            return {"loss": (self.layer(x)[:, 0] - y).square().mean()}

    found = first_batches(config(model=Sum(), train_dataloader=DataLoader(data, batch_size=2)), 3)
    assert not found.has_images
    lines = list(found.lines())
    assert lines[-3].split() == ["0,", "1", "0.5"]
    assert len([sample for sample in found.samples if sample.text]) == 3


def test_there_are_no_more_samples_than_items_and_of_a_list_the_first_are_described():
    data = TensorDataset(torch.arange(16.0).view(8, 2), torch.zeros(8))

    class Sum(BaseModel):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 1)

        def forward(self, inputs, targets, mode="loss"):
            return {"loss": self.layer(inputs).mean()}

    def collate(items):
        targets = [{"boxes": torch.zeros(1, 4)} for _ in items]
        return {"inputs": torch.stack([x for x, _ in items]), "targets": targets}

    loader = DataLoader(data, batch_size=8, collate_fn=collate)
    found = first_batches(config(model=Sum(), train_dataloader=loader), 1000)
    assert len(found.samples) == 8
    names = [name for name, *_ in found.contents]
    assert names == [
        ".inputs", ".targets[0].boxes", ".targets[1].boxes", ".targets[2].boxes", "and 5 more",
    ]  # fmt: skip


def test_schedules_are_those_of_the_whole_run():
    schedule = [dict(type="LinearLR", start_factor=0.5, end=2, by_epoch=False)]
    found = schedules_of(config(param_scheduler=schedule))
    assert found.iterations == list(range(6))
    assert found.values["lr"] == pytest.approx([0.05, 0.1, 0.1, 0.1, 0.1, 0.1])
    momentum = [*schedule, dict(type="StepMomentum", step_size=1, gamma=0.5)]
    found = schedules_of(config(param_scheduler=momentum))
    assert found.values["momentum"] == pytest.approx([0.9] * 3 + [0.45] * 3)
    assert list(schedules_of(config(param_scheduler=momentum), only_rates=True).values) == ["lr"]


CONFIG = """
import torch
from torch.optim import SGD
from torch.utils.data import TensorDataset

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.model import Supervised
from mainspring.optim import OptimWrapper
from mainspring.runner import ByEpoch

model = Supervised(torch.nn.Linear(4, 1), torch.nn.MSELoss())
train_dataloader = DataLoader(TensorDataset(torch.zeros(8, 4), torch.zeros(8, 1)), batch_size=4)
train_cfg = ByEpoch(max_epochs=2)
optim_wrapper = OptimWrapper(later(SGD)(lr=0.1))
"""


def test_the_verbs_print_for_people_and_for_programs(tmp_path, capsys):
    (tmp_path / "c.py").write_text(CONFIG)
    assert main(["plot", "c.py", "--out", "lr.png"]) == 0
    assert "4 iterations" in capsys.readouterr().out
    assert (tmp_path / "lr.png").exists()
    assert main(["plot", "c.py", "--format", "json", "optim_wrapper.optimizer.lr=0.2"]) == 0
    assert json.loads(capsys.readouterr().out)["values"] == {"lr": [0.2] * 4}
    assert main(["summary", "c.py", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["batch"] == 4
    assert main(["browse", "c.py", "--samples", "2"]) == 0
    assert "4 x 4" in capsys.readouterr().out
    assert main(["browse", "c.py", "--out", "x.png"]) == 2
    assert "the samples are no images" in capsys.readouterr().err
    assert main(["browse", "c.py", "--out", "x.gif"]) == 2
    assert "end it in .png or .html" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.py", "lr.png"]
