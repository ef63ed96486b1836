"""The test case trains what it offers, and leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from mainspring.dist import is_distributed
from mainspring.logging import MessageHub, MMLogger
from mainspring.registry import MODELS, DefaultScope
from mainspring.testing import RunnerTestCase
from mainspring.visualization import Visualizer


class OwnCase(RunnerTestCase):
    def runTest(self):  # what a derived class does is done by the tests
        pass


@pytest.fixture
def case(monkeypatch):
    for name in OwnCase.dist_cfg:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    case = OwnCase()
    case.setUp()
    yield case
    case.tearDown()


def test_by_epochs(case):
    runner = case.build_runner(case.epoch_based_cfg)
    runner.train()
    assert (runner.epoch, runner.iter) == (2, 8)
    assert runner.test() == {"acc": 1}
    assert Path(case.temp_dir.name, "epoch_2.pth").exists()


def test_by_iterations(case):
    runner = case.build_runner(case.iter_based_cfg)
    runner.train()
    assert runner.iter == 12
    assert Path(case.temp_dir.name, "iter_12.pth").exists()
    case.clear_work_dir()
    assert os.listdir(case.temp_dir.name) == []


def test_each_runner_has_a_name_of_its_own(case):
    names = {case.build_runner(case.epoch_based_cfg).experiment_name for _ in range(2)}
    assert len(names) == 2


def test_nothing_is_left_behind(case):
    case.build_runner(case.epoch_based_cfg).train()
    work_dir = case.temp_dir.name
    case.tearDown()
    assert not any(m._instance_dict for m in (MMLogger, MessageHub, DefaultScope, Visualizer))
    assert MODELS.module_dict.get("ToyModel") is not dict(OwnCase._toys)[MODELS]
    assert not os.path.exists(work_dir)
    case.setUp()


def test_making_the_toys_draws_no_random_number():
    import importlib

    from mainspring.testing import runner_test_case

    before = torch.get_rng_state()
    importlib.reload(runner_test_case)
    assert torch.equal(before, torch.get_rng_state())


def test_a_group_of_one_process_ends_with_the_test(case):
    case.setup_dist_env()
    cfg = case.epoch_based_cfg
    cfg.launcher = "pytorch"
    cfg.env_cfg = dict(dist_cfg=dict(backend="gloo"))
    case.build_runner(cfg).train()
    assert is_distributed()
    case.tearDown()
    assert not is_distributed()
    case.setUp()


def test_what_had_the_name_of_a_toy_has_it_again(monkeypatch):
    class ToyModel:
        pass

    monkeypatch.setitem(MODELS.module_dict, "ToyModel", ToyModel)
    case = OwnCase()
    case.setUp()
    assert MODELS.get("ToyModel") is not ToyModel
    case.tearDown()
    assert MODELS.get("ToyModel") is ToyModel
