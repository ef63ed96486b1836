"""Read files of data: what JSON, TOML and YAML hold, and where they write their keys and items."""

from __future__ import annotations

import ast
import functools
import json
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

from mainspring.config.printing.sharing import MOST_VALUES
from mainspring.config.provenance.marks import Mark, MarkedText, Marks, Session, Spot
from mainspring.config.source import Source
from mainspring.config.text_dialect.data_formats import revive
from mainspring.config.text_dialect.yaml_scalars import changed_words, yaml_loader
from mainspring.errors import ConfigAttributeError, ConfigError, ConfigSyntaxError

__all__ = ["Written", "mark_data", "read_data"]

_TOML_LINE = re.compile(r"\s*(\[\[?)?\s*([\w.\-]+|\"[^\"]+\"|'[^']+')\s*(?(1)\]|=)\s*")
_TOML_ITEM = re.compile(r"\"[^\"]*\"|'[^']*'|[^\s,\[\]]+")
_INLINE_KEY = re.compile(r"([\w\-]+)\s*=")


@dataclass(slots=True, eq=False)
class Written:
    """What a file writes as one value.

    Attributes:
        spot: The place of its key, or of itself as an item.
        keys: What it holds, if it is a mapping.
        items: What it holds, if it is a list.
        value: The place of the value.
    """

    spot: Spot | None = None
    keys: dict[str, Written] = field(default_factory=dict)
    items: list[Written] = field(default_factory=list)
    value: Spot | None = None


def read_data(source: Source, text: MarkedText) -> tuple[dict[str, Any], Written]:
    """What a file of data holds, and where it writes it.

    Args:
        source: The file.
        text: Its text, with templates filled.

    Raises:
        ConfigError: It is not valid, or holds no mapping.
    """
    start = source.location(1)
    try:
        raw, written = _parse_data(source, text)
    except ConfigError:
        raise
    except (RecursionError, MemoryError, SyntaxError) as error:  # of Python, in JSON: it nests too
        raise ConfigSyntaxError("the file is nested too deep to be read", location=start) from error
    except (ValueError, TypeError, AttributeError) as error:
        # What the parsers of these formats let through: numbers and dates that are none.
        raise ConfigSyntaxError(
            f"a value of the file cannot be read: {error}", location=start
        ) from error
    content = revive(raw)
    if not isinstance(content, dict):
        raise ConfigAttributeError(
            f"a config is a mapping of keys to values, but the file holds {content!r:.60}",
            location=start,
        )
    return content, written


def _parse_data(source: Source, marked: MarkedText) -> tuple[Any, Written]:
    text = marked.parsed
    if source.format == ".json":
        try:
            read = json.loads(text, object_pairs_hook=functools.partial(_once, source, text))
            return read, _written_in_json(marked)
        except json.JSONDecodeError as error:
            place = source.location(error.lineno, error.colno)
            raise ConfigSyntaxError(f"not valid JSON: {error.msg}", location=place) from error
    if source.format == ".toml":
        import tomllib

        try:
            return tomllib.loads(text), _written_in_toml(marked)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"line (\d+), column (\d+)", str(error))
            # Without a line the mistake is at the end of the file.
            line, column = map(int, found.groups()) if found else (text.count("\n") + 1, None)
            raise ConfigSyntaxError(
                f"not valid TOML: {str(error).partition(' (at')[0]}",
                location=source.location(line, column),
            ) from error
    import yaml

    try:
        loader = yaml_loader()(text)
        node = loader.get_single_node()
        if node is None:
            return None, Written()
        _check_document(node, source)
        for word, meaning in changed_words(node):
            place = source.location(word.start_mark.line + 1, word.start_mark.column + 1)
            warnings.warn(
                f"{place}: {word.value} is {meaning}, as YAML 1.2 has it: put it in quotes, or "
                "write true, false or a number without a zero in front",
                stacklevel=2,
            )
        return loader.construct_document(node), _written_in_yaml(node, marked)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = source.location(mark.line + 1, mark.column + 1) if mark else source.location(1)
        problem = getattr(error, "problem", None) or str(error)
        has_tab = problem.startswith("found character") and "\t" in source.text
        advice = "indent with spaces: YAML takes no tabs" if has_tab else None
        said = f"not valid YAML: {problem}"
        raise ConfigSyntaxError(said, location=place, help=advice) from error


