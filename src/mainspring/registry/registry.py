"""The registry: names for classes and functions, and trees of registries for many packages."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, overload

from mainspring.errors import ConfigError, ConfigKeyError, UnknownTypeError
from mainspring.names import remember_registered
from mainspring.registry import build
from mainspring.registry.autoimport import import_locations, installation_hint
from mainspring.registry.default_scope import ROOT_SCOPE, DefaultScope, canonical_scope
from mainspring.registry.lookup import Lookup, registry_of, split_scope_key
from mainspring.registry.run_again import is_made_again, is_typed_in

__all__ = ["Registry"]

T = TypeVar("T")

_logger = logging.getLogger(__name__)
_reported: set[tuple[str, str]] = set()


OURS_ALONE = {
    "data sampler": ("TokenBudgetBatchSampler",),
    "dataset": ("BaseDataset", "InMemoryDataset"),
    "function": ("CombinedLoader", "worker_init_fn"),
    "hook": ("DigestHook", "DivergenceHook", "Hook", "ProgressHook", "ReportHook"),
    "loop": ("WorkflowTrainLoop",),
    "metric": (
        "Accuracy", "BoxAveragePrecision", "ConfusionMatrix", "MeanIoU", "Perplexity",
        "PrecisionRecallF1", "RegressionErrors",
    ),
    "model": ("Supervised", "with_adapters"),
    "optimizer": ("Muon",),
    "vis_backend": ("TrackioVisBackend",),
}  # fmt: skip
"""Names of ours, by registry, that MMEngine does not have: projects that use them go first."""


class Registry:
    """Names for classes and functions, so that configs can name what is to be built.

    Registries of several packages form a tree. A child, such as mmdet's registry of models, sees
    the names of its parents; other packages' names are written with their scope, as in
    ``mmdet.ResNet``.

    Args:
        name: What is registered, such as ``model``.
        build_func: Function that builds from a config, called with ``registry=`` this registry; by
            default the parent's, or `build_from_cfg`.
        parent: Registry whose names are visible in this one.
        scope: Name of the package that this registry belongs to; by default the top-level package
            of the module that creates it.
        locations: Modules in which the names are registered. They are imported when a name is
            not found without them.
        packages: Modules of other projects, whose classes have their own names here where nothing
            is registered under them; asked at last, and only where installed.

    Example:
        >>> MODELS = Registry("model", scope="my_project", locations=["my_project.models"])
        >>> @MODELS.register_module()
        ... class ResNet:
        ...     def __init__(self, depth): ...
        >>> model = MODELS.build(dict(type="ResNet", depth=50))
    """

    def __init__(
        self,
        name: str,
        build_func: Callable[..., Any] | None = None,
        parent: Registry | None = None,
        scope: str | None = None,
        locations: Sequence[str] = (),
        packages: Sequence[str] = (),
    ) -> None:
        self._name = name
        self.packages = tuple(packages)
        self._module_dict: dict[str, Callable[..., Any]] = {}
        self._children: dict[str, Registry] = {}
        self._locations = list(locations)
        self._imported = False
        if scope is None:
            scope = self.infer_scope()
        elif not isinstance(scope, str):
            raise ConfigError(f"the scope of a registry is a string, but this is {scope!r}")
        self._scope = canonical_scope(scope)
        self.parent = parent
        if parent is not None:
            if not isinstance(parent, Registry):
                raise ConfigError(f"parent must be a Registry, but is {parent!r}")
            if self._scope in parent.children and not is_typed_in():
                raise ConfigError(f"scope {self._scope} exists in {parent.name} registry")
            parent._children[self._scope] = self
        if build_func is None:
            build_func = build.build_from_cfg if parent is None else parent.build_func
        self.build_func: Callable[..., Any] = build_func

    @property
    def name(self) -> str:
        """What is registered, such as ``model``."""
        return self._name

    @property
    def scope(self) -> str:
        """Name of the package that the registry belongs to."""
        return self._scope

    @property
    def module_dict(self) -> dict[str, Callable[..., Any]]:
        """What is registered here, by name."""
        return self._module_dict

    @property
    def children(self) -> dict[str, Registry]:
        """Registries below this one, by scope."""
        return self._children

    @property
    def root(self) -> Registry:
        """The uppermost registry of the tree."""
        node = self
        while node.parent is not None:
            node = node.parent
        return node

    def __len__(self) -> int:
        return len(self._module_dict)

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def __repr__(self) -> str:
        from rich.console import Console
        from rich.table import Table

        table = Table("Names", "Objects", title=f"Registry of {self._name}")
        for name, registered in sorted(self._module_dict.items()):
            table.add_row(name, str(registered))
        console = Console()
        with console.capture() as capture:
            console.print(table, end="")
        return capture.get()

    @staticmethod
    def infer_scope() -> str:
        """The top-level package of the module that creates a registry; the root's when typed in."""
        frame = sys._getframe(2)
        module = str(frame.f_globals.get("__name__", "__main__"))
        if module == "__main__" and "__file__" not in frame.f_globals:
            _logger.warning(
                "a registry made interactively gets the scope %r; pass scope= to choose", ROOT_SCOPE
            )
            return ROOT_SCOPE
        return module.partition(".")[0]

    @staticmethod
    def split_scope_key(key: str) -> tuple[str | None, str]:
        """Split ``mmdet.ResNet`` into scope and name.

        Returns:
            The scope, ``None`` where there is no dot, and the rest.
        """
        return split_scope_key(key)

    @overload
    def register_module(
        self, name: str | list[str] | None = None, force: bool = False, module: None = None
    ) -> Callable[[T], T]: ...
    @overload
    def register_module(
        self, name: str | list[str] | None = None, force: bool = False, *, module: T
    ) -> T: ...
    @overload
    def register_module(self, name: str | list[str] | None, force: bool, module: T) -> T: ...
    def register_module(
        self, name: str | list[str] | None = None, force: bool = False, module: Any = None
    ) -> Any:
        """Register a class or function, as a decorator or by a call.

        Args:
            name: Name, or names, to register it under; its own by default.
            force: Whether to replace what has the name already.
            module: The class or function; without it a decorator is returned.

        Returns:
            The class or function unchanged, or the decorator.

        Raises:
            KeyError: If the name is taken and ``force`` is false.
            TypeError: If an argument has a wrong type.
        """
        if not isinstance(force, bool):
            raise TypeError(f"force must be a boolean, but got {type(force)}")
        names: object = () if name is None else name
        if not isinstance(names, Sequence) or not all(isinstance(each, str) for each in names):
            raise TypeError(
                f"name must be None, an instance of str, or a sequence of str, but got {type(name)}"
            )

        def register(registered: T) -> T:
            self._register_module(registered, name, force)
            return registered

        return register if module is None else register(module)

    def _register_module(
        self, module: Any, module_name: str | list[str] | None = None, force: bool = False
    ) -> None:
        """Do it, by the name and arguments by which projects call MMEngine's."""
        if not callable(module):
            raise TypeError(f"module must be Callable, but got {type(module)}")
        names = module.__name__ if module_name is None else module_name
        for name in [names] if isinstance(names, str) else names:
            taken = self._module_dict.get(name)
            if taken is not None and not force and not is_made_again(taken, module):
                if self._gives_way(name, taken):
                    _logger.debug("%s %s is now that of %s", self._name, name, module)
                elif self._gives_way(name, module):
                    _logger.debug("%s %s stays that of %s", self._name, name, taken.__module__)
                    continue
                else:
                    raise ConfigKeyError(
                        f"{name} is already registered in {self._name} at {taken.__module__}",
                        help="pass force=True to replace it",
                    )
            self._module_dict[name] = module
        remember_registered(module)

    def _gives_way(self, name: str, registered: Any) -> bool:
        """Whether something is ours, and MMEngine leaves its name to projects."""
        if not str(registered.__module__).startswith(f"{ROOT_SCOPE}."):
            return False
        # Optimizers of other packages are functions of ours that import them.
        is_import = self._name == "optimizer" and not isinstance(registered, type)
        return is_import or name in OURS_ALONE.get(self._name, ())

    def get(self, key: str) -> Callable[..., Any] | None:
        """What a name means.

        Args:
            key: A name (``ResNet``), a name with its scope (``mmdet.ResNet``) or the path of an
                importable object (``torch.nn.Conv2d``, ``pkg.module:Class``).

        Returns:
            The class or function, ``None`` when nothing is found.

        Raises:
            TypeError: If ``key`` is not a string.
            Exception: What one of the locations raised on import, if the name is not found and
                may be registered there.
            RuntimeError: If a module on the path of an object fails to import.
        """
        search = self.look_up(key)
        if search.found is None:
            for failure in search.location_failures:
                raise failure
            for failure in search.path_failures:
                if not isinstance(failure, ImportError):
                    raise RuntimeError(f"Failed to get {key}") from failure
            for failure in search.failures:
                _logger.warning("%s was not found, perhaps because of: %r", key, failure)
        found: Callable[..., Any] | None = search.found
        return found

    def look_up(self, key: str) -> Lookup:
        """Search for a name; the result also knows where it was searched and what went wrong.

        Args:
            key: As in `get`.
        """
        if not isinstance(key, str):
            raise TypeError(f"The key argument of `Registry.get` must be a str, got {type(key)}")
        return Lookup(key, self)

    def search(self, key: str) -> tuple[Any, UnknownTypeError | None]:
        """Search for a name as building does: in the current scope first.

        Args:
            key: As in `get`.

        Returns:
            What it means and ``None``, or ``None`` and the error that says what was tried.
        """
        in_scope, missing_scope, failure = self.in_current_scope()
        search = in_scope.look_up(key)
        if search.found is not None:
            return search.found, None
        if failure is not None:
            search.scope_failures.append(failure)
        if in_scope is self:
            return None, search.error(missing_scope=missing_scope)
        # The registry that was asked may know a name that the current scope's does not see.
        own = self.look_up(key)
        return own.found, None if own.found is not None else own.error(tried=search)

    def build(self, cfg: Any, *args: Any, **kwargs: Any) -> Any:
        """Build what a config describes, with the registry's build function.

        Args:
            cfg: The config, usually a dict with ``type`` and arguments.
            *args: Further arguments of the build function.
            **kwargs: Further keyword arguments of the build function.
        """
        return self.build_func(cfg, *args, **kwargs, registry=self)

    def import_from_location(self) -> None:
        """Import the locations, unless that is done.

        Raises:
            Exception: What a location raises.
        """
        failure = self.try_locations()
        if failure is not None:
            raise failure

    def try_locations(self) -> Exception | None:
        """Import the locations, unless that is done, and return the first error."""
        if self._imported:
            return None
        failure = import_locations(self._locations, self._scope)
        self._imported = failure is None
        return failure

    @contextmanager
    def switch_scope_and_registry(self, scope: str | None) -> Iterator[Registry]:
        """Make a scope the current one, and give its registry, within a ``with`` block.

        Args:
            scope: Name of the scope; ``None`` for the current one.

        Yields:
            The scope's registry in this tree, or this registry when there is none.
        """
        with DefaultScope.overwrite_default_scope(scope):
            yield self.in_current_scope()[0]

    def in_current_scope(self) -> tuple[Registry, str | None, Exception | None]:
        """This tree's registry for the current scope.

        Returns:
            The registry, this one if the scope has none; the scope if it has none; and the error
            that its package raised on import, if it did.
        """
        current = DefaultScope.get_current_instance()
        if current is None:
            return self, None, None
        scope = canonical_scope(current.scope_name)
        found, failure = registry_of(scope, self.root)
        if found is not None:
            return found, None, None
        may_be_missed = failure is not None or scope not in sys.modules
        missed = (
            scope,
            "" if may_be_missed else self.root.name,
        )  # alike for all registries, or not
        if missed not in _reported:
            _reported.add(missed)
            hint = installation_hint(scope)
            below = "" if may_be_missed else f" below {self.root.scope}::{self.root.name}"
            where = self.scope if may_be_missed else f"{self.scope}::{self.name}"
            said = f"the scope {scope!r} has no registry{below}, so names are looked up in {where}"
            said += f" ({hint})" if hint else ""
            said += f"; its import failed: {failure!r}" if failure is not None else ""
            _logger.log(logging.WARNING if may_be_missed else logging.DEBUG, "%s", said)
        return self, scope, failure
