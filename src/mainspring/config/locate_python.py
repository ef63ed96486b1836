"""Where a Python config file writes a path: the text is parsed, nothing of it runs.

A file is a row of `Write`: assignments, ``update`` calls, ``append`` calls, imports from other
configs. A path is looked for from the last of them to the first, into calls, displays, names,
functions of the file and the files that it inherits from.
"""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

from mainspring.config.hit import Hit
from mainspring.config.list_changes import Step, item_of_display, undo_list_change
from mainspring.config.python_writes import (
    Scope,
    Write,
    dotted,
    function_writes,
    is_recorded,
    last_name,
    returned,
    writes_of,
)
from mainspring.config.section_names import RUNNER_SECTIONS
from mainspring.config.source import Source
from mainspring.config.template import ENVIRONMENT

__all__ = ["PythonFile"]

_COPIES = frozenset(("copy", "deepcopy", "list", "tuple", "edit"))
_DICTS = frozenset(("dict", "ConfigDict", "OrderedDict"))
_KNOWN_PARAMETERS = {
    "Runner": RUNNER_SECTIONS,
    "ByEpoch": ("max_epochs", "val_begin", "val_interval", "dynamic_intervals"),
    "ByIteration": ("max_iters", "val_begin", "val_interval", "dynamic_intervals"),
}


class Bases(Protocol):
    """The files of a config, as one of them sees those before it."""

    def below(self, count: int, steps: Sequence[Step], *, history: bool) -> list[Hit]:
        """The places of a path in the first so many files, the last first."""
        ...

    def index_of(self, path: str) -> int | None:
        """Which file has a path."""
        ...

    def function(self, count: int, name: str) -> tuple[PythonFile, ast.FunctionDef] | None:
        """A function that one of the first so many files defines."""
        ...

    def spend(self) -> bool:
        """Whether there is patience left: a file can define two names by each other."""
        ...


