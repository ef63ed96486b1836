"""PyTorch-Ignite."""

from __future__ import annotations

from typing import Any

import ignite.distributed as idist
import torch
from ignite.contrib.engines import common
from ignite.engine import Engine, Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import Checkpoint, DiskSaver
from ignite.handlers.tensorboard_logger import TensorboardLogger
from ignite.metrics import Accuracy

from engines.job import Job, UnsupportedError, scalars_of

PACKAGE = "ignite"


def fit(job: Job) -> None:
    """Train."""
    if job.distributed:
        idist.initialize("gloo")
    net = torch.nn.parallel.DistributedDataParallel(job.net) if job.distributed else job.net
    optimizer = job.optimizer(net.parameters())
    trainer = create_supervised_trainer(
        net, optimizer, job.loss, output_transform=lambda x, y, y_pred, loss: _output(job, loss)
    )
    state = {"trainer": trainer, "model": job.net, "optimizer": optimizer}
    if not job.lean:
        # What Ignite's templates set up: averages of the losses and a progress bar.
        common.setup_common_training_handlers(
            trainer,
            output_names=["loss"],
            with_gpu_stats=False,
            clear_cuda_cache=False,
            stop_on_nan=True,
        )
    _save(job, trainer, state)
    if job.scalars:
        _log(job, trainer)
    if job.validation is not None:
        evaluator = create_supervised_evaluator(job.net, metrics={"accuracy": Accuracy()})
        trainer.add_event_handler(
            Events.EPOCH_COMPLETED, lambda: print(evaluator.run(job.validation).metrics)
        )
    if job.stop_at:
        trainer.add_event_handler(Events.ITERATION_COMPLETED(once=job.stop_at), trainer.interrupt)
    elif job.iterations is not None and job.iterations < len(job.train):
        trainer.add_event_handler(
            Events.ITERATION_COMPLETED(once=job.iterations), trainer.terminate
        )
    if job.resume:
        _load(job, state)
    trainer.run(job.train, max_epochs=job.epochs or 1)
    if job.distributed:
        idist.finalize()


def evaluate(job: Job) -> float:
    """The accuracy on the validation data."""
    evaluator = create_supervised_evaluator(job.net, metrics={"accuracy": Accuracy()})
    return float(evaluator.run(job.validation).metrics["accuracy"])


def _output(job: Job, loss: torch.Tensor) -> Any:
    if job.scalars:
        return {"loss": loss.item(), **scalars_of(loss)}
    return {"loss": loss.item()} if not job.lean else loss.item()


def _log(job: Job, trainer: Engine) -> None:
    logger = TensorboardLogger(log_dir=str(job.work_dir))
    logger.attach_output_handler(
        trainer,
        event_name=Events.ITERATION_COMPLETED,
        tag="training",
        output_transform=lambda output: output,
    )
    trainer.add_event_handler(Events.COMPLETED, logger.close)


def _save(job: Job, trainer: Engine, state: dict[str, Any]) -> None:
    if job.save_at is not None:
        event = Events.ITERATION_COMPLETED(once=job.save_at)
    elif job.save_epochs or not job.lean:
        event = Events.EPOCH_COMPLETED
    else:
        return
    saver = DiskSaver(str(job.work_dir), create_dir=True, require_empty=False)
    trainer.add_event_handler(event, Checkpoint(state, saver, n_saved=None))


def _load(job: Job, state: dict[str, Any]) -> None:
    files = sorted(job.work_dir.glob("checkpoint_*.pt"))
    if not files:
        raise UnsupportedError("no checkpoint found")
    Checkpoint.load_objects(to_load=state, checkpoint=torch.load(files[-1]))
