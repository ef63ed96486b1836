"""MMEngine 0.10.7."""

from __future__ import annotations

import os
from typing import Any

# MMEngine's checkpoints hold objects that torch 2.6 and later refuse to load otherwise.
os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner

from engines.job import Job, UnsupportedError
from engines.mmengine_parts import AccuracyParts, ModelParts, StopAtParts

PACKAGE = "mmengine"


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
    except KeyboardInterrupt:
        if job.stop_at is None:
            raise


def evaluate(job: Job) -> float:
    """The accuracy on the validation data."""
    return float(make_runner(job).val()["accuracy"])


def make_runner(job: Job) -> Runner:
    """The runner of a job."""
    if job.variant:
        raise UnsupportedError(f"no variant {job.variant}")
    if job.epochs is not None:
        length: dict[str, Any] = {"by_epoch": True, "max_epochs": job.epochs}
    else:
        length = {"by_epoch": False, "max_iters": job.iterations, "val_interval": 10**9}
    if job.distributed and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo")  # MMEngine's own way asks for CUDA
    sections: dict[str, Any] = {}
    if job.distributed:
        sections["cfg"] = {
            "model_wrapper_cfg": {"type": "MMDistributedDataParallel", "device_ids": None}
        }
    if job.validation is not None:
        sections.update(
            val_dataloader=job.validation, val_cfg={}, val_evaluator=Evaluator(Accuracy())
        )
    return Runner(
        model=Model(job),
        work_dir=str(job.work_dir),
        train_dataloader=_loader(job),
        train_cfg=length,
        optim_wrapper={"optimizer": {"type": "AdamW", "lr": job.learning_rate}},
        default_hooks=_default_hooks(job),
        custom_hooks=[StopAt(job.stop_at)] if job.stop_at else [],
        resume=job.resume,
        launcher="pytorch" if job.distributed else "none",
        env_cfg={"dist_cfg": {"backend": "gloo"}},
        randomness={"seed": 0},
        log_processor={"by_epoch": job.epochs is not None},
        **sections,
    )


def _loader(job: Job) -> Any:
    """The training data, through MMEngine's own loader where torch's would be used."""
    if job.loader is None:
        return job.train
    settings = dict(job.loader)
    if "sampler" not in settings:
        shuffle = settings.pop("shuffle", False)
        settings["sampler"] = {"type": "DefaultSampler", "shuffle": shuffle}
        return {**settings, "collate_fn": {"type": "default_collate"}}
    return job.train


def _default_hooks(job: Job) -> dict[str, Any]:
    hooks: dict[str, Any] = {}
    if job.lean:
        hooks.update(logger=None, checkpoint=None)
    if job.scalars:
        hooks["logger"] = {"type": "LoggerHook", "interval": 1}
    if job.save_at is not None:
        hooks["checkpoint"] = {
            "type": "CheckpointHook",
            "interval": job.save_at,
            "by_epoch": False,
            "save_last": False,
        }
    elif job.epochs is None and not job.lean:
        hooks["checkpoint"] = {"type": "CheckpointHook", "by_epoch": False, "interval": -1}
    return hooks
