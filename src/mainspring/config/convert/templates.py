"""Replace the ``{{ }}`` of a text-style Python file by Python that means the same."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable
from dataclasses import dataclass

from mainspring.config.source import Source
from mainspring.config.template import BASE_VALUE, ENVIRONMENT, PREDEFINED, predefined_variables

__all__ = ["TemplateError", "without_templates"]

_MARK = "_mainspring_env_{}_"
_MARKS = re.compile(r"_mainspring_env_(\d+)_")


class TemplateError(Exception):
    """A template stands where no Python can take its place."""


@dataclass(frozen=True, slots=True)
class _Asked:
    name: str
    default: str


def without_templates(
    source: Source, word: Callable[[str], str], remark: Callable[[int, str], None]
) -> str:
    """The text of a Python file with Python in the place of its templates; lines stay.

    Args:
        source: The file.
        word: Gives the name of a word of configs, such as ``env``.
        remark: Called with a line and what to say about it.

    Raises:
        TemplateError: A template stands where no Python can take its place.
    """
    text = source.text
    if "{{" not in text:
        return text
    predefined = predefined_variables(source)

    def fill_predefined(match: re.Match[str]) -> str:
        line = text.count("\n", 0, match.start()) + 1
        name = match.group(1)
        remark(line, f"{name} became a literal: it does not follow the file's name any more")
        return predefined[name]

    filled = PREDEFINED.sub(fill_predefined, text)
    asked: list[_Asked] = []

    def mark(match: re.Match[str]) -> str:
        asked.append(_Asked(match.group(1), (match.group(2) or "").strip()))
        return _MARK.format(len(asked) - 1)

    filled = ENVIRONMENT.sub(mark, filled)
    filled = BASE_VALUE.sub(lambda match: _access(match.group(1)), filled)
    return _with_calls(filled, asked, word) if asked else filled


def _access(path: str) -> str:
    """``a.0.b-c`` of the bases as an expression."""
    text = "_base_"
    for part in path.split("."):
        if part.isidentifier():
            text += f".{part}"
        else:
            text += f"[{part}]" if part.isdecimal() else f"[{part!r}]"
    return text


def _with_calls(text: str, asked: list[_Asked], word: Callable[[str], str]) -> str:
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError) as error:
        raise TemplateError(str(error)) from error
    pieces: list[tuple[int, int, str]] = []
    for token in tokens:
        if not _MARKS.search(token.string):
            continue
        start = starts[token.start[0] - 1] + token.start[1]
        end = starts[token.end[0] - 1] + token.end[1]
        if token.type == tokenize.NAME and _MARKS.fullmatch(token.string):
            new = _bare(_asked_by(token.string, asked), word)
        elif token.type == tokenize.STRING:
            new = _in_string(token.string, asked, word)
        elif token.type == tokenize.COMMENT:
            new = _MARKS.sub(lambda match: f"${asked[int(match.group(1))].name}", token.string)
        else:
            raise TemplateError(f"a template is a part of {token.string!r}")
        pieces.append((start, end, new))
    for start, end, new in reversed(pieces):
        text = text[:start] + new + text[end:]
    return text


def _asked_by(mark: str, asked: list[_Asked]) -> _Asked:
    match = _MARKS.fullmatch(mark)
    assert match is not None
    return asked[int(match.group(1))]


def _bare(asked: _Asked, word: Callable[[str], str]) -> str:
    """A template outside of strings, whose value is read as Python."""
    try:
        default = ast.literal_eval(asked.default)
    except (ValueError, SyntaxError) as error:
        raise TemplateError(f"the default of {asked.name} is no literal") from error
    if not isinstance(default, bool | int | float | str):
        raise TemplateError(f"the default of {asked.name} is no number")
    return f"{word('env')}({asked.name!r}, {default!r})".replace("'", '"')


def _in_string(written: str, asked: list[_Asked], word: Callable[[str], str]) -> str:
    prefix = written[: len(written) - len(written.lstrip("rRbBuUfF"))].lower()
    if "f" in prefix or "b" in prefix:
        raise TemplateError("a template stands in an f-string or in bytes")
    value = ast.literal_eval(written)
    parts = _MARKS.split(value)
    calls = [_call(asked[int(index)], word, "'") for index in parts[1::2]]
    texts = parts[0::2]
    if not any(texts) and len(calls) == 1:
        return _call(asked[int(parts[1])], word, '"')
    if any(set(text) & set("{}\"'\\\n") or not text.isprintable() for text in texts):
        pieces = [repr(texts[0])] if texts[0] else []
        for call, text in zip(calls, texts[1:], strict=True):
            pieces += [call, repr(text)] if text else [call]
        return f"({' + '.join(pieces)})"
    inner = texts[0] + "".join(f"{{{c}}}{t}" for c, t in zip(calls, texts[1:], strict=True))
    return f'f"{inner}"'


def _call(asked: _Asked, word: Callable[[str], str], quote: str) -> str:
    if quote in asked.name + asked.default or not asked.default.isprintable():
        raise TemplateError(f"the default of {asked.name} holds quotes")
    if "\\" in asked.default or "{" in asked.default:
        raise TemplateError(f"the default of {asked.name} holds {asked.default!r}")
    default = f", {quote}{asked.default}{quote}" if asked.default else ""
    return f"{word('env')}({quote}{asked.name}{quote}{default})"
