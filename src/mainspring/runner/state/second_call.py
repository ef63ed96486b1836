"""Points at which hooks act a second time, since a run goes on: what they change there is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mainspring.checkpoint.apply import unwrap
from mainspring.columns import titled
from mainspring.hooks.hook import overridden_method
from mainspring.hooks.points import POINTS_BY_NAME
from mainspring.logging import warn
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.rng.states import RandomStates
from mainspring.runner.state.hook_states import named_hooks
from mainspring.structures.nested_digest import nested_digest

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["call_again"]

_ADVICE = {
    "before_train": "Let it ask runner.iter, which is 0 in a run that begins",
    "before_train_epoch": "What the next epoch is to begin with can be set in after_train_epoch",
}


def call_again(runner: Runner, point: str) -> None:
    """Call a hook point that the run, or the one that it continues, has come by before.

    Hooks have to do to this process again what they do there, but a change of what was restored is
    not what an uninterrupted run does, so it is said. Random numbers are as if none were drawn.

    Args:
        runner: The run.
        point: ``"before_train"`` or ``"before_train_epoch"``.
    """
    acting = [
        name
        for name, hook in named_hooks(runner).items()
        if not type(hook).__module__.startswith("mainspring.")
        and overridden_method(hook, POINTS_BY_NAME[point])
    ]
    if not acting:
        runner.call_hook(point)
        return
    with _watching(runner, f"{', '.join(acting)}: {point}", _ADVICE[point]):
        runner.call_hook(point)


@contextmanager
def _watching(runner: Runner, what: str, advice: str) -> Iterator[None]:
    before, generators = _state_of(runner), RandomStates.capture()
    yield
    after = _state_of(runner)
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if generators.fingerprint() != RandomStates.capture().fingerprint():
        changed.append("the generators, which are put back")
    generators.restore()
    if changed:
        warn(
            f"{what} is called once more, because the run goes on, and changed "
            f"{', '.join(changed[:10])}{' and more' if len(changed) > 10 else ''}, which it would "
            f"not have done without the interruption. {advice}"
        )


def _state_of(runner: Runner) -> dict[str, Any]:
    """Digests of what a checkpoint has restored, by words for it."""
    found: dict[str, Any] = {
        "weights": nested_digest(dict(unwrap(runner.model).named_parameters()))
    }
    for name, wrapper in by_optimizer(runner.optim_wrapper).items():
        for group in getattr(wrapper, "param_groups", ()):
            for key, value in group.items():
                if key not in ("params", "param_names"):
                    found.setdefault(titled(key, name), []).append(nested_digest(value))
        moments = getattr(getattr(wrapper, "optimizer", None), "state", {})
        found[f"what {titled('the optimizer', name)} knows"] = nested_digest(list(moments.values()))
    if runner.inner_states is not None:
        parts = runner.inner_states.of_parts().items()
        found |= {path: nested_digest(kept["state"]) for path, kept in parts}
    return found
