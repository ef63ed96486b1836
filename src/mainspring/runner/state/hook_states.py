"""What the hooks of a run remember, in a checkpoint and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mainspring.hooks import Hook, Run
from mainspring.logging import warn

__all__ = ["hook_states", "named_hooks", "restore_hooks"]


def hook_states(runner: Run, earlier: Mapping[str, Any]) -> dict[str, Any]:
    """States of the hooks that remember, by name; earlier ones replace those of now."""
    states: dict[str, Any] = {}
    for name, hook in named_hooks(runner).items():
        with _noting(f"while asking the hook {name} for its state, for a checkpoint"):
            states[name] = hook.state_dict() if hasattr(hook, "state_dict") else None
    states |= earlier
    return {
        name: state
        for name, state in states.items()
        if state is not None and not (isinstance(state, Mapping) and not state)
    }


@contextmanager
def _noting(what: str) -> Iterator[None]:
    """Let errors of a user's own code say what it was called for."""
    try:
        yield
    except Exception as error:
        error.add_note(what)
        raise


def named_hooks(runner: Run) -> dict[str, Any]:
    """The hooks of a run by class name and, for repeated classes, a number."""
    named: dict[str, Any] = {}
    for hook in runner.hooks:
        name = type(hook).__name__
        count = sum(1 for other in named if other.split("#")[0] == name)
        named[f"{name}#{count}" if count else name] = hook
    return named


def restore_hooks(hooks: Mapping[str, Any], states: Mapping[str, Any]) -> None:
    """Give hooks their states back, and say which states nobody takes.

    Args:
        hooks: The hooks, see `named_hooks`.
        states: What `hook_states` gave.
    """
    for name, state in states.items():
        reason, kind = "", type(hooks.get(name))
        if name not in hooks:
            reason = "this run has no such hook"
        elif getattr(kind, "load_state_dict", None) in (None, Hook.load_state_dict):
            reason = f"{kind.__name__} has state_dict, but no load_state_dict"
        if reason:
            warn(f"the state of the hook {name} in the checkpoint is not used: {reason}")
            continue
        with _noting(f"while giving the hook {name} back its state of the checkpoint"):
            hooks[name].load_state_dict(state)
