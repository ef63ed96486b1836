"""A real run that is interrupted and resumed: the hooks that remember go on as if nothing was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from mainspring.evaluator import BaseMetric, Evaluator
from mainspring.hooks import Hook
from mainspring.model import BaseModel
from mainspring.optim import OptimWrapper
from mainspring.runner import Runner

SCORES = [50.0, 60.0, 55.0, 58.0, 59.0, 40.0]


class Ramp(Dataset):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"inputs": torch.full((2,), float(index) / 8)}


class Line(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.norm = nn.BatchNorm1d(1)

    def forward(self, inputs: torch.Tensor, mode: str = "tensor") -> Any:
        outputs = self.norm(self.layer(nn.functional.dropout(inputs, 0.3, self.training)))
        return {"loss": (outputs - 1).square().mean()} if mode == "loss" else list(outputs)


class Scripted(BaseMetric):
    """A metric whose value depends on nothing but the epoch."""

    default_prefix = "toy"
    runner: Any = None

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.append(0)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        return {"acc": SCORES[self.runner.epoch - 1]}


def make_runner(work_dir: Path, max_epochs: int, **more: Any) -> Runner:
    torch.manual_seed(0)
    model = Line()
    metric = Scripted()
    runner = Runner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=DataLoader(Ramp(), batch_size=4),
        val_dataloader=DataLoader(Ramp(), batch_size=4),
        train_cfg={"by_epoch": True, "max_epochs": max_epochs},
        val_cfg={},
        optim_wrapper=OptimWrapper(optimizer=torch.optim.SGD(model.parameters(), 0.1, 0.9)),
        val_evaluator=Evaluator(metric),
        randomness={"seed": 3},
        default_hooks={
            "checkpoint": {
                "type": "CheckpointHook",
                "interval": 1,
                "max_keep_ckpts": 2,
                "save_best": "toy/acc",
            },
            "stop": {"type": "EarlyStoppingHook", "monitor": "toy/acc", "patience": 3},
        },
        custom_hooks=[{"type": "EMAHook", "momentum": 0.1, "begin_epoch": 2}],
        **more,
    )
    metric.runner = runner
    return runner


def files(work_dir: Path) -> list[str]:
    return sorted(path.name for path in work_dir.glob("*.pth"))


@pytest.mark.parametrize("interrupted_after", [2, 3, 4])
def test_an_interrupted_run_ends_like_the_whole_one(tmp_path: Path, interrupted_after: int) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    uninterrupted = make_runner(whole, 6, experiment_name="whole")
    uninterrupted.train()
    assert uninterrupted.epoch == 5, "no improvement in epochs 3, 4 and 5"

    make_runner(parts, interrupted_after, experiment_name="first_part").train()
    resumed = make_runner(parts, 6, resume=True, experiment_name="second_part")
    resumed.train()
    assert resumed.epoch == 5
    assert (
        files(parts) == files(whole) == ["best_toy_acc_epoch_2.pth", "epoch_4.pth", "epoch_5.pth"]
    )
    expected = torch.load(whole / "epoch_5.pth", weights_only=True)
    found = torch.load(parts / "epoch_5.pth", weights_only=True)
    for key in ("state_dict", "ema_state_dict"):
        torch.testing.assert_close(found[key], expected[key], rtol=0, atol=0)
    raw, average = expected["ema_state_dict"]["module.layer.weight"], expected["state_dict"]
    assert not torch.equal(raw, average["layer.weight"])
    assert torch.equal(raw, uninterrupted.model.layer.weight)


def test_a_run_that_was_stopped_early_does_not_go_on_when_it_is_started_again(
    tmp_path: Path,
) -> None:
    """The score that ends it also is the best one, so its checkpoint is of after the validation."""

    def make(threshold: float, name: str) -> Runner:
        runner = make_runner(tmp_path, 6, resume=True, experiment_name=name)
        stopping = next(h for h in runner.hooks if type(h).__name__ == "EarlyStoppingHook")
        stopping.stopping_threshold = threshold  # type: ignore[attr-defined]
        return runner

    for name in ("first", "again"):
        runner = make(59.0, name)
        runner.train()
        assert runner.epoch == 2, name
    more = make(70.0, "more")
    more.train()
    assert more.epoch == 5, "what is asked for has changed, so it goes on"


class Remembers(Hook):
    def __init__(self, state: Any) -> None:
        self.state = state

    def state_dict(self) -> Any:
        return self.state

    def load_state_dict(self, state_dict: Any) -> None:
        self.state = state_dict


class Forgets(Hook):
    def state_dict(self) -> dict[str, Any]:
        return {"x": 1}


class Fails(Forgets):
    def load_state_dict(self, state_dict: Any) -> None:
        raise KeyError("y")


class FailsToSave(Hook):
    def state_dict(self) -> dict[str, Any]:
        raise KeyError("x")


def run_with(hook: Hook | None, work_dir: Path, epochs: int, **more: Any) -> None:
    runner = make_runner(work_dir, epochs, **more)
    if hook is not None:
        runner.register_hook(hook)
    runner.train()


def test_a_state_may_be_anything_that_a_checkpoint_takes(tmp_path: Path) -> None:
    run_with(Remembers(torch.arange(3)), tmp_path, 2)
    hook = Remembers(None)
    run_with(hook, tmp_path, 3, resume=True)
    assert hook.state.tolist() == [0, 1, 2]


def test_a_state_that_nobody_takes_back_is_said(tmp_path: Path, capfd: Any) -> None:
    run_with(Forgets(), tmp_path, 2)
    run_with(Forgets(), tmp_path, 3, resume=True)
    assert "Forgets has state_dict, but no load_state_dict" in capfd.readouterr().out
    run_with(None, tmp_path, 4, resume=True)
    said = capfd.readouterr().out
    assert "the state of the hook Forgets in the checkpoint is not used: this run has no" in said


def test_a_hook_that_fails_keeps_its_error_with_a_note(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="x") as saving:
        run_with(FailsToSave(), tmp_path / "a", 2)
    assert "the hook FailsToSave for its state" in saving.value.__notes__[0]

    run_with(Fails(), tmp_path / "b", 2)
    with pytest.raises(KeyError, match="y") as loading:
        run_with(Fails(), tmp_path / "b", 3, resume=True)
    assert "the hook Fails back its state" in loading.value.__notes__[0]


def test_other_data_are_said(tmp_path: Path, capfd: Any, monkeypatch: Any) -> None:
    run_with(None, tmp_path, 2)
    capfd.readouterr()
    run_with(None, tmp_path, 3, resume=True)
    assert "training data have" not in capfd.readouterr().out
    monkeypatch.setattr(Ramp, "__len__", lambda self: 6)
    run_with(None, tmp_path, 4, resume=True)
    assert "the training data have 6 items, 8 when the checkpoint was" in capfd.readouterr().out


def halve(runner: Any) -> None:
    for group in runner.optim_wrapper.param_groups:
        group["lr"] /= 2


def forget(runner: Any) -> None:
    runner.model.hidden = None


def shrink(runner: Any) -> None:
    for parameter in runner.model.parameters():
        parameter.data.mul_(0.9)


class Recurrent(Line):
    hidden: torch.Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.hidden = None

    def forward(self, inputs: torch.Tensor, mode: str = "tensor") -> Any:
        mean = inputs.mean(0).detach()
        self.hidden = mean if self.hidden is None else self.hidden / 2 + mean
        return super().forward(inputs + self.hidden, mode)


def stopped_and_resumed(tmp_path: Path, hook: Hook, train_cfg: dict[str, int]) -> Any:
    class Stop(Hook):
        def after_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
            if runner.iter == 5:
                raise InterruptedError

    def run(folder: str, *hooks: Hook, resume: bool = False) -> Any:
        torch.manual_seed(0)
        return Runner(
            model=Recurrent(),
            work_dir=str(tmp_path / folder),
            train_dataloader=DataLoader(Ramp(), batch_size=2, shuffle=True),
            train_cfg=train_cfg,
            optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1, momentum=0.9)),
            default_hooks=dict(checkpoint=dict(type="CheckpointHook", interval=1, by_epoch=False)),
            custom_hooks=[hook, *hooks],
            randomness=dict(seed=0),
            resume=resume,
        ).train()

    whole = run("whole")
    with pytest.raises(InterruptedError):
        run("cut", Stop())
    resumed = run("cut", resume=True)
    return all(map(torch.equal, whole.state_dict().values(), resumed.state_dict().values()))


@pytest.mark.parametrize("train_cfg", [dict(max_epochs=3), dict(max_iters=12)])
@pytest.mark.parametrize(
    ("act", "changed"),
    [
        (lambda runner: torch.rand(3), "the generators, which are put back"),
        (halve, "lr"),
        (forget, "model.hidden"),
        (shrink, "weights"),
        (lambda runner: runner.optim_wrapper.optimizer.state.clear(), "what the optimizer knows"),
    ],
    ids=["draw", "halve", "forget", "shrink", "clear"],
)
def test_what_hooks_change_where_a_run_goes_on_is_said(
    act: Any, changed: str, train_cfg: Any, tmp_path: Path, capfd: Any
) -> None:
    class Acts(Hook):
        def before_train_epoch(self, runner: Any) -> None:
            act(runner)

    is_equal = stopped_and_resumed(tmp_path, Acts(), train_cfg)
    said = capfd.readouterr().out
    assert said.count("Acts: before_train_epoch is called once more, because the run goes") == 1
    assert f"and changed {changed}, which" in said
    assert is_equal is ("generators" in changed)


def test_what_hooks_set_alike_is_not_said(tmp_path: Path, capfd: Any) -> None:
    class Alike(Hook):
        def before_train(self, runner: Any) -> None:
            self.seen: list[int] = []
            runner.model.temperature = 0.5

        def before_train_epoch(self, runner: Any) -> None:
            for group in runner.optim_wrapper.param_groups:
                group["lr"] = 0.1 / (1 + runner.epoch)
                group["scale"] = torch.ones(3)
            runner.model.sharpness = runner.epoch

        def after_train_epoch(self, runner: Any) -> None:
            runner.model.hidden = None
            self.seen.append(int(torch.randint(9, ())))

    assert stopped_and_resumed(tmp_path, Alike(), dict(max_epochs=3))
    assert "called once more" not in capfd.readouterr().out
