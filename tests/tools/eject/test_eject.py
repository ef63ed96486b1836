"""A script of plain PyTorch trains as the engine does, bit for bit."""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path

import pytest
import torch

from mainspring.config import Config
from mainspring.dataset import DataLoader
from mainspring.errors import ConfigError
from mainspring.model import Supervised
from mainspring.tools.eject import compare
from mainspring.tools.eject.comparison import run_script
from mainspring.tools.eject.drive import first_iterations
from mainspring.tools.eject.eject import eject
from mainspring.tools.eject.making import patterns_of
from mainspring.tools.new import TASKS, write_project
from prepared_processes import run

ROOT = Path(__file__).parents[3]
HEAD = """
from ejected_parts import Built, Counted, Curious, Half, Items, Net, OwnLoss, Pair, Points, Several, Unknown
from ejected_parts import Kept, Noisy, Own, Stream, begin_worker, noisy_collate
from torch import arange, eye, nn, tensor
from torch.optim import SGD, Adam, AdamW
from mainspring.config import later
from mainspring.dataset import DataLoader, InfiniteSampler
from mainspring.evaluator import Accuracy, MeanIoU, Perplexity, PrecisionRecallF1, RegressionErrors
from mainspring.hooks import EarlyStoppingHook, EMAHook
from mainspring.model import Supervised
from mainspring.optim import *
from mainspring.runner import ByEpoch, ByIteration
from torch.utils.data import TensorDataset
""".replace(
    "from mainspring.optim import *",
    "from mainspring.optim import AmpOptimWrapper, ConstantLR, CosineAnnealingLR, "
    "CosineAnnealingParamScheduler, CosineRestartLR, ExponentialLR, LinearLR, LinearMomentum, "
    "MultiStepLR, OneCycleLR, OptimWrapper, PolyLR, ReduceOnPlateauLR, StepLR",
)
BASE = {
    "model": "Supervised(Net(width=16), nn.CrossEntropyLoss())",
    "train_dataloader": 'DataLoader(Points(50, noise=["torch"]), batch_size=8, shuffle=True)',
    "train_cfg": "ByEpoch(max_epochs=3)",
    "optim_wrapper": "OptimWrapper(later(AdamW)(lr=0.01))",
    "randomness": "dict(seed=7)",
}
VALIDATION = {
    "val_dataloader": "DataLoader(Points(20), batch_size=8)",
    "val_evaluator": "Accuracy()",
}
TRAININGS = {
    "plain": {},
    "validation": {**VALIDATION, "train_cfg": "ByEpoch(max_epochs=3, val_interval=2)"},
    "numpy, python and workers": {
        "train_dataloader": 'DataLoader(Points(30, noise=["torch", "numpy", "python"]), '
        "batch_size=8, shuffle=True, num_workers=2, drop_last=True)"
    },
    "schedules of torch": {
        "optim_wrapper": "OptimWrapper(later(SGD)(lr=0.1, momentum=0.9, weight_decay=1e-4))",
        "param_scheduler": "[later(LinearLR)(start_factor=0.1, end=5, by_epoch=False), "
        "later(MultiStepLR)(milestones=[1, 2], gamma=0.5), later(StepLR)(step_size=1), "
        "later(ConstantLR)(factor=0.5, end=2), later(ExponentialLR)(gamma=0.9, by_epoch=False)]",
    },
    "schedules in a table": {
        "optim_wrapper": "OptimWrapper(later(SGD)(lr=0.1, momentum=0.9, weight_decay=1e-4))",
        "param_scheduler": "[later(LinearLR)(start_factor=0, end=5, by_epoch=False), "
        "later(MultiStepLR)(milestones=[1, 2], gamma=0.5), later(StepLR)(step_size=1), "
        "later(ConstantLR)(factor=0.5, end=2), later(PolyLR)(begin=1, end=3, eta_min=1e-4), "
        "later(CosineRestartLR)(periods=[4, 8], restart_weights=[1, 0.5], eta_min=1e-4, begin=5, "
        "by_epoch=False), later(LinearMomentum)(start_factor=0.5, end=4, by_epoch=False), "
        "later(CosineAnnealingParamScheduler)(param_name='weight_decay', eta_min_ratio=0.1)]",
    },
    "one cycle": {
        "param_scheduler": "later(OneCycleLR)(eta_max=0.1, pct_start=0.4, three_phase=True, "
        "convert_to_iter_based=True)",
    },
    "one cycle that begins later": {
        "param_scheduler": "later(OneCycleLR)(eta_max=0.1, begin=3, end=17, by_epoch=False)",
    },
    "a plateau of the validation's loss": {
        **VALIDATION,
        "train_cfg": "ByEpoch(max_epochs=8)",
        "val_cfg": "dict(compute_loss=True)",
        "param_scheduler": "later(ReduceOnPlateauLR)(monitor='val_loss', patience=0, "
        "threshold=0.2)",
    },
    "a training that ends early": {
        **VALIDATION,
        "train_cfg": "ByEpoch(max_epochs=30)",
        "custom_hooks": "[EarlyStoppingHook(monitor='accuracy', patience=2)]",
    },
    "weights to begin with": {"load_from": "'begin.pth'"},
    "weights of which some fit": {
        "load_from": "'begin.pth'",
        "model": "Supervised(Net(width=16, classes=3), nn.CrossEntropyLoss())",
    },
    "data made by functions of torch": {
        "model": "Supervised(Net(classes=4), nn.CrossEntropyLoss())",
        "train_dataloader": "DataLoader(TensorDataset(eye(4), arange(4)), batch_size=2)",
        "train_cfg": "ByEpoch(max_epochs=5)",
    },
    "a model that builds its parts": {"model": "Built(part=Net(width=4))"},
    "a part that stays in evaluation mode": {
        **VALIDATION,
        "model": "Supervised(Half(), nn.CrossEntropyLoss())",
        "train_cfg": "ByIteration(max_iters=20, val_interval=8)",
    },
    "two optimizers": {
        "model": "Pair()",
        "optim_wrapper": "dict(left=OptimWrapper(later(Adam)(lr=0.01), "
        "clip_grad=dict(max_norm=0.1)), right=OptimWrapper(later(SGD)(lr=0.1)))",
        "param_scheduler": "dict(left=[later(CosineAnnealingLR)()], "
        "right=[later(PolyLR)(by_epoch=False)])",
        "custom_hooks": "[EMAHook(momentum=0.1)]",
    },
    "accumulation and clipping": {
        "optim_wrapper": "OptimWrapper(later(SGD)(lr=0.1), accumulative_counts=4, "
        "clip_grad=dict(max_norm=0.5))"
    },
    "an endless order": {
        **VALIDATION,
        "train_dataloader": 'DataLoader(Points(50, noise=["torch"]), batch_size=8, '
        "sampler=later(InfiniteSampler)(shuffle=True))",
        "train_cfg": "ByIteration(max_iters=20, val_interval=8)",
        "param_scheduler": "later(CosineAnnealingLR)(T_max=20, by_epoch=False)",
        "custom_hooks": "[EMAHook(momentum=0.1)]",
    },
    "iterations over epochs": {"train_cfg": "ByIteration(max_iters=20, val_interval=8)"},
    "mixed precision": {"optim_wrapper": "AmpOptimWrapper(later(Adam)(lr=0.01), dtype='bfloat16')"},
    "a loss with weights": {
        "model": "Supervised(Net(), nn.CrossEntropyLoss(weight=tensor([1.0, 2.0])))"
    },
    "a criterion that gives several losses": {
        **VALIDATION,
        "model": "Supervised(Net(), Several())",
        "val_cfg": "dict(compute_loss=True)",
    },
    "a loss of each sample": {
        "model": "Supervised(Net(), nn.CrossEntropyLoss(reduction='none'))",
    },
    "the largest gradient counts": {
        "optim_wrapper": "OptimWrapper(later(SGD)(lr=0.1), "
        "clip_grad=dict(max_norm=0.1, norm_type=float('inf')))"
    },
    "items that are kept": {
        "train_dataloader": "DataLoader(Kept(50, noise=['torch']), batch_size=8, shuffle=True)"
    },
    "a generator of the data's own": {"train_dataloader": "DataLoader(Own(50), batch_size=8)"},
    "a model that draws from numpy": {
        **VALIDATION,
        "model": "Supervised(Noisy(), nn.CrossEntropyLoss())",
    },
    "groups": {
        "optim_wrapper": "OptimWrapper(later(SGD)(lr=0.1, momentum=0.9, weight_decay=0.1), "
        "paramwise_cfg=dict(bias_decay_mult=0, "
        "custom_keys={'head': dict(lr_mult=2, nesterov=True)}))"
    },
    "a model that returns its loss": {
        "model": "OwnLoss()",
        "train_dataloader": "DataLoader(Points(50, as_dict=True), batch_size=8, shuffle=True)",
    },
}


