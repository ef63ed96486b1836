"""Where a value of a config was written: file, line and column of a dotted path.

Nothing is recorded for it while a config is read, but the places of calls. The text is parsed again
when somebody asks, which is when an error is printed. `locate_python` says what is followed there.
"""

from __future__ import annotations

import ast
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mainspring.config.hit import Hit
from mainspring.config.list_changes import Step
from mainspring.config.locate_python import PythonFile
from mainspring.config.node import Node
from mainspring.config.source import Source
from mainspring.config.template import ENVIRONMENT
from mainspring.errors import Location
from mainspring.registry.recorded import POSITIONAL_KEY

if TYPE_CHECKING:
    from mainspring.config.config import Config
    from mainspring.config.override import Override

__all__ = [
    "Search",
    "Undone",
    "item_of",
    "keys_of",
    "locate",
    "locate_in_config",
    "locate_in_source",
    "search_of",
    "steps_of",
    "undo_changes",
    "value_at",
]

_PATIENCE = 400
"""How many expressions are looked into for one path: a file can define two names by each other."""


def locate(sources: Sequence[Source], path: str) -> Location | None:
    """Where a dotted path of a config was written last.

    Args:
        sources: The files of the config, bases before those that build on them.
        path: Dotted path, such as ``model.backbone.depth`` or ``custom_hooks.0.type``.

    Returns:
        The place of the key; ``None`` when no file writes it literally.
    """
    return Search(sources).place([Step(part) for part in path.split(".")])


def locate_in_source(
    source: Source, parts: Sequence[str], bases: Sequence[Source] = ()
) -> Location | None:
    """Where a path was written in one file.

    Args:
        source: The file.
        parts: The path's keys.
        bases: Files that values of ``_base_`` come from.

    Returns:
        The place of the key; ``None`` when the file does not write it literally.
    """
    steps = [Step(part) for part in parts]
    search = Search([*bases, source])
    found = search.in_file(len(bases), steps, history=False)[0]
    return next((hit.location for hit in found if hit.exact), None)


def locate_in_config(cfg: Config, path: str, search: Search | None = None) -> Location | None:
    """Where a dotted path of a config was written last, or the call around it.

    The config itself helps: it knows which argument a position is, how long lists are, and where
    each call stands. Nothing is imported for it.

    Args:
        cfg: The config.
        path: Dotted path; it need not exist.
        search: A search through its files, to be used for several paths; made if not given.

    Returns:
        The place of the key; where no file writes it literally, that of the innermost call or key
        that holds it; ``None`` if it was changed after the files were read, or has no such place.
    """
    undone = undo_changes(cfg, steps_of(cfg, path))
    if undone.steps is None or undone.replaced:
        return None
    steps = undone.steps
    search = search or search_of(cfg)
    hit = search.last(steps, value_at(cfg, keys_of(cfg, path)))
    if hit is not None and hit.exact:
        return hit.location
    names = keys_of(cfg, path)
    if value_at(cfg, names[:-1]) is None:
        return None  # neither the key nor what should hold it is there
    for count in range(len(steps), 0, -1):
        part = value_at(cfg, names[:count])
        if isinstance(part, Node) and part.where_written is not None:
            return part.where_written
        found = search.place(steps[:count]) if count < len(steps) else None
        if found is not None:
            return found
    return None


def search_of(cfg: Config) -> Search:
    """A search through the files of a config.

    Args:
        cfg: The config.
    """
    lines: dict[str, list[int]] = {}
    for node in _nodes(cfg._cfg_dict):
        if node.where_written is not None:
            lines.setdefault(node.where_written.file, []).append(node.where_written.line)
    return Search(cfg._sources, lines)


def steps_of(cfg: Config, path: str) -> list[Step]:
    """The keys of a path, with the lengths of lists and the positions of arguments.

    Args:
        cfg: The config.
        path: Dotted path.
    """
    steps: list[Step] = []
    part: Any = cfg._cfg_dict
    for name in keys_of(cfg, path):
        length = len(part) if isinstance(part, list | tuple) else None
        position = None
        if isinstance(part, Node) and not dict.__contains__(part, POSITIONAL_KEY):
            keys = [key for key in dict.keys(part) if key != "type"]
            position = keys.index(name) if name in keys else None
        steps.append(Step(name, length, position))
        part = item_of(part, name)
    return steps


@dataclass(frozen=True, slots=True)
class Undone:
    """A path as it was before the command line changed the config.

    Attributes:
        steps: The path in the files; ``None`` when the value stands in none of them.
        changes: The changes that gave the value or part of it, the first one first.
        merged: Whether `Config.merge_from_dict` gave it.
        replaced: Whether the value is that of a change rather than that of a file.
    """

    steps: list[Step] | None
    changes: tuple[Override, ...]
    merged: bool
    replaced: bool


