"""Marks: where each key, item and call of a config is written.

They are set once, when a file is read, and travel with the values from then on: a `ConfigDict`
keeps those of its keys, and copies, merges and edits take them along. What is still a plain dict
or list while a file is read has its marks in the `Session`, by identity.
"""

from __future__ import annotations

import ast
import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from mainspring.errors import Location
from mainspring.registry.within import within

__all__ = [
    "BASE_VALUE_FUNCTION",
    "Mark",
    "Marked",
    "MarkedText",
    "Marks",
    "Session",
    "Spot",
    "carry",
    "current_session",
    "key_marks",
    "marks_of",
    "overlay",
    "session",
]

BASE_VALUE_FUNCTION = "_mainspring_base_value_"
"""What stands for a template with a value of the bases while a file runs."""

Span = tuple[int, int, int, int]
"""First line, bytes before it, last line, bytes up to its end."""

_UNREADABLE = (SyntaxError, ValueError, TypeError, MemoryError, RecursionError)
_order = itertools.count()
_session: ContextVar[Session | None] = ContextVar("mainspring_marks_session", default=None)


@dataclass(slots=True, eq=False)
class MarkedText:
    """The text of a file that has marks.

    Attributes:
        path: Its path, as the user would type it.
        written: The text as it was written.
        parsed: The text that was parsed, in which templates are filled, line by line the same.
        templates: Paths of the values of the bases that calls of `BASE_VALUE_FUNCTION` stand for.
    """

    path: str
    written: str
    parsed: str
    templates: Sequence[str] = ()

    def lines(self, number: int) -> tuple[str, str]:
        """A line as it was written, and as it was parsed; lines count from 1."""
        written, parsed = (text.split("\n")[number - 1] for text in (self.written, self.parsed))
        return written, parsed

    def location(self, line: int, offset: int) -> Location:
        """The place of a token, by the bytes that precede it in its line, as `ast` counts."""
        written, parsed = self.lines(line)
        before = parsed.encode()[:offset].decode(errors="ignore")
        rest = parsed[len(before) :]
        column = len(before)
        if not written.startswith(before):  # templates of another length were filled before it
            same = (a == b for a, b in zip(written, parsed, strict=False))
            column = sum(itertools.takewhile(bool, same))
            column = len(written) - len(rest) if written.endswith(rest) else column
        return Location(self.path, line, column + 1)

    def expression(self, span: Span) -> ast.expr:
        """What is written in a part of the text."""
        first, start, last, end = span
        lines = [line.encode() for line in self.parsed.split("\n")[first - 1 : last]]
        lines[-1] = lines[-1][:end]
        lines[0] = lines[0][start:]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(b"\n".join(lines).decode().join("()"), mode="eval").body

    def token(self, span: Span, word: str | None = None) -> Location:
        """The place of the token that an instruction is about.

        Args:
            span: What is written there: of an attribute its name counts, of an item its key.
            word: Of a call, the keyword that counts.
        """
        try:
            node = self.expression(span)
        except _UNREADABLE:
            return self.location(span[0], span[1])  # a statement
        if isinstance(node, ast.Attribute):
            return self.location(span[2], span[3] - len(node.attr.encode()))
        at: Any = node.slice if isinstance(node, ast.Subscript) else node
        words = node.keywords if isinstance(node, ast.Call) else []
        at = next((keyword for keyword in words if keyword.arg == word), at)
        offset = at.col_offset + (span[1] - 1 if at.lineno == 1 else 0)
        return self.location(span[0] + at.lineno - 1, offset)


@dataclass(slots=True, eq=False)
class Spot:
    """A place that says something of the config.

    Attributes:
        text: The file; ``None`` for what changed the config after it was read.
        line: Line of the key's token, counted from 1.
        offset: Bytes that precede it in the line.
        span: Where the value is written, in Python.
        parameters: Places of the defaults of a function's parameters, inside of one.
        is_change: Whether it changes a part that is there rather than describing one.
        word: The word of the command line, or what else changed the config.
        value: The value that the word gives.
    """

    text: MarkedText | None
    line: int = 0
    offset: int = 0
    span: Span | None = None
    parameters: Mapping[str, Spot | None] | None = None
    is_change: bool = False
    word: str = ""
    value: Any = None

    @property
    def location(self) -> Location:
        """File, line and column; of a change after the files were read, its word."""
        return self.text.location(self.line, self.offset) if self.text else Location(self.word, 0)

    def literal(self) -> tuple[bool, Any]:
        """Whether a literal is written there, and its value."""
        if self.text is None or self.span is None:
            return self.text is None, self.value
        if any(len(set(self.text.lines(n))) > 1 for n in range(self.span[0], self.span[2] + 1)):
            return False, None  # a template was filled there
        try:
            return True, ast.literal_eval(self.text.expression(self.span))
        except _UNREADABLE:
            return False, None

    def gives(self, value: Any, *, surely: bool) -> bool:
        """Whether the value written there is a given one, as far as a literal tells."""
        known, literal = self.literal()
        return (type(literal) is type(value) and bool(literal == value)) if known else not surely


@dataclass(slots=True, eq=False)
class Mark:
    """What gave a key its value.

    Attributes:
        spot: The place.
        before: The mark and the value that the key had before.
        is_partial: Whether the value is that of ``before``, of which only a part was changed.
        order: Marks that are set later have a higher one.
    """

    spot: Spot
    before: tuple[Mark, Any] | None = None
    is_partial: bool = False
    order: int = field(default_factory=_order.__next__)

    @property
    def place(self) -> Spot:
        """The place that the value comes from."""
        return self.before[0].place if self.is_partial and self.before else self.spot