@pytest.fixture
def ejected(tmp_path, monkeypatch):
    """A config's run and script; `partial` and what differs from the base are given."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.chdir(tmp_path)

    def make(changes, *, partial=False):
        sections = {**BASE, **changes}
        text = HEAD + "".join(f"{name} = {value}\n" for name, value in sections.items())
        (tmp_path / "config.py").write_text(text)
        if "load_from" in changes:
            from ejected_parts import Net

            weights = Supervised(Net(width=16), torch.nn.CrossEntropyLoss()).state_dict()
            torch.save({"state_dict": weights}, tmp_path / "begin.pth")
        cfg = Config.fromfile(str(tmp_path / "config.py"))
        script = tmp_path / "train.py"
        parts, text = eject(cfg, "config.py", script, str(tmp_path / "run"), partial=partial)
        script.write_text(text)
        return parts, script

    return make


@pytest.mark.parametrize("changes", TRAININGS.values(), ids=TRAININGS)
def test_losses_and_weights_are_equal(changes, ejected):
    parts, script = ejected(changes)
    text = script.read_text()
    assert text.count("\n") <= 200
    assert "mainspring" not in text.split('"""', 2)[2]
    assert max(map(len, text.splitlines())) <= 130
    found = compare(parts, script, 100, first_iterations)
    assert found.is_equal, str(found)
    assert 9 <= found.losses <= 70, "the run has ended by itself"


