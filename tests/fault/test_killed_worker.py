"""A worker process that loads data is killed, as the system does when memory runs out."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

sys.path.insert(0, str(Path(__file__).parent))

from matrix_parts import Error
from trainings import Trainings, logged_values, output_of

from mainspring.model import Supervised
from mainspring.runner import Runner
from mainspring.runner.failures.worker_death import (
    WorkerDeathError,
    _without_reports,
    explaining_worker_deaths,
)

STATES = ("weights", "optimizer", "generators", "last")

# Torch raises from a signal handler, also where it has just opened a file, which it then leaves.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def trainings():
    with Trainings() as started:
        yield started


@pytest.mark.parametrize("variant", ["epochs_2_workers", "torch_loader_2_workers"])
def test_the_error_names_the_worker_and_the_run_can_be_continued(variant, trainings, tmp_path):
    whole = trainings.run(variant, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="exits with"):
        trainings.run(variant, tmp_path / "cut", kill_worker_at=6)
    printed = output_of(tmp_path / "cut")
    worker = re.search(r"kills worker (\d+)", printed).group(1)
    # Where the loop has let go of its loader before, what torch said of the worker is kept.
    gone = rf"(worker \d|DataLoader worker) \(pid {worker}\) (was killed by SIGKILL|is killed by)"
    assert re.search(f"WorkerDeathError: a process that loads data is gone: {gone}", printed)
    assert "resume=True continues from the last checkpoint" in printed

    cut = trainings.run(variant, tmp_path / "cut", resume=True)
    # What the workers had loaded ahead, 2 batches each, may still be trained on.
    assert 6 <= cut["first"] <= 10
    assert {name: cut[name] for name in STATES} == {name: whole[name] for name in STATES}
    assert logged_values(tmp_path / "cut") == logged_values(tmp_path / "whole")


class Unlucky(Dataset):
    """Its third item ends the process that loads it."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        if index == 3:
            time.sleep(0.2)  # so that those before it have been taken over
            os._exit(7)
        return torch.zeros(1), torch.zeros(1)


def test_a_worker_that_leaves_by_itself_is_named_with_its_exit_code():
    loader = DataLoader(Unlucky(), batch_size=1, num_workers=1)
    expected = pytest.raises(WorkerDeathError, match=r"worker 0 \(pid \d+\) left with exit code 7")
    with expected, explaining_worker_deaths():
        list(loader)


def test_a_broken_connection_to_a_dead_worker_is_its_death():
    loader = DataLoader(Unlucky(), batch_size=1, num_workers=1, persistent_workers=True)
    batches = iter(loader)
    worker = loader._iterator._workers[0]
    expected = pytest.raises(WorkerDeathError, match=rf"pid {worker.pid}\) was killed by SIGKILL")
    with expected, explaining_worker_deaths():
        with _without_reports():
            worker.kill()
            worker.join()
        raise ConnectionResetError("as when a batch is taken over")
    del batches


@pytest.mark.parametrize("error", [ConnectionResetError("elsewhere"), EOFError("of a file")])
def test_broken_connections_of_others_stay_what_they_are(error):
    expected = pytest.raises(type(error), match=str(error))
    with expected, explaining_worker_deaths():
        raise error


@pytest.mark.parametrize(
    "said",
    [
        "DataLoader worker (pid 12) is killed by signal: Killed. ",
        "DataLoader worker (pid(s) 12, 13) exited unexpectedly",
        "DataLoader worker (pid 12) exited unexpectedly with exit code 3. Details are lost",
    ],
)
def test_what_torch_says_is_kept(said):
    expected = pytest.raises(WorkerDeathError, match=r"\(pid(\(s\))? 12.*(Killed|unexpectedly)")
    with expected, explaining_worker_deaths():
        raise RuntimeError(said)


def test_an_error_that_its_report_has_caused_is_explained_as_well():
    expected = pytest.raises(WorkerDeathError, match="pid 12")
    with expected, explaining_worker_deaths():
        try:
            raise RuntimeError("DataLoader worker (pid 12) is killed by signal: Killed. ")
        except RuntimeError:
            # As of torch's writer of archives, which is left in the middle of one.
            raise RuntimeError("unexpected pos 10909 vs 10864")  # noqa: B904


def test_other_errors_stay_what_they_are():
    expected = pytest.raises(RuntimeError, match="^something else$")
    with expected as caught, explaining_worker_deaths():
        raise RuntimeError("something else")
    assert type(caught.value) is RuntimeError


@pytest.mark.parametrize("mode", ["val", "test"])
def test_a_validation_or_a_test_alone_says_it_too(mode, tmp_path):
    data = {
        f"{mode}_dataloader": DataLoader(Unlucky(), batch_size=1, num_workers=1),
        f"{mode}_evaluator": Error(),
        f"{mode}_cfg": {},
    }
    runner = Runner(Supervised(nn.Linear(1, 1), nn.MSELoss()), str(tmp_path), **data)
    with pytest.raises(WorkerDeathError, match=r"worker 0 \(pid \d+\) left with exit") as caught:
        getattr(runner, mode)()
    assert caught.value.help.endswith("run it again")


@pytest.mark.parametrize("is_made", [False, True])
def test_loaders_of_others_and_those_that_failed_to_start_are_no_obstacle(is_made):
    iterator = object.__new__(_MultiProcessingDataLoaderIter)
    if is_made:
        iterator._shutdown = False
        # As in a process that was forked meanwhile, which must not wait for what it did not start.
        iterator._workers = [SimpleNamespace(_parent_pid=1)]
    expected = pytest.raises(OSError, match="no space")
    try:
        with expected, explaining_worker_deaths():
            raise OSError("no space")
    finally:
        iterator._shutdown = True
