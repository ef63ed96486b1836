"""A signal during a validation is answered there, and the run ends like one that got none.

The processes send the signal to themselves, so that it comes at a certain batch.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from matrix import RANKS, VARIANTS
from trainings import Trainings, logged_values, output_of

from mainspring.checkpoint import load_file

STATES = ("weights", "optimizer", "averages", "schedulers", "generators", "last")

VALIDATED = (
    "best_checkpoints",
    "early_stopping",
    "moving_average",
    "moving_average_of_buffers",
    "plateau",
    "schedule_free",
    "two_ranks_validated",
    "two_ranks_validated_by_iteration",
    "two_ranks_with_averaged_buffers",
    "validation_in_between",
    "validation_that_draws_globally",
    "validation_that_is_counted",
    "workflow",
)
EPOCH = 5
"""Iterations of an epoch; with two ranks an epoch has three."""


@pytest.fixture(scope="module")
def trainings():
    with Trainings() as started:
        yield started


@pytest.fixture(scope="module")
def whole(trainings, tmp_path_factory):
    """Trains a variant without interruption, once; gives its report and its directory."""
    known = {}

    def train(variant):
        if variant not in known:
            folder = tmp_path_factory.mktemp(variant)
            known[variant] = trainings.run(variant, folder), folder
        return known[variant]

    return train


def a_validation(variant):
    """An iteration that a validation follows; the second one, where there are several."""
    loop = VARIANTS[variant]()["train_cfg"]
    if "val_interval" in loop and "max_iters" in loop:
        return 2 * loop["val_interval"]
    if variant == "workflow":
        return EPOCH
    iterations = 3 if RANKS[variant] == 2 else EPOCH
    return 2 * iterations if variant != "validation_in_between" else 3 * iterations


def assert_same(cut, folder, reference):
    whole, whole_folder = reference
    assert {name: cut[name] for name in STATES} == {name: whole[name] for name in STATES}
    assert logged_values(folder) == logged_values(whole_folder)
    files = {name: value for name, value in cut["files"].items() if name != "interrupted.pth"}
    assert files == whole["files"]


@pytest.mark.parametrize("variant", VALIDATED)
def test_the_validation_ends_and_is_done_again(variant, trainings, whole, tmp_path):
    iteration, rank = a_validation(variant), RANKS[variant] - 1
    moment = ("SIGTERM", iteration, 1, rank)
    assert trainings.run(variant, tmp_path, signal_at=moment) is None

    printed = output_of(tmp_path)
    assert "SIGTERM: finishing this batch of the validation" in printed
    assert f"saved interrupted.pth after iteration {iteration}, within the validation" in printed
    saved = load_file(tmp_path / "interrupted.pth")
    assert saved["meta"]["iter"] == iteration

    cut = trainings.run(variant, tmp_path, resume=True)
    assert cut["first"] == iteration
    assert_same(cut, tmp_path, whole(variant))


@pytest.mark.parametrize(
    ("variant", "rank", "batch"),
    [
        ("moving_average", 0, 0),
        ("two_ranks_validated", 0, 0),
        # This rank goes to the meeting twice: after its batch, and behind the data.
        ("two_ranks_validated_by_iteration", 1, 4),
        ("validation_that_is_counted", 0, 2),
    ],
)
def test_the_run_saves_and_goes_on_validating(variant, rank, batch, trainings, whole, tmp_path):
    moment = ("SIGUSR1", a_validation(variant), batch, rank)
    went_on = trainings.run(variant, tmp_path, signal_at=moment)
    assert "SIGUSR1: saving after this batch of the validation" in output_of(tmp_path)
    saved = load_file(tmp_path / "interrupted.pth")
    assert_same(went_on, tmp_path, whole(variant))

    # What was saved is the state from before that validation.
    for file in tmp_path.glob("iter_*.pth"):
        if int(file.stem.removeprefix("iter_")) > saved["meta"]["iter"]:
            file.unlink()
    (tmp_path / "last_checkpoint").write_text("interrupted.pth")
    resumed = trainings.run(variant, tmp_path, resume=True)
    assert resumed["first"] == saved["meta"]["iter"]
    assert {name: resumed[name] for name in STATES} == {name: went_on[name] for name in STATES}


def test_ctrl_c_leaves_too(trainings, whole, tmp_path):
    moment = ("SIGINT", a_validation("plateau"), 1, 0)
    assert trainings.run("plateau", tmp_path, signal_at=moment) is None
    cut = trainings.run("plateau", tmp_path, resume=True)
    assert_same(cut, tmp_path, whole("plateau"))


def test_every_validation_of_a_run_may_be_ended(trainings, whole, tmp_path):
    for iteration in (3, 6, 9, 12, 15):
        moment = ("SIGTERM", iteration, iteration % 2, 0)
        assert trainings.run("plateau", tmp_path, signal_at=moment, resume=True) is None
    assert_same(trainings.run("plateau", tmp_path, resume=True), tmp_path, whole("plateau"))


def test_ranks_that_are_apart_stop_after_the_same_iteration(trainings, whole, tmp_path):
    variant = "two_ranks_that_drift_apart"
    assert trainings.run(variant, tmp_path, signal_at=("SIGTERM", 4, -1, 0)) is None
    cut = trainings.run(variant, tmp_path, resume=True)
    assert 4 < cut["first"] < cut["last"]
    assert_same(cut, tmp_path, whole(variant))
