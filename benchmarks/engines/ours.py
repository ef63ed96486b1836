"""mainspring."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from engines.job import Job, scalars_of
from mainspring.dataset import DataLoader
from mainspring.evaluator import BaseMetric
from mainspring.hooks import CheckpointHook, Hook, LoggerHook
from mainspring.model import BaseModel
from mainspring.runner import Runner

PACKAGE = "mainspring"


class Model(BaseModel):
    """A network with its loss."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.net = job.net
        self.criterion = job.loss
        self.scalars = job.scalars

    def forward(self, inputs: Tensor, targets: Tensor, mode: str = "tensor") -> Any:
        """Outputs, losses or predictions."""
        outputs = self.net(inputs)
        if mode == "loss":
            loss = self.criterion(outputs, targets)
            return {"loss": loss, **scalars_of(loss)} if self.scalars else {"loss": loss}
        if mode == "predict":
            return outputs, targets
        return outputs


class Accuracy(BaseMetric):
    """Share of samples that are classified right; the same code as for MMEngine."""

    def process(self, data_batch: Any, data_samples: Any) -> None:
        """Count a batch."""
        outputs, targets = data_samples
        right = (outputs.argmax(1) == targets).sum().item()
        self.results.append({"size": len(targets), "correct": right})

    def compute_metrics(self, results: list[dict[str, int]]) -> dict[str, float]:
        """Put the counts together."""
        right = sum(each["correct"] for each in results)
        return {"accuracy": right / sum(each["size"] for each in results)}


class StopAt(Hook):
    """Ends the training early, as an interruption does."""

    priority = "LOWEST"

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop."""
        if runner.iter + 1 == self.iteration:
            raise KeyboardInterrupt


def fit(job: Job) -> None:
    """Train."""
    runner = make_runner(job)
    try:
        runner.train()
    except (KeyboardInterrupt, SystemExit):
        if job.stop_at is None:
            raise


def evaluate(job: Job) -> float:
    """The accuracy on the validation data."""
    return float(make_runner(job).val()["accuracy"])


def make_runner(job: Job) -> Runner:
    """The runner of a job."""
    if job.epochs is not None:
        length: dict[str, Any] = {"max_epochs": job.epochs}
    else:
        length = {"max_iters": job.iterations, "val_interval": 10**9}
    sections: dict[str, Any] = {}
    if job.validation is not None:
        sections.update(val_dataloader=job.validation, val_cfg={}, val_evaluator=Accuracy())
    if job.variant == "compiled":
        sections["cfg"] = {"compile": "step"}
    train = job.train if job.loader is None else DataLoader(**job.loader)
    return Runner(
        model=Model(job),
        work_dir=str(job.work_dir),
        train_dataloader=train,
        train_cfg=length,
        optim_wrapper={"optimizer": {"type": "AdamW", "lr": job.learning_rate}},
        default_hooks=_default_hooks(job),
        custom_hooks=[StopAt(job.stop_at)] if job.stop_at else [],
        resume=job.resume,
        launcher="pytorch" if job.distributed else "none",
        env_cfg={"dist_cfg": {"backend": "gloo"}} if job.distributed else None,
        randomness={"seed": 0},
        **sections,
    )


def _default_hooks(job: Job) -> dict[str, Any]:
    hooks: dict[str, Any] = {}
    if job.lean:
        hooks.update(logger=None, checkpoint=None, progress=None)
    if job.scalars:
        hooks["logger"] = LoggerHook(interval=1)
    if job.save_at is not None:
        hooks["checkpoint"] = CheckpointHook(
            interval=job.save_at,
            by_epoch=False,
            save_last=False,
            async_save=job.variant == "async",
        )
    return hooks
