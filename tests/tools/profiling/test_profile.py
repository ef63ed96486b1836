"""`mainspring profile`: parts that are slow on purpose are found, and the run is not changed."""

from __future__ import annotations

import json

import pytest
import torch

from mainspring.errors import ConfigError
from mainspring.tools.profiling import profile_run
from mainspring.tools.profiling.loading import handover_seconds
from mainspring.tools.profiling.profile import _hook_means, in_sections

QUICK = ["--iterations", "4", "--warmup", "1"]


def measured(command, config, *words):
    code, out, err = command("profile", config, *QUICK, "--format", "json", *words)
    assert code == 0, err
    return json.loads(out)


def seconds(result, section):
    """The median, which is no less than what was slept on the busiest machine."""
    return result["sections"][section]["median"]


def lines(result):
    return [line for advice in result["advice"] for line in advice["lines"]]


def test_a_slow_data_set_is_found_and_workers_advised(command, write_config):
    config = write_config("train_dataloader['dataset']['seconds'] = 0.004")
    result = measured(command, config)
    assert seconds(result, "data") >= 4 * 0.004
    assert any(line.startswith("train_dataloader.num_workers=") for line in lines(result))


def test_a_slow_optimizer_is_found(command, write_config):
    config = write_config("optim_wrapper = dict(optimizer=dict(type=parts.SlowSGD, lr=0.1))")
    result = measured(command, config)
    assert seconds(result, "optimizer") >= 0.03
    assert "+optim_wrapper.optimizer.fused=True" in lines(result)


def test_a_slow_hook_is_found_and_named(command, write_config):
    result = measured(command, write_config("custom_hooks = [dict(type=parts.SlowHook)]"))
    assert seconds(result, "engine") >= 0.03
    assert next(iter(result["hooks"])) == "SlowHook"
    assert any("SlowHook" in advice["title"] for advice in result["advice"])


def test_a_slow_module_of_the_user_s_own_is_found_and_named(command, write_config):
    result = measured(command, write_config("model = dict(type=parts.SlowRegression)"))
    assert seconds(result, "forward") >= 0.03
    assert any("slow (SlowPart)" in advice["title"] for advice in result["advice"])


def test_where_data_are_waited_for_it_is_measured_what_workers_would_cost(load):
    slow = "train_dataloader.dataset.seconds=0.002"
    setup = profile_run(load("+" + slow), iterations=2, warmup=1).setup
    assert setup.handover > 0
    assert setup.loading is None
    with_worker = load("+" + slow, "+train_dataloader.num_workers=1")
    assert profile_run(with_worker, iterations=2, warmup=1).setup.loading >= 4 * 0.002


def test_a_batch_that_no_process_can_be_sent_is_not_handed_over():
    assert handover_seconds({"inputs": lambda: None}) == 0


def test_an_iteration_that_stalled_is_no_habit_of_a_hook():
    rows = [{"hook Steady": 1.0, "hook Stalled": 0.0} for _ in range(9)]
    rows.append({"hook Steady": 1.0, "hook Stalled": 50.0})
    assert _hook_means(rows) == {"Stalled": 5.0, "Steady": 1.0}
    assert _hook_means(rows, steady=True) == {"Steady": 1.0, "Stalled": 0.0}


def test_a_step_that_could_not_be_compiled_is_said(command, write_config):
    config = write_config("""
        model = dict(type=parts.SlowRegression)
        compile = dict(target="step", backend="aot_eager")
    """)
    code, out, err = command("profile", config, *QUICK)
    assert code == 0, err
    assert "compiled step   runs without compiling: " in out
    assert "parts.py" in out


def test_the_parts_of_an_iteration_add_up_to_it(load):
    result = profile_run(load(), iterations=5, warmup=1)
    assert list(result.sections) == [
        "data", "host-to-device", "forward", "backward", "optimizer", "engine", "logging"
    ]  # fmt: skip
    assert sum(section.mean for section in result.sections.values()) == pytest.approx(result.mean)
    assert sum(section.share for section in result.sections.values()) == pytest.approx(1)
    assert result.iterations == 5


