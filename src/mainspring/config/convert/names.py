"""What a ``type`` in a string means, and how Python imports it."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path
from mainspring.config.node import Node
from mainspring.registry import Registry, root
from mainspring.registry.autoimport import import_scope
from mainspring.registry.default_scope import ROOT_SCOPE, canonical_scope
from mainspring.registry.lookup import search_tree, split_scope_key
from mainspring.registry.parts import with_parts_built
from mainspring.utils.imports import (
    ObjectNotFoundError,
    get_object_from_string,
    import_object,
)

__all__ = ["Meaning", "Names", "find_import", "import_parts", "lazy_import_parts"]

_LATE = frozenset(("OPTIMIZERS", "PARAM_SCHEDULERS", "DATA_SAMPLERS", "FUNCTIONS"))
"""Registries of parts whose first argument the runner adds."""

_BY_KEY = {
    "model": "MODELS",
    "data_preprocessor": "MODELS",
    "dataset": "DATASETS",
    "datasets": "DATASETS",
    "pipeline": "TRANSFORMS",
    "transforms": "TRANSFORMS",
    "sampler": "DATA_SAMPLERS",
    "batch_sampler": "DATA_SAMPLERS",
    "collate_fn": "FUNCTIONS",
    "worker_init_fn": "FUNCTIONS",
    "train_cfg": "LOOPS",
    "val_cfg": "LOOPS",
    "test_cfg": "LOOPS",
    "optimizer": "OPTIMIZERS",
    "optim_wrapper": "OPTIM_WRAPPERS",
    "param_scheduler": "PARAM_SCHEDULERS",
    "val_evaluator": "METRICS",
    "test_evaluator": "METRICS",
    "metrics": "METRICS",
    "default_hooks": "HOOKS",
    "custom_hooks": "HOOKS",
    "visualizer": "VISUALIZERS",
    "vis_backends": "VISBACKENDS",
    "log_processor": "LOG_PROCESSORS",
    "strategy": "STRATEGIES",
    "init_cfg": "WEIGHT_INITIALIZERS",
    "model_wrapper_cfg": "MODEL_WRAPPERS",
}
"""The registry that what stands under a key is looked up in first; the innermost key decides."""

_MISSING = object()


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

    @property
    def path(self) -> str:
        """Module and name."""
        return f"{self.module}.{self.name}"

    def accepts(self, arguments: set[str]) -> bool:
        """Whether the signature has parameters of these names.

        Args:
            arguments: Names of arguments.
        """
        parameters = _parameters(self.target)
        if parameters is None or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return True
        return arguments <= {n for n, p in parameters.items() if p.kind is not p.POSITIONAL_ONLY}

    def lacks(self, arguments: set[str]) -> list[str]:
        """Names of the parameters that have no default and are not given.

        Args:
            arguments: Names of the arguments that are given.
        """
        return [
            name
            for name, parameter in (_parameters(self.target) or {}).items()
            if parameter.default is parameter.empty
            and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
            and name not in arguments
        ]

    def first_parameter(self) -> str | None:
        """Name of the first parameter."""
        return next(iter(_parameters(self.target) or ()), None)

    def takes_description(self, argument: str) -> bool:
        """Whether it gets a recorded call as a description, rather than the object built from it.

        Args:
            argument: Name of the argument.
        """
        built = with_parts_built(self.target, {argument: Node("part")}, lambda _: _MISSING)
        return built[argument] is not _MISSING


@lru_cache(maxsize=512)
def _parameters(target: Any) -> dict[str, inspect.Parameter] | None:
    try:
        return dict(inspect.signature(target).parameters)
    except (TypeError, ValueError):
        return None


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

    def imported(self, module: str, name: str, keys: tuple[str, ...]) -> Meaning:
        """What a name that a config imports stands for, also when it is not installed.

        Args:
            module: Module that it is imported from.
            name: Its name there.
            keys: The keys that lead to where it stands.
        """
        module, target = find_import(module, name)
        kinds = {kind for kind in _LATE if _registers(getattr(root, kind), target)}
        known = target is not None and any(
            _registers(getattr(root, kind), target) for kind in root.__all__
        )
        if not known:
            kinds = {_BY_KEY[key] for key in keys[-1:] if key in _BY_KEY}
        return Meaning(target, module, name, late=not kinds.isdisjoint(_LATE))

    def _look_up(self, name: str, first: str | None) -> Meaning | None:
        if first is not None:
            target = self._in_registry(getattr(root, first), name)
            if target is not None:
                return self._meaning(name, target, first)
        found: dict[int, tuple[Any, str]] = {}
        for kind in root.__all__:
            target = self._in_registry(getattr(root, kind), name)
            if target is not None:
                found.setdefault(id(target), (target, kind))
        if len(found) > 1:
            kinds = ", ".join(kind for _, kind in found.values())
            self.why[name] = f"{name!r} means several things ({kinds})"
            return None
        if not found:
            self.why[name] = f"no package gives {name!r}"
            return None
        return self._meaning(name, *next(iter(found.values())))

    def _in_registry(self, registry: Registry, name: str) -> Any:
        scope, bare = split_scope_key(name)
        if ":" in name:
            scope = name.partition(":")[0].partition(".")[0]
        if scope is not None and scope != ROOT_SCOPE and not _exists(scope):
            return None
        for node in self._registries(registry):
            search = node.look_up(name)
            if search.found is not None:
                return search.found
        if scope == ROOT_SCOPE:
            return registry.look_up(bare).found
        return None

    def _registries(self, registry: Registry) -> Iterator[Registry]:
        if self.scope is not None:
            scope = canonical_scope(self.scope)
            node = search_tree(registry, scope)
            if node is None and _exists(scope):
                import_scope(scope)
                node = search_tree(registry, scope)
            if node is not None:
                yield node
        yield registry

    def _meaning(self, written: str, target: Any, kind: str) -> Meaning | None:
        parts = import_parts(target)
        if parts is None:
            self.why[written] = f"{written!r} is registered, but no module has it by a public name"
            return None
        return Meaning(target, *parts, late=kind in _LATE)


def find_import(module: str, name: str) -> tuple[str, Any]:
    """The module that has a name now, and what it is.

    MMEngine's modules are looked for in this package, also where its own modules are divided in
    another way.

    Args:
        module: Dotted name of a module.
        name: Name in it, with dots for what is inside of a class.

    Returns:
        The module, as given when nothing is found; and the object, or ``None``.
    """
    head, _, rest = module.partition(".")
    if canonical_scope(head) != head:
        parts = [canonical_scope(head), *rest.split(".")] if rest else [canonical_scope(head)]
        for length in range(len(parts), 0, -1):
            own = ".".join(parts[:length])
            found = get_object_from_string(f"{own}.{name}")
            if found is not None:
                return own, found
    return module, get_object_from_string(f"{module}.{name}")


def _registers(registry: Registry, target: Any) -> bool:
    registry.try_locations()
    return any(known is target for known in registry.module_dict.values())


def _exists(package: str) -> bool:
    if package in sys.modules:
        return True
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


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
        if _is_at(package, name, target):
            return package, name
    return None


def _is_at(module: str, name: str, target: Any) -> bool:
    found: Any = sys.modules.get(module, _MISSING)
    for part in name.split("."):
        found = getattr(found, part, _MISSING)
    return found is target


def lazy_import_parts(value: LazyObject | LazyAttr) -> tuple[str, str] | None:
    """The module and the name that an imported name of a config stands for.

    Args:
        value: The name.

    Returns:
        Module, and the name in it with dots for attributes; ``None`` when only modules are named.
    """
    attributes: list[str] = []
    inner: Any = value
    while isinstance(inner, LazyAttr):
        attributes.insert(0, inner.__dict__["name"])
        inner = inner.__dict__["source"]
    module, imported = inner.module, inner.__dict__["_imported"]
    if imported is None:
        path = dotted_path(value)
        try:
            parts = import_parts(import_object(path))
        except (ObjectNotFoundError, ImportError, TypeError):
            parts = None
        if parts is not None:
            return parts
        if not attributes:
            return None
        module = ".".join([module, *attributes[:-1]])
        return module, attributes[-1]
    return module, ".".join([imported, *attributes])
