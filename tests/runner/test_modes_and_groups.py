"""Modes, freezing and parameter groups are what the user made them; optimizers fit the model."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from mainspring.dataset import DataLoader
from mainspring.errors import ConfigError
from mainspring.evaluator import Accuracy
from mainspring.hooks import Hook
from mainspring.model import BaseModel, Supervised
from mainspring.optim import OptimWrapper, OptimWrapperDict
from mainspring.runner import Runner

INPUTS = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))
ROWS = TensorDataset(INPUTS, (INPUTS.sum(1) > 0).long())


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))


def make(work_dir, model=None, **changes) -> Runner:
    described = {
        "model": model
        if isinstance(model, BaseModel)
        else Supervised(model or network(), nn.CrossEntropyLoss()),
        "work_dir": str(work_dir),
        "train_cfg": {"max_epochs": 3},
        "train_dataloader": DataLoader(ROWS, batch_size=4, shuffle=True),
        "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.9}},
        "randomness": {"seed": 1},
        "log_level": "ERROR",
    }
    return Runner(**{**described, **changes})


VALIDATION = {
    "val_dataloader": DataLoader(ROWS, batch_size=8),
    "val_cfg": {},
    "val_evaluator": Accuracy(),
}


class Modes(Hook):
    """Acts at one point, and keeps the modes in which the iterations are trained."""

    priority = "LOWEST"

    def __init__(self, point: str | None = None, act=None) -> None:
        self.seen: list[list[bool]] = []
        if point is not None:
            setattr(self, point, lambda runner, **_: act(runner))

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.seen.append([part.training for part in runner.model.net])


class TestModes:
    @pytest.mark.parametrize("sections", [{}, VALIDATION], ids=["alone", "with validation"])
    @pytest.mark.parametrize(
        "point", [None, "before_run", "before_train", "before_train_epoch", "after_train_iter"]
    )
    def test_a_part_that_was_put_into_evaluation_stays(self, tmp_path, point, sections) -> None:
        net = network()
        watch = Modes(point, lambda runner: runner.model.net[1].eval())
        if point is None:
            net[1].eval()
        start = net[1].running_mean.clone()
        make(tmp_path, net, custom_hooks=[watch], **sections).train()
        frozen = [True, False, True, True]
        assert watch.seen[1:] == [frozen] * 11
        if point != "after_train_iter":
            assert torch.equal(net[1].running_mean, start)

    def test_a_part_that_is_put_back_trains(self, tmp_path) -> None:
        net = network()
        net[1].eval()
        watch = Modes("before_train_epoch", lambda r: r.epoch == 1 and r.model.net[1].train())
        make(tmp_path, net, custom_hooks=[watch], **VALIDATION).train()
        assert [modes[1] for modes in watch.seen] == [False] * 4 + [True] * 8

    def test_a_network_that_comes_in_evaluation_as_a_whole_trains(self, tmp_path) -> None:
        watch = Modes()
        make(tmp_path, network().eval(), custom_hooks=[watch], **VALIDATION).train()
        assert watch.seen == [[True] * 4] * 12

    @pytest.mark.parametrize("is_frozen", [False, True])
    def test_a_pretrained_part_beside_a_head(self, tmp_path, is_frozen) -> None:
        class Body(nn.Sequential):
            @classmethod
            def from_pretrained(cls) -> Body:
                return cls(nn.Linear(4, 8), nn.Dropout(0.5)).eval()

        net = nn.Sequential(Body.from_pretrained(), nn.Linear(8, 2))
        net[0].requires_grad_(not is_frozen)
        watch = Modes()
        make(tmp_path, net, custom_hooks=[watch], train_cfg={"max_epochs": 1}).train()
        assert watch.seen == [[not is_frozen, True]] * 4
        assert net[0][1].training is not is_frozen

    def test_what_the_train_method_of_a_model_decides_follows_it(self, tmp_path) -> None:
        class NormEval(nn.Sequential):
            epochs_begun = 0

            def train(self, mode: bool = True):
                super().train(mode)
                self.epochs_begun += mode
                # The first call is that of the beginning of the run.
                if mode and self.epochs_begun <= 2:
                    self[1].eval()
                return self

        watch = Modes()
        make(tmp_path, NormEval(*network()), custom_hooks=[watch]).train()
        assert [modes[1] for modes in watch.seen] == [False] * 4 + [True] * 8

    @pytest.mark.parametrize("how", ["val", "val_loop.run", "test"])
    def test_an_evaluation_in_mid_epoch_puts_every_mode_back(self, tmp_path, how) -> None:
        def evaluate(runner) -> None:
            if runner.iter == 1:
                runner.val_loop.run() if "." in how else getattr(runner, how)()

        net = network()
        net[1].eval()
        watch = Modes("after_train_iter", evaluate)
        test = {f"test{key.removeprefix('val')}": value for key, value in VALIDATION.items()}
        make(tmp_path, net, custom_hooks=[watch], **VALIDATION, **test).train()
        assert watch.seen == [[True, False, True, True]] * 12

    def test_a_validation_by_itself_leaves_the_model_evaluating_and_knows_the_parts(
        self, tmp_path
    ) -> None:
        net = network()
        net[1].eval()
        watch = Modes()
        runner = make(tmp_path, net, custom_hooks=[watch], **VALIDATION)
        runner.val()
        assert not any(part.training for part in runner.model.modules())
        runner.train()
        assert watch.seen == [[True, False, True, True]] * 12

    @pytest.mark.parametrize("at_start", ["before_run", "before_train"])
    def test_modes_and_freezing_by_a_hook_survive_a_resume(self, tmp_path, at_start) -> None:
        class Thaw(Hook):
            def before_train_epoch(self, runner) -> None:
                if runner.epoch == 1:
                    runner.model.net[0].requires_grad_(True)
                    runner.model.net[1].eval()

        def run(where: str, epochs: int, **changes) -> dict:
            freeze = Modes(at_start, lambda runner: runner.model.net[0].requires_grad_(False))
            cfg = {"train_cfg": {"max_epochs": epochs}, "custom_hooks": [freeze, Thaw()]}
            runner = make(tmp_path / where, **cfg, **changes)
            runner.train()
            return {name: value.tolist() for name, value in runner.model.state_dict().items()}

        whole = run("whole", 4)
        run("staged", 3)
        assert run("staged", 4, resume=True) == whole


class TestGroups:
    @pytest.mark.parametrize("at", ["before_train_epoch", "before_train", "before_run"])
    @pytest.mark.parametrize(
        "schedule",
        [
            None,
            {"type": "CosineAnnealingLR", "T_max": 4},
            {"type": "OneCycleLR", "eta_max": 0.3, "total_steps": 20, "by_epoch": False},
            {"type": "LinearMomentum", "start_factor": 0.5, "end": 9, "by_epoch": False},
        ],
        ids=["no schedule", "cosine", "one cycle", "momentum"],
    )
    def test_a_group_that_a_hook_adds_survives_schedules_and_resume(
        self, tmp_path, schedule, at
    ) -> None:
        class Add(Hook):
            pass

        def add(runner) -> None:
            if at != "before_train_epoch" or runner.epoch == 1:
                layer = runner.model.net[0].requires_grad_(True)
                group = {"params": list(layer.parameters()), "lr": 0.01}
                runner.optim_wrapper.optimizer.add_param_group(group)

        def run(where: str, epochs: int, **changes):
            net = network()
            net[0].requires_grad_(False)
            hook = Add()
            setattr(hook, at, add)
            wrapper = OptimWrapper(torch.optim.SGD(net[3].parameters(), lr=0.1, momentum=0.9))
            cfg = {"train_cfg": {"max_epochs": epochs}, "custom_hooks": [hook]}
            runner = make(
                tmp_path / where,
                net,
                optim_wrapper=wrapper,
                param_scheduler=schedule,
                **cfg,
                **changes,
            )
            runner.train()
            groups = [{k: v for k, v in g.items() if k != "params"} for g in wrapper.param_groups]
            return [value.tolist() for value in runner.model.state_dict().values()], groups

        whole = run("whole", 4)
        run("staged", 3)
        assert run("staged", 4, resume=True) == whole
        assert len(whole[1]) == 2


class TestFit:
    def test_an_optimizer_of_another_model_is_refused(self, tmp_path) -> None:
        wrapper = OptimWrapper(torch.optim.SGD(network().parameters(), lr=0.1))
        with pytest.raises(ConfigError, match="none of them belongs to this Supervised"):
            make(tmp_path, optim_wrapper=wrapper).train()

    def test_one_of_several_is_refused_too(self, tmp_path) -> None:
        model = Supervised(network(), nn.CrossEntropyLoss())
        wrapper = OptimWrapperDict(
            own=OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1)),
            other=OptimWrapper(torch.optim.SGD(network().parameters(), lr=0.1)),
        )
        with pytest.raises(ConfigError, match="none of them belongs") as refused:
            make(tmp_path, model, optim_wrapper=wrapper).train()
        assert refused.value.config_path == "optim_wrapper.other"

    def test_an_optimizer_without_anything_to_train_is_refused(self, tmp_path) -> None:
        net = network().requires_grad_(False)
        with pytest.raises(ConfigError, match="all are frozen"):
            make(tmp_path, net).train()

    def test_parameters_besides_the_model_are_trained_and_said(self, tmp_path, capsys) -> None:
        model = Supervised(network(), nn.CrossEntropyLoss())
        optimizer = torch.optim.SGD([*model.parameters(), nn.Parameter(torch.zeros(1))], lr=0.1)
        make(tmp_path, model, optim_wrapper=OptimWrapper(optimizer), log_level="WARNING").train()
        assert "1 of 7 parameters" in "".join(capsys.readouterr())


class SAM(torch.optim.Optimizer):
    """Foret et al., 2021: a step with the gradients of a point close by."""

    def __init__(self, params, lr: float = 0.1, rho: float = 0.05, refuses: str = "assert") -> None:
        super().__init__(params, {"lr": lr, "rho": rho})
        self.refuses = refuses

    @torch.no_grad()
    def step(self, closure=None):
        if closure is None and self.refuses == "error":
            raise RuntimeError("SAM needs a closure")
        if self.refuses == "assert":
            assert closure is not None
        parameters = [p for group in self.param_groups for p in group["params"]]
        norm = torch.stack([p.grad.norm() for p in parameters]).norm() if parameters else 1
        moves = [p.grad * (self.param_groups[0]["rho"] / norm) for p in parameters]
        for parameter, move in zip(parameters, moves, strict=True):
            parameter.add_(move)
        with torch.enable_grad():
            loss = closure()
        for parameter, move in zip(parameters, moves, strict=True):
            parameter.sub_(move).sub_(parameter.grad, alpha=self.param_groups[0]["lr"])
        return loss


class TestClosures:
    def plain(self, kind, with_gradients: bool, **settings) -> list:
        """The same in plain PyTorch."""
        torch.manual_seed(0)
        net = nn.Linear(4, 2)
        optimizer = kind(net.parameters(), lr=0.1, **settings)
        for start in range(0, 16, 4):
            inputs, targets = INPUTS[start : start + 4], ROWS.tensors[1][start : start + 4]

            def closure(inputs=inputs, targets=targets):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(net(inputs), targets)
                loss.backward()
                return loss

            if with_gradients:
                closure()
            optimizer.step(closure)
        return net.weight.tolist()

    @pytest.mark.parametrize("refuses", ["assert", "error", "call"])
    def test_sam_trains_as_in_plain_pytorch(self, tmp_path, refuses) -> None:
        assert self.trained(tmp_path, SAM, refuses=refuses) == self.plain(
            SAM, True, refuses=refuses
        )

    def test_a_step_that_may_do_without_is_made_once_for_a_batch(self, tmp_path) -> None:
        class FirstGroup(torch.optim.SGD):
            def step(self, closure=None):
                for parameter in self.param_groups[0]["params"]:
                    parameter.data.sub_(parameter.grad, alpha=0.1)

        class Noted(torch.optim.SGD):
            def __init__(self, params, lr):
                super().__init__(params, lr)
                self.seen = []

            def step(self, closure=None):
                self.seen.append(closure)
                return super().step(closure)

        for kind in (FirstGroup, Noted):
            assert self.trained(tmp_path, kind) == self.plain(torch.optim.SGD, False)
            wrapper = OptimWrapper(kind([nn.Parameter(torch.ones(1))], lr=0.1))
            assert wrapper.closure_need == "none"
        assert wrapper.optimizer.seen == []

    def test_lbfgs_trains_as_in_plain_pytorch(self, tmp_path) -> None:
        assert self.trained(tmp_path, torch.optim.LBFGS) == self.plain(torch.optim.LBFGS, False)

    def trained(self, tmp_path, kind, **settings) -> list:
        torch.manual_seed(0)
        net = nn.Linear(4, 2)
        runner = make(
            tmp_path,
            net,
            train_cfg={"max_epochs": 1},
            train_dataloader=DataLoader(ROWS, batch_size=4),
            optim_wrapper={"optimizer": {"type": kind, "lr": 0.1, **settings}},
        )
        runner.train()
        assert runner.optim_wrapper.inner_count == runner.iter == 4
        assert runner.message_hub.get_scalar("train/loss").data[1].sum() == 4
        return net.weight.tolist()

    def test_gradients_of_several_batches_are_refused(self, tmp_path) -> None:
        section = {"optimizer": {"type": "LBFGS"}, "accumulative_counts": 2}
        with pytest.raises(ConfigError, match="cannot be accumulated"):
            make(tmp_path, optim_wrapper=section).train()

    def test_a_step_of_ones_own_says_what_it_needs(self) -> None:
        net = nn.Linear(2, 1)
        wrapper = OptimWrapper(torch.optim.LBFGS(net.parameters()))
        with pytest.raises(ConfigError, match="needs a function that computes the loss"):
            wrapper.update_params(net(torch.ones(2)).sum())
        wrapper.update_by_closure(lambda: net(torch.ones(2)).square().sum())
