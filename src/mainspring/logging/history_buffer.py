"""The values that one scalar took, bounded in length and cheap to append to."""

from __future__ import annotations

import numbers
import warnings
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from mainspring.errors import (
    ArgumentTypeError,
    ArgumentValueError,
    UnknownScalarError,
    did_you_mean,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["HistoryBuffer"]

StatisticT = TypeVar("StatisticT", bound=Callable[..., Any])

_DEFAULT_LENGTH = 1_000_000


class HistoryBuffer:
    """History of a scalar: values, each with the number of samples that it stands for.

    Appending costs the same however long the history is. Beyond `max_length` values the oldest are
    forgotten.

    Args:
        log_history: Values to begin with.
        count_history: Their counts.
        max_length: How many values are kept.

    Raises:
        ArgumentValueError: The two sequences differ in length.

    Example:
        >>> losses = HistoryBuffer()
        >>> for loss in (4.0, 2.0, 1.0):
        ...     losses.update(loss)
        >>> [float(loss) for loss in (losses.current(), losses.mean(window_size=2), losses.max())]
        [1.0, 1.5, 4.0]
    """

    _statistics_methods: ClassVar[dict[str, Callable[..., Any]]] = {}

    def __init__(
        self,
        log_history: Sequence[float] = (),
        count_history: Sequence[float] = (),
        max_length: int = _DEFAULT_LENGTH,
    ) -> None:
        log_history, count_history = _flat(log_history), _flat(count_history)
        if len(log_history) != len(count_history):
            raise ArgumentValueError(
                f"{len(log_history)} values with {len(count_history)} counts: there must be one "
                "count for each value"
            )
        if len(log_history) > max_length:
            warnings.warn(
                f"{len(log_history)} values are given, but only the last {max_length} are kept",
                stacklevel=2,
            )
        self.max_length = max_length
        self._values = array("d", log_history)
        # Nearly every value stands for one sample: counts are stored from the first other one on.
        self._counts: array[float] | None = None
        if any(count != 1 for count in count_history):
            self._counts = array("d", count_history)
        # Whole numbers are shown without a decimal point as long as there are no others.
        self._whole = len(log_history) > 0 and all(
            isinstance(value, numbers.Integral) for value in log_history
        )
        self._forget(len(self._values) - max_length)

    def _forget(self, how_many: int) -> None:
        if how_many > 0:
            del self._values[:how_many]
            if self._counts is not None:
                del self._counts[:how_many]

    def update(self, log_val: float, count: int = 1) -> None:
        """Append a value.

        Args:
            log_val: The value, a number.
            count: Samples that it stands for.

        Raises:
            ArgumentTypeError: One of the two is no number.
        """
        if not (_is_number(log_val) and _is_number(count)):
            raise ArgumentTypeError(
                f"a history takes a number with its count, not {type(log_val).__name__} and "
                f"{type(count).__name__}"
            )
        self.append(log_val, count)

    def append(self, value: float, count: float = 1) -> None:
        """Append a value that is known to be a number."""
        values = self._values
        if count != 1 and self._counts is None:
            self._counts = array("d", [1.0]) * len(values)
        values.append(value)
        if self._counts is not None:
            self._counts.append(count)
        if self._whole and not isinstance(value, int):
            self._whole = False
        # Trimming moves the whole array, so it waits until that pays.
        extra = len(values) - self.max_length
        if extra > 64 and extra > self.max_length >> 3:
            self._forget(extra)

    @property
    def stored(self) -> int:
        """How many values are held; a few more than `max_length` at most."""
        return len(self._values)

    @property
    def data(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Copies of the values and of their counts, two arrays of shape (n,)."""
        return self._last(None)

    @property
    def _log_history(self) -> NDArray[Any]:
        return self.data[0]

    @property
    def _count_history(self) -> NDArray[Any]:
        return self.data[1]

    def _last(self, window_size: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
        """The newest values and their counts; ``None`` and 0 stand for all."""
        import numpy as np

        if window_size is not None and not (_is_whole(window_size) and window_size >= 0):
            raise ArgumentTypeError(f"window_size is a number of values, not {window_size!r}")
        kept = min(len(self._values), self.max_length)
        length = min(window_size or kept, kept)
        start = len(self._values) - length
        values: NDArray[Any] = np.array(self._values[start:])
        if self._whole and (not len(values) or np.abs(values).max() < 2.0**63):
            values = values.astype(np.int64)
        if self._counts is None:
            return values, np.ones(length, dtype=np.int64)
        return values, np.array(self._counts[start:])

    def smoothed(self, window_size: int) -> float:
        """`mean` of a window as a plain number, the same to the last bit and sooner.

        Args:
            window_size: How many of the newest values to take.
        """
        import numpy as np

        length = len(self._values)
        if self._whole or self._counts is not None or window_size < 1 or not length:
            return float(self.mean(window_size))
        newest = self._values[max(length - min(window_size, self.max_length), 0) :]
        return float(np.add.reduce(np.frombuffer(newest))) / len(newest)

    def newest(self) -> float | int:
        """`current` as a plain number.

        Raises:
            ArgumentValueError: There is none.
        """
        if self._whole or not self._values:
            whole: int = self.current().item()
            return whole
        return self._values[-1]

    def mean(self, window_size: int | None = None) -> Any:
        """Sum of the values divided by the sum of their counts.

        A value that stands for several samples is thus expected to be their sum, as in MMEngine.

        Args:
            window_size: How many of the newest values to take; all by default.
        """
        values, counts = self._last(window_size)
        return values.sum() / counts.sum()

    def max(self, window_size: int | None = None) -> Any:
        """Largest of the `window_size` newest values, of all by default."""
        return self._last(window_size)[0].max()

    def min(self, window_size: int | None = None) -> Any:
        """Smallest of the `window_size` newest values, of all by default."""
        return self._last(window_size)[0].min()

    def current(self) -> Any:
        """The newest value.

        Raises:
            ArgumentValueError: There is none.
        """
        if not self._values:
            raise ArgumentValueError("the history is empty", help="record a value first")
        return self._last(1)[0][-1]

    @classmethod
    def register_statistics(cls, method: StatisticT) -> StatisticT:
        """Register a function ``(buffer, ...) -> number`` as a statistic; use as a decorator.

        Raises:
            ArgumentValueError: There is a statistic of that name.
        """
        name = method.__name__
        if name in cls._statistics_methods:
            raise ArgumentValueError(
                f"there is a statistic {name!r} already", help="name it otherwise"
            )
        cls._statistics_methods[name] = method
        return method

    def statistics(self, method_name: str, *arg: Any, **kwargs: Any) -> Any:
        """Compute a statistic by name.

        Args:
            method_name: ``"mean"``, ``"max"``, ``"min"``, ``"current"``, or a registered name.
            *arg: Further arguments of the statistic.
            **kwargs: Further arguments of the statistic, such as ``window_size``.

        Raises:
            UnknownScalarError: There is no such statistic.
        """
        method = self._statistics_methods.get(method_name)
        if method is None:
            raise UnknownScalarError(
                f"there is no statistic {method_name!r}; there are "
                f"{', '.join(sorted(self._statistics_methods))}",
                help=did_you_mean(method_name, self._statistics_methods),
            )
        return method(self, *arg, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        values, counts = self.data
        return {"max_length": self.max_length, "_log_history": values, "_count_history": counts}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Take over the attributes of a pickled history, ours or MMEngine's."""
        for name, method in state.get("statistics_methods", {}).items():
            self._statistics_methods.setdefault(name, method)
        self._restore(
            state["_log_history"],
            state["_count_history"],
            int(state.get("max_length", _DEFAULT_LENGTH)),
        )

    def state_dict(self) -> dict[str, Any]:
        """Plain types and tensors: ``values``, ``max_length``, and ``counts`` unless all are 1."""
        import torch

        values, counts = self.data
        state = {"values": torch.from_numpy(values), "max_length": self.max_length}
        if (counts != 1).any():
            state["counts"] = torch.from_numpy(counts)
        return state

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> HistoryBuffer:
        """The history that `state_dict` was taken of."""
        values = state["values"].numpy()
        counts = state["counts"].numpy() if "counts" in state else None
        buffer = cls.__new__(cls)
        buffer._restore(values, counts, int(state["max_length"]))
        return buffer

    def _restore(self, values: Any, counts: Any, max_length: int) -> None:
        import numpy as np

        given: NDArray[Any] = np.asarray(values)
        self.max_length = max_length
        self._whole = given.size > 0 and np.issubdtype(given.dtype, np.integer)
        self._values = array("d", given.astype(np.float64).tobytes())
        self._counts = None
        if counts is not None and (np.asarray(counts) != 1).any():
            self._counts = array("d", np.asarray(counts, dtype=np.float64).tobytes())
        self._forget(len(self._values) - max_length)


def _flat(values: Sequence[Any]) -> Sequence[float]:
    """Values one behind another, which may come in rows, as an array or tensor gives them."""
    first: Any = values[0] if len(values) else 0
    if not getattr(first, "ndim", isinstance(first, list | tuple)):
        return values
    import numpy as np

    return cast("Sequence[float]", np.ravel(values))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _is_whole(value: object) -> bool:
    return isinstance(value, int)


HistoryBuffer._statistics_methods.update(
    mean=HistoryBuffer.mean,
    max=HistoryBuffer.max,
    min=HistoryBuffer.min,
    current=HistoryBuffer.current,
)
