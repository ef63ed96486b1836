"""The import lines of one new file."""

from __future__ import annotations

import ast
import builtins
import itertools
import keyword
import re
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Imports", "assemble"]

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
        words = (name, f"{module.rpartition('.')[2]}_{name}".lstrip("_"), f"{name}_")
        for candidate in itertools.chain(
            words, (f"{name}_{serial}" for serial in itertools.count(2))
        ):
            bound = self._bound.get(candidate)
            if bound == path or (bound is None and candidate not in self._taken):
                return candidate
        raise AssertionError

    def lines(self, text: str) -> list[str]:
        """The statements, others' modules before mainspring's.

        Args:
            text: The Python that needs them; what it does not use is left out.
        """
        used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        found: list[str] = []
        for module in sorted(self._lines, key=lambda m: (m.partition(".")[0] == "mainspring", m)):
            names = [(name, it) for name, it in sorted(self._lines[module].items()) if it in used]
            written = [name if name == local else f"{name} as {local}" for name, local in names]
            line = f"from {module} import {', '.join(written)}"
            if len(line) > 100:
                block = "".join(f"    {name},\n" for name in written)
                line = f"from {module} import (\n{block})"
            found += [line] if written else []
        return found


def assemble(text: str, imports: Imports, bases: Sequence[str]) -> str:
    """The text of a file with imports after its header.

    Args:
        text: The text.
        imports: What it needs.
        bases: Statements that import from configs.
    """
    inherited = "\n".join(bases)
    needed = "\n".join(imports.lines(f"{inherited}\n{text}"))
    block = "\n\n".join(group for group in (needed, inherited) if group)
    header, is_attached = _header(text)
    head, body = text[:header].rstrip("\n"), text[header:].strip("\n")
    result = "\n\n".join(part for part in (block, body) if part)
    if head:
        result = f"{head}\n{'' if is_attached and block else chr(10)}{result}"
    return f"{result.rstrip()}\n" if result.strip() else ""


def _header(text: str) -> tuple[int, bool]:
    """Where new imports belong, and whether they follow at once.

    They come after the first comments and the docstring, and after the imports that are there.
    """
    body = ast.parse(text).body
    line, is_attached = 0, True
    for node in body:
        is_docstring = (
            node is body[0] and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        )
        is_import = isinstance(node, ast.Import) or (
            isinstance(node, ast.ImportFrom) and not node.level
        )
        if not (is_docstring or is_import):
            break
        line, is_attached = node.end_lineno or line, is_import
    lines = text.split("\n")
    if line == 0:
        line = next((i for i, text_line in enumerate(lines) if text_line[:1] != "#"), len(lines))
        # A comment right above a section belongs to that section.
        follows = lines[line] if line < len(lines) else ""
        first = lines[0].lower() if lines else ""
        is_notice = "copyright" in first or first.startswith("#!")
        if follows.strip() and not is_notice and not re.match(r"(from|import|with)\b", follows):
            line = 0
        elif is_notice and follows.strip():
            line = max(1, line)
    return sum(len(text_line) + 1 for text_line in lines[:line]), is_attached
