"""What the runs of a sweep are compared by, and which direction is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from mainspring.config import Config
from mainspring.config.provenance.places import value_at
from mainspring.errors import ConfigError
from mainspring.tools.sweeps.scalars import Scalars

__all__ = ["Direction", "Metric", "metric_for"]

Direction: TypeAlias = Literal["maximize", "minimize"]


@dataclass(frozen=True, slots=True)
class Metric:
    """What runs are compared by.

    Attributes:
        name: Its name; ``None`` for the first one that validation gives.
        maximize: Whether greater is better.
    """

    name: str | None
    maximize: bool

    def name_in(self, scalars: Scalars) -> str | None:
        """Its name among what a run measured; ``None`` if it is not there."""
        if self.name is not None:
            return self.name if scalars.of(self.name) else None
        return next(iter(scalars.names), None)


def metric_for(cfg: Config, name: str | None, direction: Direction | None) -> Metric:
    """What runs are compared by: what is asked for, else what the config saves the best of.

    Args:
        cfg: The config of one of the runs.
        name: The metric that is asked for.
        direction: Whether greater or less is better; by the metric's name without it.

    Raises:
        ConfigError: The name does not tell which direction is better.
    """
    from mainspring.hooks.metric_rule import infer_rule

    # Nothing is imported for what the config says of its checkpoint hook.
    written = value_at(cfg._cfg_dict, ["default_hooks", "checkpoint"])
    hook = dict(dict.items(written)) if isinstance(written, dict) else {}
    saved = hook.get("save_best")
    saved = saved[0] if isinstance(saved, list | tuple) and saved else saved
    saved = saved if isinstance(saved, str) and saved != "auto" else None
    wanted = name if name is not None else saved
    if direction is not None:
        return Metric(wanted, direction == "maximize")
    if wanted is None:
        return Metric(None, maximize=True)
    if wanted == saved and hook.get("rule") in ("greater", "less"):
        return Metric(wanted, hook["rule"] == "greater")
    try:
        return Metric(wanted, infer_rule(wanted) == "greater")
    except ConfigError as error:
        raise ConfigError(
            error.message, help="say --direction maximize or --direction minimize"
        ) from None