def _once(source: Source, text: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, whose keys must differ."""
    found = dict(pairs)
    for name in found if len(found) < len(pairs) else ():
        if sum(key == name for key, _ in pairs) > 1:
            # The parser does not say where: it is the only place but in rare files.
            places = [at.start() for at in re.finditer(rf"{re.escape(json.dumps(name))}\s*:", text)]
            before = text[: places[1] if len(places) > 1 else 0]
            raise _repeated(name, source, before.count("\n") + 1, len(before) - before.rfind("\n"))
    return found


def _repeated(key: str, source: Source, line: int, column: int) -> ConfigSyntaxError:
    return ConfigSyntaxError(
        f"the key {key!r} is given twice, so the first has no effect",
        location=source.location(line, column),
        help="remove one of them",
    )


def _check_document(root: Any, source: Source) -> None:
    """Refuse a key that is given twice, and aliases that stand for endlessly many values."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: Any) -> int:
        if id(node) in sizes:
            return sizes[id(node)]
        place = source.location(node.start_mark.line + 1, node.start_mark.column + 1)
        if id(node) in open_nodes:
            raise ConfigError("an alias stands inside of what it names", location=place)
        open_nodes.add(id(node))
        total, keys = 1, set()
        for entry in [] if isinstance(node.value, str) else node.value:
            for part in entry if isinstance(entry, tuple) else (entry,):
                total += size(part)
            key = entry[0] if isinstance(entry, tuple) else None
            if key is not None and isinstance(key.value, str) and key.value != "<<":
                if key.value in keys:
                    mark = key.start_mark
                    raise _repeated(key.value, source, mark.line + 1, mark.column + 1)
                keys.add(key.value)
        if total > MOST_VALUES:
            raise ConfigError(
                f"the aliases of the file stand for more than {MOST_VALUES} values", location=place
            )
        open_nodes.discard(id(node))
        sizes[id(node)] = total
        return total

    size(root)


def mark_data(value: Any, written: Written, session: Session) -> None:
    """Mark what was read from a file, as far as it is what is written there.

    Args:
        value: The value; dicts that stand for other values are resolved in it.
        written: The places.
        session: Keeps the marks.
    """
    if isinstance(value, dict):
        marks = Marks(written.spot)
        for key, item in dict.items(value):
            inner = written.keys.get(str(key), Written())
            if inner.spot is not None:
                marks.keys[key] = Mark(inner.spot)
                mark_data(item, inner, session)
        session.keep(value, marks)
    elif isinstance(value, list | tuple):
        items = written.items or getattr(written.keys.get("_tuple_"), "items", [])
        session.keep(value, [item.spot for item in items if item.spot is not None])
        for item, inner in zip(value, items, strict=False):
            mark_data(item, inner, session)


def _written_in_yaml(root: Any, text: MarkedText) -> Written:
    """The places in a YAML file.

    Args:
        root: The node of the document.
        text: The file.
    """
    known: dict[int, Written] = {}  # an alias is the same node once more

    def written(node: Any, key: Any) -> Written:
        found = known.get(id(node))
        if found is None:
            found = known[id(node)] = Written()
            for entry in [] if isinstance(node.value, str) else node.value:
                if isinstance(entry, tuple):
                    found.keys[str(entry[0].value)] = written(entry[1], entry[0])
                else:
                    found.items.append(written(entry, entry))
        return Written(spot(key), found.keys, found.items, spot(node))

    def spot(node: Any) -> Spot:
        line, column = node.start_mark.line + 1, node.start_mark.column
        return Spot(text, line, len(text.lines(line)[1][:column].encode()))

    return written(root, root)


def _written_in_json(text: MarkedText) -> Written:
    """The places in a JSON file: it reads as a Python display in which `true` is a name.

    Args:
        text: The file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _of_display(ast.parse(f"({text.parsed}\n)", mode="eval").body, text, None)


def _of_display(node: ast.expr, text: MarkedText, key: ast.expr | None) -> Written:
    """The places in a display whose text has one character more in front of it."""

    def spot(at: ast.expr) -> Spot:
        return Spot(text, at.lineno, at.col_offset - (at.lineno == 1))

    found = Written(spot(key or node), value=spot(node))
    if isinstance(node, ast.Dict):
        for name, value in zip(node.keys, node.values, strict=True):
            if isinstance(name, ast.Constant):
                found.keys[str(name.value)] = _of_display(value, text, name)
    elif isinstance(node, ast.List):
        found.items = [_of_display(item, text, None) for item in node.elts]
    return found


def _written_in_toml(text: MarkedText) -> Written:
    """The places of the tables and keys of a TOML file, and of what is in one line with a key.

    Args:
        text: The file.
    """
    root = table = Written()
    for number, line in enumerate(text.parsed.split("\n"), start=1):
        match = _TOML_LINE.match(line)
        if match is None:
            continue
        spot = Spot(text, number, len(line[: match.start(2)].encode()))
        holder = root if match[1] else table
        for part in match[2].split("."):
            holder = holder.items[-1] if holder.items else holder
            holder = holder.keys.setdefault(part.strip("\"'"), Written(spot))
        if match[1]:
            table = holder
            if match[1] == "[[":
                holder.items.append(table := Written(spot))
            continue
        value = match.end()
        holder.value = Spot(text, number, len(line[:value].encode()))
        if line[value : value + 1] == "[":
            items = _TOML_ITEM.finditer(line, value)
            spots = (Spot(text, number, len(line[: item.start()].encode())) for item in items)
            holder.items = [Written(spot) for spot in spots]
        for key in _INLINE_KEY.finditer(line, value):
            inner = Spot(text, number, len(line[: key.start()].encode()))
            holder.keys.setdefault(key[1], Written(inner))
    return root
