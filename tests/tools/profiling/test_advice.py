"""The rules: which measurement leads to which change, and what it is estimated to gain."""

from __future__ import annotations

import pytest

from mainspring.tools.profiling import (
    Measurement,
    Occasional,
    Section,
    Setup,
    applicable,
    best_advice,
)
from mainspring.tools.profiling import advice as rules
from mainspring.tools.profiling.matmul_peak import MatmulPeak
from mainspring.tools.profiling.module_times import ModuleTime

SECTIONS = ("data", "host-to-device", "forward", "backward", "optimizer", "engine", "logging")


def measurement(*, device="cpu", mean=0.1, setup=None, **more):
    """A run of which given shares are those of sections; the rest is the backward pass."""
    shares = {name: more.pop(name.replace("-", "_"), 0.0) for name in SECTIONS}
    shares["backward"] = 1 - sum(shares.values())
    sections = {name: Section(value * mean, value * mean, value) for name, value in shares.items()}
    return Measurement(
        device=device,
        device_name="",
        iterations=10,
        mean=mean,
        median=mean,
        sections=sections,
        setup=Setup(**(setup or {})),
        **more,
    )


@pytest.mark.parametrize(
    ("rule", "given", "gain", "line"),
    [
        # 80 ms of 100 wait: four workers load as fast as 20 ms are computed.
        ("load_with_other_workers", dict(data=0.8, setup=dict(cores=8)), 0.8,
         "train_dataloader.num_workers=4"),
        # With two cores only, a batch comes every 40 ms.
        ("load_with_other_workers", dict(data=0.8, setup=dict(cores=2)), 0.6,
         "train_dataloader.num_workers=2"),
        # Two busy workers load a batch in 200 ms; four bring one every 50 ms, all that is computed.
        ("load_with_other_workers", dict(data=0.5, setup=dict(cores=8, num_workers=2)), 0.5,
         "train_dataloader.num_workers=4"),
        ("load_with_other_workers", dict(data=0.1, setup=dict(cores=8)), None, None),
        ("load_with_other_workers", dict(data=0.5, setup=dict(cores=2, num_workers=2)), None, None),
        # Loading takes 50 ms, handing over 20: with a worker, 50 + 20 of 100 ms remain.
        ("load_with_other_workers", dict(data=0.5, setup=dict(cores=8, handover=0.02)), 0.3,
         "train_dataloader.num_workers=1"),
        # Handing over takes longer than loading.
        ("load_with_other_workers", dict(data=0.5, setup=dict(cores=8, handover=0.06)), None, None),
        ("make_loading_cheaper", dict(data=0.5, setup=dict(cores=8, handover=0.06)), 0.25, None),
        # A worker hands over in 60 ms what takes 10 to load: 40 are computed, 50 of 100 saved.
        ("load_with_other_workers",
         dict(data=0.6, setup=dict(cores=8, num_workers=1, handover=0.06, loading=0.01,
                                   persistent_workers=True)),
         0.5, "train_dataloader.num_workers=0"),
        ("make_loading_cheaper", dict(data=0.5, setup=dict(cores=2, num_workers=2)), 0.25, None),
        ("make_loading_cheaper", dict(data=0.5, setup=dict(cores=8)), None, None),
        ("keep_workers", dict(setup=dict(num_workers=2, epoch_length=10, first_wait=0.5)), 0.5,
         "train_dataloader.persistent_workers=True"),
        ("keep_workers", dict(setup=dict(num_workers=2, epoch_length=9999, first_wait=0.5)), None,
         None),
        ("keep_workers", dict(setup=dict(num_workers=0, epoch_length=10, first_wait=0.5)), None,
         None),
        ("pin_memory", dict(device="cuda", host_to_device=0.2), 0.1,
         "train_dataloader.pin_memory=True"),
        ("pin_memory", dict(device="cpu", host_to_device=0.2), None, None),
        ("pin_memory", dict(device="cuda", host_to_device=0.2, setup=dict(pin_memory=True)), None,
         None),
        ("fuse_optimizer", dict(optimizer=0.4, setup=dict(optimizer="AdamW", can_be_fused=True)),
         0.2, "optim_wrapper.optimizer.fused=True"),
        ("fuse_optimizer", dict(optimizer=0.4, setup=dict(optimizer="LBFGS")), None, None),
        ("fuse_optimizer", dict(optimizer=0.4, setup=dict(can_be_fused=True, fused=True)), None,
         None),
        ("compile_model", dict(device="cuda", calls=10_000), 1 / 3, "compile=True"),
        ("compile_model", dict(device="cuda", calls=100), None, None),
        ("compile_model", dict(device="cuda", calls=10_000, setup=dict(compiled=True)), None, None),
        ("use_mixed_precision", dict(device="cuda"), 0.4, "optim_wrapper.type=AmpOptimWrapper"),
        ("use_mixed_precision", dict(device="cuda", setup=dict(autocast=True)), None, None),
        ("use_mixed_precision", dict(device="cpu"), None, None),
        ("enlarge_batch",
         dict(engine=0.4, flops=10**9, peak=MatmulPeak(1e11, 1024, "float32"),
              setup=dict(batch_size=8)), 0.2, "train_dataloader.batch_size=16"),
        ("enlarge_batch",
         dict(engine=0.4, flops=5 * 10**9, peak=MatmulPeak(1e11, 1024, "float32"),
              setup=dict(batch_size=8)), None, None),
        ("search_convolutions", dict(device="cuda", setup=dict(convolutions=True)), 0.1,
         "env_cfg.cudnn_benchmark=True"),
        ("search_convolutions", dict(device="cuda"), None, None),
        ("validate_less",
         dict(validation=Occasional(10.0, 100, 1.0, "epochs", 1)), 0.25,
         "train_cfg.val_interval=2"),
        ("validate_less", dict(validation=Occasional(0.1, 100, 1.0, "epochs", 1)), None, None),
        ("validate_less", dict(), None, None),
        ("save_less", dict(checkpoint=Occasional(10.0, 100, 1.0, "iterations", 100)), 0.25,
         "default_hooks.checkpoint.interval=200"),
        ("save_less", dict(checkpoint=Occasional(10.0, 0)), None, None),
        ("save_in_background",
         dict(checkpoint=Occasional(10.0, 100), setup=dict(async_save=False)), 0.4,
         "default_hooks.checkpoint.async_save=True"),
        ("save_in_background", dict(checkpoint=Occasional(10.0, 100)), None, None),
        ("log_less", dict(logging=0.2, setup=dict(log_interval=10)), 0.16,
         "default_hooks.logger.interval=50"),
        ("log_less", dict(logging=0.2, setup=dict(log_interval=100)), None, None),
        ("look_at_hook", dict(steady_hooks={"Slow": 0.02, "Other": 0.001}), 0.18, None),
        ("look_at_hook", dict(steady_hooks={"Quick": 0.001}), None, None),
        # In one iteration only, such as by a stall of the machine.
        ("look_at_hook", dict(hooks={"Once": 0.02}, steady_hooks={"Once": 0.0}), None, None),
        ("look_at_module", dict(modules=[ModuleTime("net.1", "Own", 0.06, 0.9, False)]), 0.3, None),
        ("look_at_module", dict(modules=[ModuleTime("net.1", "Own", 0.04, 0.9, False)]), None,
         None),
        ("look_at_module", dict(modules=[ModuleTime("net.1", "Linear", 0.06, 0.9)]), None, None),
    ],
)  # fmt: skip
def test_each_rule(rule, given, gain, line):
    found = getattr(rules, rule)(measurement(**given))
    if gain is None:
        assert found is None
        return
    assert found is not None
    assert found.gain == pytest.approx(gain)
    if line is None:
        assert not found.lines
    else:
        assert line in found.lines


