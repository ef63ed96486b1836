"""Read a pickle without running code from it.

Plain containers, numbers, text, dates and paths, arrays of NumPy and tensors of torch are read;
whatever else a pickle names is refused, unless it is of a package that the person allowed.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from io import BytesIO
from math import prod
from typing import IO, Any, ClassVar

from mainspring.errors import DataError, mark_user_mistake
from mainspring.names import is_allowed

__all__ = ["safe_load"]

_PLAIN = re.compile(
    r"builtins\.(bool|bytearray|bytes|complex|dict|float|frozenset|int|list|range|set|slice|str|"
    r"tuple)|_codecs\.encode|collections\.(OrderedDict|defaultdict|deque)|decimal\.Decimal|"
    r"datetime\.(date|datetime|time|timedelta|timezone)"
)
"""Of C, so that no file changes them for others."""
_WITH_CARE = re.compile(
    r"collections\.Counter|pathlib\.(_local\.)?(Posix|Windows)Path|numpy\.(dtype|ndarray)|"
    r"numpy\._?core\.(multiarray\.(_reconstruct|scalar)|numeric\._frombuffer)|"
    r"torch\.(Size|device|b?float\w+|u?int\d+|bool|complex\d+|storage\._load_from_bytes|"
    r"_utils\._rebuild_(tensor_v2|parameter))"
)
"""Safe as long as states are set on nothing but what `_CarefulUnpickler` knows."""


def safe_load(file: IO[bytes], *, trust: bool = False, **kwargs: Any) -> Any:
    """Read an object from an open pickle.

    Args:
        file: Open binary file.
        trust: Let the file run arbitrary code while it is read. Only for files that you made.
        **kwargs: Arguments of `pickle.load`, such as ``encoding="latin1"`` for files of Python 2.

    Raises:
        DataError: The file asks for something that could run code; says for what.
        pickle.UnpicklingError: It is no pickle, or a damaged one.
    """
    if trust:
        return pickle.load(file, **kwargs)
    if hasattr(file, "seekable") and file.seekable():
        start = file.tell()
        try:
            return _Unpickler(file, **kwargs).load()
        except _CareNeededError:
            file.seek(start)
    return _CarefulUnpickler(file, **kwargs).load()


_set_state: Callable[[Any], None] = pickle._Unpickler.dispatch[pickle.BUILD[0]]


class _CareNeededError(Exception):
    """The fast reader met a name that the slower one, which looks at each state, may use."""


def _needs_care(file: Any, module: str, name: str) -> bool:
    """Whether what a name means is only safe as long as no state is set on just anything."""
    if _PLAIN.fullmatch(f"{module}.{name}") or is_allowed(module):
        return False
    if _WITH_CARE.fullmatch(f"{module}.{name}"):
        return True
    raise _refused(file, module, name)


def _refused(file: Any, module: str, name: str) -> DataError:
    root = module.partition(".")[0]
    return mark_user_mistake(
        DataError(
            f"{getattr(file, 'name', 'the pickle')} asks for {module}.{name}, and that could run "
            "code from the file, so it was not read",
            help="keep lists, dicts, numbers, text, arrays and tensors in it; or, if you made the "
            f'file yourself, allow all of {root}: --allow {root}, or allow = ["{root}"] under '
            "[tool.mainspring] in pyproject.toml",
        )
    )


def _todays(module: str, name: str) -> tuple[str, str]:
    """A name as Python 3 and the NumPy that is installed have it."""
    if module == "__builtin__":
        return "builtins", {"long": "int", "unicode": "str", "xrange": "range"}.get(name, name)
    if module.startswith(("numpy.core.", "numpy._core.")):
        import numpy as np

        core = "core" if np.__version__.startswith("1.") else "_core"
        return f"numpy.{core}.{module.partition('core.')[2]}", name
    return module, name


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], **kwargs: Any) -> None:
        super().__init__(file, **kwargs)
        self._opened = file

    def find_class(self, module: str, name: str) -> Any:
        module, name = _todays(module, name)
        if _needs_care(self._opened, module, name):
            raise _CareNeededError
        return super().find_class(module, name)


class _CarefulUnpickler(pickle._Unpickler):
    """Python's own unpickler, which is slower, with a look at each state that the file sets.

    A file may set a state on whatever it can name, and NumPy believes what it is told of its types
    and of the memory of its arrays.
    """

    dispatch: ClassVar[dict[int, Any]] = {**pickle._Unpickler.dispatch}
    stack: list[Any]

    def __init__(self, file: IO[bytes], **kwargs: Any) -> None:
        super().__init__(file, **kwargs)
        self._opened = file

    def find_class(self, module: str, name: str) -> Any:
        module, name = _todays(module, name)
        care = _needs_care(self._opened, module, name)
        if care and (module, name) == ("torch.storage", "_load_from_bytes"):
            return _storage_of
        return super().find_class(module, name)

    def load_build(self) -> None:
        """Set a state, if nothing but the values of this file depends on it."""
        made, state = self.stack[-2:]
        kind = type(made)
        if not (_is_harmless_state(made, state) or is_allowed(kind.__module__)):
            what = getattr(made, "__qualname__", kind.__qualname__)
            raise _refused(self._opened, kind.__module__, f"{what} with a state of its own")
        _set_state(self)

    dispatch[pickle.BUILD[0]] = load_build


def _is_harmless_state(made: Any, state: Any) -> bool:
    import numpy as np

    if isinstance(made, dict):
        return True
    if isinstance(made, np.dtype):
        # Of the byte order alone, and of units of time; sizes and flags stay what the name says.
        _, _, *parts, size, alignment, flags = state[:8]
        told = size in (-1, made.itemsize), alignment in (-1, made.alignment), flags == made.flags
        return parts == [None] * 3 and all(told)
    if type(made) is np.ndarray and made.size == 0:
        *_, shape, _, _, data = state
        return not isinstance(data, list) or prod(shape) == len(data)
    return False


def _storage_of(data: bytes) -> Any:
    """The values of a tensor, in torch's own format inside of the pickle."""
    import torch

    return torch.load(BytesIO(data), weights_only=True)
