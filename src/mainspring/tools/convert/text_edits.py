"""Changes to a text, by place."""

from __future__ import annotations

import ast
import io
import itertools
import tokenize
from bisect import bisect_right
from typing import Any, NamedTuple

__all__ = ["EditedText"]


class _Comment(NamedTuple):
    start: int
    text: str
    line: int


class EditedText:
    """The text of a Python file, its syntax tree, and changes that are applied at the end.

    Args:
        text: The text as it was.

    Attributes:
        text: The same.
        tree: Its syntax tree.
        comments: Its comments, in order.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self._lines = text.split("\n")
        lengths = (len(line) + 1 for line in self._lines)
        self._starts = list(itertools.accumulate(lengths, initial=0))
        self._changes: list[tuple[int, int, str]] = []
        self.comments = [
            _Comment(
                self._starts[token.start[0] - 1] + token.start[1], token.string, token.start[0]
            )
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type == tokenize.COMMENT
        ]

    def _offset(self, line: int, column: int) -> int:
        """The place of a character, from what `ast` calls it (columns count bytes)."""
        before = self._lines[line - 1].encode()[:column]
        return self._starts[line - 1] + len(before.decode())

    def start(self, node: Any) -> int:
        """Where a node begins."""
        return self._offset(node.lineno, node.col_offset)

    def end(self, node: Any) -> int:
        """Where a node ends."""
        return self._offset(node.end_lineno, node.end_col_offset)

    def line_of(self, offset: int) -> int:
        """The line of a place, from 1."""
        return bisect_right(self._starts, offset)

    def line_start(self, offset: int) -> int:
        """Where the line of a place begins."""
        return self._starts[self.line_of(offset) - 1]

    def line_end(self, offset: int) -> int:
        """Where the line of a place ends."""
        end = self.text.find("\n", offset)
        return len(self.text) if end < 0 else end

    def change(self, start: int, end: int, new: str) -> None:
        """Put a text in the place of another one; changes within it are dropped."""
        self._changes = [
            change
            for change in self._changes
            if not (start <= change[0] and change[1] <= end) or change[0] == change[1] == start
        ]
        self._changes.append((start, end, new))

    def replace(self, node: Any, new: str) -> None:
        """Put a text in the place of a node."""
        self.change(self.start(node), self.end(node), new)

    def text_of(self, node: Any) -> str:
        """The text of a node, with the changes so far."""
        return self.changed(self.start(node), self.end(node))

    def changed(self, start: int, end: int) -> str:
        """A part of the text, with the changes so far."""
        pieces: list[str] = []
        place = start
        for first, last, new in sorted(self._changes, key=lambda change: change[:2]):
            if first < start or last > end:
                continue
            pieces += [self.text[place:first], new]
            place = last
        return "".join([*pieces, self.text[place:end]])

    def result(self) -> str:
        """The whole text with all changes."""
        return self.changed(0, len(self.text))
