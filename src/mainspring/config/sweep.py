"""Values that stand for several runs: ``lr = sweep(1e-3, 3e-4, 1e-4)``.

A variable that is swept takes one value per run where the file assigns it, as a variable that the
command line gives does, so that what the file computes from it follows.
"""

from __future__ import annotations

import dis
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, NoReturn, TypeVar, cast

from mainspring.config.node import Node
from mainspring.config.recorded_python.recording import (
    ARITHMETIC,
    COMPARISONS,
    calling_frame,
    calling_place,
    give_operators,
    is_recording,
)
from mainspring.errors import ConfigError, ConfigTypeError, Location
from mainspring.registry.recorded import POSITIONAL_KEY
from mainspring.registry.within import within
from mainspring.walk import parts_of, paths_of

__all__ = [
    "Range",
    "Sweep",
    "UnchosenError",
    "assigned",
    "bind_swept",
    "choice",
    "finding_sweeps",
    "loguniform",
    "picked",
    "refuse_unchosen",
    "sweep",
    "sweeps_in",
    "uniform",
]

T = TypeVar("T")

_INDEX = re.compile(r"sweep\[(\d+)\]")
_found: ContextVar[dict[str, Sweep] | None] = ContextVar("mainspring_sweeps_found", default=None)


class UnchosenError(ConfigTypeError):
    """A value that is one of several is used as if it were one."""


