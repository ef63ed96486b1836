"""Changes of a config that are written on a command line: ``--cfg-options key=value``."""

from __future__ import annotations

import argparse
from typing import Any

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
            items, has_comma, _ = _items(bare, "")
        except _UnmatchedError as error:
            if quoted:
                return bare
            raise OverrideError(
                f"brackets do not match in {bare!r}",
                help="write [a,b] for a list and (a,b) for a tuple",
            ) from error
        except RecursionError as error:
            raise OverrideError("the value is nested too deep to be read") from error
        return items if has_comma else items[0] if items else ""

    _parse_iterable = parse_value  # as MMEngine calls it, in which MMPretrain's tools call it


class _UnmatchedError(Exception):
    """A bracket has no partner."""


# These read from left to right, and also return what is left to read. Quotes and brackets mean
# something only where a value begins: ``http://host/[1]`` is a string.


def _items(text: str, closing: str) -> tuple[list[Any], bool, str]:
    """Values up to a closing bracket, and whether there was a comma; it may be the last one."""
    items: list[Any] = []
    has_comma, rest = False, text.lstrip()
    while rest and rest[0] != closing:
        value, rest = _item(rest, closing)
        items.append(value)
        if rest.startswith(","):
            has_comma, rest = True, rest[1:].lstrip()
    return items, has_comma, rest


def _item(text: str, closing: str) -> tuple[Any, str]:
    opening, inside = text[0], text[1:]
    if opening in _PAIRS:
        items, _, rest = _items(inside, _PAIRS[opening])
        if not rest:
            raise _UnmatchedError
        value, rest = tuple(items) if opening == "(" else items, rest[1:].lstrip()
    elif opening in _QUOTES and opening in inside:
        quoted, _, rest = inside.partition(opening)
        value, rest = _scalar(quoted), rest.lstrip()
    else:
        return _bare(text, closing)
    ends = not rest or rest[0] in (",", closing)
    return (value, rest) if ends else _bare(text, closing)


def _bare(text: str, closing: str) -> tuple[Any, str]:
    expected: list[str] = []
    for at, char in enumerate(text):
        if not expected and char in (",", closing):
            return _scalar(text[:at]), text[at:]
        if char in _PAIRS:
            expected.append(_PAIRS[char])
        elif char in _PAIRS.values() and (not expected or expected.pop() != char):
            raise _UnmatchedError
    if expected:
        raise _UnmatchedError
    return _scalar(text), ""


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
