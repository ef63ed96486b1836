"""Base of metrics: collect something for each sample, compute numbers from all of it."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor

from mainspring.defaults import DEFAULTS
from mainspring.dist import broadcast_object_list, collect_results, is_main_process
from mainspring.errors import ConfigError, MetricError
from mainspring.fileio import dump
from mainspring.logging import print_log, warn
from mainspring.registry import METRICS
from mainspring.structures import BaseDataElement

__all__ = ["BaseMetric", "DumpResults", "_to_cpu"]


class BaseMetric(metaclass=ABCMeta):
    """Base of metrics.

    Subclasses append something for each sample to `results` in `process`, and compute metrics from
    all of it in `compute_metrics`, which rank 0 calls with the results of all ranks in the order of
    the data set.

    Attributes:
        default_prefix: Prefix of the metrics' names when none is given.
        results: What was appended for the samples of this rank.

    Args:
        collect_device: ``"cpu"`` or ``"gpu"``, where ranks exchange results.
        prefix: Put before the metrics' names, as ``prefix/name``.
        collect_dir: Shared directory to exchange results in, instead of over the process group.

    Raises:
        ConfigError: `collect_dir` is given with another device than ``"cpu"``.

    Example:
        >>> class MeanError(BaseMetric):
        ...     default_prefix = "error"
        ...
        ...     def process(self, data_batch, data_samples):
        ...         self.results += [abs(each["output"] - each["target"]) for each in data_samples]
        ...
        ...     def compute_metrics(self, results):
        ...         return dict(mean=sum(results) / len(results))
        >>> metric = MeanError()
        >>> metric.process({}, [dict(output=1.0, target=3.0), dict(output=2.0, target=1.0)])
        >>> metric.evaluate(size=2)
        {'error/mean': 1.5}
    """

    default_prefix: str | None = None

    def __init__(
        self,
        collect_device: str = "cpu",
        prefix: str | None = None,
        collect_dir: str | None = None,
    ) -> None:
        if collect_dir is not None and collect_device != "cpu":
            raise ConfigError(
                f"collect_dir goes with collect_device='cpu', not {collect_device!r}",
                help="leave collect_dir out",
            )
        self._dataset_meta: dict[str, Any] | None = None
        self.collect_device = collect_device
        self.collect_dir = collect_dir
        self.results: list[Any] = []
        self.prefix = prefix or self.default_prefix
        if self.prefix is None and DEFAULTS.wants_prefix:
            warn(f"{type(self).__name__} has no prefix: its metrics may be named as others are")

    @property
    def dataset_meta(self) -> dict[str, Any] | None:
        """Meta information of the data set, such as the names of its classes."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict[str, Any]) -> None:
        self._dataset_meta = dataset_meta

    @abstractmethod
    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Look at a batch and append to `results`.

        Args:
            data_batch: What the loader gave.
            data_samples: What the model predicted, one entry for each sample.
        """

    @abstractmethod
    def compute_metrics(self, results: list[Any]) -> dict[str, Any]:
        """Compute metrics by name.

        Args:
            results: What `process` appended, for all samples.
        """

    def reset(self) -> None:
        """Forget what was collected; called before each evaluation.

        A metric that keeps more than `results` forgets that here, too.
        """
        self.results.clear()

    def evaluate(self, size: int) -> dict[str, Any]:
        """Compute metrics from all that was collected, and begin anew (all ranks).

        Args:
            size: Number of samples of the data set; results of padding samples are cut off.

        Returns:
            The metrics by name, the same on all ranks.

        Raises:
            Exception: Whatever `compute_metrics` raises on rank 0.
            MetricError: On the other ranks, when it failed on rank 0.
        """
        if not self.results:
            warn(
                f"{type(self).__name__} collected nothing: does its process() append to "
                "self.results?"
            )
        collected = collect_results(
            self.results, size, device=self.collect_device, tmpdir=self.collect_dir
        )
        try:
            return self._computed(collected) if is_main_process() else self._metrics_of_rank_0()
        finally:
            self.results.clear()  # not sooner: some compute from it, such as MMPretrain's

    def _computed(self, collected: Any) -> dict[str, Any]:
        try:
            metrics = self._named(self.compute_metrics(_to_cpu(collected)))
        except Exception as error:
            # The other ranks wait for the metrics; they must not wait for ever.
            broadcast_object_list([f"{type(error).__name__}: {error}"])
            raise
        broadcast_object_list([metrics])
        return metrics

    def _metrics_of_rank_0(self) -> dict[str, Any]:
        received: list[Any] = [None]
        broadcast_object_list(received)
        metrics = received[0]
        if isinstance(metrics, str):
            raise MetricError(f"{type(self).__name__} failed on rank 0 with {metrics}")
        result: dict[str, Any] = metrics
        return result

    def _named(self, metrics: dict[str, Any]) -> dict[str, Any]:
        """The metrics under their full names."""
        if not self.prefix or not isinstance(metrics, Mapping):  # refused by the evaluator
            return metrics
        return {f"{self.prefix}/{name}": value for name, value in metrics.items()}


@METRICS.register_module()
class DumpResults(BaseMetric):
    """Writes the predictions of a whole evaluation into a pickle file, and computes nothing.

    Args:
        out_file_path: File ending in ``.pkl`` or ``.pickle``.
        collect_device: As in `BaseMetric`.
        collect_dir: As in `BaseMetric`.

    Raises:
        ConfigError: The file has another ending.

    Example:
        >>> test_evaluator = [dict(type="Accuracy"), DumpResults("predictions.pkl")]
    """

    def __init__(
        self,
        out_file_path: str,
        collect_device: Literal["cpu", "gpu"] = "cpu",
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, collect_dir=collect_dir)
        if not out_file_path.endswith((".pkl", ".pickle")):
            raise ConfigError(
                f"out_file_path is {out_file_path!r}", help="let it end in .pkl or .pickle"
            )
        self.out_file_path = out_file_path

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Keep the predictions, on the CPU."""
        self.results.extend(_to_cpu(list(data_samples)))

    def compute_metrics(self, results: list[Any]) -> dict[str, Any]:
        """Write the file; there are no metrics."""
        dump(results, self.out_file_path)
        print_log(f"Results has been saved to {self.out_file_path}.", logger="current")
        return {}


def _to_cpu(data: Any) -> Any:
    """Nested data with its tensors on the CPU (MMEngine's private name, imported downstream)."""
    if isinstance(data, Tensor | BaseDataElement):
        return data.to("cpu")
    if isinstance(data, list):
        return [_to_cpu(item) for item in data]
    if isinstance(data, tuple):
        items = [_to_cpu(item) for item in data]
        return type(data)(*items) if hasattr(data, "_fields") else tuple(items)
    if isinstance(data, Mapping):
        return {key: _to_cpu(value) for key, value in data.items()}
    return data
