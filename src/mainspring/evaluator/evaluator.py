"""Several metrics of one data set, evaluated together."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from mainspring.config.words import Factory
from mainspring.dist import is_main_process
from mainspring.errors import ArgumentValueError, ConfigError, MetricError
from mainspring.evaluator.metric import BaseMetric
from mainspring.evaluator.torch_metric import AnyTorchMetric, TorchMetric, is_torch_metric
from mainspring.registry import EVALUATOR, METRICS
from mainspring.structures import BaseDataElement

__all__ = ["Evaluator", "forget_results"]

OneMetric: TypeAlias = BaseMetric | Factory[BaseMetric] | AnyTorchMetric | str | Mapping[str, Any]


@EVALUATOR.register_module()
class Evaluator:
    """Feeds predictions to metrics and merges what they compute.

    Args:
        metrics: A metric, its name or dict, a torchmetrics object, or a sequence of such.

    Raises:
        ConfigError: An entry is nothing of this kind.

    Example:
        >>> dump = dict(type="DumpResults", out_file_path="results.pkl")
        >>> evaluator = Evaluator([dict(type="Accuracy", topk=1), dump])
        >>> [type(metric).__name__ for metric in evaluator.metrics]
        ['Accuracy', 'DumpResults']
    """

    def __init__(
        self, metrics: OneMetric | Sequence[OneMetric | Mapping[str, Any]] | Mapping[str, Any]
    ) -> None:
        self._dataset_meta: dict[str, Any] | None = None
        several = isinstance(metrics, Sequence) and not isinstance(metrics, str)
        entries: Any = metrics if several else [metrics]
        self.metrics: list[Any] = [_as_metric(entry) for entry in entries]

    @property
    def dataset_meta(self) -> dict[str, Any] | None:
        """Meta information of the data set; setting it tells the metrics."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict[str, Any]) -> None:
        self._dataset_meta = dataset_meta
        for metric in self.metrics:
            metric.dataset_meta = dataset_meta

    def reset(self) -> None:
        """Forget what the metrics collected, which an evaluation that was broken off has left."""
        for metric in self.metrics:
            forget_results(metric)

    def process(self, data_samples: Sequence[Any] | None, data_batch: Any = None) -> None:
        """Look at a batch.

        Args:
            data_samples: What the model predicted; data elements are turned into dicts.
            data_batch: What the loader gave.

        Raises:
            MetricError: It is no result for each sample.
        """
        if data_samples is None or isinstance(data_samples, Mapping):
            keys = ", ".join(map(str, data_samples or ()))
            shown = "None" if data_samples is None else f"a dict with the keys {keys}"
            raise MetricError(
                f"the model predicted {shown} for a batch: metrics need one result for each sample",
                help="let forward(mode='predict') return a list, such as "
                "[dict(prediction=scores, target=label), ...]; a dict of losses is for mode='loss'",
            )
        samples = [
            sample.to_dict() if isinstance(sample, BaseDataElement) else sample
            for sample in data_samples
        ]
        for metric in self.metrics:
            metric.process(data_batch, samples)

    def evaluate(self, size: int) -> dict[str, Any]:
        """Compute all metrics, and begin anew (all ranks).

        Args:
            size: Number of samples of the data set.

        Returns:
            The metrics by name.

        Raises:
            MetricError: Two metrics give the same name.
        """
        merged: dict[str, Any] = {}
        for metric in self.metrics:
            computed = metric.evaluate(size)
            if computed is None and not is_main_process():
                continue  # a metric of another kind, which is computed on rank 0
            if not isinstance(computed, Mapping):
                raise MetricError(
                    f"{type(metric).__name__} computed {computed!r}, no dict of metrics by name",
                    help="return dict(name=value) from compute_metrics, or {} if there is none",
                )
            for name, value in computed.items():
                if name in merged:
                    raise MetricError(
                        f"two metrics give {name!r}",
                        help="tell them apart with prefix=... in one of them",
                    )
                merged[name] = value
        return merged

    def offline_evaluate(
        self,
        data_samples: Iterable[Any],
        data: Iterable[Any] | None = None,
        chunk_size: int = 1,
    ) -> dict[str, Any]:
        """Compute metrics of predictions that were made before.

        Args:
            data_samples: The predictions.
            data: The data that they were made from, entry by entry.
            chunk_size: How many to look at in one go.

        Raises:
            ArgumentValueError: `data` ends before `data_samples`.
        """
        items = iter(data) if data is not None else None
        size = 0
        self.reset()
        for chunk in _chunks(iter(data_samples), chunk_size):
            chunk_data = None
            if items is not None:
                chunk_data = next(_chunks(items, len(chunk)), [])
                if len(chunk_data) != len(chunk):
                    raise ArgumentValueError("there are more data_samples than data")
            size += len(chunk)
            self.process(chunk, chunk_data)
        return self.evaluate(size)


def forget_results(metric: Any) -> None:
    """Let a metric or an evaluator begin anew: by its `reset`, or by emptying its `results`.

    Args:
        metric: Any object that evaluates.
    """
    reset, results = getattr(metric, "reset", None), getattr(metric, "results", None)
    if callable(reset):
        reset()
    elif isinstance(results, list):
        results.clear()


def _chunks(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _as_metric(entry: Any) -> Any:
    name = None
    if isinstance(entry, str):
        entry = {"type": entry}
    if isinstance(entry, Mapping):
        written = entry.get("type")
        name = written.rpartition(".")[2].lower() if isinstance(written, str) else None
        entry = METRICS.build(entry)
    elif isinstance(entry, type | functools.partial):
        entry = entry()
    if isinstance(entry, BaseMetric):
        return entry
    if is_torch_metric(entry):
        return TorchMetric(entry, name)
    if hasattr(entry, "process") and hasattr(entry, "evaluate"):
        return entry
    raise ConfigError(
        f"{entry!r} is no metric",
        help="give a dict with type=, a BaseMetric, or a torchmetrics object",
    )
