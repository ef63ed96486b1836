"""The ``{{ }}`` of text-style configs: what is replaced in the text before it is parsed.

Three kinds: predefined variables (``{{ fileDirname }}``), environment variables
(``{{$NAME:default}}``, or ``{{'$NAME:default'}}`` outside of a text), and values of the bases
(``{{_base_.model.type}}``). The first two are replaced by text. A value of the bases can be
anything, so a placeholder stands for it until the bases are known.
"""

from __future__ import annotations

import copy
import io
import os
import re
import tokenize
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mainspring.config.config_dict import ConfigDict
from mainspring.config.provenance.marks import BASE_VALUE_FUNCTION
from mainspring.config.source import ReadOptions, Source
from mainspring.errors import ConfigError, ConfigKeyError, ConfigSyntaxError, Location, did_you_mean
from mainspring.output import Secret, is_secret_name, note_secrets
from mainspring.walk import items_of

__all__ = ["BASE_VALUE", "ENVIRONMENT", "BaseValues", "fill_text", "with_secrets_marked"]

PREDEFINED = re.compile(
    r"\{\{\s*(fileDirname|fileBasename|fileBasenameNoExtension|fileExtname)\s*\}\}"
)
ENVIRONMENT = re.compile(
    r"\{\{\s*(?P<quote>['\"]?)\s*\$\s*(?P<name>\w+)\s*(?::(?P<default>[^{}\n]*?))?(?P=quote)\s*\}\}"
)
BASE_VALUE = re.compile(r"\{\{\s*_base_\.(?P<path>[\w.\-]+)\s*\}\}")
_TOKEN = re.compile(r"__mainspring_base_value_(\d+)__")


def fill_text(source: Source, options: ReadOptions, env_variables: dict[str, Any]) -> str:
    """The text of a file with predefined and environment variables in it.

    Args:
        source: The file.
        options: Which of them are replaced.
        env_variables: Is given the name and value of each environment variable.

    Raises:
        KeyError: If an environment variable is not set and has no default.
    """
    text = source.text
    if "{{" not in text:
        return text
    if options.predefined_variables:
        predefined = predefined_variables(source)
        text = PREDEFINED.sub(lambda match: predefined[match.group(1)], text)
    if options.environment_variables:
        text = ENVIRONMENT.sub(lambda match: _environment_value(match, source, env_variables), text)
    return text


def predefined_variables(source: Source) -> Mapping[str, str]:
    """The variables that name the file itself, with forward slashes."""
    folder, name = os.path.split(source.absolute_path)
    stem, extension = os.path.splitext(name)
    names = ("fileDirname", "fileBasename", "fileBasenameNoExtension", "fileExtname")
    values = (part.replace("\\", "/") for part in (folder, name, stem, extension))
    return dict(zip(names, values, strict=True))


def _environment_value(match: re.Match[str], source: Source, env_variables: dict[str, Any]) -> str:
    name, default = match["name"], (match["default"] or "").strip()
    value = os.environ.get(name, default)
    if value == "" and name not in os.environ:
        raise ConfigKeyError(
            f"the environment variable {name!r} is not set, and {match.group()} has no default",
            location=_place_of(match.group(), source),
            help=f"set {name}, or write {{{{${name}:default}}}}",
        )
    env_variables[name] = value
    note_secrets()
    return value


def with_secrets_marked(value: Any, env_variables: Mapping[str, Any], source: Source) -> Any:
    """Mark the secrets that a file of data asked for, so that what is written down names them.

    Args:
        value: The content of the file; dicts and lists are changed in place.
        env_variables: The variables that it asked for.
        source: The file.

    Raises:
        ConfigError: A secret is a part of a longer text: of a URL, for instance, that would send it
            to whoever wrote the file.
    """
    secrets = {name: text for name, text in env_variables.items() if text and is_secret_name(name)}
    if not secrets:
        return value
    if isinstance(value, dict | list):
        for key, item in items_of(value):
            value[key] = with_secrets_marked(item, secrets, source)
    for name, secret in secrets.items() if isinstance(value, str) else ():
        if value == secret:
            return Secret.of_variable(name, secret)
        if secret in value and name in os.environ:
            found = ENVIRONMENT.finditer(source.text)
            written = next(match for match in found if match["name"] == name)
            raise ConfigError(
                f"{written[0]} puts a secret of the environment into a longer text, and a file of "
                "data does not decide where it goes",
                location=_place_of(written[0], source),
                help="say it in a config that is a program: " + f'f"...{{env({name!r})}}..."',
            )
    return value


def _place_of(written: str, source: Source) -> Location | None:
    offset = source.text.find(written)
    return source.location_of(offset) if offset >= 0 else None


@dataclass(frozen=True, slots=True)
class _Reference:
    path: str
    location: Location


