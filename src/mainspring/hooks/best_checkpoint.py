"""Remembers the best score of each watched metric, and the checkpoint that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.errors import ConfigError
from mainspring.hooks import metric_rule

__all__ = ["BestCheckpoint", "BestCheckpoints", "as_names", "file_name"]


@dataclass
class BestCheckpoint:
    """The best checkpoint by one metric.

    Attributes:
        metric: Name of the metric.
        rule: Whether greater or less is better.
        score: Best score so far.
        file: Name of the checkpoint in the checkpoint directory; ``None`` before the first.
    """

    metric: str
    rule: metric_rule.Rule
    score: float
    file: str | None = None


class BestCheckpoints:
    """Best checkpoints by one or several metrics.

    Args:
        metrics: Names of the metrics; ``"auto"``, alone, takes the first of the first evaluation.
        rules: A rule for each metric, one for all, or ``None`` to infer them from the names.
        greater_keys: Names and parts of names where greater is better.
        less_keys: Names and parts of names where less is better.

    Raises:
        ConfigError: The metrics or rules contradict each other, or a rule cannot be inferred.
    """

    def __init__(
        self,
        metrics: str | Sequence[str],
        rules: str | Sequence[str] | None = None,
        greater_keys: Sequence[str] = metric_rule.GREATER_KEYS,
        less_keys: Sequence[str] = metric_rule.LESS_KEYS,
    ) -> None:
        names = _several("save_best", metrics)
        given: list[Any] = [None] if rules is None else _several("rule", rules)
        self._greater_keys, self._less_keys = greater_keys, less_keys
        if not names or not all(isinstance(name, str) for name in names):
            raise ConfigError(
                f"save_best is {list(names)!r}", help="name a metric, several in a list, or 'auto'"
            )
        if "auto" in names and len(names) > 1:
            raise ConfigError(f"save_best lists 'auto' among other metrics: {list(names)!r}")
        if len(set(names)) != len(names):
            raise ConfigError(f"save_best names a metric twice: {list(names)!r}")
        if len(given) not in (1, len(names)):
            raise ConfigError(
                f"save_best names {len(names)} metrics, but rule has {len(given)} entries",
                help="give one rule for all metrics, or one for each",
            )
        if len(given) == 1:
            given *= len(names)
        self._auto_rule = given[0] if names == ["auto"] else None
        self._entries: dict[str, BestCheckpoint] = {}
        if names != ["auto"]:
            for name, rule in zip(names, given, strict=True):
                self._watch(name, rule)

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics; ``"auto"`` as long as it is not known which that is."""
        return list(self._entries) or ["auto"]

    @property
    def rules(self) -> list[str | None]:
        """The rule of each metric; ``None`` as long as it is not known."""
        return [entry.rule for entry in self._entries.values()] or [self._auto_rule]

    @property
    def entries(self) -> list[BestCheckpoint]:
        """What is remembered, in the order of the metrics."""
        return list(self._entries.values())

    def improved_by(self, metrics: Mapping[str, Any]) -> list[BestCheckpoint]:
        """Take the scores of an evaluation over, where they are better than all before.

        Args:
            metrics: What the evaluation returned; not empty.

        Returns:
            The entries whose score is new. Their `file` still is the one before.

        Raises:
            MetricError: A watched metric is missing or no number.
        """
        if not self._entries:
            self._watch(next(iter(metrics)), self._auto_rule)
        improved = []
        for entry in self._entries.values():
            score = metric_rule.metric_value(metrics, entry.metric, "save_best")
            if metric_rule.is_better(score, entry.score, entry.rule):
                entry.score = score
                improved.append(entry)
        return improved

    def hub_key(self, prefix: str, entry: BestCheckpoint) -> str:
        """Name in the message hub: ``best_score``, with the metric added if there are several."""
        return prefix if len(self._entries) == 1 else f"{prefix}_{entry.metric}"

    def state_in_hub(self, hub: Any) -> dict[str, dict[str, Any]]:
        """A `state_dict` from what a checkpoint of MMEngine keeps in its message hub."""
        state = {}
        for entry in self._entries.values():
            score = hub.get_info(self.hub_key("best_score", entry))
            path = hub.get_info(self.hub_key("best_ckpt", entry))
            if score is not None:
                file = None if path is None else file_name(path)
                state[entry.metric] = {"rule": entry.rule, "score": float(score), "file": file}
        return state

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """What is remembered, by metric."""
        return {
            entry.metric: {"rule": entry.rule, "score": entry.score, "file": entry.file}
            for entry in self._entries.values()
        }

    def load_state_dict(self, state_dict: Mapping[str, Mapping[str, Any]]) -> None:
        """Remember again what `state_dict` gave; metrics no longer watched are dropped."""
        for name, state in state_dict.items():
            if not self._entries:
                self._watch(name, state["rule"])
            entry = self._entries.get(name)
            if entry is not None and entry.rule == state["rule"]:
                entry.score, entry.file = float(state["score"]), state["file"]

    def _watch(self, name: str, rule: str | None) -> None:
        known = metric_rule.rule_for(name, rule, self._greater_keys, self._less_keys)
        self._entries[name] = BestCheckpoint(name, known, metric_rule.worst_score(known))


def file_name(path: str) -> str:
    """Last part of a path or URI."""
    return str(path).replace("\\", "/").rsplit("/", 1)[-1]


def as_names(names: str | Sequence[str] | None, default: Sequence[str]) -> Sequence[str]:
    """Names, of which one may stand alone, or those that hold where none are given."""
    if names is None:
        return default
    return (names,) if isinstance(names, str) else names


def _several(section: str, value: Any) -> list[Any]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Sequence):
        raise ConfigError(f"{section} is {value!r}", help="give a name, or several in a list")
    return list(value)
