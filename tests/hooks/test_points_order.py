"""A real run reaches the points in the order, and with the arguments, that the table says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from mainspring.evaluator import BaseMetric, Evaluator
from mainspring.hooks import HOOK_POINTS, Hook
from mainspring.hooks.points import POINTS_BY_NAME
from mainspring.model import BaseModel
from mainspring.optim import OptimWrapper
from mainspring.runner import Runner


class Recorder(Hook):
    """Writes down every point, behind all other hooks."""

    priority = "LOWEST"

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        for point in HOOK_POINTS:
            setattr(self, point.name, self._recorder(point.name))

    def _recorder(self, name: str) -> Any:
        return lambda runner, **arguments: self.calls.append((name, arguments))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


class Points(Dataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"inputs": torch.full((2,), float(index))}


class Line(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, inputs: torch.Tensor, mode: str = "tensor") -> Any:
        outputs = self.layer(inputs)
        return {"loss": outputs.square().mean()} if mode == "loss" else list(outputs)


class Constant(BaseMetric):
    default_prefix = "toy"

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.append(0)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        return {"acc": 1.0}


def make_runner(
    work_dir: Any, recorder: Recorder, train_cfg: dict[str, Any], **more: Any
) -> Runner:
    model = Line()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    return Runner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=DataLoader(Points(), batch_size=2),
        val_dataloader=DataLoader(Points(), batch_size=2),
        test_dataloader=DataLoader(Points(), batch_size=4),
        train_cfg=train_cfg,
        val_cfg={},
        test_cfg={},
        optim_wrapper=OptimWrapper(optimizer=optimizer),
        val_evaluator=Evaluator(Constant()),
        test_evaluator=Evaluator(Constant()),
        custom_hooks=[recorder],
        **more,
    )


TRAIN_ITER = ["before_train_iter", "after_train_iter"]
TRAIN_EPOCH = ["before_train_epoch", *TRAIN_ITER * 2]
VALIDATION = ["before_val", "before_val_epoch", *["before_val_iter", "after_val_iter"] * 2]


def test_a_run_by_epochs(tmp_path: Any) -> None:
    recorder = Recorder()
    runner = make_runner(tmp_path, recorder, {"by_epoch": True, "max_epochs": 2})
    runner.train()
    # The checkpoint hook writes inside of after_train_epoch, before the recorder's turn.
    epoch = [*TRAIN_EPOCH, "before_save_checkpoint", "after_train_epoch"]
    validation = [*VALIDATION, "after_val_epoch", "after_val"]
    assert recorder.names == [
        "before_run",
        "before_train",
        *(epoch + validation) * 2,
        "after_train",
        "after_run",
    ]


def test_a_run_by_iterations_is_one_epoch(tmp_path: Any) -> None:
    recorder = Recorder()
    runner = make_runner(
        tmp_path,
        recorder,
        {"by_epoch": False, "max_iters": 2, "val_interval": 1},
        default_hooks={"checkpoint": None},
    )
    runner.train()
    iteration = [*TRAIN_ITER, *VALIDATION, "after_val_epoch", "after_val"]
    assert recorder.names == [
        "before_run",
        "before_train",
        "before_train_epoch",
        *iteration * 2,
        "after_train_epoch",
        "after_train",
        "after_run",
    ]


@pytest.fixture
def whole_run(tmp_path: Any) -> Recorder:
    """Training from a checkpoint, with a best checkpoint, then a test."""
    weights = tmp_path / "weights.pth"
    torch.save({"state_dict": Line().state_dict()}, weights)
    recorder = Recorder()
    runner = make_runner(
        tmp_path / "run",
        recorder,
        {"by_epoch": True, "max_epochs": 1},
        load_from=str(weights),
        default_hooks={
            "checkpoint": {
                "type": "CheckpointHook",
                "interval": -1,
                "save_last": False,
                "save_best": "toy/acc",
            }
        },
    )
    runner.train()
    recorder.calls.append(("", {}))
    runner.test()
    return recorder


def test_a_whole_run_reaches_every_point_in_the_order_of_the_table(whole_run: Recorder) -> None:
    names = whole_run.names
    assert set(names) - {""} == set(POINTS_BY_NAME)
    # Each of train() and test() begins and ends a run, and some points recur.
    middle = [name for name in names if name not in ("", "before_run", "after_run")]
    in_place = [name for name in middle if not POINTS_BY_NAME[name].recurs]
    first_reached = list(dict.fromkeys(in_place))
    table = [point.name for point in HOOK_POINTS if point.name in first_reached]
    assert first_reached == table
    assert names[0] == "before_run"
    assert names[-1] == "after_run"


def test_every_point_passes_the_arguments_of_the_table(whole_run: Recorder) -> None:
    for name, arguments in whole_run.calls:
        if name:
            assert tuple(arguments) == POINTS_BY_NAME[name].arguments