@dataclass(slots=True, eq=False)
class Marks:
    """The marks of one dict.

    Attributes:
        where: Where the dict or call begins.
        keys: The marks of its keys.
        items: Places of what lists in it are made of, by their keys and, of lists inside of
            lists, indices.
    """

    where: Spot | None = None
    keys: dict[Any, Mark] = field(default_factory=dict)
    items: dict[tuple[Any, ...], list[Spot]] = field(default_factory=dict)

    def copy(self) -> Marks:
        """A copy that can be changed by itself."""
        return Marks(self.where, dict(self.keys), dict(self.items))

    def set(self, key: Any, mark: Mark, old: Any = None) -> None:
        """Set the mark of a key.

        Args:
            key: The key.
            mark: Its mark.
            old: The value that the key had before.
        """
        known = self.keys.get(key)
        if known is not None and known is not mark:
            # A loop that comes by once more has no history of its own.
            before = known.before if known.spot is mark.spot else (known, old)
            mark = Mark(mark.spot, before, mark.is_partial, mark.order)
        self.keys[key] = mark


class Marked(dict[Any, Any]):
    """A dict that keeps the marks of its keys."""

    __marks__: Marks | None = None


@dataclass(slots=True, eq=False)
class Session:
    """What is known of plain dicts and lists while a file and its bases are read.

    Attributes:
        kept: Each of them by identity, with its marks, or the places of what it is made of.
        sources: What the expression that is evaluated is made of, see `marking` beside this.
        pending: Stores that are about to happen.
        copies: While a recorded file runs, by identity: dicts and lists of Python that the config
            holds as others, what they held then, and what stands for them wherever they stand.
    """

    kept: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    sources: list[Any] = field(default_factory=list)
    pending: list[tuple[Any, Any, Spot, Any, Sequence[Spot]]] = field(default_factory=list)
    copies: dict[int, tuple[Any, Any, Any]] | None = None

    @contextmanager
    def sharing(self, on: bool) -> Iterator[None]:
        """Within the block one dict or list of Python is one part wherever it stands, or not."""
        before, self.copies = self.copies, {} if on else None
        try:
            yield
        finally:
            self.copies = before

    def standing_for(self, part: Any) -> Any:
        """What the config holds in the place of a dict or list of Python."""
        known = (self.copies or {}).get(id(part))
        return part if known is None else known[2]

    def take(self, count: int) -> list[Any]:
        """The sources of the value that was just made."""
        first = len(self.sources) - count
        taken = self.sources[first:]
        del self.sources[first:]
        return taken

    def keep(self, part: Any, marks: Marks | list[Spot]) -> None:
        """Remember the marks of a dict, or the places of what a list is made of."""
        if isinstance(part, Marked):
            object.__setattr__(part, "__marks__", marks)
        else:
            self.kept[id(part)] = (part, marks)

    def marks(self, part: Any) -> Marks:
        """The marks of a dict; it gets some if it has none."""
        marks = marks_of(part)
        if marks is None:
            self.keep(part, marks := Marks())
        return marks

    def items(self, part: Any) -> list[Spot]:
        """The places of what a list is made of."""
        return self.kept[id(part)][1] if id(part) in self.kept and type(part) is not dict else []

    def finish(
        self, part: Any, seen: set[int], marks: Marks | None = None, trail: tuple[Any, ...] = ()
    ) -> None:
        """Let the dicts of a config keep the places of the items of their lists.

        Args:
            part: A part of the config.
            seen: Dicts that are finished.
            marks: The marks of the dict around it.
            trail: Its key and indices there.
        """
        if isinstance(part, dict):
            if id(part) in seen:
                return
            seen.add(id(part))
            marks, trail = self.marks(part), ()
        elif marks is not None and self.items(part):
            marks.items[trail] = self.items(part)
        for key, value in dict.items(part) if isinstance(part, dict) else enumerate(part):
            if isinstance(value, dict | list | tuple):
                self.finish(value, seen, marks, (*trail, key))


def session() -> AbstractContextManager[Session]:
    """Within the block plain dicts and lists have marks; blocks inside of it share them."""
    return within(_session, _session.get() or Session())


def current_session() -> Session | None:
    """The session, while files are read."""
    return _session.get()


def marks_of(part: Any) -> Marks | None:
    """The marks of a dict."""
    if isinstance(part, Marked):
        return part.__marks__
    current = _session.get()
    found = current.kept.get(id(part)) if current is not None and type(part) is dict else None
    return found[1] if found is not None else None


def key_marks(part: Any) -> dict[Any, Mark]:
    """The marks of the keys of a dict."""
    marks = marks_of(part)
    return marks.keys if marks is not None else {}


def carry(old: Any, new: Any) -> None:
    """Give a copy of a dict or list the marks of the original.

    Args:
        old: The original.
        new: The copy.
    """
    marks = marks_of(old)
    current = _session.get()
    if marks is not None and isinstance(new, Marked):
        object.__setattr__(new, "__marks__", marks.copy())
    elif current is not None and id(old) in current.kept and new is not old:
        current.keep(new, current.kept[id(old)][1].copy())


def overlay(result: Any, key: Any, source: Any, old: Any = None) -> None:
    """Give a key of one dict the mark that it has in another which is merged into it.

    Args:
        result: The dict that is changed.
        key: The key.
        source: The dict that gives the value.
        old: The value that the key had before.
    """
    theirs, current = marks_of(source), _session.get()
    if theirs is None or key not in theirs.keys or current is None:
        return
    current.marks(result).set(key, theirs.keys[key], old)
