"""What a ``type`` in a string means, and how Python imports it."""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path
from mainspring.config.node import Node
from mainspring.config.printing.plain import is_name
from mainspring.config.printing.references import reference_of
from mainspring.config.schema import ROLES, RUNNER_SECTIONS, role_of_section
from mainspring.names import ForbiddenNameError, Origin, import_named, origin_of
from mainspring.names.imports import ObjectNotFoundError
from mainspring.names.packages import is_installed
from mainspring.registry import Registry, root
from mainspring.registry.default_scope import ROOT_SCOPE, canonical_scope
from mainspring.registry.lookup import registry_of, split_scope_key
from mainspring.registry.nested_specs import with_parts_built
from mainspring.registry.signatures import signature_of

__all__ = [
    "Form",
    "Meaning",
    "Names",
    "find_import",
    "import_or_none",
    "import_parts",
    "lazy_import_parts",
]

_LATE = frozenset(("OPTIMIZERS", "PARAM_SCHEDULERS", "DATA_SAMPLERS", "FUNCTIONS"))
"""Registries of parts whose first argument the runner adds."""

_ROLES = {
    **{key: ROLES[role] for owner in ROLES.values() for key, role in owner.parts.items()},
    **{key: role_of_section(key) for key in (*RUNNER_SECTIONS, "model_wrapper_cfg")},
}
_BY_KEY = {"init_cfg": "WEIGHT_INITIALIZERS", "strategy": "STRATEGIES"} | {
    key: role.registry
    for key, role in _ROLES.items()
    if role is not None and role.registry and role is not ROLES["loader"]
}
"""The registry that what stands under a key is looked up in first; the innermost key decides."""

_MISSING = object()


class Form(enum.Enum):
    """What takes the place of ``dict(type='X', ...)``."""

    CALL = "X(...)"
    LATE = "later(X)(...)"
    DICT = "dict(type=X, ...)"


@dataclass(frozen=True, slots=True)
class Meaning:
    """The class or function that a name stands for.

    Attributes:
        target: The class or function itself.
        module: Module that it is imported from.
        name: Its name there, with dots for what is inside of a class.
        late: Whether it is of a kind that gets its first argument from the runner.
    """

    target: Any
    module: str
    name: str
    late: bool

    def form(self, arguments: Iterable[object], *, is_open: bool = False) -> Form:
        """How to write a dict of this type.

        A call must be one that the class accepts, so that editors and checkers accept the line.
        Others stay dicts: sections with words for the engine (``priority``), and parts that get
        more than their first argument from somebody else.

        Args:
            arguments: The other keys of the dict.
            is_open: Whether there are more, which are not known.
        """
        given = set(arguments)
        signature = signature_of(self.target)
        known = {} if signature is None else signature.parameters
        takes_any = signature is None or any(p.kind is p.VAR_KEYWORD for p in known.values())
        by_name = {n for n, p in known.items() if p.kind is not p.POSITIONAL_ONLY}
        if not all(map(is_name, given)) or not (takes_any or given <= by_name):
            return Form.DICT
        if self.late and next(iter(known), None) not in given:
            return Form.LATE
        lacks = any(
            p.default is p.empty
            and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
            and name not in given
            for name, p in known.items()
        )
        return Form.DICT if lacks and not is_open else Form.CALL

    def keeps_dict(self, argument: str | None) -> bool:
        """Whether a dict must stay one as an argument: a call would arrive as what it makes.

        Args:
            argument: Name of the argument.
        """
        if argument is None or self.target is None:
            return False
        if self.module.partition(".")[0] == ROOT_SCOPE:
            return False
        built = with_parts_built(self.target, {argument: Node("part")}, lambda _: _MISSING)
        return built[argument] is _MISSING


