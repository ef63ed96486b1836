"""How a dict with a ``type`` is written: as a call, as a late call, or still as a dict."""

from __future__ import annotations

import enum
import keyword
from collections.abc import Iterable

from mainspring.config.convert.names import Meaning
from mainspring.registry.default_scope import ROOT_SCOPE

__all__ = ["Form", "choose_form", "stays_description"]


class Form(enum.Enum):
    """What takes the place of ``dict(type='X', ...)``."""

    CALL = "X(...)"
    LATE = "later(X)(...)"
    DICT = "dict(type=X, ...)"


def choose_form(meaning: Meaning, arguments: Iterable[object], *, is_open: bool = False) -> Form:
    """How to write a dict whose type is known.

    A call must be one that the class accepts, so that editors and checkers accept the line. Others
    stay dicts: sections with words for the engine (``priority``), and parts that get more than
    their first argument from somebody else.

    Args:
        meaning: What the type means.
        arguments: The other keys of the dict.
        is_open: Whether there are more, which are not known.
    """
    names = set()
    for argument in arguments:
        if not isinstance(argument, str) or not argument.isidentifier():
            return Form.DICT
        if keyword.iskeyword(argument):
            return Form.DICT
        names.add(argument)
    if not meaning.accepts(names):
        return Form.DICT
    if meaning.late and meaning.first_parameter() not in names:
        return Form.LATE
    return Form.CALL if is_open or not meaning.lacks(names) else Form.DICT


def stays_description(parent: Meaning | None, argument: str | None) -> bool:
    """Whether a dict must stay one, because a call would reach the parent as the built object.

    Args:
        parent: What the dict is an argument of, if that is known.
        argument: Name of the argument.
    """
    if parent is None or argument is None or parent.target is None:
        return False
    if parent.module.partition(".")[0] == ROOT_SCOPE:
        return False
    return not parent.takes_description(argument)