def test_what_surrounds_an_iteration(load):
    result = profile_run(load("+train_cfg.val_interval=2"), iterations=2, warmup=0)
    assert result.max_iters == 12
    assert result.validation.every == 8
    assert (result.validation.unit, result.validation.interval) == ("epochs", 2)
    assert result.validation.measured == 1
    assert result.checkpoint.every == 4
    assert result.validation.seconds > 0
    assert result.checkpoint.seconds > 0
    assert result.per_iteration > result.mean


def test_a_long_validation_is_extrapolated(load):
    result = profile_run(load("val_dataloader.dataset.length=160"), iterations=2, warmup=0)
    assert result.validation.measured == pytest.approx(20 / 40)


def test_modules_are_listed_by_name(load):
    result = profile_run(load(), iterations=2, warmup=0)
    names = {item.name: item.kind for item in result.modules}
    assert names["hidden"] == "Linear"
    assert names["(model)"] == "Regression"
    assert sum(item.share for item in result.modules) == pytest.approx(1)


def test_operations_of_an_iteration_by_the_closed_form(load):
    """Forward, gradient of the weights, and of the inputs where these are no data."""
    result = profile_run(load(), iterations=1, warmup=0)
    batch, first, second = 4, 4 * 8, 8 * 1
    assert result.flops == 2 * batch * first * 2 + 2 * batch * second * 3
    assert result.peak.flops_per_second > 0
    assert 0 < result.achieved < 1


@pytest.mark.parametrize("warmup", range(4))
def test_operations_are_those_of_a_whole_batch(load, warmup):
    """Wherever the small last batch of an epoch falls."""
    counted = profile_run(load("train_dataloader.dataset.length=13"), iterations=1, warmup=warmup)
    assert counted.flops == 2 * 4 * (4 * 8) * 2 + 2 * 4 * 8 * 3


def test_weights_are_those_of_the_run_without_profiling(load, write_config):
    write_config("custom_hooks = [dict(type=parts.Notes)]")
    profile_run(load(), iterations=5, warmup=2)
    import parts

    profiled, parts.seen["weights"] = parts.seen["weights"], []
    from mainspring.runner import Runner

    Runner.from_cfg(load()).train()
    plain = parts.seen["weights"]
    assert len(profiled) >= 7
    for ours, theirs in zip(profiled, plain, strict=False):
        for name in theirs:
            assert torch.equal(ours[name], theirs[name])


def test_methods_are_put_back(load, write_config):
    write_config("custom_hooks = [dict(type=parts.Keeper)]")
    profile_run(load(), iterations=2, warmup=0)
    import parts

    runner = parts.seen.pop("runner")
    assert "forward" not in vars(runner.model)
    assert "train_step" not in vars(runner.model)
    assert not {"backward", "step", "zero_grad"} & set(vars(runner.optim_wrapper))
    assert not any("after_train_iter" in vars(hook) for hook in runner.hooks)


def test_a_short_run_goes_through_its_data_again(command, write_config):
    result = measured(command, write_config("train_cfg = dict(by_epoch=False, max_iters=2)"))
    assert result["iterations"] == 4
    assert result["max_iters"] == 2


def test_nothing_is_written_beside_the_trace(command, write_config, run_dir):
    config = write_config(f"work_dir = {str(run_dir / 'w')!r}")
    before = {path.name for path in run_dir.iterdir()} | {"__pycache__"}
    code, _, _ = command("profile", config, *QUICK, "--trace", "trace.json")
    assert code == 0
    assert {path.name for path in run_dir.iterdir()} - before == {"trace.json"}
    events = json.loads((run_dir / "trace.json").read_text())["traceEvents"]
    assert any("aten::" in str(event.get("name")) for event in events)