class Sweep:
    """A value of a config that is one of several, each in a run of its own.

    Nothing can be done with it before one of them is chosen.

    Args:
        choices: The values.
        where: Where they are written.
        word: The function that the config calls for it.
    """

    def __init__(
        self, choices: tuple[Any, ...], where: Location | None = None, word: str = "sweep"
    ) -> None:
        self.choices = choices
        self.where = where
        self.word = word
        self.variable: str | None = None

    @property
    def example(self) -> Any:
        """One of the values."""
        return self.choices[0]

    @property
    def choosing(self) -> str:
        """What a command line says to choose: the text after the equals sign."""
        value = self.example
        plain = value is None or isinstance(value, bool | int | float | str)
        return str(value) if plain else "sweep[0]"

    def pick(self, index: int) -> Any:
        """One of the values.

        Args:
            index: Which one, counted from 0.

        Raises:
            ConfigError: There are not that many.
        """
        if index >= len(self.choices):
            raise ConfigError(
                f"sweep[{index}]: {self!r} has {len(self.choices)} values, counted from 0",
                location=self.where,
            )
        return self.choices[index]

    def __repr__(self) -> str:
        return f"{self.word}({', '.join(map(repr, self.choices))})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Sweep:
        return self  # copies of a part are changed together: what is swept is one thing

    def __hash__(self) -> int:
        return hash((self.word, len(self.choices)))

    def __eq__(self, other: object) -> bool:
        if is_recording():
            self._refuse()
        return isinstance(other, Sweep) and self._key() == other._key()

    def _key(self) -> tuple[Any, ...]:
        return (self.word, self.choices)

    def _refuse(self, *_: Any) -> NoReturn:
        if self.variable is None:
            advice = f"give it a variable of its own, such as x = {self!r}, and calculate with that"
        else:
            advice = f"run `mainspring sweep`, or choose: {self.variable}={self.choosing}"
        raise UnchosenError(
            f"{self.variable or 'the value'} is {self!r}, of which none is chosen yet",
            location=calling_place() or self.where,
            help=advice,
        )

    def __getattr__(self, name: str) -> Any:
        if is_recording() and not name.startswith("__"):
            self._refuse()
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __format__(self, spec: str) -> str:
        return self._refuse() if is_recording() else format(repr(self), spec)

    def __str__(self) -> str:
        return self._refuse() if is_recording() else repr(self)

    def __bool__(self) -> bool:
        return self._refuse() if is_recording() else True

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: none of the values is chosen."""
        self._refuse()


give_operators(
    Sweep,
    f"{ARITHMETIC} {COMPARISONS} int float complex index round trunc floor ceil fspath "
    "len iter getitem contains",
    Sweep._refuse,
)


class Range(Sweep):
    """Any number between two: a search draws from it.

    Args:
        low: The least value.
        high: The greatest value.
        log: Whether its logarithm is drawn uniformly.
        where: Where it is written.
    """

    def __init__(self, low: float, high: float, log: bool, where: Location | None = None) -> None:
        super().__init__((), where, "loguniform" if log else "uniform")
        self.low = low
        self.high = high
        self.log = log

    @property
    def example(self) -> float:
        """The least value."""
        return self.low

    def __repr__(self) -> str:
        return f"{self.word}({self.low!r}, {self.high!r})"

    def _key(self) -> tuple[Any, ...]:
        return (self.word, self.low, self.high)


def sweep(first: T, *others: T) -> T:
    """A value that is one of several: `mainspring sweep` makes a run for each.

    Args:
        first: A value.
        *others: The other values.

    Returns:
        What stands for them; it is typed as one of them.

    Raises:
        ConfigError: There is only one value.
    """
    return _one_of((first, *others), "sweep")


def choice(first: T, *others: T) -> T:
    """A value that is one of several, which `mainspring sweep --trials` searches.

    It is `sweep` by the name that searches have for it; without ``--trials`` each value is tried.

    Args:
        first: A value.
        *others: The other values.

    Returns:
        What stands for them; it is typed as one of them.

    Raises:
        ConfigError: There is only one value.
    """
    return _one_of((first, *others), "choice")


def uniform(low: float, high: float) -> float:
    """Any number between two, which `mainspring sweep --trials` searches.

    Args:
        low: The least value.
        high: The greatest value.

    Returns:
        What stands for it; it is typed as a number.

    Raises:
        ConfigError: These are no numbers, or the second is not the greater.
    """
    return _range(low, high, "uniform")


def loguniform(low: float, high: float) -> float:
    """Any number between two positive ones, whose logarithm is drawn uniformly.

    It suits what varies over orders of magnitude, such as a learning rate.
    `mainspring sweep --trials` searches it.

    Args:
        low: The least value.
        high: The greatest value.

    Returns:
        What stands for it; it is typed as a number.

    Raises:
        ConfigError: These are no positive numbers, or the second is not the greater.
    """
    return _range(low, high, "loguniform")


def _one_of(choices: tuple[T, ...], word: str) -> T:
    if len(choices) < 2:
        raise ConfigError(
            f"{word}() needs at least two values",
            location=calling_place(),
            help="write the value itself when there is only one",
        )
    return cast("T", Sweep(choices, calling_place(), word))


def _range(low: Any, high: Any, word: str) -> float:
    log = word == "loguniform"
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (low, high))
    if not numbers or not low < high or (log and low <= 0):
        raise ConfigError(
            f"{word}({low!r}, {high!r}) is no range",
            location=calling_place(),
            help=f"give two {'positive ' if log else ''}numbers, the less one first",
        )
    return cast("float", Range(float(low), float(high), log, calling_place()))


# Choosing


def finding_sweeps() -> AbstractContextManager[dict[str, Sweep]]:
    """Within the block a swept variable takes its first value, and is noted.

    Returns:
        The swept variables of the configs that are read, by name; it fills while they are.
    """
    found: dict[str, Sweep] = {}
    return within(_found, found)


def assigned(name: str, written: Any, given: Any) -> Any:
    """The value that a variable gets where a config file assigns it.

    Args:
        name: Name of the variable.
        written: The value that the file gives it.
        given: The value that the command line gives it; ``written`` itself if it gives none.
    """
    found = _found.get()
    if not isinstance(written, Sweep):
        if found and name in found and not _imports():
            del found[name]  # a child gives another value to what its base sweeps
        return given
    if given is not written:
        return picked(written, given)
    written.variable = name
    if found is None:
        return written
    found[name] = written
    return written.example


def _imports() -> bool:
    """Whether the config file stands at an import, which binds names as an assignment does."""
    frame = calling_frame()
    if frame is None:
        return False
    code, at = frame.f_code.co_code, frame.f_lasti
    if dis.opname[code[at]] != "STORE_NAME":
        return True  # `import *` binds all names in one instruction
    while dis.opname[code[at - 2]] == "EXTENDED_ARG":
        at -= 2
    return dis.opname[code[at - 2]] == "IMPORT_FROM"


def picked(old: Any, new: Any) -> Any:
    """The new value of something, for which ``sweep[1]`` is the second value of its sweep.

    Args:
        old: The value that it has.
        new: The value that the command line gives it.
    """
    match = _INDEX.fullmatch(new) if isinstance(new, str) else None
    if match is None:
        return new
    # What is no sweep any more was chosen where the file assigned it.
    return old.pick(int(match.group(1))) if isinstance(old, Sweep) else old


def refuse_unchosen(cfg: Any) -> None:
    """Refuse to run a config that still describes several runs.

    Args:
        cfg: A `Config`, or a dict of the same content.

    Raises:
        ConfigError: A value of it is one of several; with its place.
    """
    values = getattr(cfg, "_cfg_dict", cfg)
    for path, value in sweeps_in(values):
        if POSITIONAL_KEY in path:
            bind_swept(values)  # importing what is called may fail
            path = next((named for named, other in sweeps_in(values) if other is value), path)
        raise UnchosenError(
            f"{path} is {value!r}, but a run needs one value",
            location=value.where,
            config_path=path,
            help=f"run `mainspring sweep`, or choose: {path}={value.choosing}",
        )


def sweeps_in(part: Any) -> Iterator[tuple[str, Sweep]]:
    """The values of a config that are one of several, with their dotted paths.

    Args:
        part: A dict, list or tuple.
    """
    for keys, value in paths_of(part):
        if isinstance(value, Sweep):
            yield ".".join(map(str, keys)), value


def bind_swept(part: Any) -> None:
    """Name the positional arguments that hold something swept, which imports what takes them.

    Args:
        part: A dict, list or tuple of a config; nodes in it are changed.
    """
    for node in parts_of(part):
        if isinstance(node, Node) and any(sweeps_in(dict.get(node, POSITIONAL_KEY))):
            node.try_bind()
