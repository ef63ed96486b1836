"""Checkpoints that MMEngine and MMCV wrote are read, and runs go on from them.

Those of MMEngine 0.10.7 were made by `foreign/make_mmengine.py`, which also wrote down what the
live objects held, and how the run ended that was not interrupted.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from mainspring.checkpoint import import_mmengine, load_file, read_checkpoint, save_checkpoint
from mainspring.errors import CheckpointError
from mainspring.evaluator import BaseMetric
from mainspring.hooks import Hook
from mainspring.logging import HistoryBuffer
from mainspring.model import BaseModel
from mainspring.optim import OptimWrapper, OptimWrapperDict
from mainspring.runner import Runner

FOREIGN = Path(__file__).parent / "foreign"
NAMES = ["epochs", "iterations", "optimizers"]
POSITIONS = {"epochs": (2, 8), "iterations": (0, 6), "optimizers": (1, 4)}


class Points(Dataset):
    def __init__(self):
        generator = np.random.RandomState(7)
        self.points = torch.tensor(generator.randn(16, 4), dtype=torch.float32)
        self.targets = self.points.sum(1, keepdim=True)
        self.metainfo = dict(
            classes=("one", "two"), palette=np.array([[1, 2, 3], [4, 5, 6]]), mean=np.float64(0.5)
        )

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        return dict(inputs=self.points[index], targets=self.targets[index])


class Net(BaseModel):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(3)
        self.head = nn.Linear(3, 1)

    def forward(self, inputs, targets=None, mode="tensor"):
        if isinstance(inputs, list):
            inputs, targets = torch.stack(inputs), torch.stack(targets)
        outputs = self.head(self.norm(self.body(inputs)))
        if mode == "loss":
            return dict(loss=((outputs - targets) ** 2).mean())
        return list(outputs)


class TwoOptimizers(Net):
    def train_step(self, data, optim_wrapper):
        data = self.data_preprocessor(data, True)
        loss = self(**data, mode="loss")["loss"]
        for wrapper in optim_wrapper.values():
            wrapper.zero_grad()
        loss.backward()
        for wrapper in optim_wrapper.values():
            wrapper.step()
        return dict(loss=loss)


class Height(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [sample.mean().item() for sample in data_samples]

    def compute_metrics(self, results):
        return dict(height=np.mean(results))


def loader():
    return dict(dataset=Points(), sampler=dict(type="DefaultSampler", shuffle=True), batch_size=4)


def validation():
    return dict(val_cfg={}, val_dataloader=loader(), val_evaluator=[Height()])


def settings(name):
    """The run of the same name in `make_mmengine.py`."""
    if name == "epochs":
        return dict(
            model=Net(),
            train_cfg=dict(by_epoch=True, max_epochs=3),
            optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1, momentum=0.9, weight_decay=1e-4)),
            param_scheduler=[
                dict(type="LinearLR", start_factor=0.5, by_epoch=False, end=4),
                dict(type="MultiStepLR", milestones=[1, 4], gamma=0.5),
            ],
            custom_hooks=[dict(type="EMAHook", momentum=0.1)],
            **validation(),
        )
    if name == "iterations":
        return dict(
            model=Net(),
            train_cfg=dict(by_epoch=False, max_iters=8),
            optim_wrapper=dict(optimizer=dict(type="AdamW", lr=0.01), clip_grad=dict(max_norm=1.0)),
            param_scheduler=[dict(type="OneCycleLR", eta_max=0.02, total_steps=8, by_epoch=False)],
        )
    model = TwoOptimizers()
    return dict(
        model=model,
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=OptimWrapperDict(
            body=OptimWrapper(torch.optim.SGD(model.body.parameters(), lr=0.1, momentum=0.9)),
            head=OptimWrapper(torch.optim.Adam(model.head.parameters(), lr=0.01)),
        ),
        param_scheduler=dict(
            body=[dict(type="ExponentialLR", gamma=0.5)],
            head=[dict(type="ReduceOnPlateauLR", monitor="height", patience=0)],
        ),
        **validation(),
    )


class FirstState(Hook):
    """Writes down with what the first iteration begins."""

    def __init__(self):
        self.seen = None

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if self.seen is not None:
            return
        wrapper = runner.optim_wrapper
        wrappers = dict(wrapper.items()) if isinstance(wrapper, OptimWrapperDict) else {"": wrapper}
        self.seen = {
            "position": (runner.epoch, runner.iter),
            "optimizers": {name: numbers(each.optimizer) for name, each in wrappers.items()},
            "loss": runner.message_hub.log_scalars.get("train/loss", HistoryBuffer())
            .data[0]
            .tolist(),
            "weights": {key: v.tolist() for key, v in runner.model.state_dict().items()},
        }


def numbers(optimizer):
    state = optimizer.state_dict()
    return dict(
        lr=[group["lr"] for group in state["param_groups"]],
        momentum={
            str(index): entry[name].tolist()
            for index, entry in state["state"].items()
            for name in ("momentum_buffer", "exp_avg")
            if entry.get(name) is not None
        },
    )


def go_on(path, tmp_path, name, **changes):
    """Resume from a file and train to the end; gives the runner and the state at first."""
    first = FirstState()
    options = settings(name) | changes
    options["custom_hooks"] = [*options.get("custom_hooks", []), first]
    runner = Runner(
        work_dir=str(tmp_path / "work"),
        train_dataloader=loader(),
        load_from=str(path),
        resume=True,
        randomness=dict(seed=3),
        **options,
    )
    runner.train()
    return runner, first.seen


def expected(name):
    return json.loads((FOREIGN / f"mmengine_{name}.json").read_text())


@pytest.mark.parametrize("is_imported", [False, True], ids=["as it is", "imported"])
@pytest.mark.parametrize("name", NAMES)
def test_a_run_of_mmengine_goes_on_as_if_it_were_not_interrupted(name, is_imported, tmp_path):
    path = FOREIGN / f"mmengine_{name}.pth"
    if is_imported:
        imported, notes = import_mmengine(read_checkpoint(path), path)
        assert notes == []
        path = tmp_path / "imported.pth"
        save_checkpoint(imported, path)
        torch.load(path, weights_only=True)
    runner, seen = go_on(path, tmp_path, name)
    truth = expected(name)
    assert seen["position"] == POSITIONS[name]
    assert seen["optimizers"] == truth["optimizers"]
    assert seen["weights"] == truth["weights"]
    assert seen["loss"] == truth["loss"]
    final = {key: value.tolist() for key, value in runner.model.state_dict().items()}
    # The last digits depend on the instructions that a processor has; the gradient of a bias before
    # a normalization is nothing but such digits, of which Adam makes steps.
    for name_of_noise in ("body.bias", "norm.running_mean"):
        noise = final.pop(name_of_noise)
        torch.testing.assert_close(noise, truth["final"].pop(name_of_noise), rtol=0, atol=1e-3)
    torch.testing.assert_close(final, truth["final"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_pickled_objects_of_mmengine_become_ours(name):
    checkpoint = load_file(FOREIGN / f"mmengine_{name}.pth")
    assert checkpoint["meta"]["mmengine_version"].startswith("0.10.7")
    losses = checkpoint["message_hub"]["log_scalars"]["train/loss"]
    assert isinstance(losses, HistoryBuffer)
    assert losses.data[0].tolist() == expected(name)["loss"]


def test_an_imported_checkpoint_holds_plain_types_only():
    path = FOREIGN / "mmengine_epochs.pth"
    imported, _ = import_mmengine(read_checkpoint(path), path)
    kinds = set()

    def visit(value):
        kinds.add(type(value).__name__)
        if isinstance(value, dict):
            for item in value.values():
                visit(item)
        elif isinstance(value, list | tuple):
            for item in value:
                visit(item)

    visit(imported)
    plain = {"OrderedDict", "dict", "list", "tuple", "str", "int", "float", "bool", "NoneType"}
    assert kinds <= plain | {"Tensor"}
    assert imported["meta"]["dataset_meta"]["palette"] == [[1, 2, 3], [4, 5, 6]]
    assert imported["message_hub"]["runtime_info"]["best_score"] < 0


def mmcv_checkpoint(model, optimizer, **meta):
    """What `mmcv.runner.save_checkpoint` of MMCV 1.x writes."""
    return {
        "meta": {
            "env_info": "sys.platform: linux\nPython: 3.8\nMMCV: 1.7.1",
            "seed": 3,
            "exp_name": "fcos.py",
            "mmcv_version": "1.7.1",
            "time": "Mon Nov 21 13:37:00 2022",
            "CLASSES": ("one", "two"),
            "PALETTE": [[1, 2, 3], [4, 5, 6]],
            "hook_msgs": {"best_score": np.float64(0.5), "last_ckpt": "epoch_1.pth"},
            **meta,
        },
        "state_dict": model.state_dict(),
        "optimizer": optimizer.state_dict(),
    }


@pytest.fixture
def trained():
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(4):
        optimizer.zero_grad()
        model(*torch.randn(2, 8, 4).unbind(), mode="loss")["loss"].backward()
        optimizer.step()
    return model, optimizer


MMCV_RUN = dict(
    optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1, momentum=0.9)), param_scheduler=None
)


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "torch before 1.6"])
def test_a_run_of_mmcv_by_epoch_goes_on(trained, is_zip, tmp_path):
    model, optimizer = trained
    content = mmcv_checkpoint(model, optimizer, epoch=1, iter=4)
    path = tmp_path / "epoch_1.pth"
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    imported, notes = import_mmengine(read_checkpoint(path), path)
    assert notes == [
        "it holds no state of schedules: those of the config begin at their start",
    ]
    meta = imported["meta"]
    assert (meta["experiment_name"], meta["epoch"], meta["iter"]) == ("fcos.py", 1, 4)
    assert meta["dataset_meta"]["classes"] == ("one", "two")
    assert type(meta["hook_msgs"]["best_score"]) is float
    save_checkpoint(imported, tmp_path / "ours.pth")

    changes = {**MMCV_RUN, "train_cfg": dict(by_epoch=True, max_epochs=2)}
    # The data set says more of itself than MMCV wrote down.
    for source in (path, tmp_path / "ours.pth"):
        _, seen = go_on(source, tmp_path / source.stem, "epochs", custom_hooks=[], **changes)
        assert seen["position"] == (1, 4)
        assert seen["optimizers"] == {"": numbers(optimizer)}
        assert seen["optimizers"][""]["lr"] == [0.05]
        assert seen["weights"] == {key: v.tolist() for key, v in model.state_dict().items()}


@pytest.mark.parametrize(
    ("file", "meta"),
    [
        ("iter_6.pth", {}),
        ("latest.pth", {"config": "runner = dict(type='IterBasedRunner', max_iters=8)\n"}),
    ],
)
def test_the_iteration_that_mmcv_saves_one_too_small_is_put_right(trained, file, meta, tmp_path):
    content = mmcv_checkpoint(*trained, epoch=1, iter=5, **meta)
    imported, notes = import_mmengine(content, file)
    assert (imported["meta"]["epoch"], imported["meta"]["iter"]) == (0, 6)
    assert any("one too small: it is 6" in note for note in notes)
    save_checkpoint(imported, tmp_path / "ours.pth")
    _, seen = go_on(tmp_path / "ours.pth", tmp_path, "iterations", **MMCV_RUN)
    assert seen["position"] == (0, 6)


@pytest.mark.parametrize(("epoch", "iteration"), [("1", "4"), (np.int64(1), np.float32(4))])
def test_counts_of_other_types_become_numbers(trained, epoch, iteration):
    content = mmcv_checkpoint(*trained, epoch=epoch, iter=iteration)
    imported, _ = import_mmengine(content, "epoch_1.pth")
    counts = imported["meta"]["epoch"], imported["meta"]["iter"]
    assert counts == (1, 4)
    assert all(type(count) is int for count in counts)
    content["meta"]["iter"] = "many"
    with pytest.raises(CheckpointError, match=r"meta.iter is 'many', not a number"):
        import_mmengine(content, "epoch_1.pth")


def test_the_loss_scale_of_mmcv_goes_to_the_optimizer(trained):
    scaler = {"scale": 1024.0, "growth_factor": 2.0}
    content = mmcv_checkpoint(*trained, epoch=1, iter=4, fp16={"loss_scaler": scaler})
    imported, _ = import_mmengine(content, "epoch_1.pth")
    assert imported["optimizer"]["loss_scaler"] == scaler


def test_weights_alone_are_imported_for_load_from():
    state = Net().state_dict()
    for content in (state, {"state_dict": state, "meta": {}}):
        imported, notes = import_mmengine(content, "net.pth")
        assert list(imported) == ["meta", "state_dict"]
        assert notes == ["it holds no state of an optimizer: use it with load_from"]
        assert imported["state_dict"].keys() == state.keys()


def test_what_has_nothing_to_import_is_refused():
    with pytest.raises(CheckpointError, match="written by mainspring"):
        import_mmengine({"mainspring": {}, "state_dict": {}}, "ours.pth")
    with pytest.raises(CheckpointError, match="holds no weights"):
        import_mmengine({"meta": {}, "state_dict": {}}, "empty.pth")
