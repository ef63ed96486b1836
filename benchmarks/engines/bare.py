"""The loop that one writes by hand; everything else is measured against it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from engines.job import Job, correct, scalars_of

PACKAGE = "torch"
Step = Callable[[Tensor, Tensor], Tensor]


def fit(job: Job) -> None:
    """Train."""
    net, optimizer = _distributed(job), job.optimizer(job.net.parameters())

    def step(inputs: Tensor, targets: Tensor) -> Tensor:
        loss = job.loss(net(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run(job, step, optimizer)


def run(job: Job, step: Step, optimizer: torch.optim.Optimizer) -> None:
    """The loop around a step; also of the compiled one."""
    with ExitStack() as stack:
        log = _logger(job, stack)
        state = job.work_dir / "checkpoint.pth"
        done, generator = _load(job, optimizer, state) if job.resume else (0, None)
        total = job.stop_at or job.iterations
        for epoch in range(job.epochs or 1):
            job.net.train()
            if hasattr(job.train, "set_epoch"):
                job.train.set_epoch(epoch)
            for index, (inputs, targets) in enumerate(job.train):
                if index < done:
                    if index + 1 == done and generator is not None:
                        torch.set_rng_state(generator)
                    continue
                loss = step(inputs, targets)
                if log is not None:
                    log(index, loss)
                if index + 1 == job.save_at:
                    _save(job, optimizer, state, index + 1)
                if index + 1 == total:
                    break
            if job.validation is not None:
                evaluate(job)
            if job.save_epochs:
                _save(job, optimizer, job.work_dir / f"epoch_{epoch + 1}.pth", 0)


@torch.no_grad()
def evaluate(job: Job) -> float:
    """The accuracy on the validation data."""
    assert job.validation is not None
    job.net.eval()
    right = total = 0
    for inputs, targets in job.validation:
        right += correct(job.net(inputs), targets)
        total += len(targets)
    return right / total


def _distributed(job: Job) -> nn.Module:
    if not job.distributed:
        return job.net
    torch.distributed.init_process_group("gloo")
    return nn.parallel.DistributedDataParallel(job.net)


def _logger(job: Job, stack: ExitStack) -> Callable[[int, Tensor], None] | None:
    if not job.scalars:
        return _every_tenth(job, stack) if job.save_epochs else None
    if job.variant == "tensorboard":
        from torch.utils.tensorboard import SummaryWriter

        writer = stack.enter_context(SummaryWriter(str(job.work_dir)))

        def to_tensorboard(index: int, loss: Tensor) -> None:
            for name, value in scalars_of(loss).items():
                writer.add_scalar(name, value.item(), index)

        return to_tensorboard
    if job.variant == "jsonl":
        file = stack.enter_context((job.work_dir / "log.json").open("w", encoding="utf-8"))

        def to_lines(index: int, loss: Tensor) -> None:
            values: dict[str, Any] = {k: v.item() for k, v in scalars_of(loss).items()}
            file.write(json.dumps({**values, "step": index}) + "\n")

        return to_lines
    return lambda index, loss: scalars_of(loss) and None


def _every_tenth(job: Job, stack: ExitStack) -> Callable[[int, Tensor], None]:
    file = stack.enter_context((job.work_dir / "log.json").open("w", encoding="utf-8"))

    def log(index: int, loss: Tensor) -> None:
        if (index + 1) % 10 == 0:
            line = json.dumps({"loss": loss.item(), "step": index + 1})
            file.write(line + "\n")
            print(line)

    return log


def _save(job: Job, optimizer: torch.optim.Optimizer, path: Any, done: int) -> None:
    state = {
        "model": job.net.state_dict(),
        "optimizer": optimizer.state_dict(),
        "done": done,
        "generator": torch.get_rng_state(),
    }
    torch.save(state, path)


def _load(job: Job, optimizer: torch.optim.Optimizer, path: Any) -> tuple[int, Tensor]:
    state = torch.load(path)
    job.net.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["done"]), state["generator"]
