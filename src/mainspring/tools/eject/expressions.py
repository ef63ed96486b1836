"""Values of a config as expressions of a program, with the imports that these need."""

from __future__ import annotations

import enum
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.config.node import Node
from mainspring.config.printing.plain import has_literal
from mainspring.config.printing.printer import Parts, Printer, double_quoted
from mainspring.errors import ConfigError, ConfigTypeError
from mainspring.registry.nested_specs import with_parts_built
from mainspring.registry.recorded import POSITIONAL_KEY, RecordedName
from mainspring.tools.convert.names import import_parts

__all__ = ["Expressions", "not_by_default"]


class Expressions(Printer):
    """Writes expressions, and keeps what has to be imported for them.

    Attributes:
        imports: Names to import, by module.
    """

    def __init__(self) -> None:
        super().__init__()
        self.imports: dict[str, set[str]] = {}

    def call(self, function: Any, arguments: Mapping[str, Any], *positional: Any) -> str:
        """A call.

        Args:
            function: A class or function that can be imported.
            arguments: Arguments by name.
            *positional: Arguments by position.
        """
        given = [self.flat(argument) for argument in positional]
        given += [f"{name}={self.flat(value)}" for name, value in arguments.items()]
        return f"{self.name(function)}({', '.join(given)})"

    def parts(self, value: Any, how: Any) -> Parts:
        """What a container, or the call that a recorded one stands for, is made of."""
        if not isinstance(value, dict):
            return super().parts(value, how)
        if not isinstance(value, Node):
            return self.entries(None, (), {key: value[key] for key in value})
        value.try_bind()
        arguments = dict(dict.items(value))
        target = arguments.pop("type")
        function = target.build() if isinstance(target, RecordedName) else target
        # A class that builds its parts itself is given their descriptions.
        built = with_parts_built(function, arguments, str)
        arguments = {
            name: _described(value) if built[name] is value else value
            for name, value in arguments.items()
        }
        positional = arguments.pop(POSITIONAL_KEY, [])
        if value.is_late:
            self.imports.setdefault("functools", set()).add("partial")
            return self.entries("partial", [function, *positional], arguments)
        return self.entries(self.name(function), positional, arguments)

    def leaf(self, value: Any, how: Any = None) -> str:
        """The text of a value that holds no others.

        Raises:
            ConfigTypeError: Nothing can be written that gives it.
        """
        if isinstance(value, RecordedName):
            return self.name(value.build())
        if isinstance(value, enum.Enum | type) or hasattr(value, "__qualname__"):
            return self.name(value)
        if has_literal(value):
            return self.literal(value)
        if type(value).__module__ == "torch" and type(value).__name__ in ("dtype", "device"):
            return repr(value)
        raise ConfigTypeError(
            f"a {type(value).__name__} cannot be written down: {value!r}",
            help="give the config what makes it",
        )

    def quoted(self, text: str) -> str:
        """A text in quotes."""
        return double_quoted(text)

    def name(self, what: Any) -> str:
        """A class, function or constant by its name, which is imported.

        Raises:
            ConfigError: It has no name that another program can import.
        """
        module = getattr(what, "__module__", None)
        qualname = getattr(what, "__qualname__", None) or type(what).__qualname__
        if isinstance(what, enum.Enum):
            module, qualname = type(what).__module__, f"{type(what).__qualname__}.{what.name}"
        if module is None or module == "__main__" or "<" in qualname:
            raise ConfigError(
                f"{qualname} stands in no module of its own, so that no other program has it",
                help="move it into a module beside the config",
            )
        if module == "builtins":
            return str(qualname)
        if module == "torch":
            return f"torch.{getattr(what, '__name__', qualname)}"
        if module.startswith("torch.nn.modules."):
            self.imports.setdefault("torch", set()).add("nn")
            return f"nn.{qualname}"
        if module.startswith("torch.nn.functional"):
            self.imports.setdefault("torch.nn", set()).add("functional as F")
            return f"F.{qualname}"
        outer = qualname.partition(".")[0]
        best = import_parts(getattr(sys.modules.get(module), outer, None))
        self.imports.setdefault(best[0] if best else module, set()).add(outer)
        return str(qualname)

    def is_own(self, module: str) -> bool:
        """Whether a module belongs to the user: neither Python nor an installed package has it."""
        file = getattr(sys.modules.get(module), "__file__", None)
        if not file or module.partition(".")[0] in {*sys.stdlib_module_names, "mainspring"}:
            return False
        return "site-packages" not in file

    def folders(self) -> list[Path]:
        """Folders in which the user's modules are found."""
        found = set()
        for module in filter(self.is_own, self.imports):
            file = Path(sys.modules[module].__file__ or "").resolve()
            depth = module.count(".") + (file.name == "__init__.py")
            found.add(file.parents[depth])
        return sorted(found)


def _described(value: Any) -> Any:
    """A value whose recorded calls are dicts that describe them."""
    if isinstance(value, Node):
        value.try_bind()
        return {key: _described(item) for key, item in dict.items(value)}
    if isinstance(value, list | tuple):
        return type(value)(map(_described, value))
    return value


def not_by_default(function: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some settings that a function takes and does not have by default."""
    known = inspect.signature(function).parameters
    return {
        name: value
        for name, value in settings.items()
        if name in known and known[name].default != value
    }
