"""The import lines of one new file."""

from __future__ import annotations

import ast
import builtins
import keyword
from collections.abc import Iterable, Mapping

__all__ = ["Imports"]

_WORDS_MODULE = "mainspring.config"


class Imports:
    """Collects what a file imports, and gives each thing a name that nothing else has.

    Args:
        taken: Names that mean something else in the file.
        bound: Names that are there already, and the dotted path that each stands for.
    """

    def __init__(self, taken: Iterable[str], bound: Mapping[str, str]) -> None:
        self._taken = {*taken, *keyword.kwlist, *dir(builtins)}
        self._bound = dict(bound)
        self._lines: dict[str, dict[str, str]] = {}

    def name(self, module: str, name: str) -> str:
        """The name by which the file calls something.

        Args:
            module: Module to import it from.
            name: Its name there, with dots for what is inside of a class.
        """
        outer, dot, rest = name.partition(".")
        known = self._lines.setdefault(module, {})
        if outer not in known:
            known[outer] = self._free(module, outer)
            self._bound[known[outer]] = f"{module}.{outer}"
        return f"{known[outer]}{dot}{rest}"

    def word(self, name: str) -> str:
        """The name by which the file calls a word of configs, such as ``edit``.

        Args:
            name: The word.
        """
        return self.name(_WORDS_MODULE, name)

    def _free(self, module: str, name: str) -> str:
        path = f"{module}.{name}"
        candidates = [name, f"{module.rpartition('.')[2]}_{name}".lstrip("_"), f"{name}_"]
        serial = 2
        while True:
            for candidate in candidates:
                bound = self._bound.get(candidate)
                if bound == path or (bound is None and candidate not in self._taken):
                    return candidate
            candidates = [f"{name}_{serial}"]
            serial += 1

    def lines(self, text: str) -> list[str]:
        """The statements, others' modules before mainspring's.

        Args:
            text: The Python that needs them; what it does not use is left out.
        """
        used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        needed = {
            module: {name: local for name, local in names.items() if local in used}
            for module, names in self._lines.items()
        }
        modules = sorted(
            (module for module, names in needed.items() if names),
            key=lambda module: (module.partition(".")[0] == "mainspring", module),
        )
        return [_statement(module, needed[module]) for module in modules]


def _statement(module: str, names: Mapping[str, str]) -> str:
    written = [
        name if name == local else f"{name} as {local}" for name, local in sorted(names.items())
    ]
    line = f"from {module} import {', '.join(written)}"
    if len(line) <= 100:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in written) + ")"
