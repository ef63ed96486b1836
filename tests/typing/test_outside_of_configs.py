"""What only a config can use is refused in a program, with what to write there instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import nn
from torch.optim import SGD

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.errors import ConfigError
from mainspring.hooks import HookDispatch, LoggerHook, ParamSchedulerHook
from mainspring.optim import AmpOptimWrapper, LinearLR, LinearMomentum, OptimWrapper
from mainspring.visualization import LocalVisBackend, Visualizer


@pytest.fixture
def optimizer() -> SGD:
    return SGD(nn.Linear(2, 2).parameters(), lr=0.1, momentum=0.9)


@pytest.mark.parametrize("factory", [later(SGD)(lr=0.1), SGD, print])
@pytest.mark.parametrize("wrapper", [OptimWrapper, AmpOptimWrapper])
def test_a_wrapper_needs_an_optimizer_that_has_its_parameters(wrapper: Any, factory: Any) -> None:
    with pytest.raises(ConfigError, match="still needs the parameters") as caught:
        wrapper(optimizer=factory)
    assert "SGD(model.parameters(), lr=0.1)" in str(caught.value)
    assert isinstance(caught.value, TypeError)


def test_what_is_no_optimizer_at_all_stays_a_type_error() -> None:
    wrong: Any = 5
    with pytest.raises(TypeError, match="no parameter groups"):
        OptimWrapper(wrong)


def test_rules_for_single_parameters_come_too_late(optimizer: SGD) -> None:
    with pytest.raises(ConfigError, match="paramwise_cfg is for configs") as caught:
        OptimWrapper(optimizer, paramwise_cfg=dict(norm_decay_mult=0.0))
    assert "build_optim_wrapper" in str(caught.value)


@pytest.mark.parametrize("scheduler", [LinearLR, LinearMomentum])
def test_only_a_builder_converts_epochs_to_iterations(scheduler: Any, optimizer: SGD) -> None:
    with pytest.raises(ConfigError, match="convert_to_iter_based is for configs") as caught:
        scheduler(optimizer, end=2, convert_to_iter_based=True)
    assert "build_iter_from_epoch" in str(caught.value)
    converted = scheduler.build_iter_from_epoch(optimizer, end=2, epoch_length=50)
    assert (converted.end, converted.by_epoch) == (100, False)


def test_a_plain_number_is_the_largest_norm(optimizer: SGD) -> None:
    assert OptimWrapper(optimizer, clip_grad=35).clip_grad_kwargs == {"max_norm": 35.0}


def test_a_priority_orders_hooks() -> None:
    dispatch = HookDispatch()
    dispatch.register(LoggerHook())
    dispatch.register(ParamSchedulerHook(priority="VERY_HIGH"))
    assert [type(hook) for hook in dispatch.hooks] == [ParamSchedulerHook, LoggerHook]


def test_a_loader_takes_any_sequence() -> None:
    assert [batch.tolist() for batch in DataLoader([1, 2, 3], batch_size=2)] == [[1, 2], [3]]


def test_a_visualizer_gives_its_directory_to_backends(tmp_path: Path) -> None:
    waiting = later(LocalVisBackend)(scalar_save_file="numbers.json")
    visualizer = Visualizer("of_a_script", vis_backends=[waiting], save_dir=str(tmp_path))
    backend = visualizer.get_backend("LocalVisBackend")
    assert isinstance(backend, LocalVisBackend)
    assert backend._save_dir == str(tmp_path / "vis_data")
