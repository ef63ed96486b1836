"""`mainspring lr-find`: the range test on a loss whose stable learning rates are known."""

from __future__ import annotations

import json
import math

import pytest

from mainspring.tools.profiling import RangeTest, range_test, range_test_as_text
from mainspring.tools.profiling.learning_rate import learning_rates, smoothed, suggest

BOWL = "model = dict(type=parts.Bowl, curvature={})\n"
SHORT = ["--from", "1e-4", "--iterations", "60"]


@pytest.mark.parametrize("curvature", [0.5, 4.0, 40.0])
def test_the_suggestion_is_stable_and_not_far_below_the_limit(load, write_config, curvature):
    """Gradient descent on L / 2 (w - 3)^2 converges for learning rates below 2 / L only."""
    write_config(BOWL.format(curvature))
    test = range_test(load(), 1e-5, 100.0, 80)
    limit = 2 / curvature
    assert limit / 100 < test.steepest < limit
    assert test.below_minimum < limit
    assert test.diverged
    assert len(test.losses) < 80


def test_learning_rates_rise_by_a_factor():
    found = learning_rates(1e-3, 10.0, 5)
    assert found == pytest.approx([1e-3, 1e-2, 1e-1, 1.0, 10.0])
    assert learning_rates(0.1, 1.0, 1) == [0.1]


def test_groups_keep_their_ratio_and_schedulers_do_not_act(load, write_config):
    write_config(
        BOWL.format(4.0) + "optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.5), "
        "paramwise_cfg=dict(custom_keys=dict(slow=dict(lr_mult=0.1))))\n"
        "param_scheduler = dict(type='ExponentialLR', gamma=0.5, by_epoch=False)\n"
        "custom_hooks = [dict(type=parts.Notes)]\n"
    )
    range_test(load(), 1e-3, 1e-1, 5)
    import parts

    rates = parts.seen.pop("rates")
    assert [min(groups) / max(groups) for groups in rates] == pytest.approx([0.1] * 5)
    assert [max(groups) for groups in rates] == pytest.approx(learning_rates(1e-3, 1e-1, 5))


def test_a_learning_rate_holds_for_a_group_of_accumulated_iterations(load, write_config):
    write_config(
        BOWL.format(4.0)
        + "optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.5), accumulative_counts=2)\n"
        "custom_hooks = [dict(type=parts.Notes)]\n"
    )
    test = range_test(load(), 1e-3, 1e-1, 5)
    import parts

    rates = [rate for (rate, *_) in parts.seen.pop("rates")]
    assert rates[::2] == rates[1::2] == pytest.approx(learning_rates(1e-3, 1e-1, 5))
    assert len(test.losses) == 5


def test_smoothing_does_not_shift_the_curve():
    step = [1.0] * 20 + [0.0] * 20
    found = smoothed(step)
    assert found[19] > 0.5 > found[20]
    assert found[19] == pytest.approx(1 - found[20])
    assert smoothed([2.0] * 9) == pytest.approx([2.0] * 9)
    assert smoothed([]) == []


def test_an_explosion_does_not_reach_back():
    falling = [1 - 0.02 * index for index in range(30)]
    assert smoothed([*falling, 1e9])[:20] == pytest.approx(smoothed([*falling, 1.0])[:20])


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([5.0, 4.9, 4.0, 2.0, 1.0, 0.9, 3.0], (3, 5)),
        ([1.0, 1.1, 1.2, 1.3, 1.4, 1.5], None),
        ([3.0, 2.0], None),
    ],
)
def test_where_the_loss_falls_fastest(losses, expected):
    rates = [10.0**index for index in range(len(losses))]
    found = suggest(rates, losses)
    assert found == (None if expected is None else tuple(rates[index] for index in expected))


def test_a_loss_that_is_no_number_ends_the_test(load, write_config):
    write_config(BOWL.format(4.0))
    test = range_test(load(), 1e3, 1e30, 40)
    assert test.diverged
    assert all(math.isfinite(loss) for loss in test.losses)


def test_the_output_names_the_line_to_write(command, write_config):
    code, out, err = command("lr-find", write_config(BOWL.format(4.0)), *SHORT)
    assert code == 0, err
    assert "optim_wrapper.optimizer.lr=0." in out
    assert "*" in out


def test_the_careful_choice_is_shown_where_it_is_smaller():
    def shown(steepest, at_minimum):
        rates, losses = [1e-3, 1e-2, 1e-1], [3.0, 2.0, 1.0]
        return range_test_as_text(RangeTest(rates, losses, losses, steepest, at_minimum, True))

    assert "a tenth of that at the minimum: 0.001" in shown(0.005, 0.01)
    assert "a tenth" not in shown(0.005, 0.1)
    assert "no suggestion" in shown(None, None)


def test_the_line_can_be_given_to_a_config_that_has_no_learning_rate_yet(
    command, write_config, load
):
    config = write_config(BOWL.format(4.0) + "optim_wrapper = dict(optimizer=dict(type='Adam'))\n")
    _, out, _ = command("lr-find", config, *SHORT)
    (line,) = [line.strip() for line in out.splitlines() if "optimizer.lr=" in line]
    assert load(line).optim_wrapper.optimizer.lr == float(line.partition("=")[2])


def test_too_few_learning_rates_are_said_to_be_too_few(command, write_config):
    code, out, _ = command("lr-find", write_config(BOWL.format(4.0)), "--iterations", "3")
    assert code == 0
    assert "3 learning rates are too few" in out
    assert "never falls" not in out


def test_json_and_plot(command, write_config, run_dir):
    config = write_config(BOWL.format(4.0))
    before = {path.name for path in run_dir.iterdir()} | {"__pycache__"}
    code, out, _ = command("lr-find", config, *SHORT, "--format", "json", "--plot", "lr.svg")
    assert code == 0
    result = json.loads(out)
    assert result["below_minimum"] == pytest.approx(result["at_minimum"] / 10)
    assert {path.name for path in run_dir.iterdir()} - before == {"lr.svg"}


@pytest.mark.parametrize(
    ("lines", "words", "said"),
    [
        ("", ["--from", "1", "--to", "0.1"], "from 1 to 0.1"),
        ("", ["--plot", "missing/lr.png"], "missing"),
        ("", ["--plot", "."], "which is a directory"),
        ("", ["--plot", "lr.txt"], "end it in .png or .svg or .pdf or .jpg"),
        ("model = dict(type=parts.OwnStep)\noptim_wrapper = dict(constructor=parts.OneByName)",
         [], "several optimizers"),
        ("train_cfg = dict(max_epoch=3)", [], "max_epochs"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(command, write_config, lines, words, said):
    code, _, err = command("lr-find", write_config(lines), *words)
    assert code == 2
    assert said in err
    assert "Traceback" not in err
