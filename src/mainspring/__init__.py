"""Mainspring: a training engine for PyTorch.

The public names of the packages `config`, `fileio`, `logging`, `registry` and `utils` are also
names of this package, and so is `Runner`. They are imported when they are first asked for, and so
are the packages.
"""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mainspring.version import __version__

if TYPE_CHECKING:
    from mainspring.config import *  # noqa: F403 - the runtime equivalent is `__getattr__`
    from mainspring.fileio import *  # noqa: F403 - as above
    from mainspring.logging import *  # noqa: F403 - as above
    from mainspring.registry import *  # noqa: F403 - as above
    from mainspring.runner import Runner as Runner
    from mainspring.utils import *  # noqa: F403 - as above

# The order in which a name is looked for, cheapest first; no name is in two of them.
_SOURCES = ("utils", "registry", "fileio", "config", "logging")
_ALSO = {"Runner": "runner"}

version_info: tuple[int | str, ...] = tuple(
    int(part) if part.isdigit() else part for part in re.findall(r"rc\d+|\d+", __version__)
)


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return [*_public_names(), "__version__", "version_info"]
    if not name.startswith("_"):
        if find_spec(f"{__name__}.{name}") is not None:
            return import_module(f"{__name__}.{name}")
        for source in (_ALSO[name],) if name in _ALSO else _SOURCES:
            package = import_module(f"{__name__}.{source}")
            if name in package.__all__:
                value = globals()[name] = getattr(package, name)
                return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_public_names()})


def _public_names() -> list[str]:
    packages = [import_module(f"{__name__}.{source}") for source in _SOURCES]
    return sorted({*_ALSO, *(name for package in packages for name in package.__all__)})
