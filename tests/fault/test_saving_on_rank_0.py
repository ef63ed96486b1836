"""Two processes, of which only rank 0 saves, as hooks written for MMEngine often do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from trainings import Trainings, output_of

from mainspring.checkpoint import load_file, verify_file


@pytest.fixture(scope="module")
def trainings():
    with Trainings() as started:
        yield started


DOES_NOT_COME = "rank 1 did not come to save own.pth within 0.2 s, so rank 0 saves alone"


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("two_ranks_saving_in_master_only", "own.pth is saved within master_only"),
        ("two_ranks_saving_if_rank_0", DOES_NOT_COME),
        ("two_ranks_saving_late", DOES_NOT_COME),
    ],
)
def test_rank_0_saves_what_it_has_and_training_goes_on(variant, said, trainings, tmp_path):
    assert trainings.run(variant, tmp_path)["last"] == 15
    printed = output_of(tmp_path)
    assert said in printed
    assert "the checkpoint lacks what the other ranks keep" in printed
    assert verify_file(tmp_path / "own.pth").is_valid
    saved = load_file(tmp_path / "own.pth")
    assert saved["meta"]["iter"] == 3
    assert "optimizer" in saved
    assert len(saved["mainspring"]["random_states"]) == 1
    assert "buffers" not in saved["mainspring"]
    # The ordinary checkpoints, which all ranks write, are whole.
    ours = load_file(tmp_path / "iter_14.pth")["mainspring"]
    assert len(ours["random_states"]) == 2
    first, second = ours["buffers"]
    assert first == {"state_dict": {}}
    assert {name.rpartition(".")[2] for name in second["state_dict"]} == {
        "running_mean",
        "running_var",
    }

    (tmp_path / "last_checkpoint").write_text("own.pth")
    resumed = trainings.run(variant, tmp_path, resume=True)
    assert (resumed["first"], resumed["last"]) == (3, 15)
    assert "holds the generators of 1 processes, this run has 2" in output_of(tmp_path)