def undo_changes(cfg: Config, steps: Sequence[Step]) -> Undone:
    """The path that a value had in the files, before the config was changed.

    Args:
        cfg: The config.
        steps: Its path in the config.
    """
    names = [step.name for step in steps]
    words = {change.path for change in cfg._overrides}
    merges = [changed.split(".") for changed in cfg._changed if changed not in words]
    merged = any(names[: len(changed)] == changed for changed in merges)
    replaced = merged
    changes: list[Override] = []
    left = list(steps)
    for change in reversed(cfg._overrides):
        path = change.path.split(".")
        names = [step.name for step in left]
        if change.path not in cfg._changed or change.action in ("set", "force"):
            if names[: len(path)] == path:
                changes.append(change)
                replaced = replaced or change.path in cfg._changed
            elif path[: len(names)] == names:
                changes.append(change)
            continue
        holder = path if change.action == "append" else path[:-1]
        if holder == names or path[: len(names)] == names:
            changes.append(change)
        if len(names) <= len(holder) or names[: len(holder)] != holder:
            continue
        step = left[len(holder)]
        if step.index is None or step.length is None:
            continue
        if change.action == "remove":
            moved = step.at(step.index + (int(path[-1]) <= step.index), step.length + 1)
        else:
            value = change.value
            length = step.length - (len(value) if isinstance(value, list | tuple) else 1)
            if step.index >= length:
                return Undone(None, (*reversed([*changes, change]),), merged, True)
            moved = step.at(step.index, length)
        left = [*left[: len(holder)], moved, *left[len(holder) + 1 :]]
    return Undone(left, tuple(reversed(changes)), merged, replaced)


def keys_of(cfg: Config, path: str) -> list[str]:
    """The keys of a dotted path; a key of the config may have dots of its own."""
    keys: list[str] = []
    part: Any = cfg._cfg_dict
    rest = path.split(".")
    while rest:
        count = 1
        if isinstance(part, dict) and item_of(part, rest[0]) is None:
            joined = (n for n in range(2, len(rest) + 1) if ".".join(rest[:n]) in dict.keys(part))
            count = next(joined, 1)
        keys.append(".".join(rest[:count]))
        part, rest = item_of(part, keys[-1]), rest[count:]
    return keys


def item_of(part: Any, name: str) -> Any:
    """An item of a dict or list, without importing anything; ``None`` if it is not there."""
    if isinstance(part, dict):
        if dict.__contains__(part, name):
            return dict.__getitem__(part, name)
        return dict.get(part, int(name)) if name.isdecimal() else None
    if isinstance(part, list | tuple) and name.isdecimal() and int(name) < len(part):
        return part[int(name)]
    return None


def value_at(cfg: Config, names: Sequence[str]) -> Any:
    """A part of a config, without importing anything; ``None`` if it is not there."""
    part: Any = cfg._cfg_dict
    for name in names:
        part = item_of(part, name)
    return part


def _nodes(part: Any) -> Iterator[Node]:
    if isinstance(part, Node):
        yield part
    items: Any = dict.values(part) if isinstance(part, dict) else part
    if isinstance(part, dict | list | tuple):
        for item in items:
            yield from _nodes(item)