def test_the_text_shows_sections_and_advice(command, write_config):
    code, out, _ = command("profile", write_config(), *QUICK)
    assert code == 0
    for word in ("data", "forward", "backward", "validation", "checkpoint", "memory peak",
                 "slowest modules", "most likely to help"):  # fmt: skip
        assert word in out


def test_an_existing_work_directory_is_neither_resumed_nor_changed(command, write_config, run_dir):
    config = write_config("work_dir = 'w'")
    assert command("train", config)[0] == 0
    before = {path: path.stat().st_mtime_ns for path in (run_dir / "w").rglob("*")}
    assert command("profile", config, *QUICK, "+resume=True")[0] == 0
    assert {path: path.stat().st_mtime_ns for path in (run_dir / "w").rglob("*")} == before


def test_a_mistake_in_the_config_is_shown_as_in_training(command, write_config):
    config = write_config("optim_wrapper = dict(optimizer=dict(type='SGDD', lr=0.1))")
    code, _, err = command("profile", config)
    assert code == 2
    assert "SGDD" in err
    assert "Traceback" not in err
    assert command("train", config)[2] == err


def test_a_step_that_fails_shows_its_own_error(command, write_config):
    config = write_config("model = dict(type=parts.Regression, most=1, error=KeyError)")
    code, _, err = command("profile", config)
    assert code == 1
    assert "KeyError:" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train_cfg=None", "train_dataloader=None", "optim_wrapper=None"], "no training"),
        (["--device", "gpu"], "gpu"),
        (["--trace", "missing/trace.json"], "missing"),
        (["--trace", "."], "which is a directory"),
        (["--trace", "trace.html"], "end it in .json or .json.gz"),
    ],
)
def test_what_cannot_be_done_is_said(command, write_config, words, said):
    code, _, err = command("profile", write_config(), *words)
    assert code == 2
    assert said in err


def test_several_optimizers_are_timed_together(load, write_config):
    write_config("""
        model = dict(type=parts.OwnStep)
        optim_wrapper = dict(constructor=parts.OneByName)
    """)
    sections = profile_run(load(), iterations=2, warmup=0).sections
    assert sections["optimizer"].mean > 0
    assert sections["backward"].mean > 0


def test_a_step_without_forward_counts_as_the_forward_pass():
    row = {"data": 1.0, "rest of the step": 4.0, "engine": 2.0, "hook EMAHook": 0.5}
    assert in_sections(row) == {"data": 1.0, "forward": 4.0, "engine": 2.5}
    with_forward = {**row, "forward": 3.0}
    assert in_sections(with_forward) == {"data": 1.0, "forward": 3.0, "engine": 6.5}


def test_a_step_that_was_replaced_as_a_whole_is_one_section(load, write_config):
    """As `torch.compile` does it; timers inside of compiled code would change what is compiled."""
    write_config("custom_hooks = [dict(type=parts.ReplacedStep)]")
    sections = profile_run(load(), iterations=2, warmup=1).sections
    assert sections["compiled step"].share > 0
    assert "forward" not in sections
    assert "backward" not in sections


def test_a_training_that_ends_too_early_by_itself_is_said(load, write_config):
    write_config("train_cfg = dict(type=parts.Brief)")
    with pytest.raises(ConfigError, match="ended after 3 iterations"):
        profile_run(load(), iterations=5, warmup=1)


def test_each_part_has_at_least_the_time_that_it_sleeps(load, write_config):
    write_config("""
        train_dataloader['dataset']['seconds'] = 0.003
        optim_wrapper = dict(optimizer=dict(type=parts.SlowSGD, lr=0.1))
        custom_hooks = [dict(type=parts.SlowHook)]
    """)
    result = profile_run(load(), iterations=3, warmup=1)
    assert result.sections["data"].median >= 4 * 0.003
    assert result.sections["optimizer"].median >= 0.03
    assert result.sections["engine"].median >= 0.03
    assert result.hooks["SlowHook"] >= 0.03
    assert result.mean >= 4 * 0.003 + 0.03 + 0.03
