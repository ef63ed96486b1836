"""Validation in a script: what metrics of the box compute, by the functions that they use."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mainspring.errors import MetricError
from mainspring.evaluator.samples import PREDICTIONS, TARGETS, prediction_of, target_of
from mainspring.rng.global_generators import undone_draws
from mainspring.structures import BaseDataElement
from mainspring.tools.eject.parts import Parts

__all__ = ["Validation"]

_COUNTS = "count_pairs(predictions{labels}, targets, {classes})[:-1]"
_METRICS = {
    "Accuracy": ("count_right(predictions, targets, {m.topk})", "accuracy({sums}, {names})"),
    "MeanIoU": (_COUNTS, "overlap({sums})"),
    "Perplexity": ("surprise(predictions, targets, {m.ignore_index})", "perplexity({sums})"),
    "PrecisionRecallF1": (_COUNTS, 'average_scores({sums}, "{m.average}")'),
    "RegressionErrors": ("error_sums(predictions, targets)", "errors({sums})"),
}
"""What is added up over the batches, and what follows from the sums."""
_CALLED = {"average_scores": ("percent", "precision_recall_f1"), "overlap": ("percent",)}
"""Further functions that these call."""


class Validation:
    """The metrics that a script computes; what it does not goes to the unused parts.

    Attributes:
        loader: The loader of the first data set.
        batch: A batch of one sample.
        names: Names of what is computed.
        sums: What is added up, by the name of the sum.
        values: What is computed of the sums in the end.
        helpers: Functions that this calls.
        with_loss: Whether the loss is computed, too.
        drawn: Names of the global generators that validation was seen to draw from.

    Args:
        parts: The run, which validates.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        loop = parts.runner.val_loop
        first = loop.sets[0]
        self.loader = first.dataloader
        metrics = list(getattr(first.evaluator, "metrics", ()))
        with undone_draws() as drawn:
            self.batch = parts.collated(self.loader)
            self.sample: Any = {}  # what the engine gives its metrics
            if metrics:
                with parts.trying():
                    found, *_ = parts.model.val_step(self.batch)
                self.sample = found.to_dict() if isinstance(found, BaseDataElement) else found
        self.drawn = {*drawn} | parts.draws_from(self.loader.dataset)
        self.with_loss = loop.compute_loss and not parts.has_own_step
        self.names = ["val_loss"] if self.with_loss else []
        self.sums: dict[str, str] = {}
        self.values: list[str] = []
        self.helpers: list[str] = []
        if len(loop.sets) > 1:
            parts.unused.append(("val_dataloader", "validation on all data sets but the first"))
        if loop.fp16:
            parts.unused.append(("val_cfg.fp16", "validation in lower precision"))
        for number, metric in enumerate(metrics):
            if not self._add(metric, f"sums{number or ''}"):
                kind = type(metric).__name__
                parts.unused.append((f"val_evaluator.{number}", f"the metric {kind}"))

    @property
    def needs_criterion(self) -> bool:
        """Whether the loss is not the model's own."""
        return self.with_loss and self.parts.is_supervised

    def key(self, names: tuple[str, ...]) -> str:
        """Under which of some names a sample has a tensor."""
        return next((name for name in names if isinstance(self.sample.get(name), Tensor)), "")

    def _add(self, metric: Any, sums: str) -> bool:
        kind, sample = type(metric).__name__, self.sample
        if kind not in _METRICS or not type(metric).__module__.startswith("mainspring."):
            return False
        if not isinstance(sample, Mapping) or not (self.key(PREDICTIONS) and self.key(TARGETS)):
            return False
        prediction, target = prediction_of(sample), target_of(sample)
        with_scores = prediction.ndim == target.ndim + 1
        classes = getattr(metric, "num_classes", None) or (len(prediction) if with_scores else 0)
        ignored = getattr(metric, "ignore_index", None)
        is_counted = kind in ("MeanIoU", "PrecisionRecallF1")
        if is_counted and (not classes or (ignored is not None and 0 <= ignored < classes)):
            return False
        if kind == "Accuracy" and not with_scores:
            return False
        tried = copy.deepcopy(metric)
        try:
            tried.process({}, [sample])
            found = tried.evaluate(1)
        except MetricError:
            return False
        if any(isinstance(value, list) for value in found.values()):
            return False
        names = str(tuple(found)).replace("'", '"')
        labels = ".argmax(1)" if with_scores else ""
        added, value = (
            text.format(m=metric, labels=labels, classes=classes, sums=sums, names=names)
            for text in _METRICS[kind]
        )
        if metric.prefix and kind != "Accuracy":  # whose names have it already
            value = f'{{f"{metric.prefix}/{{name}}": value for name, value in {value}.items()}}'
        self.names += found
        self.sums[sums] = added
        self.values.append(value)
        for text in _METRICS[kind]:
            function = text.partition("(")[0]
            self.helpers += [*_CALLED.get(function, ()), function]
        return True