def test_the_script_trains_alone_and_leaves_weights(ejected, tmp_path):
    _, script = ejected(TRAININGS["validation"])
    code = f"import runpy, sys; sys.path.append({str(Path(__file__).parent)!r}); "
    code += (
        f"runpy.run_path({str(script)!r}, run_name='__main__'); assert 'mainspring' not in vars()"
    )
    done = run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epoch 2  accuracy " in done.stdout
    assert "epoch 1  " not in done.stdout
    assert "layers.0.weight" in torch.load(tmp_path / "weights.pt")


def test_what_cannot_be_ejected_is_named_with_its_place(ejected):
    changes = {"custom_hooks": "[EMAHook(), Unknown()]", "compile": "True"}
    with pytest.raises(ConfigError) as refused:
        ejected(changes)
    message = str(refused.value)
    assert "custom_hooks.1: the hook Unknown" in message
    assert "config.py:" in message
    assert "compile: compiled steps" in message
    assert "--partial" in message
    _, script = ejected(changes, partial=True)
    assert "Left out, so that losses may differ:\n- compile: compiled steps" in script.read_text()


def test_an_optimizer_that_averages_the_weights_is_named(ejected):
    pytest.importorskip("schedulefree")
    changes = {"optim_wrapper": "dict(optimizer=dict(type='AdamWScheduleFree', lr=0.1))"}
    with pytest.raises(ConfigError, match=r"optim_wrapper: an optimizer that averages the weights"):
        ejected(changes)


@pytest.mark.parametrize(
    "metrics",
    [
        "Accuracy(topk=(1, 2))",
        "[PrecisionRecallF1(prefix='mean'), PrecisionRecallF1('weighted')]",
        "[MeanIoU(num_classes=2), Perplexity(prefix='how')]",
    ],
)
@pytest.mark.parametrize("with_loss", [False, True])
def test_metrics_are_those_of_the_engine(metrics, with_loss, ejected):
    loss = {"val_cfg": "dict(compute_loss=True)"} if with_loss else {}
    parts, script = ejected({**VALIDATION, "val_evaluator": metrics, **loss})
    measured = parts.runner.val()
    measured.pop("loss", None)
    assert validated(parts, script, *[parts.model.loss] * with_loss) == measured


