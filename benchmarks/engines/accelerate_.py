"""Hugging Face Accelerate: a loop of one's own, with its parts prepared by the library."""

from __future__ import annotations

import itertools
import json
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration, ProjectConfiguration

from engines.job import Job, correct, scalars_of

PACKAGE = "accelerate"


def fit(job: Job) -> None:
    """Train."""
    accelerator = Accelerator(
        cpu=True,
        dataloader_config=DataLoaderConfiguration(use_seedable_sampler=True),
        log_with="tensorboard" if job.scalars else None,
        project_config=ProjectConfiguration(project_dir=str(job.work_dir)),
    )
    if job.scalars:
        accelerator.init_trackers("run")
    loader = job.train if job.loader is None else accelerator.prepare(job.train)
    net, optimizer = accelerator.prepare(job.net, job.optimizer(job.net.parameters()))
    total, done = job.stop_at or job.iterations, 0
    place = job.work_dir / "state"
    if job.resume:
        accelerator.load_state(str(place))
        done = int((place / "done").read_text())
    log = (job.work_dir / "log.json").open("w") if job.save_epochs else None
    for epoch in range(job.epochs or 1):
        net.train()
        if hasattr(job.train, "set_epoch"):
            job.train.set_epoch(epoch)
        batches = loader
        if done:
            if job.loader is None:  # the library skips only in torch's loaders
                batches = itertools.islice(loader, done, None)
            else:
                batches = accelerator.skip_first_batches(loader, done)
        for index, (inputs, targets) in enumerate(batches, done):
            optimizer.zero_grad()
            loss = job.loss(net(inputs), targets)
            accelerator.backward(loss)
            optimizer.step()
            if job.scalars:
                accelerator.log({k: v.item() for k, v in scalars_of(loss).items()}, step=index)
            if log is not None and (index + 1) % 10 == 0:
                line = json.dumps({"loss": loss.item(), "step": index + 1})
                log.write(line + "\n")
                accelerator.print(line)
            if index + 1 == job.save_at:
                accelerator.save_state(str(place))
                (place / "done").write_text(str(index + 1))
            if index + 1 == total:
                break
        if job.validation is not None:
            print(_evaluate(accelerator, net, job.validation))
        if job.save_epochs:
            accelerator.save_state(str(job.work_dir / f"epoch_{epoch + 1}"))
    if log is not None:
        log.close()
    if job.scalars:
        accelerator.end_training()
    elif job.distributed:
        torch.distributed.destroy_process_group()


def evaluate(job: Job) -> float:
    """The accuracy on the validation data."""
    accelerator = Accelerator(cpu=True)
    return _evaluate(accelerator, accelerator.prepare(job.net), job.validation)


@torch.no_grad()
def _evaluate(accelerator: Accelerator, net: Any, batches: Any) -> float:
    net.eval()
    right = total = 0
    for inputs, targets in batches:
        outputs, targets = accelerator.gather_for_metrics((net(inputs), targets))
        right += correct(outputs, targets)
        total += len(targets)
    return right / total
