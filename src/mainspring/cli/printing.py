"""How verbs print values and configs: short forms, and colours on a terminal."""

from __future__ import annotations

import io
import token
import tokenize
from collections.abc import Iterator, Sequence
from typing import Any

from mainspring.config.printing.in_words import in_lines, in_one_line
from mainspring.config.provenance.history import Origin
from mainspring.output import uses_colour

__all__ = ["highlight", "in_lines", "in_one_line", "origin_lines", "paint"]

_COLOURS = {
    "key": "36",
    "string": "32",
    "number": "35",
    "comment": "90",
    "added": "32",
    "removed": "31",
    "changed": "33",
    "place": "90",
    "title": "1",
}
_STRINGS = frozenset(
    getattr(token, name)
    for name in ("STRING", "FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")
    if hasattr(token, name)
)


def paint(text: str, role: str) -> str:
    """A text in the colour of its role, if colours are used.

    Args:
        text: The text.
        role: ``key``, ``string``, ``number``, ``comment``, ``added``, ``removed``, ``changed``,
            ``place`` or ``title``.
    """
    return f"\x1b[{_COLOURS[role]}m{text}\x1b[0m" if text and uses_colour() else text


def highlight(code: str) -> str:
    """Python or JSON with coloured keys, strings, numbers and comments, if colours are used.

    Args:
        code: The text; what is no Python is returned as it is.
    """
    if not uses_colour():
        return code
    try:
        marks = list(_marks(code))
    except (tokenize.TokenError, SyntaxError):
        return code
    lines = code.splitlines(keepends=True)
    for row, start, end, role in reversed(marks):
        line = lines[row]
        lines[row] = line[:start] + paint(line[start:end], role) + line[end:]
    return "".join(lines)


def _marks(code: str) -> Iterator[tuple[int, int, int, str]]:
    """Row, first and last column, and role, of what is coloured, line by line."""
    words = [
        word
        for word in tokenize.generate_tokens(io.StringIO(code).readline)
        if word.type not in (token.NL, token.INDENT, token.DEDENT)
    ]
    for word, following in zip(words, [*words[1:], None], strict=True):
        role = _role(word, following)
        if role is None:
            continue
        (first, start), (last, end) = word.start, word.end
        lines = word.string.split("\n") if first != last else [word.string]
        for row in range(first, last + 1):
            begin = start if row == first else 0
            stop = end if row == last else begin + len(lines[row - first])
            yield row - 1, begin, stop, role


def _role(word: tokenize.TokenInfo, following: tokenize.TokenInfo | None) -> str | None:
    after = following.string if following is not None else ""
    if word.type == token.COMMENT:
        return "comment"
    if word.type in _STRINGS:
        return "key" if after == ":" else "string"
    if word.type == token.NUMBER or word.string in ("True", "False", "None", "true", "null"):
        return "number"
    if word.type == token.NAME and after == "=":
        return "key"
    return None


def origin_lines(chain: Sequence[Origin], value: Any) -> list[str]:
    """The places of a value, one to a line; a literal that does not count any more is said.

    Args:
        chain: The places.
        value: The value.
    """
    places = [
        "command line" if origin.location is None else str(origin.location) for origin in chain
    ]
    width = max(map(len, places), default=0)
    lines = []
    for origin, place in zip(chain, places, strict=True):
        old = origin.is_literal and origin.variable is None and origin.value != value
        was = f"  ({in_one_line(origin.value, 60)} here)" if old and origin.location else ""
        lines.append(f"{paint(f'{place:<{width}}', 'place')}  {origin.line}{paint(was, 'place')}")
    return lines or [paint("no file sets it", "place")]