def validated(parts, script, *given):
    """What the script's `validate` finds."""
    module = runpy.run_path(str(script))
    loader = parts.runner.val_loop.sets[0].dataloader
    batches = DataLoader(loader.dataset, batch_size=loader.batch_size)
    return module["validate"](parts.network, batches, *given)


def test_errors_of_numbers_are_those_of_the_engine(ejected):
    data = "DataLoader(Points(50, as_number=True), batch_size=8)"
    loaders = {"train_dataloader": data, "val_dataloader": data}
    model = "Supervised(Net(classes=1), nn.MSELoss())"
    parts, script = ejected({**loaders, "model": model, "val_evaluator": "RegressionErrors()"})
    assert parts.runner.val() == validated(parts, script)


def test_a_metric_that_no_script_has_is_told_but_not_refused(ejected):
    parts, script = ejected({**VALIDATION, "val_evaluator": "[Accuracy(), Counted()]"})
    assert parts.unused == [("val_evaluator.1", "the metric Counted")]
    assert "losses and weights:\n- val_evaluator.1: the metric Counted" in script.read_text()
    waiting = "[EarlyStoppingHook(monitor='count', rule='less')]"
    with pytest.raises(ConfigError, match="EarlyStoppingHook of count, which no script has"):
        ejected({**VALIDATION, "val_evaluator": "Counted()", "custom_hooks": waiting})


def test_what_waits_for_a_validation_that_is_too_long_names_its_length(ejected, monkeypatch):
    monkeypatch.setattr("mainspring.tools.eject.eject._LONGEST", 90)
    waiting = "[EarlyStoppingHook(monitor='accuracy')]"
    said = r"EarlyStoppingHook of accuracy, without validation, with which it would have \d+ lines"
    with pytest.raises(ConfigError, match=said):
        ejected({**VALIDATION, "custom_hooks": waiting})
    said = "EarlyStoppingHook of accuracy, without validation"
    with pytest.raises(ConfigError, match=said):
        ejected({"custom_hooks": waiting})


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        ("later(LinearMomentum)()", "LinearMomentum, which sets one of the betas"),
        ("later(OneCycleLR)(eta_max=1.0)", "OneCycleLR beside another schedule"),
    ],
)
def test_a_schedule_is_refused_with_its_reason(schedule, reason, ejected):
    sections = {"param_scheduler": f"[later(StepLR)(step_size=1), {schedule}]"}
    with pytest.raises(ConfigError, match=rf"param_scheduler.1: {reason}"):
        ejected(sections)


def test_what_the_models_step_asks_of_an_optimizer_is_known(ejected):
    sections = {"model": "Curious()", "optim_wrapper": "OptimWrapper(later(SGD)(lr=0.1))"}
    with pytest.raises(ConfigError, match=r"model: Curious.train_step, which uses get_lr"):
        ejected(sections)


def test_groups_of_parameters_are_told_by_few_patterns():
    layers = [f"backbone.{stage}.{layer}" for stage in range(4) for layer in range(6)]
    scales = [f"{layer}.norm.weight" for layer in layers]
    others = [f"{layer}.conv.weight" for layer in layers] + ["head.weight"]
    biases = [f"{layer}.norm.bias" for layer in layers] + ["head.bias"]
    assert patterns_of(scales + biases, others) == ["*.bias", "*.norm.weight"]
    assert patterns_of(["head.weight"], scales) == ["head.*"]


