"""Hugging Face Trainer (transformers)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import default_collate
from transformers import Trainer, TrainerCallback, TrainingArguments

from engines.job import Job, scalars_of

PACKAGE = "transformers"


class Model(nn.Module):
    """A network with its loss, in the form that the Trainer expects."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.net = job.net
        self.criterion = job.loss

    def forward(self, inputs: Any, labels: Any = None) -> dict[str, Any]:
        """Loss and outputs."""
        outputs = self.net(inputs)
        return {"loss": self.criterion(outputs, labels), "logits": outputs}


class JobTrainer(Trainer):
    """The Trainer with our loaders, which give pairs, and with our optimizer."""

    def __init__(self, job: Job, arguments: TrainingArguments, **settings: Any) -> None:
        self.job = job
        own = _has_own_loader(job)
        super().__init__(
            model=Model(job),
            args=arguments,
            optimizers=(job.optimizer(job.net.parameters()), None),
            train_dataset=job.loader["dataset"] if own and job.loader else _Sized(job.train),
            data_collator=_collate if own else None,
            eval_dataset=None if job.validation is None else _Sized(job.validation),
            compute_metrics=_accuracy,
            **settings,
        )

    def get_train_dataloader(self) -> Any:
        """The batches of the job; through the Trainer's own loader where torch's would be used."""
        if _has_own_loader(self.job):
            return super().get_train_dataloader()
        return _Dicts(self.job.train)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """The validation batches of the job."""
        return _Dicts(self.job.validation)

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The loss; ten scalars with it where they are wanted."""
        result = super().compute_loss(model, inputs, *args, **kwargs)
        if self.job.scalars and model.training:
            self.log({k: v.item() for k, v in scalars_of(result).items()})
        return result


class StopAt(TrainerCallback):
    """Ends the training early, as an interruption does."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Stop."""
        if state.global_step == self.iteration:
            control.should_training_stop = True
        return control


def fit(job: Job) -> None:
    """Train."""
    callbacks = [StopAt(job.stop_at)] if job.stop_at else None
    trainer = JobTrainer(job, _arguments(job), callbacks=callbacks)
    checkpoint = str(job.work_dir / f"checkpoint-{job.save_at}") if job.resume else None
    trainer.train(resume_from_checkpoint=checkpoint)


def evaluate(job: Job) -> float:
    """The accuracy on the validation data."""
    return float(JobTrainer(job, _arguments(job)).evaluate()["eval_accuracy"])


def _has_own_loader(job: Job) -> bool:
    return job.loader is not None and "sampler" not in job.loader


def _collate(samples: Any) -> dict[str, Any]:
    inputs, labels = default_collate(samples)
    return {"inputs": inputs, "labels": labels}


def _arguments(job: Job) -> TrainingArguments:
    settings: dict[str, Any] = {}
    if job.lean:
        settings.update(
            disable_tqdm=True, logging_strategy="no", save_strategy="no", report_to="none"
        )
    if job.scalars:
        settings.update(report_to="tensorboard")
    if job.save_at is not None:
        settings.update(save_strategy="steps", save_steps=job.save_at)
    elif job.save_epochs:
        settings.update(save_strategy="epoch", eval_strategy="epoch", logging_steps=10)
    if _has_own_loader(job) and job.loader is not None:
        settings.update(
            per_device_train_batch_size=job.loader["batch_size"],
            dataloader_num_workers=job.loader.get("num_workers", 0),
            train_sampling_strategy="random" if job.loader.get("shuffle") else "sequential",
        )
    elif job.resume:
        settings["ignore_data_skip"] = True
    if job.distributed:
        settings["ddp_backend"] = "gloo"
    length = {"num_train_epochs": job.epochs} if job.epochs else {"max_steps": job.iterations}
    return TrainingArguments(
        output_dir=str(job.work_dir),
        use_cpu=True,
        seed=0,
        max_grad_norm=0.0,
        lr_scheduler_type="constant",
        learning_rate=job.learning_rate,
        weight_decay=0.01,
        remove_unused_columns=False,
        label_names=["labels"],
        **length,
        **settings,
    )


class _Dicts:
    """Pairs as the dicts that the Trainer passes to a model."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self.dataset = _Sized(loader)
        self.batch_size = getattr(loader, "batch_size", None)
        self.sampler = None

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Any:
        for inputs, labels in self.loader:
            yield {"inputs": inputs, "labels": labels}

    def set_epoch(self, epoch: int) -> None:
        """Hand the epoch on."""
        if hasattr(self.loader, "set_epoch"):
            self.loader.set_epoch(epoch)


class _Sized(torch.utils.data.Dataset):  # type: ignore[type-arg]  # - torch's Dataset is generic only to type checkers
    """Stands for the data where the Trainer asks only for their number."""

    def __init__(self, loader: Any) -> None:
        self.size = len(loader.dataset)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Any:
        raise IndexError(index)


def _accuracy(prediction: Any) -> dict[str, float]:
    outputs = prediction.predictions
    return {"accuracy": float((np.argmax(outputs, 1) == prediction.label_ids).mean())}
