"""The finder that resolves ``mmengine.a.b`` to our modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import mainspring.compat.mmcv  # noqa: F401 - finds the runner that MMCV 2.x lacks
from mainspring.compat.mmengine.homes import HOMES
from mainspring.defaults import DEFAULTS

__all__ = ["AliasedModule", "install"]

_OURS = "mainspring"
_THEIRS = "mmengine"
_IMPORTABLE = str(Path(__file__).with_name("importable"))
_NOTHING = object()
_replaced: dict[tuple[str, str], Any] = {}


class AliasedModule(ModuleType):
    """A module that MMEngine's users know: it gives what they look for in it, wherever that lies.

    What is set in it, as `unittest.mock.patch` does, is set in every module of ours that uses the
    function or class, since MMEngine's use of a name may have another place here.
    """

    def __getattr__(self, name: str) -> Any:
        package, _, path = self.__name__.partition(".")
        if name != "__all__" and name.startswith("__") and name != "__version__":
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        inner = f"{path}.{name}".lstrip(".")
        if "__path__" in vars(self) and _our_spec(inner, self.__path__) is not None:
            return import_module(f"{package}.{inner}")
        homes = [import_module(f"{_OURS}.{home}".rstrip(".")) for home in HOMES.get(path, ())]
        others = [home for home in homes if home is not self]
        if name == "__all__" and others:
            words = {word for home in others for word in _public_names(home)}
            return sorted(words - {"__version__", "copy"})  # the latter is a module, for its users
        for home in others:
            if hasattr(home, name):
                return getattr(home, name)
        raise AttributeError(
            f"module '{_THEIRS}.{path}' has no attribute {name!r}".replace(".'", "'")
        )

    def __setattr__(self, name: str, value: Any) -> None:
        current = getattr(self, name, _NOTHING)
        if name.startswith("__") or current is _NOTHING or isinstance(value, ModuleType):
            super().__setattr__(name, value)
            return
        if _replaced.setdefault((self.__name__, name), current) is value:
            del _replaced[self.__name__, name]
        _replace(name, current, value)
        if getattr(self, name) is not value:
            super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        original = _replaced.pop((self.__name__, name), _NOTHING)
        if original is _NOTHING:
            super().__delattr__(name)
            return
        _replace(name, getattr(self, name), original)
        if getattr(self, name) is not original:
            super().__delattr__(name)


def _public_names(module: ModuleType) -> list[str]:
    """What ``import *`` gives of a module, but for modules that it imports."""
    here = [name for name, value in vars(module).items() if not isinstance(value, ModuleType)]
    return getattr(module, "__all__", [name for name in here if not name.startswith("_")])


def _replace(name: str, current: Any, value: Any) -> None:
    """Put a value in the place of a function or class in each of our modules that uses it."""
    if not callable(current):
        return
    for module_name, module in list(sys.modules.items()):
        ours = module_name.partition(".")[0] == _OURS
        if ours and vars(module).get(name, _NOTHING) is current:
            vars(module)[name] = value


class _AliasFinder(MetaPathFinder, Loader):
    """Finds MMEngine's modules, and ours that only its users look for."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, inner = fullname.partition(".")
        if package == _OURS and (spec := PathFinder.find_spec(fullname, path)) is not None:
            # Reached as an attribute of its package, it has MMEngine's names as well.
            vars(spec.loader)["create_module"] = self.create_module
            return spec
        is_theirs = package == _THEIRS and _our_spec(inner, path) is not None
        is_ours = package == _OURS and inner in HOMES
        return ModuleSpec(fullname, self) if is_ours or is_theirs else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return AliasedModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        package, _, path = module.__name__.partition(".")
        homes = HOMES.get(path, (path,))
        if package == _THEIRS and len(homes) > 1:
            homes = (path,)
        if len(homes) == 1:
            sys.modules[f"{package}.{path}"] = import_module(f"{_OURS}.{homes[0]}")

    def get_code(self, fullname: str) -> CodeType | None:
        """What ``python -m mmengine.x`` runs: the code of our module."""
        path = fullname.partition(".")[2]
        ours = find_spec(f"{_OURS}.{HOMES.get(path, (path,))[0]}")
        loader: Any = ours and ours.loader
        code: CodeType | None = loader and loader.get_code(loader.name)
        return code


def _our_spec(inner: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """How a module of ours is found that has this path, or that only MMEngine has at it."""
    name = f"{_OURS}.{inner}"
    return ModuleSpec(name, None) if inner in HOMES else PathFinder.find_spec(name, path)


def install() -> None:
    """Let this process, and those that it starts, import mainspring as ``mmengine``.

    Raises:
        ImportError: MMEngine itself was imported already.
    """
    present = sys.modules.get(_THEIRS)
    if isinstance(present, AliasedModule):
        return
    if present is not None and os.path.dirname(str(present.__file__)) != _IMPORTABLE:
        raise ImportError(
            f"mmengine {getattr(present, '__version__', '')} was imported from {present.__file__}; "
            "import mainspring.compat.mmengine before it, or start with mainspring exec SCRIPT"
        )
    top = AliasedModule(_THEIRS, "MMEngine's name for mainspring.")
    ours = import_module(_OURS)
    top.__file__, top.__path__ = ours.__file__, ours.__path__
    top.__spec__ = ModuleSpec(_THEIRS, None, origin=ours.__file__, is_package=True)
    sys.modules[_THEIRS] = top
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{_OURS}.") and type(module) is ModuleType:
            module.__class__ = AliasedModule
    sys.meta_path.insert(0, _AliasFinder())
    DEFAULTS.name, DEFAULTS.sample_rng = _THEIRS, "worker"
    DEFAULTS.wants_prefix = True
    DEFAULTS.fused = DEFAULTS.separate_curves = DEFAULTS.lists_guards = False
    DEFAULTS.short_lines = False
    # Spawned processes take over sys.path, others the environment.
    if _IMPORTABLE not in sys.path:
        sys.path.insert(1, _IMPORTABLE)
    before = os.environ.get("PYTHONPATH")
    if _IMPORTABLE not in (before or "").split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join([_IMPORTABLE, *([before] if before else [])])
