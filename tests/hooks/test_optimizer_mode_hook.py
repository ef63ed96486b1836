"""Schedule-free optimizers: validated, saved and returned are the averaged weights.

The reference is the method as its paper writes it down (Defazio et al. 2024, section 2), which
keeps the three sequences apart. `ScheduleFree` keeps two, as the packages do, and rounds when it
switches.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

sys.path.insert(0, str(Path(__file__).parents[1] / "fault"))

from schedule_free import BETA, LR, ScheduleFree

from mainspring.checkpoint import load_file
from mainspring.dataset import DataLoader
from mainspring.errors import ConfigError
from mainspring.hooks import Hook
from mainspring.hooks.optimizer_mode_hook import OptimizerModeHook
from mainspring.model import BaseModel, Supervised
from mainspring.optim import AmpOptimWrapper, OptimWrapper
from mainspring.runner import Runner


def data():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(12, 3, generator=generator), torch.randn(12, 1, generator=generator)


def by_the_paper(weight, epochs, bias=None):
    """The averaged weights after each epoch, and those that are trained at the end."""
    inputs, targets = (tensor.double() for tensor in data())
    z = x = weight.double()
    averages = []
    for step in range(epochs * 3):
        y = ((1 - BETA) * z + BETA * x).requires_grad_()
        rows = slice(4 * (step % 3), 4 * (step % 3) + 4)
        ((inputs[rows] @ y.T - targets[rows]) ** 2).mean().backward()
        z = z - LR * y.grad
        share = 1 / (step + 1)
        x = (1 - share) * x + share * z
        if step % 3 == 2:
            averages.append(x.float())
    return averages, ((1 - BETA) * z + BETA * x).float()


class KeepWeights(Hook):
    def __init__(self):
        self.validated, self.trained = [], []

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.validated.append(runner.model.net.weight.detach().clone())

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.trained.append(runner.model.net.weight.detach().clone())


def run(work_dir, epochs=3, optimizer=ScheduleFree, validates=True, **changes):
    torch.manual_seed(0)
    model = Supervised(nn.Linear(3, 1, bias=False), nn.MSELoss())
    validation = {
        "val_dataloader": DataLoader(TensorDataset(*data()), batch_size=12),
        "val_cfg": {"compute_loss": True},
    }
    settings = {
        "optim_wrapper": {"optimizer": {"type": optimizer, "lr": LR}},
        "randomness": {"seed": 0},
        **(validation if validates else {}),
        **changes,
    }
    return Runner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=DataLoader(TensorDataset(*data()), batch_size=4),
        train_cfg={"max_epochs": epochs},
        **settings,
    )


def test_validation_checkpoints_and_the_returned_model_have_the_average(tmp_path, capfd):
    kept = KeepWeights()
    runner = run(tmp_path, custom_hooks=[kept])
    first = runner.model.net.weight.detach().clone()
    runner.train()
    averages, trained = by_the_paper(first, 3)
    torch.testing.assert_close(kept.validated, averages)
    torch.testing.assert_close(kept.trained[-1], trained)
    for epoch, average in enumerate(averages, 1):
        saved = load_file(tmp_path / f"epoch_{epoch}.pth")
        torch.testing.assert_close(saved["state_dict"]["net.weight"], average)
        beside = saved["ema_state_dict"]["module.net.weight"]
        assert torch.equal(beside, kept.trained[3 * epoch - 1]), "in every bit"
    torch.testing.assert_close(runner.model.net.weight.detach(), averages[-1])
    assert "validates averaged weights" in " ".join(capfd.readouterr().out.split())


def assert_same_files(left, right):
    left, right = load_file(left), load_file(right)
    for part in ("state_dict", "ema_state_dict", "optimizer"):
        torch.testing.assert_close(left[part], right[part], rtol=0, atol=0)


OTHERS = [
    ("schedulefree", "AdamWScheduleFree"),
    ("schedulefree", "SGDScheduleFree"),
    ("schedulefree", "RAdamScheduleFree"),
    ("pytorch_optimizer", "ScheduleFreeAdamW"),
    ("pytorch_optimizer", "SPlus"),
]


@pytest.mark.parametrize(("package", "name"), [(None, ScheduleFree), *OTHERS])
def test_neither_validation_nor_resuming_changes_a_bit(package, name, tmp_path):
    if package:
        pytest.importorskip(package)
    run(tmp_path / "whole", 4, name).train()
    run(tmp_path / "never_validated", 4, name, validates=False).train()
    run(tmp_path / "parts", 2, name).train()
    resumed = run(tmp_path / "parts", 4, name, resume=True)
    resumed.train()
    for other in ("never_validated", "parts"):
        assert_same_files(tmp_path / "whole/epoch_4.pth", tmp_path / other / "epoch_4.pth")
    if package:
        assert type(resumed.optim_wrapper.optimizer) is getattr(
            importlib.import_module(package), name
        )


def test_a_model_that_is_trained_further_goes_on_as_if_it_had_not_stopped(tmp_path):
    run(tmp_path / "whole", 4).train()
    runner = run(tmp_path / "parts", 2)
    runner.train()
    runner.train_loop._max_epochs = 4
    runner.train()
    assert_same_files(tmp_path / "whole/epoch_4.pth", tmp_path / "parts/epoch_4.pth")


def test_a_checkpoint_that_is_validated_or_loaded_gives_the_average(tmp_path):
    trained = run(tmp_path)
    trained.train()
    average = trained.model.net.weight.detach()
    for settings in ({"resume": True}, {"load_from": str(tmp_path / "epoch_3.pth")}):
        runner, kept = run(tmp_path, **settings), KeepWeights()
        runner.register_hook(kept)
        runner.val()
        assert torch.equal(kept.validated[0], average), settings


def test_an_evaluation_that_fails_leaves_the_weights_to_train_with(tmp_path):
    class Fails(KeepWeights):
        def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            raise RuntimeError("no")

    hook = Fails()
    runner = run(tmp_path, custom_hooks=[hook])
    with pytest.raises(RuntimeError, match="no"):
        runner.train()
    assert torch.equal(runner.model.net.weight, hook.trained[-1])


def test_a_checkpoint_written_within_a_validation_is_the_same(tmp_path):
    class Saves(Hook):
        def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            runner.save_checkpoint(f"{runner.epoch}_within.pth")

    run(tmp_path, custom_hooks=[Saves()]).train()
    inside, outside = (load_file(tmp_path / f) for f in ("2_within.pth", "epoch_2.pth"))
    for part in ("state_dict", "ema_state_dict"):
        torch.testing.assert_close(inside[part], outside[part], rtol=0, atol=0)
    whole = load_file(tmp_path / "epoch_3.pth")
    run(tmp_path, resume=True, load_from=str(tmp_path / "2_within.pth")).train()
    again = load_file(tmp_path / "epoch_3.pth")
    for part in ("state_dict", "ema_state_dict"):
        torch.testing.assert_close(again[part], whole[part], rtol=0, atol=0)


class Two(BaseModel):
    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(3, 1, bias=False), nn.Linear(3, 1, bias=False)
        self.tied = self.one.weight

    def forward(self, inputs, targets, mode="tensor"):
        return [part(inputs) for part in (self.one, self.other)]

    def train_step(self, batch, optim_wrapper):
        losses = {}
        for name in ("one", "other"):
            with optim_wrapper[name].optim_context(self):
                loss = nn.functional.mse_loss(getattr(self, name)(batch[0]), batch[1])
            optim_wrapper[name].update_params(loss)
            losses[f"{name}_loss"] = loss
        return losses


def test_one_of_several_optimizers_with_mixed_precision(tmp_path):
    def start(epochs, folder, **more):
        torch.manual_seed(0)
        model = Two()
        wrappers = {
            "one": AmpOptimWrapper(ScheduleFree(model.one.parameters())),
            "other": OptimWrapper(torch.optim.SGD(model.other.parameters(), lr=LR)),
        }
        settings = {"optim_wrapper": wrappers, "validates": False, **more}
        runner = run(tmp_path / folder, epochs, **settings)
        runner.model = model
        runner.train()
        return runner

    whole = start(4, "whole")
    start(2, "parts")
    start(4, "parts", resume=True)
    assert_same_files(tmp_path / "whole/epoch_4.pth", tmp_path / "parts/epoch_4.pth")
    saved = load_file(tmp_path / "whole/epoch_4.pth")
    assert set(saved["ema_state_dict"]) == {"module.one.weight", "module.tied"}
    assert torch.equal(saved["state_dict"]["one.weight"], saved["state_dict"]["tied"])
    assert torch.equal(saved["state_dict"]["one.weight"], whole.model.one.weight)


def test_rolling_back_takes_the_moments_that_are_settings_of_a_group_as_well(tmp_path):
    class Break(Hook):
        priority = "HIGHEST"

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter + 1 == 5 and not hasattr(self, "broken"):
                self.broken = True
                with torch.no_grad():
                    runner.model.net.weight.fill_(float("nan"))
                outputs["loss"] = torch.tensor(float("nan"))

    guard = {"type": "DivergenceHook", "policy": "rollback", "interval": 1}
    kept = KeepWeights()
    runner = run(tmp_path, custom_hooks=[Break(), kept], default_hooks={"divergence": guard})
    runner.train()
    assert torch.equal(kept.trained[4], kept.trained[2])
    assert runner.optim_wrapper.optimizer.param_groups[0]["k"] == 3 + 4


def test_an_average_of_the_average_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="ScheduleFree averages the weights itself"):
        run(tmp_path, custom_hooks=[{"type": "EMAHook"}]).train()


def test_the_hook_is_there_only_for_optimizers_of_two_modes(tmp_path):
    plain, free = run(tmp_path, optimizer="SGD"), run(tmp_path)
    for runner in (plain, free):
        runner.build_training()
        runner.build_training()
    for runner, count in ((plain, 0), (free, 1)):
        acting = runner._dispatch._acting()
        assert sum(isinstance(hook, OptimizerModeHook) for hook in acting) == count


def test_an_optimizer_that_looks_at_its_groups_first_needs_no_closure():
    wrapper = OptimWrapper(ScheduleFree(nn.Linear(1, 1).parameters()))
    assert wrapper.closure_need == "none"
    assert wrapper.optimizer.param_groups[0]["training"], "a step made by hand finds it training"
