"""Runs that are killed and resumed end, bit for bit, like those that nothing interrupts.

`matrix` says what is trained, `trainings` kills it with SIGKILL. The reference is the same training
in a process that is left alone. Checkpoints are written every second iteration.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from matrix import LOADERS, REPLAYING, VARIANTS
from matrix_parts import BATCH
from trainings import Trainings, logged_values, output_of

IN_FIRST_PASS, BEHIND_A_PASS, IN_LATER_PASS = 4, 11, 13
"""Iterations after which runs are killed; the last two repeat the one behind the checkpoint."""

STATES = ("weights", "optimizer", "averages", "schedulers", "generators", "files", "last")


@pytest.fixture(scope="module")
def trainings():
    with Trainings() as started:
        yield started


@pytest.mark.parametrize("variant", [name for name in VARIANTS if not name.endswith("_1_rank")])
def test_a_killed_run_ends_like_one_that_is_not(variant, trainings, tmp_path):
    whole = trainings.run(variant, tmp_path / "whole")
    later = [IN_LATER_PASS] if variant in LOADERS else []
    for iteration in (IN_FIRST_PASS, BEHIND_A_PASS, *later):
        ended = trainings.run(variant, tmp_path / "cut", kill_at=iteration, resume=True)
        assert ended is None, "it was to be killed"
    cut = trainings.run(variant, tmp_path / "cut", resume=True)

    assert cut["first"] > whole["first"] == 0
    assert {name: cut[name] for name in STATES} == {name: whole[name] for name in STATES}
    assert logged_values(tmp_path / "cut") == logged_values(tmp_path / "whole")
    if variant in REPLAYING:
        assert "Advance dataloader 4 steps" in output_of(tmp_path / "cut")
    else:
        assert cut["loaded"] <= most_items(cut)


def most_items(cut):
    """Items that a resumed run may load: none to be thrown away, but workers load ahead."""
    batch_size = cut["batch_size"] or BATCH
    needed = (cut["last"] - cut["first"]) * batch_size
    # By iteration the loader may be started twice, and loads beyond the end of the run.
    return needed + (0 if cut["by_epoch"] else 2 * 2 * cut["workers"] * batch_size)


@pytest.mark.parametrize(
    ("variant", "kill_at", "first"),
    [
        # RandomSampler draws once more at its end, which workers met before the run was killed.
        ("torch_loader_with_generator_2_workers", 7, 6),
        # A batch sampler that keeps items back, of a sampler that draws index by index while the
        # model draws as well.
        ("torch_loader_batch_sampler", 3, 2),
    ],
)
def test_orders_that_are_drawn_while_they_are_read(variant, kill_at, first, trainings, tmp_path):
    whole = trainings.run(variant, tmp_path / "whole")
    assert trainings.run(variant, tmp_path / "cut", kill_at=kill_at) is None
    cut = trainings.run(variant, tmp_path / "cut", resume=True)
    assert cut["first"] == first, "in the middle of a pass, of which more batches are on their way"
    assert {name: cut[name] for name in STATES} == {name: whole[name] for name in STATES}
