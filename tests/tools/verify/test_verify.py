"""What holds is found to hold, and each planted fault is found by the checks that it breaks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mainspring.dist.process_group import free_port
from mainspring.errors import ConfigError
from mainspring.tools.verify import CHECKS, verify
from mainspring.tools.verify.job import Job
from mainspring.tools.verify.trials import TrialFailedError

HERE = Path(__file__).parent
CONFIG = HERE / "planted_config.py"


@pytest.fixture
def check(trials, tmp_path):
    """Verify the planted config with changes; returns the findings by name."""

    def verified(*overrides, only=(), **settings):
        request = {
            "config": str(CONFIG), "overrides": list(overrides), "cfg_options": [], "allow": [],
        }  # fmt: skip
        found = verify(trials, tmp_path / "scratch", request, only=only, **settings)
        return {finding.check: finding for finding in found}

    return verified


def outcomes(found):
    return {name: finding.outcome for name, finding in found.items()}


def test_all_holds_for_a_sound_config(check):
    found = check()
    assert outcomes(found) == dict.fromkeys(CHECKS, "holds")
    # Ten batches an epoch, twelve iterations: one place within, and the end of the first epoch.
    assert "5 (middle of an epoch) and 10 (end of an epoch)" in found["kill-and-resume"].reason


def test_items_that_depend_on_the_time(check):
    found = check(
        "train_dataloader.dataset.fault=time", only=["same-seed", "kill-and-resume", "ranks"]
    )
    assert set(outcomes(found).values()) == {"broken"}
    seed = found["same-seed"]
    assert seed.differences[0].startswith("iteration 1, batch 0.0: float32 (4,) ")
    assert any("weight net.0.weight: " in line for line in seed.differences)
    assert "time" in seed.hint
    assert "see same-seed" in found["kill-and-resume"].hint
    assert "see same-seed" in found["ranks"].hint


def test_items_that_depend_on_the_order_of_hashes(check):
    found = check("train_dataloader.dataset.fault=hash", only=["same-seed"])["same-seed"]
    assert found.outcome == "broken"


def test_items_that_depend_on_what_was_loaded_before(check):
    found = check(
        "train_dataloader.dataset.fault=counter", only=["same-seed", "kill-and-resume", "workers"]
    )
    assert outcomes(found) == {
        "same-seed": "holds", "kill-and-resume": "broken", "workers": "broken",
    }  # fmt: skip
    assert found["kill-and-resume"].differences[0].startswith("iteration 6, batch 0.0: ")
    assert "counter" in found["kill-and-resume"].hint


def test_a_model_that_keeps_state_in_an_attribute(check):
    found = check("model.fault=attribute", only=["same-seed", "kill-and-resume", "save-and-load"])
    assert outcomes(found) == {
        "same-seed": "holds", "kill-and-resume": "holds", "save-and-load": "broken",
    }  # fmt: skip
    assert found["save-and-load"].differences[0].startswith("output 0.prediction: ")


def test_a_model_that_grows_in_training_cannot_be_loaded(check):
    found = check("model.type=Growing", only=["save-and-load"])["save-and-load"]
    assert found.outcome == "broken"
    assert any("late.weight" in line for line in found.differences)


def test_items_that_depend_on_the_worker(check):
    found = check("train_dataloader.dataset.fault=worker", only=["workers"])["workers"]
    assert found.outcome == "broken"
    assert found.differences[0].startswith("iteration 1, batch 0.0: ")
    assert "worker" in found.hint
    assert "use mainspring.dataset.DataLoader" in found.hint


def test_a_stream_that_each_worker_gives_whole(check):
    found = check(
        "train_dataloader.dataset={'type': 'Stream'}", "~train_dataloader.sampler",
        only=["workers"],
    )["workers"]  # fmt: skip
    assert found.outcome == "broken"
    assert "give items twice" in found.hint


@pytest.mark.parametrize(
    ("fault", "hint"),
    [("batchnorm", "BatchNorm"), ("sum", "sum over the batch"), ("weights", "NormalizedLoss")],
)
def test_losses_and_layers_that_see_the_whole_batch(fault, hint, check):
    found = check(f"model.fault={fault}", only=["accumulation", "ranks"])
    accumulation, ranks = found["accumulation"], found["ranks"]
    assert accumulation.outcome == "broken"
    assert accumulation.differences[0].startswith("iteration 1, gradient net.")
    assert hint in accumulation.hint
    assert ranks.outcome == "broken"
    assert ", gradient net." in ranks.differences[0]


def test_a_loss_with_its_count_is_weighed(check):
    found = check("model.fault=counts", only=["accumulation", "ranks"])
    assert outcomes(found) == {"accumulation": "holds", "ranks": "holds"}


def test_a_training_that_fails_is_the_users_mistake(check):
    with pytest.raises(ConfigError, match="cannot read point 3") as raised:
        check("train_dataloader.dataset.fault=raises")
    assert "nothing to verify" in str(raised.value)


def test_a_second_training_that_fails_is_a_finding(check, tmp_path):
    found = check(f"model.fault=once:{tmp_path / 'mark'}", only=["same-seed"])["same-seed"]
    assert found.outcome == "broken"
    assert "there is a mark already" in found.reason


def test_training_by_iteration_with_a_validation(check):
    found = check(
        "train_cfg={'by_epoch': False, 'max_iters': 9, 'val_interval': 4}",
        "+val_dataloader={'dataset': {'type': 'Points', 'length': 6}, 'batch_size': 3, 'sampler': "
        "{'type': 'DefaultSampler', 'shuffle': False}}",
        "+val_cfg={'compute_loss': True}",
        "+default_hooks={'checkpoint': {'type': 'CheckpointHook', 'interval': 2}}",
        "train_dataloader.dataset={'type': 'Points', 'length': 12}",
        "model.fault=batchnorm",
        only=["same-seed", "kill-and-resume", "save-and-load"],
    )  # fmt: skip
    assert set(outcomes(found).values()) == {"holds"}
    assert found["same-seed"].reason == "9 iterations, twice"
    assert "4 (middle of an epoch) and 6 (end of an epoch)" in found["kill-and-resume"].reason


def test_a_training_that_ends_before_its_time(check):
    found = check("custom_hooks.0.type=Early", only=["same-seed", "kill-and-resume"])
    assert set(outcomes(found).values()) == {"holds"}
    assert found["same-seed"].reason == "10 iterations, twice"
    found = check(
        "train_cfg.max_epochs=1", "train_dataloader.batch_size=40", only=["kill-and-resume"]
    )
    assert found["kill-and-resume"].outcome == "not applicable"
    assert "ends after 1 iteration" in found["kill-and-resume"].reason


def test_a_checkpoint_without_the_optimizer_is_not_enough(check):
    found = check(
        "+default_hooks={'checkpoint': {'type': 'CheckpointHook', 'save_optimizer': False}}",
        only=["kill-and-resume"],
    )["kill-and-resume"]
    assert found.outcome == "broken"


def test_what_cannot_be_compared_is_not_applicable(check):
    checks = ["accumulation", "ranks"]
    found = check("model.fault=noise", only=checks)
    assert outcomes(found) == dict.fromkeys(checks, "not applicable")
    assert "random numbers" in found["accumulation"].reason
    found = check("train_dataloader.batch_size=1", only=checks)
    assert outcomes(found) == dict.fromkeys(checks, "not applicable")
    assert "one sample" in found["accumulation"].reason


def test_an_incomplete_last_batch_is_left_out(check):
    found = check("train_dataloader.dataset={'type': 'Points', 'length': 9}", only=["ranks"])
    assert found["ranks"].outcome == "holds"
    assert found["ranks"].reason.startswith("2 iterations on 1 and on 2 ranks")
    found = check("train_dataloader.dataset={'type': 'Points', 'length': 3}", only=["ranks"])
    assert found["ranks"].reason == "the data set has less than 4 samples"


def until_it_hangs_there(trials, monkeypatch, said):
    """Call `said` with ever more time until it names the planted file: slow machines still start.

    Returns the time that sufficed, and what was said then.
    """
    for seconds in (1.0, 2.0, 4.0, 8.0, 16.0):
        monkeypatch.setattr(trials, "_timeout", seconds)
        text = said()
        if re.search(r"planted\.py", text):
            break
    return f"{seconds:g}", text


def test_a_trial_that_hangs_is_ended_and_says_where(check, trials, monkeypatch):
    found = []

    def said():
        found.append(check("model.fault=hangs", only=["accumulation"])["accumulation"])
        return "\n".join(found[-1].differences)

    seconds, text = until_it_hangs_there(trials, monkeypatch, said)
    assert re.search(r"planted\.py\", line \d+ in hang", text)
    assert found[-1].outcome == "broken"
    assert found[-1].reason == f"a trial failed: no end within {seconds} s"
    # The next trial in the same interpreter is as good as any.
    monkeypatch.setattr(trials, "_timeout", None)
    assert check(only=["accumulation"])["accumulation"].outcome == "holds"


def test_a_rank_that_hangs_ends_both(trials, tmp_path, monkeypatch):
    request = {
        "config": str(CONFIG), "overrides": ["model.fault=rank 1 hangs"], "cfg_options": [],
        "allow": [],
    }  # fmt: skip
    errors = []

    def said():
        port, folder = free_port(), tmp_path / str(len(errors))
        both = [
            Job("ranks", str(folder / f"rank_{rank}"), str(tmp_path / "work_dir"), 4, request,
                device="", rank=rank, world_size=2, port=port)
            for rank in range(2)
        ]  # fmt: skip
        with pytest.raises(TrialFailedError) as error:
            trials.run(*both)
        errors.append(str(error.value))
        return errors[-1].partition("rank 1:")[2]

    seconds, of_second = until_it_hangs_there(trials, monkeypatch, said)
    assert "planted.py" in of_second
    assert errors[-1].startswith(f"no end within {seconds} s\nrank 0:")


def test_an_unknown_check_is_named_with_the_nearest(check):
    with pytest.raises(ConfigError, match="did you mean 'same-seed'"):
        check(only=["same-sed"])
