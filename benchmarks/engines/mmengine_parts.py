"""The model, metric and hook that MMEngine and mainspring are given alike, less their bases."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from engines.job import Job, scalars_of


class ModelParts:
    """A network with its loss; goes before the engine's base class of models."""

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


class AccuracyParts:
    """Share of samples that are classified right, as MMEngine's tutorial has it."""

    results: list[Any]

    def process(self, data_batch: Any, data_samples: Any) -> None:
        """Count a batch."""
        outputs, targets = data_samples
        right = (outputs.argmax(1) == targets).sum().item()
        self.results.append({"size": len(targets), "correct": right})

    def compute_metrics(self, results: list[dict[str, int]]) -> dict[str, float]:
        """Put the counts together."""
        right = sum(each["correct"] for each in results)
        return {"accuracy": right / sum(each["size"] for each in results)}


class StopAtParts:
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
