"""Replace the ``{{ }}`` of a text-style Python file by Python that means the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import NamedTuple

from mainspring.config.source import Source
from mainspring.config.text_dialect.template import (
    BASE_VALUE,
    ENVIRONMENT,
    PREDEFINED,
    predefined_variables,
)
from mainspring.tools.convert.text_edits import EditedText

__all__ = ["TemplateError", "without_templates"]

_MARK = "_mainspring_env_{}_"
_MARKS = re.compile(r"_mainspring_env_(\d+)_")


class TemplateError(Exception):
    """A template stands where no Python can take its place."""


class _Asked(NamedTuple):
    name: str
    default: str


def without_templates(
    source: Source, remark: Callable[[int, str], None]
) -> tuple[str, tuple[str, ...]]:
    """The text of a Python file with Python in the place of its templates; lines stay.

    Args:
        source: The file.
        remark: Called with a line and what to say about it.

    Returns:
        The text, and the words of configs that it uses.

    Raises:
        TemplateError: A template stands where no Python can take its place.
    """
    text = source.text
    if "{{" not in text:
        return text, ()
    predefined = predefined_variables(source)

    def fill_predefined(match: re.Match[str]) -> str:
        line = text.count("\n", 0, match.start()) + 1
        name = match.group(1)
        remark(line, f"{name} became a literal: it does not follow the file's name any more")
        return predefined[name]

    asked: list[_Asked] = []

    def mark(match: re.Match[str]) -> str:
        asked.append(_Asked(match["name"], (match["default"] or "").strip()))
        return _MARK.format(len(asked) - 1)

    def access(match: re.Match[str]) -> str:
        """``a.0.b-c`` of the bases as an expression."""
        parts = (part if part.isdecimal() else repr(part) for part in match.group(1).split("."))
        written = "_base_" + "".join(f"[{part}]" for part in parts)
        return re.sub(r"\['([^\W\d]\w*)'\]", r".\1", written)

    filled = PREDEFINED.sub(fill_predefined, text)
    filled = BASE_VALUE.sub(access, ENVIRONMENT.sub(mark, filled))
    if not asked:
        return filled, ()
    filled = _with_calls(filled, asked)
    return filled, ("env",)


def _with_calls(text: str, asked: list[_Asked]) -> str:
    try:
        edited = EditedText(text)
    except SyntaxError as error:
        raise TemplateError(str(error)) from error
    for comment in edited.comments:
        said = _MARKS.sub(lambda match: f"${asked[int(match.group(1))].name}", comment.text)
        edited.change(comment.start, comment.start + len(comment.text), said)
    for node in ast.walk(edited.tree):
        if isinstance(node, ast.Name) and (match := _MARKS.fullmatch(node.id)):
            edited.replace(node, _bare(asked[int(match.group(1))]))
        elif isinstance(node, ast.JoinedStr) and _MARKS.search(edited.text_of(node)):
            raise TemplateError("a template stands in an f-string")
        value = getattr(node, "value", None)
        if isinstance(value, str) and _MARKS.search(value):
            edited.replace(node, _in_string(value, asked))
    filled = edited.result()
    if (left := _MARKS.search(filled)) is not None:
        raise TemplateError(
            f"a template of {asked[int(left.group(1))].name} stands where no call can"
        )
    return filled


def _bare(asked: _Asked) -> str:
    """A template outside of strings, whose value is read as Python."""
    try:
        default = ast.literal_eval(asked.default)
    except (ValueError, SyntaxError) as error:
        raise TemplateError(f"the default of {asked.name} is no literal") from error
    if not isinstance(default, bool | int | float | str):
        raise TemplateError(f"the default of {asked.name} is no number")
    return f"env({asked.name!r}, {default!r})".replace("'", '"')


def _in_string(value: str, asked: list[_Asked]) -> str:
    first, *parts = _MARKS.split(value)
    calls = [_call(asked[int(index)], "'") for index in parts[0::2]]
    texts = [first, *parts[1::2]]
    if not any(texts) and len(calls) == 1:
        return _call(asked[int(parts[0])], '"')
    pairs = list(zip(calls, texts[1:], strict=True))
    if any(set(text) & set("{}\"'\\\n") or not text.isprintable() for text in texts):
        pieces = [first and repr(first)]
        for call, text in pairs:
            pieces += [call, text and repr(text)]
        return f"({' + '.join(filter(None, pieces))})"
    return f'f"{first}{"".join(f"{{{call}}}{text}" for call, text in pairs)}"'


def _call(asked: _Asked, quote: str) -> str:
    if quote in asked.name + asked.default or not asked.default.isprintable():
        raise TemplateError(f"the default of {asked.name} holds quotes")
    if "\\" in asked.default or "{" in asked.default:
        raise TemplateError(f"the default of {asked.name} holds {asked.default!r}")
    default = f", {quote}{asked.default}{quote}" if asked.default else ""
    return f"env({quote}{asked.name}{quote}{default})"
