"""The hooks, optimizers and loops of a user's own classes that tell nobody what they remember.

What the engine looks at in them begins where the states end that others keep.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mainspring.columns import titled
from mainspring.hooks import Hook
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.runner.state.hook_states import named_hooks

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = [
    "kept_of_optimizers",
    "names_used_by_engine",
    "own_hooks",
    "own_loops",
    "own_optimizers",
    "parts_of_run",
    "within_parts_of_run",
]

_ENGINE = "mainspring."
_LIBRARIES = (_ENGINE, "torch.")


def own_hooks(runner: Runner) -> Iterator[tuple[str, Any]]:
    """Hooks whose class has no `state_dict`, by name."""
    for name, hook in named_hooks(runner).items():
        if _is_own(hook) and getattr(type(hook), "state_dict", None) in (None, Hook.state_dict):
            yield name, hook


def own_optimizers(runner: Runner) -> Iterator[tuple[str, Any]]:
    """Optimizers and wrappers that leave their state to torch's class or ours, by title."""
    for name, wrapper in by_optimizer(runner.optim_wrapper).items():
        optimizer = getattr(wrapper, "optimizer", None)
        for title, one in (("optim_wrapper", wrapper), ("optimizer", optimizer)):
            if _is_own(one) and _leaves_state_to_library(one):
                yield titled(title, name), one


def own_loops(runner: Runner) -> Iterator[tuple[str, Any]]:
    """Loops that leave their state to our class, or have none, by name."""
    for name in ("train_loop", "val_loop"):
        loop = runner._parts.get(name)
        if _is_own(loop) and _leaves_state_to_library(loop):
            yield name, loop


def _is_own(part: Any) -> bool:
    return part is not None and not type(part).__module__.startswith(_LIBRARIES)


def _leaves_state_to_library(part: Any) -> bool:
    told_by = getattr(type(part), "state_dict", None)
    return told_by is None or told_by.__module__.startswith(_LIBRARIES)


def names_used_by_engine(loop: Any) -> set[str]:
    """Names of what the engine's own methods of a loop use, and a checkpoint has otherwise.

    Args:
        loop: The loop.
    """
    ours = [vars(kind) for kind in type(loop).__mro__ if kind.__module__.startswith(_ENGINE)]
    codes = [getattr(one, "__code__", None) for names in ours for one in names.values()]
    used = {name for code in codes if code is not None for name in code.co_names}
    return used | {"runner", "_runner", "_epoch", "_iter", "dataloader", "evaluator"}


def kept_of_optimizers(runner: Runner) -> Iterator[Any]:
    """The optimizers, and what their `state_dict` tells of them."""
    for wrapper in by_optimizer(runner.optim_wrapper).values():
        optimizer = getattr(wrapper, "optimizer", None)
        yield optimizer
        for name in ("state", "param_groups", "defaults"):
            yield getattr(optimizer, name, None)


def parts_of_run(runner: Runner) -> Iterator[Any]:
    """What a part of a run may hold of the others, which others save."""
    yield runner
    yield from vars(runner).values()
    yield from runner.model.modules()


def within_parts_of_run(runner: Runner) -> Iterator[Any]:
    """The same, and what those parts hold themselves."""
    for part in (runner, *vars(runner).values(), *runner._parts.values()):
        yield part
        yield from getattr(part, "__dict__", {}).values()
    yield from runner.model.modules()
