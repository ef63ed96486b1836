"""Which methods are called at which point: the ordered hooks, compiled into one tuple per point.

A hook that does not override a point is not called there, so an unused point costs nothing.
Mistakes in a hook (a signature that cannot take what the point passes, a misspelt method) are
reported when the hook is registered, rather than hours later when the point is first reached.
"""

from __future__ import annotations

import copy
import difflib
import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from mainspring.errors import ConfigTypeError, did_you_mean, mark_user_mistake
from mainspring.hooks.hook import Hook, overridden_method
from mainspring.hooks.points import FAMILIES, HOOK_POINTS, POINT_NAMES, POINTS_BY_NAME
from mainspring.hooks.priority import Priority, get_priority
from mainspring.hooks.run import Run
from mainspring.registry import HOOKS

__all__ = ["HookDispatch", "HookMethod", "check_hook"]

HookMethod = Callable[..., Any]
"""Called with the runner, then the arguments of its point by keyword."""


class HookDispatch:
    """The hooks of a run in the order in which they act.

    Attributes:
        hooks: The hooks, ordered by priority. A hook added to or removed from this list by hand is
            noticed; after one was exchanged or changed, call `refresh`.
        unlisted: Hooks that act as if they stood in that list.
    """

    def __init__(self) -> None:
        self.hooks: list[Any] = []
        self.unlisted: list[Any] = []
        self._compiled: dict[str, tuple[HookMethod, ...]] = {}
        self._compiled_count = 0
        self._finally: dict[str, HookMethod] = {}

    def register(
        self, hook: Any, priority: int | str | Priority | None = None, *, listed: bool = True
    ) -> None:
        """Add a hook behind all hooks of an equal or more urgent priority.

        Args:
            hook: The hook, which need not derive from `Hook`; or its class, or a dict with ``type``
                and maybe ``priority``.
            priority: Its priority; ``None`` keeps the one that it has.
            listed: Whether it is seen in `hooks`; another one takes the place of the one of its
                class that is not.

        Raises:
            TypeError: A method of the hook cannot take what its point passes, or it is no hook.
        """
        if isinstance(hook, Mapping):
            if "priority" in hook:
                hook = copy.copy(hook)
                own_priority = hook.pop("priority")
                priority = own_priority if priority is None else priority
            hook = HOOKS.build(hook)
        elif isinstance(hook, type):
            hook = hook()
        if hook is None or isinstance(hook, str | int | float | list | tuple):
            near = did_you_mean(hook, HOOKS.module_dict) if isinstance(hook, str) else None
            advice = f"dict(type=NAME, ...); {near or 'derive it from mainspring.hooks.Hook'}"
            if isinstance(hook, str) and hook in HOOKS.module_dict:
                advice = f"dict(type={hook!r})"
            raise mark_user_mistake(TypeError(f"{hook!r} is not a hook: write {advice}"))
        if priority is not None:
            get_priority(priority)
            hook.priority = priority
        check_hook(hook)
        if listed:
            _insert(self.hooks, hook)
        else:
            self.unlisted = [other for other in self.unlisted if type(other) is not type(hook)]
            self.unlisted.append(hook)
        self.refresh()

    def _acting(self) -> list[Any]:
        """All hooks, in order."""
        hooks = list(self.hooks)
        for hook in self.unlisted:
            _insert(hooks, hook)
        return hooks

    def methods(self, point: str) -> tuple[HookMethod, ...]:
        """What to call at a point, in order; each as ``method(runner, **arguments)``.

        Args:
            point: Name of a point. One that is not in the table is a point of the user's own: every
                hook that has a method of that name acts there.
        """
        if self._compiled_count != len(self.hooks):
            self.refresh()
        methods = self._compiled.get(point)
        if methods is None:
            methods = tuple(self._find_methods(point))
            if point in self._finally:
                methods = (*methods, self._finally[point])
            self._compiled[point] = methods
        return methods

    def call_last(self, point: str, method: HookMethod | None) -> None:
        """Have something called at a point after all hooks.

        Args:
            point: Name of the point.
            method: What to call; ``None`` to call nothing more.
        """
        if method is None:
            self._finally.pop(point, None)
        else:
            self._finally[point] = method
        self.refresh()

    def begin_run(self, runner: Run) -> None:
        """Let hooks forget an earlier run, and look at them anew.

        Args:
            runner: The runner of the run that begins, or goes on.
        """
        self.refresh()
        for hook in self._acting():
            if isinstance(hook, Hook):
                hook.begin_run(runner)

    def abandon(self, runner: Run, mode: str, error: BaseException) -> None:
        """Let hooks undo what holds for the time of a loop.

        Args:
            runner: The runner of the run.
            mode: Which loop it was.
            error: What ended the loop; gets a note where a hook fails.
        """
        for hook in self._acting():
            if isinstance(hook, Hook):
                try:
                    hook.abandon(runner, mode)
                except Exception as failure:  # noqa: BLE001 - the first error is what matters
                    error.add_note(f"{type(hook).__name__}.abandon failed as well: {failure!r}")

    def refresh(self) -> None:
        """Look at the hooks anew, after one of them was exchanged or changed."""
        self._compiled.clear()
        self._compiled_count = len(self.hooks)

    def describe(self) -> str:
        """The hooks of each point that has any, in order, with their priorities."""
        blocks, names = [], {member.value: member.name for member in Priority}
        for point in HOOK_POINTS:
            lines = [
                f"({names.get(_priority_of(hook), _priority_of(hook)):<12}) {type(hook).__name__}"
                for hook in self._acting()
                if overridden_method(hook, point) is not None
            ]
            if lines:
                blocks.append("\n".join([f"{point.name}:", *lines]))
        return "\n --------------------\n".join(blocks)

    def _find_methods(self, name: str) -> Iterator[HookMethod]:
        point = POINTS_BY_NAME.get(name)
        for hook in self._acting():
            if point is None:
                if hasattr(hook, name):
                    yield getattr(hook, name)
                continue
            method = overridden_method(hook, point)
            if method is None:
                continue
            if method != name and FAMILIES[method] == (*point.arguments, "mode"):
                # What the inherited method would do, without the call in between.
                yield partial(getattr(hook, method), mode=point.mode)
            else:
                yield getattr(hook, name)


