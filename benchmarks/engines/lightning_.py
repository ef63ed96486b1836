"""PyTorch Lightning."""

from __future__ import annotations

import warnings
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor

from engines.job import Job, UnsupportedError, correct, scalars_of

PACKAGE = "lightning"
warnings.filterwarnings("ignore", ".*does not have many workers.*")


class Model(lightning.LightningModule):
    """A network with its loss."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.net = job.net
        self.job = job

    def training_step(self, batch: Any, index: int) -> Tensor:
        """The loss, which is logged unless nothing is."""
        inputs, targets = batch
        loss = self.job.loss(self.net(inputs), targets)
        if not self.job.lean:
            self.log("loss", loss)
        if self.job.scalars:
            self.log_dict(scalars_of(loss))
        return loss

    def validation_step(self, batch: Any, index: int) -> None:
        """The accuracy."""
        inputs, targets = batch
        right = correct(self.net(inputs), targets)
        self.log("accuracy", right / len(targets), batch_size=len(targets))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimizer."""
        return self.job.optimizer(self.net.parameters())


class StopAt(Callback):
    """Ends the training early, as an interruption does."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def on_train_batch_end(self, trainer: Any, *args: Any) -> None:
        """Stop."""
        if trainer.global_step == self.iteration:
            trainer.should_stop = True


def fit(job: Job) -> None:
    """Train."""
    trainer = _trainer(job)
    resume = None
    if job.resume:
        found = sorted(job.work_dir.rglob("*.ckpt"))
        if not found:
            raise UnsupportedError("no checkpoint found")
        resume = str(found[-1])
    trainer.fit(Model(job), job.train, job.validation, ckpt_path=resume)


def evaluate(job: Job) -> float:
    """The accuracy on the validation data."""
    (metrics,) = _trainer(job).validate(Model(job), job.validation, verbose=False)
    return float(metrics["accuracy"])


def _trainer(job: Job) -> lightning.Trainer:
    callbacks: list[Callback] = []
    settings: dict[str, Any] = {}
    if job.save_at is not None:
        callbacks.append(ModelCheckpoint(every_n_train_steps=job.save_at, save_top_k=-1))
    elif job.save_epochs:
        callbacks.append(ModelCheckpoint(save_top_k=-1))
    if job.stop_at is not None:
        callbacks.append(StopAt(job.stop_at))
    if job.lean:
        settings.update(
            logger=job.scalars,
            enable_checkpointing=job.save_at is not None,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    if job.scalars:
        settings["log_every_n_steps"] = 1
    if job.distributed:
        settings.update(strategy="ddp", devices=2, use_distributed_sampler=False)
    length = {"max_epochs": job.epochs} if job.epochs else {"max_steps": job.iterations}
    return lightning.Trainer(
        accelerator="cpu",
        default_root_dir=str(job.work_dir),
        callbacks=callbacks,
        num_sanity_val_steps=0,
        **{"devices": 1, **length, **settings},
    )
