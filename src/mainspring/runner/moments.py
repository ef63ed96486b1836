"""Takes an optimizer back to an earlier moment of a training whose schedules go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.runner.resume import map_schedulers

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["restore_moments"]


def restore_moments(runner: Runner, state: Mapping[str, Any]) -> None:
    """Give the optimizers their moments back, but keep what schedules have set by now.

    Other settings of a group may be moments as well, such as the sum of the weights that a
    schedule-free optimizer averages with.

    Args:
        runner: The run.
        state: The optimizers' part of a checkpoint.
    """
    scheduled = {"lr", "momentum", "betas"}
    map_schedulers(
        runner.param_schedulers or [], lambda one: scheduled.add(getattr(one, "param_name", "lr"))
    )
    wrappers = by_optimizer(runner.optim_wrapper).values()

    def settings() -> list[dict[str, Any]]:
        return [group for wrapper in wrappers for group in wrapper.optimizer.param_groups]

    now = [{name: group[name] for name in scheduled & group.keys()} for group in settings()]
    runner.optim_wrapper.load_state_dict(state)
    for group, kept in zip(settings(), now, strict=True):
        group.update(kept)