class PythonFile:
    """The writes of one Python file.

    Args:
        source: The file.
        index: How many files precede it.
        bases: Those files.
        outermost: Whether it is the file that was asked for.
        call_lines: Lines of the file on which the calls of the config are written.

    Raises:
        SyntaxError: It is not valid Python.
    """

    def __init__(
        self,
        source: Source,
        index: int,
        bases: Bases,
        *,
        outermost: bool = True,
        call_lines: Sequence[int] = (),
    ) -> None:
        self.source = source
        self.index = index
        self.bases = bases
        self.lines = source.text.split("\n")
        tree = _parse(ENVIRONMENT.sub(_blank, source.text))
        self.recorded = is_recorded(tree)
        self.functions = {
            node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)
        }
        self.scope = Scope(list(writes_of(tree.body)))
        if self.recorded and outermost:
            self.scope = self._with_root(call_lines)

    def find(self, steps: Sequence[Step], *, history: bool) -> tuple[list[Hit], list[Step], bool]:
        """The places of a path, the last first.

        Args:
            steps: The path.
            history: Whether all places are wanted, also those that a later one makes void.

        Returns:
            The places; the path as it was before the file changed lists; whether the file gives
            the path a new value, so that what its bases say does not count.
        """
        hits, left, replaced = self._find(list(steps), self.scope, len(self.scope.writes), history)
        return hits, left, replaced and self.recorded

    def of_name(self, path: Sequence[str], user: Hit) -> list[Hit]:
        """All places of a name that a value uses, the last first.

        Args:
            path: The name, and what is read of it.
            user: The place of the value.
        """
        return self._named(path, [], user, True)

    # A run that is one call

    def _with_root(self, call_lines: Sequence[int]) -> Scope:
        """The writes of a file that may describe its run by ``Runner(...)``."""
        writes: list[Write] = []
        for write in self.scope.writes:
            writes.append(write)
            if isinstance(write.value, ast.Call) and last_name(write.value.func) == "Runner":
                writes.append(Write((), write.value, write.node, certain=False))
        described = any(not w.path or w.path[0] in RUNNER_SECTIONS for w in writes)
        roots = [] if described else [f for f in self.functions.values() if self._gives_run(f)]
        if not roots:
            return Scope(writes)

        def calls_in(function: ast.FunctionDef) -> int:
            end = function.end_lineno or function.lineno
            return sum(function.lineno <= line <= end for line in call_lines)

        function = max(roots, key=calls_in)
        results = [Write((), value, value, certain=False) for value in returned(function)]
        return Scope([*writes, *function_writes(function, None), *results])

    def _gives_run(self, function: ast.FunctionDef, depth: int = 0) -> bool:
        for value in returned(function):
            if isinstance(value, ast.Dict):
                return True
            if isinstance(value, ast.Call):
                name = last_name(value.func)
                if name in ("Runner", "dict"):
                    return True
                other = self.functions.get(name or "")
                if other is not None and depth < 5 and self._gives_run(other, depth + 1):
                    return True
        return False

    # Looking for a path among writes

    def _find(
        self, steps: list[Step], scope: Scope, before: int, history: bool
    ) -> tuple[list[Hit], list[Step], bool]:
        hits: list[Hit] = []
        replaced = False
        for index in range(before - 1, -1, -1):
            write = scope.writes[index]
            if not _is_prefix(write.path, steps):
                inside = len(write.path) > len(steps) and _is_prefix(
                    write.path[: len(steps)], steps
                )
                if history and inside and write.imported is None:
                    hits.append(self._hit(write.node, write.value, scope, index))
                continue
            depth = len(write.path)
            if write.change is not None:
                found, steps = self._through_list(write, steps, scope, index, history)
                final = bool(found) and depth < len(steps) and write.certain
            else:
                found = self._of_write(write, steps[depth:], scope, index, history)
                final = write.certain and not write.merges
            hits += found
            if any(hit.exact for hit in found) and not history:
                return hits, steps, True
            if final:
                replaced = True
                if not history:
                    break
                # What was there before had a length of its own.
                steps = [*steps[:depth], *(Step(step.name) for step in steps[depth:])]
        return hits, steps, replaced

    def _of_write(
        self, write: Write, rest: list[Step], scope: Scope, index: int, history: bool
    ) -> list[Hit]:
        if write.imported is not None:
            return self._imported(write.imported, rest, history)
        if not rest:
            return [self._hit(write.node, write.value, scope, index, certain=write.certain)]
        if write.value is None:
            return []
        place = self._hit(write.node, write.value, scope, index, exact=False, certain=write.certain)
        found = self._inside(write.value, rest, place, history)
        # The call that describes the run has no place for the other variables of the file.
        return found if write.path else [hit for hit in found if hit.exact]

    def _imported(
        self, imported: tuple[str | None, str | None], rest: list[Step], history: bool
    ) -> list[Hit]:
        module, name = imported
        steps = rest if name is None else [Step(name), *rest]
        if not steps:
            return []
        count = self.index
        if module is not None:
            path = os.path.normpath(os.path.join(os.path.dirname(self.source.path), module))
            known = self.bases.index_of(path)
            count = self.index if known is None else known + 1
        return self.bases.below(min(count, self.index), steps, history=history)

    def _through_list(
        self, write: Write, steps: list[Step], scope: Scope, at: int, history: bool
    ) -> tuple[list[Hit], list[Step]]:
        """Undo a change of a list: the item itself, or the path that it had before."""
        depth = len(write.path)
        if depth == len(steps):
            shown = history or write.change == "+="
            return [self._hit(write.node, write.value, scope, at)] if shown else [], steps
        rest = steps[depth + 1 :]
        before, item = undo_list_change(write, steps[depth])
        if not write.certain:
            before, item = Step(steps[depth].name), None
            if write.change in ("append", "insert") and write.value is not None:
                # A loop appends any number of items: this may be one of them.
                place = self._hit(write.value, write.value, scope, at, certain=False)
                found = self._at(write.value, write.value, rest, place, history)
                return found, [*steps[:depth], before, *rest]
        if item is None:
            return [], [*steps[:depth], before, *rest]
        place = self._hit(item, item, scope, at)
        return self._at(item, item, rest, place, history), steps

    # Looking for a path inside of a value

    def _inside(self, value: ast.expr, steps: list[Step], place: Hit, history: bool) -> list[Hit]:
        """The places of a path inside of the value that an expression writes.

        Args:
            value: The expression.
            steps: The path.
            place: Where the expression is written: the answer where it hides the path.
            history: Whether all places are wanted.
        """
        if not self.bases.spend():
            return []
        if isinstance(value, ast.Set) and len(value.elts) == 1:
            # `{{_base_.model}}` is, to Python, a set in a set.
            return self._inside(value.elts[0], steps, place, history)
        path = dotted(value)
        if path is not None:
            found = self._named(path, steps, place, history)
            return found if found or self._knows(path[0], place) else [place]
        if isinstance(value, ast.Call):
            return self._in_call(value, steps, place, history)
        if isinstance(value, ast.Dict):
            entries = [
                (key.value, key, item) if isinstance(key, ast.Constant) else (None, key, item)
                for key, item in zip(value.keys, value.values, strict=True)
            ]
            return self._in_entries(entries, steps, place, history)
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
            sides = [(None, None, value.left), (None, None, value.right)]
            return self._in_entries(sides, steps, place, history)
        if isinstance(value, ast.IfExp):
            sides = [(None, None, value.orelse), (None, None, value.body)]
            return self._in_entries(sides, steps, place, history)
        if isinstance(value, ast.ListComp | ast.SetComp | ast.GeneratorExp):
            return self._at(value.elt, value.elt, steps[1:], place, history)
        if isinstance(value, ast.DictComp):
            return self._at(value.value, value.value, steps[1:], place, history)
        if isinstance(value, ast.Constant):
            return []
        return self._in_list(value, steps, place, history)

    def _named(
        self, path: Sequence[str], steps: list[Step], place: Hit, history: bool
    ) -> list[Hit]:
        """The places of a path below a name that the file can use."""
        if path[0] == "_base_":
            wanted = [*map(Step, path[1:]), *steps]
            return self.bases.below(self.index, wanted, history=history)
        wanted = [*map(Step, path), *steps]
        hits, left, replaced = self._find(wanted, place.scope, place.before, history)
        exact = any(hit.exact for hit in hits)
        if not replaced and (history or not exact):
            hits += self.bases.below(self.index, left, history=history)
        return hits

    def _knows(self, name: str, place: Hit) -> bool:
        """Whether a name is written before a place, so that what it has not is nowhere."""
        writes = place.scope.writes[: place.before]
        if name == "_base_" or any(write.path[:1] == (name,) for write in writes):
            return True
        return bool(self.bases.below(self.index, [Step(name)], history=False))

    def _at(
        self, node: Any, value: ast.expr, rest: list[Step], place: Hit, history: bool
    ) -> list[Hit]:
        """The place of an entry, or of what is further inside of it."""
        hit = self._hit(node, value, place.scope, place.before, certain=place.certain)
        return self._inside(value, rest, replace(hit, exact=False), history) if rest else [hit]

    def _in_entries(
        self,
        entries: Sequence[tuple[Any, Any, ast.expr]],
        steps: list[Step],
        place: Hit,
        history: bool,
    ) -> list[Hit]:
        """The places of a path in keys and values; what has no key is unpacked.

        The last of several entries for one key is the one that counts.
        """
        hidden: list[Hit] = []
        found: list[Hit] = []
        for key, node, value in reversed(entries):
            if key is None and node is not None:
                continue  # a key that is computed
            if key is None:
                here = self._inside(value, steps, place, history)
            elif str(key) == steps[0].name:
                here = self._at(node, value, steps[1:], place, history)
            else:
                continue
            exact = [hit for hit in here if hit.exact]
            hidden += [hit for hit in here if not hit.exact]
            found += exact
            if (exact and not history) or (key is not None and not exact and here):
                break
        return found or hidden[:1]

    def _in_call(self, call: ast.Call, steps: list[Step], place: Hit, history: bool) -> list[Hit]:
        name = last_name(call.func)
        if name == "include" and call.args and isinstance(call.args[0], ast.Constant):
            return self._imported((str(call.args[0].value), None), steps, history)
        if name in _COPIES:
            of = call.args[0] if call.args else getattr(call.func, "value", None)
            return self._inside(of, steps, place, history) if of is not None else [place]
        keywords = [(word.arg, word if word.arg else None, word.value) for word in call.keywords]
        if name in _DICTS:
            unpacked = [(None, None, arg) for arg in call.args]
            return self._in_entries([*unpacked, *keywords], steps, place, history)
        if isinstance(call.func, ast.Name):
            function = self.functions.get(call.func.id)
            defined = (self, function) if function is not None else None
            if defined is None:
                defined = self.bases.function(self.index, call.func.id)
            if defined is not None:
                return defined[0]._returned_by(defined[1], call, steps, place, history)
        if not self.recorded:
            unpacked = [(None, None, arg) for arg in call.args]
            return self._in_entries([*unpacked, *keywords], steps, place, history) or [place]
        found = self._in_entries(keywords, steps, place, history)
        if found and (found[0].exact or any(word.arg == steps[0].name for word in call.keywords)):
            return found
        return self._in_recorded(call, steps, place, history) or found

    def _in_recorded(
        self, call: ast.Call, steps: list[Step], place: Hit, history: bool
    ) -> list[Hit]:
        """The places of a path in a recorded call: its type, and its positional arguments."""
        step, rest = steps[0], steps[1:]
        args = list(call.args)
        name = last_name(call.func)
        target = call.func
        if name == "partial" and args:
            target = args.pop(0)
        elif isinstance(target, ast.Call) and target.args:
            target = target.args[0]  # later(AdamW)(lr=1), L(ResNet)(depth=50)
        if step.name == "type" and name not in ("ByEpoch", "ByIteration"):
            return [] if rest else self._at(target, target, [], place, history)
        position = step.position
        if step.name == "_args_" and not rest and args:
            whole = ast.copy_location(ast.List(args, ast.Load()), args[0])
            return self._at(whole, whole, [], place, history)
        if step.name == "_args_" and rest and rest[0].index is not None:
            position, rest = rest[0].index, rest[1:]
        elif name in _KNOWN_PARAMETERS and step.name in _KNOWN_PARAMETERS[name]:
            position = _KNOWN_PARAMETERS[name].index(step.name)
        stars = [index for index, arg in enumerate(args) if isinstance(arg, ast.Starred)]
        known = args[: stars[0]] if stars else args
        if position is not None and position < len(known):
            return self._at(known[position], known[position], rest, place, history)
        if name in _KNOWN_PARAMETERS and step.name not in _KNOWN_PARAMETERS[name]:
            return [place] if step.name == "by_epoch" else []
        return [place] if args else []

    def _returned_by(
        self,
        function: ast.FunctionDef,
        call: ast.Call,
        steps: list[Step],
        place: Hit,
        history: bool,
    ) -> list[Hit]:
        scope = Scope([*self.scope.writes, *function_writes(function, call)])
        for value in reversed(list(returned(function))):
            before, certain = len(scope.writes), place.certain
            inner = self._hit(value, value, scope, before, exact=False, certain=certain)
            found = self._inside(value, steps, inner, history)
            if found:
                return found
        return [place]

    def _in_list(self, value: ast.expr, steps: list[Step], place: Hit, history: bool) -> list[Hit]:
        """The places of a path in a list, which may be put together from others."""
        found = item_of_display(value, steps[0])
        if found is None:
            return [] if isinstance(value, ast.List | ast.Tuple) else [place]
        item, inner = found
        if inner is not None:
            return self._inside(item, [inner, *steps[1:]], place, history)
        if item is value:
            return [place]
        return self._at(item, item, steps[1:], place, history)

    # Places

    def _hit(
        self,
        node: Any,
        value: ast.expr | None,
        scope: Scope,
        before: int,
        *,
        exact: bool = True,
        certain: bool = True,
    ) -> Hit:
        line = self.lines[node.lineno - 1]
        # `ast` counts bytes; people count characters.
        column = len(line.encode()[: node.col_offset].decode(errors="ignore"))
        location = self.source.location(node.lineno, column + 1)
        return Hit(location, line.strip(), exact, certain, value, self, scope, before)


def _blank(match: Any) -> str:
    return "0".ljust(len(match.group()))


def _parse(text: str) -> ast.Module:
    with warnings.catch_warnings():
        # The reader of the file has already warned.
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _is_prefix(path: Sequence[str], steps: Sequence[Step]) -> bool:
    """Whether a path that is written is that of the steps, or one above it."""
    if len(path) > len(steps):
        return False
    return all(_is_key(written, step) for written, step in zip(path, steps, strict=False))


def _is_key(written: str, step: Step) -> bool:
    if written == step.name:
        return True
    if step.index is None:
        return False
    if written == "*":
        return True
    from_end = written.startswith("-") and written[1:].isdecimal() and step.length is not None
    return from_end and step.index == int(written) + (step.length or 0)