@dataclass(slots=True)
class Names:
    """Looks names up as a run of the config would.

    Args:
        scope: ``default_scope`` of the config.

    Attributes:
        why: For names that have no meaning here, the reason.
    """

    scope: str | None = None
    why: dict[str, str] = field(default_factory=dict)
    _found: dict[tuple[str, str | None], Meaning | None] = field(default_factory=dict)
    _is_installed: Callable[[str], bool] = field(default_factory=lambda: cache(is_installed))

    def find(self, name: str, keys: tuple[str, ...]) -> Meaning | None:
        """What a name means.

        Args:
            name: As it stands after ``type=``.
            keys: The keys that lead to the dict, outermost first.

        Returns:
            ``None`` when nothing here has the name, several things have it, or it cannot be
            imported; `why` says which.
        """
        first = next((_BY_KEY[key] for key in reversed(keys) if key in _BY_KEY), None)
        if (name, first) not in self._found:
            self._found[name, first] = self._look_up(name, first)
        return self._found[name, first]

    def imported(
        self, module: str, name: str, keys: tuple[str, ...], origin: Origin = "program"
    ) -> Meaning:
        """What a name that a config imports stands for, also when it is not installed.

        Args:
            module: Module that it is imported from.
            name: Its name there.
            keys: The keys that lead to where it stands.
            origin: Who wrote the name.
        """
        module, target = find_import(module, name, origin)
        kinds = set()
        for kind in root.__all__ if target is not None else ():
            registry = getattr(root, kind)
            registry.try_locations()
            if any(known is target for known in registry.module_dict.values()):
                kinds.add(kind)
        if not kinds:
            kinds = {_BY_KEY[key] for key in keys[-1:] if key in _BY_KEY}
        return Meaning(target, module, name, late=not kinds.isdisjoint(_LATE))

    def _look_up(self, name: str, first: str | None) -> Meaning | None:
        kinds = root.__all__ if first is None else [first, *root.__all__]
        found: dict[int, tuple[Any, str]] = {}
        for kind in kinds:
            target = self._in_registry(getattr(root, kind), name)
            if target is not None:
                found.setdefault(id(target), (target, kind))
                if kind == first:
                    break
        if len(found) == 1:
            [(target, kind)] = found.values()
            parts = import_parts(target)
            if parts is not None:
                return Meaning(target, *parts, late=kind in _LATE)
            self.why[name] = f"{name!r} is registered, but no module has it by a public name"
        elif found:
            several = ", ".join(kind for _, kind in found.values())
            self.why[name] = f"{name!r} means several things ({several})"
        else:
            self.why[name] = f"no package gives {name!r}"
        return None

    def _in_registry(self, registry: Registry, name: str) -> Any:
        scope, bare = split_scope_key(name)
        if ":" in name:
            scope = name.partition(":")[0].partition(".")[0]
        if scope is not None and scope != ROOT_SCOPE and not self._exists(scope):
            return None
        own = None if self.scope is None else registry_of(canonical_scope(self.scope), registry)[0]
        found = (node.look_up(name).found for node in (own, registry) if node is not None)
        known = next((target for target in found if target is not None), None)
        return registry.look_up(bare).found if known is None and scope == ROOT_SCOPE else known

    def _exists(self, package: str) -> bool:
        return package in sys.modules or self._is_installed(package)


def find_import(module: str, name: str, origin: Origin = "program") -> tuple[str, Any]:
    """The module that has a name now, and what it is.

    MMEngine's modules are looked for in this package, also where its own modules are divided in
    another way.

    Args:
        module: Dotted name of a module.
        name: Name in it, with dots for what is inside of a class.
        origin: Who wrote the name: data does not have just anything imported.

    Returns:
        The module, as given when nothing is found; and the object, or ``None``.
    """
    head, *rest = module.split(".")
    if canonical_scope(head) != head:
        parts = [canonical_scope(head), *rest]
        for length in range(len(parts), 0, -1):
            own = ".".join(parts[:length])
            found = import_or_none(f"{own}.{name}", origin)
            if found is not None:
                return own, found
    return module, import_or_none(f"{module}.{name}", origin)


def import_or_none(path: str, origin: Origin) -> Any:
    """What a path leads to; ``None`` if nothing can be imported by it.

    Args:
        path: The dotted path.
        origin: Who wrote it.

    Raises:
        ForbiddenNameError: Data names what it may not name.
    """
    try:
        return import_named(path, origin)
    except (ObjectNotFoundError, ImportError) as error:
        if origin == "data" and isinstance(error, ForbiddenNameError):
            raise
        return None


@lru_cache(maxsize=1024)
def import_parts(target: Any) -> tuple[str, str] | None:
    """The module and the name by which a class or function is best imported.

    Args:
        target: The class or function.

    Returns:
        The outermost package that offers it under its name, else the module that defines it;
        ``None`` when it cannot be imported by a public name.
    """
    name, module = getattr(target, "__qualname__", None), getattr(target, "__module__", None)
    if not isinstance(name, str) or not isinstance(module, str) or "<" in name:
        return None
    if name.startswith("_") or module in ("__main__", "builtins"):
        return None
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        package = ".".join(parts[:length])
        if any(part.startswith("_") for part in parts[:length]) and length < len(parts):
            continue
        found: Any = sys.modules.get(package, _MISSING)
        for part in name.split("."):
            found = getattr(found, part, _MISSING)
        if found is target:
            return package, name
    return None


def lazy_import_parts(value: LazyObject | LazyAttr) -> tuple[str, str] | None:
    """The module and the name that an imported name of a config stands for.

    Args:
        value: The name.

    Returns:
        Module, and the name in it with dots for attributes; ``None`` when only modules are named.
    """
    module, name = reference_of(value) or (dotted_path(value), "")
    if name and not name.startswith("."):
        return module, name
    parts = import_parts(import_or_none(dotted_path(value), origin_of(value)))
    if parts is not None or not name:
        return parts
    module, _, name = f"{module}{name}".rpartition(".")
    return module, name
