"""The mean of several checkpoints' weights."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from mainspring.checkpoint import (
    average_checkpoints,
    last_checkpoints,
    read_checkpoint,
    save_checkpoint,
)
from mainspring.errors import CheckpointError


@pytest.fixture
def models():
    """Three networks with BatchNorm whose counters differ."""
    torch.manual_seed(0)
    made = [nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)) for _ in range(3)]
    for steps, model in enumerate(made):
        for _ in range(steps + 1):
            model(torch.randn(8, 3))
    return made


@pytest.fixture
def files(models, tmp_path):
    paths = []
    for epoch, model in enumerate(models, start=1):
        paths.append(tmp_path / f"epoch_{epoch}.pth")
        meta = {"epoch": epoch, "iter": 10 * epoch}
        content = {"meta": meta, "state_dict": model.state_dict(), "optimizer": {"state": {}}}
        save_checkpoint(content, paths[-1])
    return paths


def mean_of(models, name, weights=(1, 1, 1)):
    stacked = torch.stack([model.state_dict()[name].double() for model in models])
    shares = torch.tensor(weights, dtype=torch.float64).view(-1, *[1] * (stacked.dim() - 1))
    return ((stacked * shares).sum(0) / sum(weights)).float()


@pytest.mark.parametrize("weights", [None, [1, 1, 1], [0.5, 0.25, 0.25], [1, 0, 7]])
def test_weights_are_averaged_and_counters_taken_from_the_last(models, files, weights):
    averaged = average_checkpoints(files, weights)
    state = averaged["state_dict"]
    assert list(state) == list(models[0].state_dict())
    for name, value in state.items():
        if name.endswith("num_batches_tracked"):
            assert value == 3
        else:
            assert torch.equal(value, mean_of(models, name, weights or (1, 1, 1))), name
            assert value.dtype == torch.float32


def test_it_loads_like_any_checkpoint_and_says_what_it_is(models, files, tmp_path):
    averaged = average_checkpoints(files)
    assert averaged.keys() == {"meta", "state_dict"}
    assert averaged["meta"] == {
        "epoch": 3,
        "iter": 30,
        "averaged_from": {
            "files": ["epoch_1.pth", "epoch_2.pth", "epoch_3.pth"],
            "weights": [1.0, 1.0, 1.0],
        },
    }
    save_checkpoint(averaged, tmp_path / "mean.pth")
    read = torch.load(tmp_path / "mean.pth", weights_only=True)
    models[0].load_state_dict(read["state_dict"], strict=True)
    assert read["state_dict"]._metadata[""]["version"] == 1


def test_the_average_of_the_same_is_the_same(files):
    alone = read_checkpoint(files[0])["state_dict"]
    averaged = average_checkpoints([files[0]] * 7)["state_dict"]
    assert all(torch.equal(averaged[name], alone[name]) for name in alone)


def test_half_precision_is_summed_in_single_precision(tmp_path):
    """In bfloat16 itself, 256 + 1 is 256: a running sum would lose all but the first."""
    values = [256.0] + [1.0] * 15
    paths = []
    for index, value in enumerate(values):
        paths.append(tmp_path / f"epoch_{index}.pth")
        save_checkpoint({"w": torch.full((2,), value, dtype=torch.bfloat16)}, paths[-1])
    averaged = average_checkpoints(paths)["state_dict"]["w"]
    assert averaged.dtype == torch.bfloat16
    assert averaged.tolist() == [17.0] * 2  # 271 / 16, rounded


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("0.bias"), r"it lacks 0\.bias"),
        (lambda s: s.update(extra=torch.ones(1)), "only it has extra"),
        (
            lambda s: s.update({"0.bias": torch.ones(5)}),
            r"0\.bias is \(5,\), not \(4,\)",
        ),
        (
            lambda s: s.update({"0.bias": torch.ones(4, dtype=torch.int64)}),
            r"0\.bias is \(4,\) of int64, not \(4,\)",
        ),
    ],
)
def test_other_models_are_refused_by_name(files, change, message):
    content = copy.deepcopy(read_checkpoint(files[1]))
    change(content["state_dict"])
    save_checkpoint(content, files[1])
    with pytest.raises(CheckpointError, match=message):
        average_checkpoints(files)


@pytest.mark.parametrize("weights", [[1, 1], [1, 1, -1], [0, 0, 0], [1, 1, float("nan")]])
def test_wrong_weights_are_refused(files, weights):
    with pytest.raises(ValueError, match="weights"):
        average_checkpoints(files, weights)
    with pytest.raises(ValueError, match="no checkpoints"):
        average_checkpoints([])


def test_the_last_ones_of_a_work_directory(files, tmp_path):
    save_checkpoint({}, tmp_path / "best_acc_epoch_2.pth")
    assert last_checkpoints(tmp_path, 2) == files[1:]
    assert last_checkpoints(tmp_path, 3) == files
    files[2].write_bytes(files[2].read_bytes()[:300])
    assert last_checkpoints(tmp_path, 2) == files[:2]
    with pytest.raises(CheckpointError, match="has 2 whole checkpoints, not 3"):
        last_checkpoints(tmp_path, 3)
    with pytest.raises(ValueError, match="not positive"):
        last_checkpoints(tmp_path, 0)