def _insert(hooks: list[Any], hook: Any) -> None:
    """Put a hook behind all hooks of an equal or more urgent priority."""
    position = len(hooks)
    while position and _priority_of(hooks[position - 1]) > _priority_of(hook):
        position -= 1
    hooks.insert(position, hook)


def _priority_of(hook: Any) -> int:
    return get_priority(getattr(hook, "priority", Priority.NORMAL))


def check_hook(hook: Any) -> None:
    """Check that a hook's methods fit the table of points.

    A method whose name is nearly that of a point is warned about, because it would never be called.

    Raises:
        TypeError: A method cannot take what its point passes.
    """
    for point in HOOK_POINTS:
        method = overridden_method(hook, point)
        if method is not None:
            _check_signature(hook, method, FAMILIES.get(method, point.arguments))
    names = {*dir(type(hook)), *vars(hook)} - set(dir(Hook)) if isinstance(hook, Hook) else ()
    for name in sorted(names):
        candidates = FAMILIES if name.startswith("_") else (*POINT_NAMES, *FAMILIES)
        close = difflib.get_close_matches(name, candidates, n=1, cutoff=0.85)
        if close and callable(getattr(hook, name, None)):
            warnings.warn(
                f"{type(hook).__name__}.{name} is never called, because there is no such hook "
                f"point; did you mean {close[0]!r}?",
                stacklevel=3,
            )


def _check_signature(hook: Any, name: str, arguments: tuple[str, ...]) -> None:
    try:
        signature = inspect.signature(getattr(hook, name))
    except (TypeError, ValueError):
        return  # builtins and extension types do not say what they take
    try:
        signature.bind(None, **dict.fromkeys(arguments))
    except TypeError as error:
        shown = f"{type(hook).__name__}.{name}"
        own = [parameter for parameter in signature.parameters if parameter not in arguments][1:]
        hints = [did_you_mean(parameter, arguments) for parameter in own]
        close = [
            f"{parameter!r}: {hint}" for parameter, hint in zip(own, hints, strict=True) if hint
        ]
        wanted = f"expected: {name}(self, {', '.join(('runner', *arguments))})"
        raise ConfigTypeError(
            f"{shown}{signature} cannot be called at its hook point: {error}",
            help="; ".join([wanted, *close]),
        ) from None
