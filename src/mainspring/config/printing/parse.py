"""Read a dump: imports, assignments of literals and calls. Nothing of it is executed.

Dumps of MMEngine are of this kind, too: assignments of literals and of ``dict(...)``.
"""

from __future__ import annotations

import ast
import warnings
from typing import Any

from mainspring.config.config_dict import ConfigDict
from mainspring.config.node import Node
from mainspring.config.printing.expression import Evaluator
from mainspring.config.printing.plain import MAKERS
from mainspring.config.printing.sharing import refuse_endless
from mainspring.config.provenance.instrument import site_of, spot_of
from mainspring.config.provenance.marking import Marker
from mainspring.config.provenance.marks import Mark, overlay, session
from mainspring.config.recorded_python.reference import Reference
from mainspring.config.source import Source
from mainspring.errors import ConfigError, ConfigParsingError, ConfigSyntaxError, Location
from mainspring.names import with_names_marked

__all__ = ["MARK", "SHARED", "is_dump", "parse_dump"]

MARK = "# mainspring config, format 1: imports, literals and calls, read without running it"
"""First line of a dump with calls or imports."""

SHARED = "_shared_"
"""What variables begin with that are no part of the config: calls that stand in several places."""

_WORDS = {
    *(("mainspring.config", "later"), ("mainspring.config", "env"), ("mmengine.config", "later"))
}


class DumpError(ConfigParsingError, SyntaxError):
    """A dump holds a statement that is neither an import nor an assignment."""


def is_dump(text: str) -> bool:
    """Whether a text says of itself that it is data rather than a program."""
    return text.startswith(MARK.partition(":")[0])


def parse_dump(text: str, filename: str = "<dump>") -> ConfigDict:
    """The values of a dump.

    Args:
        text: Its text.
        filename: Where it comes from, for errors.

    Returns:
        The values by name; calls as `Node`, imported names as references.

    Raises:
        ConfigError: It is no valid Python, or holds anything but imports and assignments of
            literals and calls.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        with session() as current:
            values = _Reader(Source(filename, text, ".py")).values_of(tree)
            refuse_endless(values)
            current.finish(values, set())
        with_names_marked(values)
        return values
    except ConfigError:
        raise
    except SyntaxError as error:
        place = Location(filename, error.lineno or 1, error.offset or None)
        raise ConfigSyntaxError(str(error.msg), location=place) from error
    except (ValueError, MemoryError, RecursionError) as error:
        raise DumpError(
            f"the text cannot be read: {type(error).__name__}", location=Location(filename, 1)
        ) from error


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.marked()
        self._imported: dict[str, Any] = {}
        self._values = ConfigDict()
        self._marker = Marker([], {}, self._text)
        self._evaluator = Evaluator(self._imported, source.place_of, self._mark)

    def _mark(self, node: ast.expr, value: Any) -> Any:
        self._marker.sites = [site_of(node, self._text)]
        return self._marker.made(0, value)

    def values_of(self, tree: ast.Module) -> ConfigDict:
        for statement in tree.body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._import(statement)
            elif isinstance(statement, ast.Assign):
                self._assign(statement)
            elif isinstance(statement, ast.Expr) and isinstance(
                getattr(statement.value, "value", None), str
            ):
                continue  # a docstring
            elif not self._is_update(statement):
                raise DumpError(
                    f"{ast.unparse(statement):.60} is neither an import nor an assignment",
                    location=self._source.place_of(statement),
                    help="a file of data holds nothing else; a config that is a program has not "
                    "the first line of a dump",
                )
        return self._values

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        place = f"{self._source.path}, line {statement.lineno}"
        for alias in statement.names:
            if isinstance(statement, ast.Import):
                module = alias.name if alias.asname else alias.name.partition(".")[0]
                self._imported[alias.asname or module] = Reference(module, None, place, "data")
            elif statement.level or alias.name == "*":
                raise DumpError(
                    "a file of data imports names of packages, not from other configs",
                    location=self._source.place_of(statement),
                )
            elif (statement.module, alias.name) not in _WORDS:
                maker = MAKERS.get(f"{statement.module}.{alias.name}")
                reference = maker or Reference(statement.module or "", alias.name, place, "data")
                self._imported[alias.asname or alias.name] = reference

    def _assign(self, statement: ast.Assign) -> None:
        value = self._evaluator.value(statement.value)
        for target in statement.targets:
            is_several = isinstance(target, ast.Tuple) and isinstance(value, tuple)
            items = value if is_several else (value,)
            targets: list[ast.expr] = getattr(target, "elts", []) if is_several else [target]
            names = [name for name in targets if isinstance(name, ast.Name)]
            if len(names) != len(targets) or len(names) != len(items) or not names:
                raise DumpError(
                    f"{ast.unparse(target):.60} cannot be assigned in a file of data",
                    location=self._source.place_of(target),
                )
            for name, item in zip(names, items, strict=True):
                if isinstance(item, Node):
                    self._imported[name.id] = item
                if not name.id.startswith(SHARED):
                    self._values[name.id] = item
                    mark = Mark(spot_of(name, statement.value, self._text))
                    with session() as current:
                        current.marks(self._values).set(name.id, mark)

    def _is_update(self, statement: ast.stmt) -> bool:
        """``globals().update({...})``: keys that are no names of Python."""
        call = statement.value if isinstance(statement, ast.Expr) else None
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != "globals().update":
            return False
        if len(call.args) != 1 or call.keywords or not isinstance(call.args[0], ast.Dict):
            return False
        more = self._evaluator.value(call.args[0])
        for key, value in dict.items(more):
            self._values[key] = value
            overlay(self._values, key, more)
        return True