def test_a_name_that_the_script_has_itself_is_refused(ejected):
    drawing = "DataLoader(Items(50, noise=['torch']), batch_size=8)"
    with pytest.raises(ConfigError, match="the script would have two things called Items"):
        ejected({"train_dataloader": drawing})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ("Points(50), batch_size=8, collate_fn=noisy_collate", "collate_fn: a function that draws"),
        (
            "Points(50), batch_size=8, num_workers=1, worker_init_fn=begin_worker",
            "worker_init_fn: a function of your own",
        ),
        ("Own(50), batch_size=8, num_workers=1", "dataset: generators of its own"),
        ("Stream(), batch_size=8", "dataset: items that come in an order of their own"),
        (
            "Points(50), batch_size=8, sampler=later(InfiniteSampler)()",
            "sampler: an endless order in epochs",
        ),
    ],
)
def test_loading_that_no_script_has_is_named(changes, reason, ejected):
    with pytest.raises(ConfigError, match=f"train_dataloader.{reason}"):
        ejected({"train_dataloader": f"DataLoader({changes})"})


def test_a_part_that_stands_in_two_places_is_named(ejected):
    model = "model = Supervised(nn.Sequential(part, nn.ReLU(), part), nn.CrossEntropyLoss())"
    with pytest.raises(ConfigError, match="the same object as model"):
        ejected({"model": f"None\npart = nn.Linear(4, 4)\n{model}"})


def test_a_difference_is_found(ejected):
    parts, script = ejected({})
    script.write_text(script.read_text().replace("lr=0.01", "lr=0.02"))
    found = compare(parts, script, 5, first_iterations)
    assert (found.equal_losses, found.first_difference) == (1, 2)
    assert str(found).startswith("1 of 5 losses and ")


def test_the_command_proves_a_config_and_tells_what_is_missing(tmp_path):
    config = ROOT / "examples" / "detection" / "config.py"
    # Found from the folder of the command, by the engine and by the script.
    torch.save({"state_dict": {"centers.bias": torch.zeros(10)}}, tmp_path / "begin.pth")
    words = ["eject", str(config), "load_from=begin.pth", "--out", "train.py", "--verify", "3"]
    ended = run(
        [sys.executable, "-m", "mainspring", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(config.parent)},
    )
    assert ended.returncode == 0, ended.stderr
    first, last = ended.stdout.splitlines()
    assert first.startswith("not in the script: ")
    assert first.endswith("val_evaluator.0: the metric BoxAveragePrecision")
    assert last.startswith("3 of 3 losses and 39 of 39 weights are equal in every bit")
    assert "crashed" not in ended.stderr
    assert not (tmp_path / "weights.pt").exists()


def test_the_script_runs_with_the_threads_of_the_process_that_compares(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import torch\n\ndef train(report):\n"
        "    report(0, torch.get_num_threads(), torch.nn.Linear(1, 1))\n"
    )
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        found = run_script(script, 1, tmp_path)
    finally:
        torch.set_num_threads(before)
    assert found["losses"] == [[before + 1.0]]


def test_every_template_and_every_example_is_ejected_and_equal(tmp_path):
    configs = sorted((ROOT / "examples").glob("*/config.py"))
    configs += sorted((ROOT / "examples").glob("*/pretrain.py"))
    for task in TASKS:
        write_project(tmp_path / task, task)
        configs.append(tmp_path / task / "config.py")
    # In a process of its own, since other tests let registries forget what such modules register.
    words = [sys.executable, str(Path(__file__).with_name("prove.py")), *map(str, configs)]
    ended = run(words, capture_output=True, text=True, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    proofs = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    assert len(proofs) == len(configs)
    for proof in proofs:
        assert proof["equal"], f"{proof['config']}: {proof['found']}"
        assert proof["lines"] <= 200
        assert proof["longest"] <= 100
        assert proof["unused"] in ([], ["the metric BoxAveragePrecision"])


def test_a_script_that_is_there_is_replaced_only_if_that_is_said(tmp_path):
    config = ROOT / "examples" / "detection" / "config.py"
    script = tmp_path / "train.py"
    script.write_text("# edited by hand\n")
    command = [sys.executable, "-m", "mainspring", "eject", str(config), "--out", str(script)]
    environment = {**os.environ, "PYTHONPATH": str(config.parent)}
    refused = run(command, capture_output=True, text=True, env=environment)
    assert (refused.returncode, script.read_text()) == (2, "# edited by hand\n")
    assert "train.py is there already" in refused.stderr
    assert run([*command, "--force"], capture_output=True, env=environment).returncode == 0
    assert "torch" in script.read_text()
