"""What may be shown: no secrets, no control characters; whether a terminal shows it, in colour."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import Any

__all__ = [
    "MASK",
    "Secret",
    "is_secret_name",
    "is_terminal",
    "masked",
    "masked_values",
    "near_path",
    "note_secrets",
    "printable",
    "uses_colour",
]

MASK = "***"
_SECRET_NAME = re.compile(
    r"TOKEN|SECRET|PASSWO?R?D|PASSPHRASE|CREDENTIAL|(API|ACCESS|AUTH|PRIVATE|SIGNING)_?KEY",
    re.IGNORECASE,
)
_SHORTEST = 8
_COLOUR = r"\x1b\[(?:[0-7]|3[1-7]|9[0-7]|;)*m"
_CONTROL = re.compile(
    rf"({_COLOUR})|\r\n|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_secrets: set[str] | None = None


class Secret(str):  # noqa: SLOT000 - it has an attribute
    """A value of the environment: printed configs name the variable instead.

    Attributes:
        variable: Name of the variable.
    """

    variable: str = ""

    @classmethod
    def of_variable(cls, name: str, value: str) -> Secret:
        """The value of an environment variable."""
        secret = cls(value)
        secret.variable = name
        return secret


def is_secret_name(variable: str) -> bool:
    """Whether the name of an environment variable says that it holds a secret."""
    return _SECRET_NAME.search(variable) is not None


def note_secrets() -> set[str]:
    """Look anew for variables of the environment whose names say that they hold a secret.

    Returns:
        Their values; short ones, which any text may hold, are left out.
    """
    global _secrets  # noqa: PLW0603 - the environment is the process's
    found = (value for name, value in os.environ.items() if is_secret_name(name))
    _secrets = {value for value in found if len(value) >= _SHORTEST}
    return _secrets


def masked(text: str) -> str:
    """A text without secrets of the environment, such as the value of ``HF_TOKEN``.

    Args:
        text: Any text.
    """
    for secret in note_secrets() if _secrets is None else _secrets:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def masked_values(value: Any) -> Any:
    """A copy of nested values without secrets, for what leaves the machine.

    Args:
        value: Dicts, lists and tuples of any values.
    """
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {key: masked_values(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(masked_values(item) for item in value)
    return value


def printable(text: str, *, colours: bool = False) -> str:
    r"""A text that cannot steer a terminal: control characters are written as ``\x1b``.

    So is what stands for bytes that the locale cannot read, in the name of a file.

    Args:
        text: Any text; line breaks and tabs stay.
        colours: Whether the escape sequences of colours stay, too.
    """
    if text.isprintable():
        return text

    def shown(match: re.Match[str]) -> str:
        if match[0] == "\r\n" or (colours and match[1]):
            return match[0]
        code = ord(match[0][0])
        return (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}") + match[0][1:]

    return _CONTROL.sub(shown, text)


def is_terminal(stream: Any = None) -> bool:
    """Whether a stream is a terminal; one that cannot tell is none.

    Args:
        stream: The stream; standard output by default.
    """
    asked = getattr(sys.stdout if stream is None else stream, "isatty", None)
    try:
        return asked is not None and bool(asked())
    except ValueError:  # closed
        return False


def uses_colour() -> bool:
    """Whether standard output is a terminal whose user has not set ``NO_COLOR``."""
    return is_terminal() and not os.environ.get("NO_COLOR")


def near_path(path: str) -> str:
    """A path as one would write it from here: relative where it lies below."""
    near = os.path.relpath(path)
    return path if near.startswith(os.pardir) else near