class BaseValues:
    """The ``{{_base_.x}}`` of one file: takes them out of the text and puts the values in later.

    Args:
        source: The file.
        text: Its text, with the other kinds of templates already replaced.
    """

    def __init__(self, source: Source, text: str) -> None:
        self._source = source
        self._references: list[_Reference] = []
        if not BASE_VALUE.search(text):
            self.text = text
        elif source.format == ".py":
            self.text = self._fill_python(text)
        else:
            self.text = self._fill_data(text)

    # Python: a call takes the place of the template, so that any expression can hold one.

    def _fill_python(self, text: str) -> str:
        quoted = _quoted_spans(text)

        def replace(match: re.Match[str]) -> str:
            for start, end, is_free in quoted:
                if start <= match.start() < end:
                    if is_free:
                        return match.group()
                    raise ConfigSyntaxError(
                        f"{match.group()} stands in a string",
                        location=self._location(match),
                        help=f"write it without quotes: key = {match.group()}",
                    )
            return f"{BASE_VALUE_FUNCTION}({self._remember(match)})"

        return BASE_VALUE.sub(replace, text)

    def names(self, bases: ConfigDict) -> dict[str, Callable[[int], Any]]:
        """The names that Python text needs so that its templates have values."""
        return {BASE_VALUE_FUNCTION: lambda index: self._value(index, bases)}

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the values, by the numbers that stand for them in Python text."""
        return tuple(reference.path for reference in self._references)

    # YAML, JSON, TOML: a string that nobody writes takes the place of the template.

    def _fill_data(self, text: str) -> str:
        quoted_or_bare = re.compile(rf"(?P<quote>['\"]?){BASE_VALUE.pattern}(?P=quote)")
        return quoted_or_bare.sub(
            lambda match: f'"__mainspring_base_value_{self._remember(match)}__"', text
        )

    def fill_values(self, value: Any, bases: ConfigDict) -> Any:
        """Data with values of the bases where the text had templates.

        Raises:
            KeyError: If the bases have no such value.
        """
        if not self._references:
            return value
        if isinstance(value, dict | list):
            store: Any = dict.__setitem__ if isinstance(value, dict) else list.__setitem__
            for key, item in items_of(value):
                store(value, key, self.fill_values(item, bases))
        for text in dict.keys(value) if isinstance(value, dict) else (value,):
            for token in _TOKEN.finditer(text) if isinstance(text, str) else ():
                if value == token[0]:
                    return self._value(int(token[1]), bases)
                reference = self._references[int(token[1])]
                raise ConfigSyntaxError(
                    f"{{{{_base_.{reference.path}}}}} is only a part of a string or is a key",
                    location=reference.location,
                    help="it must be a whole value",
                )
        return value

    # Both

    def _remember(self, match: re.Match[str]) -> int:
        self._references.append(_Reference(match["path"], self._location(match)))
        return len(self._references) - 1

    def _location(self, match: re.Match[str]) -> Location:
        place = replace(self._source, text=match.string).location_of(match.start())
        return self._source.place_in(match.string, place.line, place.column)

    def _value(self, index: int, bases: ConfigDict) -> Any:
        reference = self._references[index]
        value: Any = bases
        walked: list[str] = []
        for part in reference.path.split("."):
            try:
                value = _item(value, part)
            except (KeyError, IndexError, ValueError, TypeError):
                where = ".".join(walked)
                known = [str(key) for key in value] if isinstance(value, dict) else []
                raise ConfigKeyError(
                    f"{{{{_base_.{reference.path}}}}}: the bases have no {part!r}"
                    + (f" in {where}" if where else ""),
                    location=reference.location,
                    help=did_you_mean(part, known)
                    or (None if bases else "the file has no _base_ that sets anything"),
                ) from None
            walked.append(part)
        return copy.deepcopy(value)


def _item(value: Any, part: str) -> Any:
    if isinstance(value, dict):
        return dict.__getitem__(value, part)
    if isinstance(value, list | tuple):
        return value[int(part)]
    raise TypeError


def _quoted_spans(text: str) -> list[tuple[int, int, bool]]:
    """Strings and comments of Python text: start, end, and whether anything may stand there."""
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    spans = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            kind = tokenize.tok_name[token.type]
            if kind in ("STRING", "FSTRING_MIDDLE", "COMMENT"):
                start = starts[token.start[0] - 1] + token.start[1]
                end = starts[token.end[0] - 1] + token.end[1]
                is_multiline = token.string.lstrip("rRbBuUfF")[:3] in ('"""', "'''")
                spans.append((start, end, is_multiline or kind == "COMMENT"))
    except (tokenize.TokenError, SyntaxError):
        # The compiler will say what is wrong, with a better message.
        return spans
    return spans
