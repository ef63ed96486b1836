"""Check what a config calls: names that mean nothing, and arguments that a signature refuses."""

from __future__ import annotations

import os
import time
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mainspring.check.annotations import shown_value
from mainspring.check.call_arguments import Call, mistakes_of
from mainspring.check.problem import Problems, Severity
from mainspring.check.references import Failure, find_name, find_scope, import_name
from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path
from mainspring.config.node import Node
from mainspring.config.recorded_python.recording import CONFIG_MODULE
from mainspring.config.schema import NESTED, ROLES, Role, part_role, train_loop_of
from mainspring.errors import ConfigError, close_names
from mainspring.names import ForbiddenNameError, origin_of, refuse_trust
from mainspring.registry.default_scope import DefaultScope
from mainspring.registry.nested_specs import with_parts_built
from mainspring.registry.recorded import POSITIONAL_KEY, RecordedCall
from mainspring.registry.signatures import Callee, callee_of

__all__ = ["CallChecker", "arguments_of"]

Path = tuple[str, ...]

_UNSAID = object()
_ADD_NOTHING = ("mainspring.model.supervised.Supervised",)
"""Classes that take descriptions of parts and build them as they stand."""

_SAME_AS_OURS = ("DataLoader", "mmengine.dataset.DataLoader")


