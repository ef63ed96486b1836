"""What an evaluation shows beyond its metrics: tables by class, predictions, the worst samples."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mainspring.comparison import is_number
from mainspring.evaluator.confusion import count_pairs, precision_recall_f1
from mainspring.evaluator.samples import PREDICTIONS, TARGETS
from mainspring.report.record import Shown, Table
from mainspring.report.samples import Display, first_of, inputs_and_targets, plain_sample

__all__ = ["Evaluation"]

_MOST_CLASSES = 1000
_MOST_IN_MATRIX = 40
_MOST_ROWS = 60
_DENSE = 1 << 20


class Evaluation:
    """Looks at the batches of an evaluation, and keeps what a page shows of it.

    Of a batch, classes and losses are copied to the host at once; of the samples, the first ones
    and those with the highest losses are kept. So its memory does not grow with the data set.

    Args:
        samples: How many of the first samples to keep.
        top_losses: How many of those with the highest losses to keep.
    """

    def __init__(self, samples: int, top_losses: int) -> None:
        self._wanted, self._wanted_worst = samples, top_losses
        self._first: list[tuple[Any, Any, float | None]] = []
        self._worst: list[tuple[float, int, Any, Any]] = []
        self._counts: Tensor | None = None
        self._seen = 0

    def look(self, batch: Any, outputs: Sequence[Any]) -> None:
        """Look at a batch.

        Args:
            batch: What the loader gave.
            outputs: What the model predicted, a sample each.
        """
        samples = [plain_sample(output) for output in outputs]
        losses = self._compare(samples)
        inputs: list[tuple[Any, Any]] | None = None
        for index, (sample, loss) in enumerate(zip(samples, losses, strict=True)):
            is_first = len(self._first) < self._wanted
            is_full = len(self._worst) == self._wanted_worst
            limit = (self._worst[0][0] if self._worst else math.inf) if is_full else -math.inf
            is_worse = loss is not None and loss > limit
            if (is_first or is_worse) and inputs is None:
                inputs = inputs_and_targets(batch)
                inputs = inputs if len(inputs) == len(samples) else [(None, None)] * len(samples)
            if is_first and inputs is not None:
                self._first.append((*_kept(inputs[index], sample), loss))
            if is_worse and inputs is not None and loss is not None:
                entry = (loss, -self._seen - index, *_kept(inputs[index], sample))
                (heapq.heappushpop if is_full else heapq.heappush)(self._worst, entry)
        self._seen += len(samples)

    def tables(self, metrics: Mapping[str, Any] | None, display: Display) -> list[Table]:
        """Tables by class: those that metrics give, else those of the classes that were compared.

        Args:
            metrics: What the evaluation returned. A list of numbers has one for each class, a
                square one counts classes taken for others, a dict has numbers by name.
            display: Names of the classes.
        """
        given = _tables_of_metrics(metrics or {}, display)
        counts = self._counts
        if counts is not None and not any(table.is_confusion for table in given):
            given += _tables_of_counts(counts, display)
        return given

    def samples(self, display: Display) -> list[Shown]:
        """The first samples."""
        return [_shown(display, *entry) for entry in self._first]

    def top_losses(self, display: Display) -> list[Shown]:
        """The samples with the highest losses, the worst first."""
        return [
            _shown(display, inputs, sample, loss)
            for loss, _, inputs, sample in sorted(self._worst, key=lambda entry: entry[:2])[::-1]
        ]

    def _compare(self, samples: Sequence[Any]) -> list[float | None]:
        """Count classes, and give the loss of each sample."""
        nothing: list[float | None] = [None] * len(samples)
        if not samples or not all(isinstance(sample, Mapping) for sample in samples):
            return nothing
        if all("loss" in sample for sample in samples):
            return [float(sample["loss"]) for sample in samples]
        pairs = [(first_of(sample, PREDICTIONS), first_of(sample, TARGETS)) for sample in samples]
        if not all(isinstance(p, Tensor) and t is not None for p, t in pairs):
            return nothing
        scores = [scores for scores, _ in pairs]
        targets = [torch.as_tensor(target, device=scores[0].device) for _, target in pairs]
        if any(s.shape != scores[0].shape for s in scores) or any(
            t.shape != targets[0].shape for t in targets
        ):
            return nothing
        if scores[0].dim() == 1 and scores[0].numel() > 1 and targets[0].numel() == 1:
            return self._compare_classes(torch.stack(scores), torch.stack(targets).reshape(-1))
        if scores[0].shape == targets[0].shape and targets[0].is_floating_point():
            if scores[0].numel() * len(scores) > _DENSE:
                return nothing
            apart = torch.stack(scores).float() - torch.stack(targets).float()
            errors: list[float | None] = apart.square().reshape(len(scores), -1).mean(1).tolist()
            return errors
        if scores[0].shape[1:] == targets[0].shape and scores[0].numel() <= _DENSE:  # of pixels
            return [
                float(functional.cross_entropy(s[None].float(), t[None].long(), ignore_index=255))
                for s, t in zip(scores, targets, strict=True)
            ]
        return nothing

    def _compare_classes(self, scores: Tensor, targets: Tensor) -> list[float | None]:
        if targets.is_floating_point():
            return [None] * len(targets)
        values = scores.float()
        is_share = (values >= 0).all() & ((values.sum(1) - 1).abs() < 1e-3).all()
        logs = torch.where(is_share, values.clamp_min(1e-12).log(), values.log_softmax(1))
        classes = scores.shape[1]
        known = (targets >= 0) & (targets < classes)
        losses = -logs.gather(1, targets.clamp(0, classes - 1).long()[:, None])[:, 0]
        # The one copy from the device in each batch.
        columns = torch.stack([losses.double(), scores.argmax(1).double(), targets.double()])
        found = columns.cpu()
        kept = known.cpu()
        if classes <= _MOST_CLASSES:
            counts = count_pairs(found[1], found[2], classes)[:-1]
            same = self._counts is not None and self._counts.shape == counts.shape
            self._counts = self._counts + counts if same and self._counts is not None else counts
        return [
            loss if ok else None for loss, ok in zip(found[0].tolist(), kept.tolist(), strict=True)
        ]


def _kept(pair: tuple[Any, Any], sample: Any) -> tuple[Any, Any]:
    """A copy of a sample on the host, which does not keep its batch."""
    inputs, target = pair
    known = sample if isinstance(sample, Mapping) else {"prediction": sample}
    if target is not None and first_of(known, TARGETS) is None and "gt_instances" not in known:
        known = {**known, "target": target}
    return _copied(inputs), _copied(known)


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {name: _copied(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item) for item in value]
    return value


def _shown(display: Display, inputs: Any, sample: Any, loss: float | None) -> Shown:
    shown = display.show(inputs, sample)
    shown.loss = loss
    return shown


def _tables_of_metrics(metrics: Mapping[str, Any], display: Display) -> list[Table]:
    tables: list[Table] = []
    columns: dict[int, dict[str, list[Any]]] = {}
    for name, value in metrics.items():
        plain = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(plain, Mapping):
            own = {str(key): item for key, item in plain.items() if is_number(item)}
            if own:
                tables.append(Table(name, [name], list(own), [[item] for item in own.values()]))
        elif isinstance(plain, list | tuple) and len(plain) > 1:
            if all(is_number(item) for item in plain):
                columns.setdefault(len(plain), {})[name] = list(plain)
            elif all(isinstance(row, list) and len(row) == len(plain) for row in plain):
                tables.append(_confusion(name, torch.tensor(plain), display))
    for count, found in columns.items():
        rows = [display.name(index) for index in range(count)]
        values = [list(row) for row in zip(*found.values(), strict=True)]
        tables.append(Table("By class", list(found), rows, values))
    return tables


def _confusion(title: str, counts: Tensor, display: Display) -> Table:
    names = [display.name(index) for index in range(len(counts))]
    return Table(title, names, names, counts.tolist(), is_confusion=True)


def _tables_of_counts(counts: Tensor, display: Display) -> list[Table]:
    """Precision, recall and F1 of each class; what is taken for what."""
    of_class, taken_for = counts.sum(1), counts.sum(0)
    scores = precision_recall_f1(counts.diagonal(), taken_for, of_class, undefined=math.nan)
    present = [index for index in range(len(counts)) if of_class[index] or taken_for[index]]
    shown = present
    title = "By class"
    if len(present) > _MOST_ROWS:
        shown = sorted(present, key=lambda index: float(scores["f1"][index]))[:_MOST_ROWS]
        title = f"By class: the {_MOST_ROWS} worst of {len(present)}"
    names = [display.name(index) for index in shown]
    rows: list[list[float | None]] = [
        [int(of_class[index])]
        + [float(s[index]) if s[index].isfinite() else None for s in scores.values()]
        for index in shown
    ]
    by_class = Table(title, ["samples", "precision %", "recall %", "F1 %"], names, rows)
    if len(present) <= _MOST_IN_MATRIX and len(counts) <= _MOST_IN_MATRIX:
        return [by_class, _confusion("Confusion matrix", counts, display)]
    off = counts.clone()
    off.fill_diagonal_(0)
    most, cells = off.flatten().topk(min(20, off.numel()))
    confused = Table("Most confused", ["samples"], [], [])
    for count, cell in zip(most.tolist(), cells.tolist(), strict=True):
        if count:
            right, taken = divmod(cell, len(counts))
            confused.rows.append(f"{display.name(right)} taken for {display.name(taken)}")
            confused.values.append([count])
    return [by_class, confused] if confused.rows else [by_class]
