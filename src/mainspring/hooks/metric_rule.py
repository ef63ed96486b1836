"""Which of two values of a metric is better: the greater or the less."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from mainspring.errors import ConfigError, MetricError, close_names, did_you_mean

__all__ = [
    "GREATER_KEYS",
    "LESS_KEYS",
    "Rule",
    "UnknownRuleError",
    "infer_rule",
    "is_better",
    "metric_value",
    "rule_for",
    "worst_score",
]

Rule = Literal["greater", "less"]

GREATER_KEYS = ("acc", "top", "AR@", "auc", "precision", "mAP", "mDice", "mIoU", "mAcc", "aAcc")
"""Names, and parts of names, of metrics that improve as they grow."""

LESS_KEYS = ("loss",)
"""Names, and parts of names, of metrics that improve as they shrink."""


class UnknownRuleError(ConfigError):
    """The name of a metric does not tell which values are better."""


def rule_for(
    metric: str,
    given: str | None,
    greater_keys: Sequence[str] = GREATER_KEYS,
    less_keys: Sequence[str] = LESS_KEYS,
) -> Rule:
    """The rule of a metric: as given by the user, or else as its name suggests, see `infer_rule`.

    Raises:
        ConfigError: What is given is neither ``"greater"`` nor ``"less"``, or the name suggests
            neither.
    """
    if given is None:
        return infer_rule(metric, greater_keys, less_keys)
    if given not in ("greater", "less"):
        raise ConfigError(
            f"rule is {given!r}",
            help=did_you_mean(str(given), ("greater", "less")) or "it is 'greater' or 'less'",
        )
    return cast("Rule", given)


def infer_rule(
    metric: str, greater_keys: Sequence[str] = GREATER_KEYS, less_keys: Sequence[str] = LESS_KEYS
) -> Rule:
    """The rule that the name of a metric suggests, in any case of letters.

    A whole name counts before a part of a name, and greater before less.

    Args:
        metric: Name of the metric, such as ``"coco/bbox_mAP"``.
        greater_keys: Names and parts of names where greater is better.
        less_keys: Names and parts of names where less is better.

    Raises:
        ConfigError: The name suggests neither (also a ValueError).
    """
    name = metric.lower()
    suggesting: dict[Rule, Sequence[str]] = {"greater": greater_keys, "less": less_keys}
    for rule, keys in suggesting.items():
        if name in map(str.lower, keys):
            return rule
    for rule, keys in suggesting.items():
        if any(key.lower() in name for key in keys):
            return rule
    raise UnknownRuleError(
        f"the name {metric!r} does not tell whether greater or less is better",
        help=_loss_meant(name) or "say rule='greater' or rule='less'",
    )


def is_better(score: float, best: float, rule: Rule) -> bool:
    """Whether a score beats the best one so far; NaN never does."""
    return score > best if rule == "greater" else score < best


def worst_score(rule: Rule) -> float:
    """What every finite score beats."""
    return -math.inf if rule == "greater" else math.inf


def metric_value(metrics: Mapping[str, Any], name: str, wanted_by: str) -> float:
    """One metric as a plain number.

    Args:
        metrics: What an evaluation returned.
        name: Name of the metric.
        wanted_by: Who asks, for the message, such as ``"save_best"``.

    Raises:
        MetricError: There is no such metric, or it is no number.
    """
    if name not in metrics:
        raise MetricError(
            f"{wanted_by} asks for the metric {name!r}, but validation gave "
            f"{', '.join(sorted(map(str, metrics))) or 'no metric'}",
            help=did_you_mean(name, metrics) or _same_ending(name, metrics) or _loss_meant(name),
        )
    try:
        return float(metrics[name])
    except (TypeError, ValueError):
        raise MetricError(
            f"{wanted_by} asks for the metric {name!r}, whose value is a "
            f"{type(metrics[name]).__name__} and not a number"
        ) from None


def _loss_meant(name: str) -> str | None:
    """Validation measures losses only where it is told to."""
    if "loss" not in name and not close_names(name, ("val_loss",)):
        return None
    return (
        f"the loss is val_loss; val_cfg=dict(compute_loss=True) measures it ({name!r} is asked for)"
    )


def _same_ending(name: str, metrics: Mapping[str, Any]) -> str | None:
    """Metrics are often asked for without the prefix of their data set."""
    last = name.rsplit("/", 1)[-1].lower()
    found = [key for key in metrics if str(key).rsplit("/", 1)[-1].lower() == last]
    return f"did you mean {found[0]!r}?" if found else None
