"""What a validation changes of the state of a training, as it was before the validation began.

A validation that is left in the middle is done again from its start, so the checkpoint that is
written then has to hold the state from before it. Weights and optimizers need no copy: validation
does not touch them, and `EMAHook` knows in a checkpoint which weights are the trained ones.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from mainspring.hooks.hook import overridden_method
from mainspring.hooks.points import POINTS_BY_NAME
from mainspring.logging import MessageHub
from mainspring.rng.states import RandomStates
from mainspring.runner.state.hook_states import named_hooks

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["StateBeforeValidation"]

_POINTS = ("before_val", "before_val_epoch", "before_val_iter", "after_val_iter")


@dataclass(frozen=True)
class StateBeforeValidation:
    """The parts of a training's state that its validation changes.

    Attributes:
        loop: State of the training loop, in which the validation is due.
        random_states: The global generators of this process.
        hooks: States of the hooks that act during a validation, by their names in checkpoints.
        recorded: How many values each scalar had.
        information: The hub's information by name.
        inner: What parts of the run remember in their attributes.
    """

    loop: dict[str, Any]
    random_states: RandomStates
    hooks: dict[str, dict[str, Any] | None]
    recorded: dict[str, int]
    information: dict[str, Any]
    inner: dict[str, Any] | None

    @classmethod
    def of(cls, runner: Runner) -> Self:
        """The state now.

        Args:
            runner: The run.
        """
        hub = runner.message_hub
        points = [POINTS_BY_NAME[name] for name in _POINTS]
        return cls(
            loop=runner.train_loop.state_dict(),
            random_states=RandomStates.capture(),
            hooks={
                name: copy.deepcopy(hook.state_dict())
                for name, hook in named_hooks(runner).items()
                if hasattr(hook, "state_dict")
                and any(overridden_method(hook, point) for point in points)
            },
            recorded={key: buffer.stored for key, buffer in hub.log_scalars.items()},
            information=dict(hub.runtime_info),
            inner=runner.inner_states.capture() if runner.inner_states else None,
        )

    def message_hub(self, hub: MessageHub) -> dict[str, Any]:
        """The hub's part of a checkpoint, without what was recorded since.

        Args:
            hub: The hub of the run.
        """
        now = hub.state_dict()
        scalars = {
            key: _without_newest(state, hub.log_scalars[key].stored - self.recorded[key])
            for key, state in now["log_scalars"].items()
            if key in self.recorded
        }
        kept = {key: now["resumed_keys"].get(key, False) for key in self.information}
        before = MessageHub(hub.instance_name, runtime_info=self.information, resumed_keys=kept)
        information = before.state_dict()["runtime_info"]
        names = {*scalars, *self.recorded, *self.information}
        resumed = {key: value for key, value in now["resumed_keys"].items() if key in names}
        return {"log_scalars": scalars, "runtime_info": information, "resumed_keys": resumed}


def _without_newest(history: Mapping[str, Any], how_many: int) -> dict[str, Any]:
    """The state of a history before its newest values came."""
    end = len(history["values"]) - max(how_many, 0)
    return {
        name: value[:end].clone() if name in ("values", "counts") else value
        for name, value in history.items()
    }
