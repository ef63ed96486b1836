"""Find one metric among all that an evaluation gave."""

from __future__ import annotations

from typing import Any

from mainspring.errors import MetricError, did_you_mean

__all__ = ["get_metric_value"]


def get_metric_value(indicator: str, metrics: dict[str, Any]) -> Any:
    """Value of a metric, named in full or without its prefix.

    Args:
        indicator: ``"prefix/name"``, or ``"name"`` where only one metric ends so.
        metrics: The metrics by name.

    Raises:
        MetricError: No metric, or more than one, is meant.
    """
    if indicator in metrics:
        return metrics[indicator]
    matching = [name for name in metrics if name.rpartition("/")[2] == indicator]
    if len(matching) == 1:
        return metrics[matching[0]]
    if matching:
        raise MetricError(f"{indicator!r} may be {' or '.join(matching)}", help="name it in full")
    raise MetricError(
        f"there is no metric {indicator!r}",
        help=did_you_mean(indicator, metrics) or f"there are {', '.join(metrics) or 'none'}",
    )
