"""A signal during a train loop that users wrote: nothing of its epoch is left out on resuming."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from trainings import Trainings, logged_values, output_of

STATES = ("weights", "optimizer", "generators", "last")


def test_the_rest_of_the_epoch_is_trained(tmp_path):
    with Trainings() as trainings:
        whole = trainings.run("own_loop", tmp_path / "whole")
        signal = ("SIGTERM", 3, -1, 0)
        assert trainings.run("own_loop", tmp_path / "cut", signal_at=signal) is None
        cut = trainings.run("own_loop", tmp_path / "cut", resume=True)
    assert "as far as OwnLoop can without a state_dict" in output_of(tmp_path / "cut")
    assert cut["first"] == 4
    assert {name: cut[name] for name in STATES} == {name: whole[name] for name in STATES}
    assert logged_values(tmp_path / "cut") == logged_values(tmp_path / "whole")