class CallChecker:
    """Goes through a config, finds out what is called, and compares arguments with signatures.

    Args:
        problems: Where to report.
        imports: Whether to import what the config names; without it nothing is compared.

    Attributes:
        calls: How many calls were compared with a signature.
        arguments: How many arguments they have.
        import_seconds: How long it took to import what the config names.
        targets: What each visited call or dict calls, by its identity.
        settings: Dicts whose `type` calls nothing, by their identity.
    """

    def __init__(self, problems: Problems, *, imports: bool = True) -> None:
        self.problems = problems
        self.places = problems.places
        self.calls = 0
        self.arguments = 0
        self.import_seconds = 0.0
        self.targets: dict[int, Any] = {}
        self.settings: set[int] = set()
        self._imports = imports
        self._unused = False
        self._scope_is_missing = False
        self._visited: set[int] = set()
        self._built: set[int] = set()
        self._callees: dict[int, Callee | None] = {}
        self._objects: dict[str, tuple[Any, Failure | None]] = {}

    def check_variable(self, name: str, value: Any) -> None:
        """Check the recorded calls of a variable that is no section: it may well be unused.

        Args:
            name: Its name.
            value: Its value, not imported.
        """
        if isinstance(value, types.FunctionType):
            return
        self._unused = True
        try:
            self.visit(value, (name,), NESTED)
        finally:
            self._unused = False

    def check_name(self, name: Any, registry: str, path: Path) -> None:
        """Check a string that a registry must know.

        Args:
            name: The string; anything else is passed over.
            registry: Name of the registry.
            path: Where it stands.
        """
        if isinstance(name, str) and self._imports:
            self._find(name, path, Role(registry))

    def check_scope(self, scope: str) -> bool:
        """Check the default scope.

        Args:
            scope: Its name.

        Returns:
            Whether it is wrong; then most of the names are unknown, which is not said of each.
        """
        failure = find_scope(scope)
        if failure is None:
            return False
        self._scope_is_missing = True
        self._add("warning", failure.message, ("default_scope",), help=failure.help)
        return True

    def resolved(self, value: LazyObject | LazyAttr) -> Any:
        """What an imported name stands for; ``None`` for what cannot be imported.

        Args:
            value: What stands for it.
        """
        name = dotted_path(value)
        if name not in self._objects:
            with self.timing_imports():
                self._objects[name] = import_name(value)
        return self._objects[name][0]

    # Going through the config

    def visit(self, value: Any, path: Path, role: Role) -> None:
        """Check a part of the config, and all that it holds.

        Args:
            value: The part, not imported.
            path: The keys that lead to it.
            role: What it is in the run.
        """
        if isinstance(value, LazyObject | LazyAttr):
            target = self._import(value, path) if self._imports else None
            if isinstance(target, type) and role.certain and not self._unused:
                self._compare(Call({}, role, target, {}, True), path)
        elif isinstance(value, dict):
            if role is ROLES["settings"]:
                self.settings.add(id(value))
            elif self._is_call(value, path, role):
                self._visit_call(value, path, role)
            else:
                for key, item in dict.items(value):
                    self.visit(item, (*path, str(key)), role)
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                self.visit(item, (*path, str(index)), role)
        elif isinstance(value, types.FunctionType):
            self._refuse_local(value, path)
        elif isinstance(value, str) and role.named:
            self.check_name(value, role.registry, path)

    def _is_call(self, value: dict[Any, Any], path: Path, role: Role) -> bool:
        if isinstance(value, RecordedCall):
            return True
        if path == ("default_hooks",):
            return False
        if dict.__contains__(value, "type"):
            return not (self._unused and isinstance(dict.__getitem__(value, "type"), str))
        return role.certain and not (role.several and _is_by_name(value, role))

    def _visit_call(self, spec: Any, path: Path, role: Role) -> None:
        if self._unused and id(spec) in self._visited:
            return  # a section uses it, too
        if role is ROLES["evaluator"] and dict.__contains__(spec, "metrics"):
            role = ROLES["evaluator_of_metrics"]
        kind = dict.get(spec, "type", _UNSAID)
        scope = dict.get(spec, "_scope_")
        with DefaultScope.overwrite_default_scope(scope if isinstance(scope, str) else None):
            target = self._target(kind, spec, path, role)
            self._name_arguments(spec, target, path)
            self._visited.add(id(spec))
            arguments = arguments_of(spec)
            if target is not None:
                self.targets[id(spec)] = target
                self._note_built_parts(target, arguments)
            for name, value in arguments.items():
                self.visit(value, (*path, str(name)), part_role(role, str(name)))
            if target is not None:
                built_alone = role.certain or id(spec) in self._built
                call = Call(spec, role, target, arguments, built_alone)
                self._compare(call, path)

    def _target(self, kind: Any, spec: Any, path: Path, role: Role) -> Any:
        if kind is _UNSAID and role is ROLES["train_loop"]:
            kind = train_loop_of(spec)
        if kind is _UNSAID:
            if role.default is None:
                if role.certain and not role.untyped:
                    close = close_names("type", map(str, dict.keys(spec)), count=1)
                    message = f"{'.'.join(path)} does not say what it is: it has no type"
                    advice = f"{close[0]!r} looks like 'type'" if close else "add type=..."
                    self._add("error", message, (*path, *close), help=advice)
                return None
            kind = role.default
        elif isinstance(kind, str) and kind in _SAME_AS_OURS and role is ROLES["loader"]:
            kind = role.default
        if origin_of(kind) == "data":
            try:
                refuse_trust(spec)
            except ForbiddenNameError as error:
                where = (*path, error.config_path) if error.config_path else path
                self._add("error", error.message, where, help=error.help)
        if not self._imports:
            return None
        if isinstance(kind, LazyObject | LazyAttr):
            return self._import(kind, (*path, "type"))
        if isinstance(kind, str):
            return self._find(kind, (*path, "type"), role)
        if not callable(kind) and role.certain:
            self._add("error", f"type is {shown_value(kind)}, which nothing can call", path)
        return kind if callable(kind) else None

    def _import(self, value: LazyObject | LazyAttr, path: Path) -> Any:
        found = self.resolved(value)
        failure = self._objects[dotted_path(value)][1]
        if failure is None:
            return found
        location = self.places.of_import(value) if failure.at_import else None
        root = dotted_path(value).partition(".")[0]
        folder = os.path.dirname(location.file) if location is not None else ""
        beside = [os.path.join(folder, name) for name in (f"{root}.py", root)] if folder else []
        advice = failure.help
        if f"no module {root!r}" in failure.message and any(map(os.path.exists, beside)):
            advice = f"{root} lies in {folder}, which is not searched for a config that lies "
            advice += f"elsewhere: start there, or set PYTHONPATH={folder}"
        self._add("error", failure.message, path, help=advice, location=location)
        return None

    def _find(self, name: str, path: Path, role: Role) -> Any:
        with self.timing_imports():
            found, failure = find_name(name, role.registry if role.certain else "")
        if failure is not None:
            sure = role.certain or failure.is_near_miss
            severity: Severity = "error" if sure else "warning"
            if sure or not self._scope_is_missing:
                # Where a part may mean anything by it, what builds the part says it.
                self._add(severity, failure.message, path, help=failure.help, only_checked=not sure)
        return found

    @contextmanager
    def timing_imports(self) -> Iterator[None]:
        """Count the time of the block as that of imports."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.import_seconds += time.perf_counter() - start

    def _refuse_local(self, value: types.FunctionType, path: Path) -> None:
        local = "<lambda>" in value.__qualname__ or "<locals>" in value.__qualname__
        if not (local or value.__module__ == CONFIG_MODULE):
            return
        name = value.__name__
        shown = "a lambda" if name == "<lambda>" else f"the local function {name}"
        message = f"{path[-1]} is {shown}, which cannot be saved with the run"
        self._add("error", message, path, help="move it to a module and import it")

    def _name_arguments(self, spec: dict[Any, Any], target: Any, path: Path) -> None:
        """Give the arguments of a recorded call their names, as far as its signature tells."""
        if isinstance(spec, Node) and dict.__contains__(spec, POSITIONAL_KEY) and target:
            try:
                spec.bind()
            except ConfigError as error:
                where = self.places.of_call(path)
                self._add("error", error.message, path, help=error.help, location=where)
            except Exception:  # noqa: BLE001 - signatures of a project may be strange
                return

    def _note_built_parts(self, target: Any, arguments: Mapping[Any, Any]) -> None:
        """Which recorded calls among the arguments are built as they stand, before the target."""
        parts = {name: _calls_alone(value) for name, value in arguments.items()}
        if any(part is not None for part in parts.values()):
            with_parts_built(target, parts, lambda part: self._built.add(id(part)))
        if f"{getattr(target, '__module__', '')}.{getattr(target, '__name__', '')}" in _ADD_NOTHING:
            calls = [part for part in parts.values() if isinstance(part, RecordedCall)]
            self._built.update(id(part) for part in calls if not part.is_late)

    def _compare(self, call: Call, path: Path) -> None:
        if id(call.target) not in self._callees:
            self._callees[id(call.target)] = callee_of(call.target)
        callee = self._callees[id(call.target)]
        self.calls += 1
        self.arguments += len(call.names)
        if callee is None:
            return
        for mistake in mistakes_of(call, callee, lambda part: self.targets.get(id(part))):
            place, at = None, (*path, mistake.argument or "")
            if mistake.argument is None:
                place, at = self.places.of_call(path), path
            more = {"help": mistake.help, "location": place, "only_checked": mistake.only_checked}
            self._add(mistake.severity, mistake.message, at, **more)

    def _add(self, severity: Severity, message: str, path: Path, **more: Any) -> None:
        self.problems.add("warning" if self._unused else severity, message, path, **more)


def arguments_of(spec: Any) -> dict[Any, Any]:
    """The arguments of a call or dict by name, not imported; anything else has none."""
    held: dict[Any, Any] = spec if isinstance(spec, dict) else {}
    words = ("type", "_scope_", "_delete_")
    return {key: value for key, value in dict.items(held) if key not in words}


def _is_by_name(value: dict[Any, Any], role: Role) -> bool:
    """Whether a dict holds several such parts by name rather than the arguments of one."""
    if role is ROLES["loader"] and dict.__contains__(value, "loaders"):
        return True
    return not any(dict.__contains__(value, name) for name in role.parts) and all(
        not isinstance(item, bool | int | float | str) for item in dict.values(value)
    )


def _calls_alone(value: Any) -> Any:
    """The recorded calls of a value, and the dicts and lists that hold them; all else is `None`."""
    if isinstance(value, RecordedCall):
        return value
    if isinstance(value, dict):
        items = {key: _calls_alone(item) for key, item in dict.items(value)}
        return items if any(item is not None for item in items.values()) else None
    if isinstance(value, list | tuple):
        parts = [_calls_alone(item) for item in value]
        return parts if any(part is not None for part in parts) else None
    return None
