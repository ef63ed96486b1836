"""The values that one scalar took, bounded in length and cheap to append to."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["HistoryBuffer"]

Statistics = Callable[..., Any]


class HistoryBuffer:
    """History of a scalar: values, each with the number of samples that it stands for.

    Appending costs the same however long the history is. Beyond `max_length` values the oldest are
    dropped.

    Args:
        log_history: Values to begin with.
        count_history: Their counts.
        max_length: How many values are kept.

    Raises:
        ValueError: The two lists differ in length.
    """

    _statistics_methods: ClassVar[dict[str, Statistics]] = {}

    def __init__(
        self,
        log_history: Sequence[float] = (),
        count_history: Sequence[float] = (),
        max_length: int = 1000000,
    ) -> None:
        if len(log_history) != len(count_history):
            raise ValueError(
                f"{len(log_history)} values with {len(count_history)} counts: there must be one "
                "count for each value"
            )
        self.max_length = max_length
        self._values = array("d", (float(value) for value in log_history))
        self._counts = array("d", (float(count) for count in count_history))
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        extra = len(self._values) - self.max_length
        if extra > 0:
            del self._values[:extra]
            del self._counts[:extra]

    def update(self, log_val: float, count: int = 1) -> None:
        """Append a value.

        Args:
            log_val: The value, a number.
            count: Samples that it stands for.

        Raises:
            TypeError: One of the two is no number.
        """
        if not (isinstance(log_val, int | float) and isinstance(count, int | float)):
            raise TypeError(
                f"a history takes numbers, not {type(log_val).__name__} and {type(count).__name__}"
            )
        self.append(log_val, count)

    def append(self, value: float, count: float = 1.0) -> None:
        """Append a number that needs no check."""
        self._values.append(value)
        self._counts.append(count)
        if len(self._values) > 2 * self.max_length:
            self._forget_oldest()

    def __len__(self) -> int:
        return min(len(self._values), self.max_length)

    @property
    def data(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values and counts, two arrays of shape (n,)."""
        import numpy as np

        length = self.max_length
        return np.array(self._values[-length:]), np.array(self._counts[-length:])

    @property
    def _log_history(self) -> NDArray[np.float64]:
        return self.data[0]

    @property
    def _count_history(self) -> NDArray[np.float64]:
        return self.data[1]

    def _window(self, window_size: int | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        import numpy as np

        if window_size is not None and (not isinstance(window_size, int) or window_size < 1):
            raise TypeError(f"window_size is a whole number of at least 1, not {window_size!r}")
        start = max(len(self._values) - min(window_size or self.max_length, self.max_length), 0)
        return np.array(self._values[start:]), np.array(self._counts[start:])

    def mean(self, window_size: int | None = None) -> Any:
        """Mean of the last `window_size` values (all by default), weighted by their counts.

        As in MMEngine, the values are summed as they are and divided by the sum of their counts.
        """
        values, counts = self._window(window_size)
        return values.sum() / counts.sum()

    def max(self, window_size: int | None = None) -> Any:
        """Largest of the last `window_size` values (all by default)."""
        return self._window(window_size)[0].max()

    def min(self, window_size: int | None = None) -> Any:
        """Smallest of the last `window_size` values (all by default)."""
        return self._window(window_size)[0].min()

    def current(self) -> Any:
        """The newest value.

        Raises:
            ValueError: There is none.
        """
        if not self._values:
            raise ValueError("the history is empty")
        import numpy as np

        return np.float64(self._values[-1])

    @classmethod
    def register_statistics(cls, method: Statistics) -> Statistics:
        """Register a function ``(buffer, ...) -> number`` as a statistic; use as a decorator.

        Raises:
            KeyError: The name is taken.
        """
        name = method.__name__
        if name in cls._statistics_methods or name in _BUILT_IN:
            raise KeyError(f"there is a statistic {name!r} already")
        cls._statistics_methods[name] = method
        return method

    def statistics(self, method_name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a statistic by name: mean, max, min, current or a registered one.

        Raises:
            KeyError: There is no such statistic.
        """
        if method_name in self._statistics_methods:
            return self._statistics_methods[method_name](self, *args, **kwargs)
        if method_name in _BUILT_IN:
            return getattr(self, method_name)(*args, **kwargs)
        known = ", ".join([*_BUILT_IN, *self._statistics_methods])
        raise KeyError(f"there is no statistic {method_name!r}; there are {known}")

    def __getstate__(self) -> dict[str, Any]:
        return {
            "max_length": self.max_length,
            "_log_history": list(self._values[-self.max_length :]),
            "_count_history": list(self._counts[-self.max_length :]),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the attributes of a pickled history over: ours or MMEngine's."""
        self.max_length = int(state.get("max_length", 1000000))
        self._values = array("d", (float(value) for value in state["_log_history"]))
        self._counts = array("d", (float(count) for count in state["_count_history"]))

    def state_dict(self) -> dict[str, Any]:
        """Plain types and tensors; the counts are left out when all are 1."""
        import torch

        values, counts = self.data
        state: dict[str, Any] = {
            "max_length": self.max_length,
            "values": torch.from_numpy(values),
        }
        if (counts != 1).any():
            state["counts"] = torch.from_numpy(counts)
        return state

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> HistoryBuffer:
        """The inverse of `state_dict`."""
        buffer = cls(max_length=state["max_length"])
        values = state["values"].tolist()
        counts = state["counts"].tolist() if "counts" in state else [1.0] * len(values)
        buffer._values, buffer._counts = array("d", values), array("d", counts)
        return buffer

    def __deepcopy__(self, memo: dict[int, Any]) -> HistoryBuffer:
        made = type(self)(max_length=self.max_length)
        made._values, made._counts = array("d", self._values), array("d", self._counts)
        return made


_BUILT_IN = ("mean", "max", "min", "current")