class Search:
    """Looks for paths in the files of a config, each of which is parsed once.

    Args:
        sources: The files, bases before those that build on them.
        call_lines: Lines on which the calls of the config are written, by file.
    """

    def __init__(
        self, sources: Sequence[Source], call_lines: Mapping[str, Sequence[int]] | None = None
    ) -> None:
        self.sources = tuple(sources)
        self._call_lines = call_lines or {}
        self._files: dict[int, PythonFile | None] = {}
        self._patience = _PATIENCE

    def place(self, steps: Sequence[Step]) -> Location | None:
        """Where a path was written last; ``None`` when no file writes it literally."""
        hits = self.hits(steps, history=False)
        return next((hit.location for hit in hits if hit.exact), None)

    def last(self, steps: Sequence[Step], value: Any) -> Hit | None:
        """The place that gave a value.

        Args:
            steps: Its path.
            value: The value: of two branches that write the path it tells which was taken.
        """
        hits = self.hits(steps, history=False)
        if hits and not hits[0].certain:
            hits = [hit for hit in self.hits(steps, history=True) if hit.may_give(value)]
        return hits[0] if hits else None

    def hits(self, steps: Sequence[Step], *, history: bool) -> list[Hit]:
        """The places of a path, the last first.

        Args:
            steps: The path.
            history: Whether all are wanted; otherwise the search ends with the first.
        """
        self._patience = _PATIENCE
        found = self.below(len(self.sources), steps, history=history)
        hits = list({hit.location: hit for hit in found}.values())
        if not any(hit.exact for hit in hits):
            return hits
        # What a file of the text dialect hides merges with what another says.
        return [hit for hit in hits if hit.exact or (hit.file is not None and hit.file.recorded)]

    def below(self, count: int, steps: Sequence[Step], *, history: bool) -> list[Hit]:
        """The places of a path in the first so many files, the last first."""
        found: list[Hit] = []
        for index in range(count - 1, -1, -1):
            hits, steps, replaced = self.in_file(index, steps, history=history)
            found += hits
            if not history and (replaced or any(hit.exact for hit in hits)):
                break
        return found

    def in_file(
        self, index: int, steps: Sequence[Step], *, history: bool
    ) -> tuple[list[Hit], Sequence[Step], bool]:
        """The places of a path in one file, see `PythonFile.find`."""
        source = self.sources[index]
        parts = [step.name for step in steps]
        try:
            if source.format == ".py":
                file = self._file(index)
                if file is None:
                    return [], steps, False
                return file.find(steps, history=history)
            if source.format == ".json":
                place = _in_json(source, parts)
            elif source.format == ".toml":
                place = _in_toml(source, parts)
            else:
                place = _in_yaml(source, parts)
        except (SyntaxError, ValueError, RecursionError):
            return [], steps, False
        if place is None:
            return [], steps, False
        return [Hit(place, source.text.split("\n")[place.line - 1].strip())], steps, False

    def index_of(self, path: str) -> int | None:
        """Which file has a path."""
        for index, source in enumerate(self.sources):
            if source.path == path or source.absolute_path == os.path.abspath(path):
                return index
        return None

    def function(self, count: int, name: str) -> tuple[PythonFile, ast.FunctionDef] | None:
        """A function that one of the first so many files defines, the last of them."""
        for index in range(count - 1, -1, -1):
            file = self._file(index) if self.sources[index].format == ".py" else None
            if file is not None and name in file.functions:
                return file, file.functions[name]
        return None

    def spend(self) -> bool:
        """Whether there is patience left: a file can define two names by each other."""
        self._patience -= 1
        return self._patience > 0

    def _file(self, index: int) -> PythonFile | None:
        if index not in self._files:
            source = self.sources[index]
            try:
                self._files[index] = PythonFile(
                    source,
                    index,
                    self,
                    outermost=index == len(self.sources) - 1,
                    call_lines=self._call_lines.get(source.path, ()),
                )
            except (SyntaxError, ValueError, RecursionError):
                self._files[index] = None
        return self._files[index]


def _blank(match: re.Match[str]) -> str:
    return "0".ljust(len(match.group()))


def _in_json(source: Source, parts: Sequence[str]) -> Location | None:
    # JSON reads as a Python display in which `true` and `null` are names.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(f"({ENVIRONMENT.sub(_blank, source.text)}\n)", mode="eval")
    value: ast.expr = tree.body
    place: ast.expr | None = None
    for part in parts:
        entries: dict[str, tuple[ast.expr, ast.expr]] = {}
        if isinstance(value, ast.Dict):
            for key, item in zip(value.keys, value.values, strict=True):
                if isinstance(key, ast.Constant):
                    entries[str(key.value)] = (key, item)
        elif isinstance(value, ast.List):
            entries = {str(index): (item, item) for index, item in enumerate(value.elts)}
        if part not in entries:
            return None
        place, value = entries[part]
    if place is None:
        return None
    line = f"({source.text}".split("\n")[place.lineno - 1]
    column = len(line.encode()[: place.col_offset].decode(errors="ignore"))
    return source.location(place.lineno, column + (0 if place.lineno == 1 else 1))


def _in_yaml(source: Source, parts: Sequence[str]) -> Location | None:
    import yaml

    try:
        node: Any = yaml.compose(source.text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    place: Any = None
    for part in parts:
        if isinstance(node, yaml.MappingNode):
            entries = [(key, value) for key, value in node.value if key.value == part]
            if not entries:
                return None
            place, node = entries[-1]
        elif isinstance(node, yaml.SequenceNode) and part.isdecimal():
            if int(part) >= len(node.value):
                return None
            place = node = node.value[int(part)]
        else:
            return None
    mark = None if place is None else place.start_mark
    return None if mark is None else source.location(mark.line + 1, mark.column + 1)


_TOML_TABLE = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_TOML_KEY = re.compile(r"\s*([\w.\-\"']+)\s*=")


def _in_toml(source: Source, parts: Sequence[str]) -> Location | None:
    """By lines: tables and keys, not what is inside of inline tables and lists."""
    table: list[str] = []
    found: Location | None = None
    for number, line in enumerate(source.text.split("\n"), start=1):
        header, entry = _TOML_TABLE.match(line), _TOML_KEY.match(line)
        match = header or entry
        if match is None:
            continue
        keys = [key.strip().strip("\"'") for key in match.group(1).split(".")]
        if header:
            table = keys
        if (table if header else [*table, *keys]) == list(parts):
            found = source.location(number, match.start(1) + 1)
    return found