def test_every_rule_is_asked():
    names = {rule.__name__ for rule in rules.RULES}
    functions = {
        name
        for name, value in vars(rules).items()
        if callable(value) and value.__module__ == rules.__name__ and not name.startswith("_")
    }
    assert names == functions - {"Advice", "best_advice"}


def test_the_three_that_gain_most_come_first():
    m = measurement(
        data=0.3,
        optimizer=0.2,
        logging=0.1,
        steady_hooks={"Slow": 0.006},
        setup=dict(cores=8, can_be_fused=True, optimizer="AdamW", log_interval=10),
    )
    found = best_advice(m)
    assert [item.gain for item in found] == sorted((item.gain for item in found), reverse=True)
    assert len(found) == 3
    assert "worker" in found[0].title


def test_nothing_is_said_where_nothing_is_gained():
    assert best_advice(measurement(setup=dict(cores=8))) == []


def test_changes_are_written_so_that_the_config_takes_them(load):
    cfg = load()
    words = [
        "train_dataloader.num_workers=2",
        "optim_wrapper.optimizer.fused=True",
        "compile=True",
        "default_hooks.logger.interval=50",
    ]
    found = applicable(cfg, words)
    assert found == [
        "train_dataloader.num_workers=2",
        "+optim_wrapper.optimizer.fused=True",
        "+compile=True",
        "+default_hooks.logger.type=LoggerHook",
        "+default_hooks.logger.interval=50",
    ]
    changed = load(*found)
    assert changed.optim_wrapper.optimizer.fused is True
    assert changed.default_hooks.logger == dict(type="LoggerHook", interval=50)
    assert "compile" not in cfg
