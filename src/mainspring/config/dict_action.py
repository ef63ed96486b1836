"""Changes of a config that are written on a command line: ``--cfg-options key=value``."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from mainspring.errors import OverrideError

__all__ = ["DictAction"]

_PAIRS = {"(": ")", "[": "]"}
_QUOTES = ("'", '"')


class DictAction(argparse.Action):
    """Collects ``key=value`` words of a command line in one dict.

    Values are read as integers, floats, ``true``/``false`` in any case, ``None``, or else strings.
    ``a,b`` and ``[a,b]`` are lists, ``(a,b)`` is a tuple; they can hold each other. The option can
    be repeated; all words end up in one dict.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> _ = parser.add_argument("--cfg-options", nargs="+", action=DictAction)
        >>> words = ["--cfg-options", "optimizer.lr=0.01", "data.size=[224,224]"]
        >>> parser.parse_args(words).cfg_options
        {'optimizer.lr': 0.01, 'data.size': [224, 224]}
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Add words to the dict of the option."""
        words = [values] if isinstance(values, str) else list(values)
        # A new dict: the one that is there may be the parser's default.
        options = dict(getattr(namespace, self.dest, None) or {})
        for word in words:
            key, equals, value = word.partition("=")
            if not equals:
                raise OverrideError(f"{word!r} is no change of a config", help="write key=value")
            options[key] = self.parse_value(value)
        setattr(namespace, self.dest, options)

    @staticmethod
    def parse_value(text: str) -> Any:
        """The value that a text stands for.

        Args:
            text: What is written after the equals sign.

        Raises:
            AssertionError: If brackets do not match (`OverrideError`, also a `ValueError`).
        """
        text = text.strip()
        quoted = text[:1] in _QUOTES and text.find(text[0], 1) == len(text) - 1
        bare = text[1:-1] if quoted else text
        try:
            return _Reader(bare).whole()
        except OverrideError:
            if quoted:
                return bare
            raise
        except RecursionError as error:
            raise OverrideError("the value is nested too deep to be read") from error

    _parse_iterable = parse_value  # as MMEngine calls it, in which MMPretrain's tools call it


class _Reader:
    """Reads a value from left to right.

    Quotes and brackets mean something only where a value begins: ``http://host/[1]`` is a string.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> Any:
        """The value of the whole text; commas outside of brackets make a list."""
        items, has_comma = self._items("")
        return items if has_comma else items[0] if items else ""

    @property
    def _char(self) -> str:
        return self.text[self.at : self.at + 1]

    def _skip_spaces(self) -> None:
        while self._char.isspace():
            self.at += 1

    def _items(self, closing: str) -> tuple[list[Any], bool]:
        """Values up to a closing bracket, and whether there was a comma; it may be the last one."""
        items: list[Any] = []
        has_comma = False
        self._skip_spaces()
        while self._char not in ("", closing):
            items.append(self._item(closing))
            if self._char == ",":
                has_comma = True
                self.at += 1
                self._skip_spaces()
        return items, has_comma

    def _item(self, closing: str) -> Any:
        start, opening = self.at, self._char
        if opening in _PAIRS:
            self.at += 1
            items, _ = self._items(_PAIRS[opening])
            if self._char != _PAIRS[opening]:
                self._refuse()
            self.at += 1
            value: Any = tuple(items) if opening == "(" else items
        elif opening in _QUOTES:
            end = self.text.find(opening, start + 1)
            value = _scalar(self.text[start + 1 : end])
            # A quote without its pair is an ordinary character.
            self.at = end + 1 if end >= 0 else start
        else:
            return self._bare(closing)
        self._skip_spaces()
        if self._char in (",", "", closing):
            return value
        self.at = start
        return self._bare(closing)

    def _bare(self, closing: str) -> Any:
        start = self.at
        expected: list[str] = []
        while self._char and (expected or self._char not in (",", closing)):
            if self._char in _PAIRS:
                expected.append(_PAIRS[self._char])
            elif self._char in _PAIRS.values() and (not expected or expected.pop() != self._char):
                self._refuse()
            self.at += 1
        if expected:
            self._refuse()
        return _scalar(self.text[start : self.at])

    def _refuse(self) -> NoReturn:
        raise OverrideError(
            f"brackets do not match in {self.text!r}",
            help="write [a,b] for a list and (a,b) for a tuple",
        )


def _scalar(text: str) -> Any:
    text = text.strip().strip("'\"")
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return None if text == "None" else text
