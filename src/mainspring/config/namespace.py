"""The top-level names of a config file while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from mainspring.config.source import ReadOptions
from mainspring.config.sweep import assigned

__all__ = ["Namespace"]


class Namespace(MutableMapping[str, Any]):
    """Passes every assignment on to the globals of the file.

    A variable that the command line gives takes that value where the file assigns it, so that what
    the file computes from it follows. Only plain values do; parts of the run are changed when the
    config is complete.

    Args:
        names: The globals of the file.
        options: Holds the variables that the command line gives.
    """

    def __init__(self, names: dict[str, Any], options: ReadOptions) -> None:
        self._names = names
        self._options = options

    def __setitem__(self, name: str, value: Any) -> None:
        self._names[name] = assigned(name, value, self._options.value_of(name, value))

    def __getitem__(self, name: str) -> Any:
        return self._names[name]

    def __delitem__(self, name: str) -> None:
        del self._names[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def copy(self) -> dict[str, Any]:
        """The names so far, for a file that asks for ``locals().copy()``."""
        return dict(self._names)

    @property
    def given(self) -> dict[str, Any]:
        """The variables that took the value of the command line."""
        return {name: self._options.variables[name] for name in sorted(self._options.used)}

    def take_over(self, names: Mapping[str, Any]) -> None:
        """Bind the names of a base, as ``from base import *`` does."""
        for name, value in names.items():
            if not name.startswith("_"):
                self._names[name] = value
