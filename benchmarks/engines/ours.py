"""mainspring."""

from __future__ import annotations

from typing import Any

from engines.job import Job
from engines.mmengine_parts import AccuracyParts, ModelParts, StopAtParts
from mainspring.dataset import DataLoader
from mainspring.evaluator import BaseMetric
from mainspring.hooks import CheckpointHook, Hook, LoggerHook
from mainspring.model import BaseModel
from mainspring.runner import Runner

PACKAGE = "mainspring"


class Model(ModelParts, BaseModel):
    """A network with its loss."""


class Accuracy(AccuracyParts, BaseMetric):
    """Share of samples that are classified right."""


class StopAt(StopAtParts, Hook):
    """Ends the training early, as an interruption does."""


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
