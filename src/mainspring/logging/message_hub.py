"""What the parts of a run tell each other: scalars with their history, and other information."""

from __future__ import annotations

import copy
import numbers
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Self

from mainspring.logging.history_buffer import HistoryBuffer
from mainspring.logging.print_log import print_log
from mainspring.logging.scalar_window import ScalarWindow
from mainspring.utils.manager import ManagerMixin

__all__ = ["MessageHub"]


class MessageHub(ManagerMixin):
    """Scalars and information of a run, by name.

    Scalars are named ``mode/name``, such as ``train/loss``. A value may be a tensor with one
    element; it is read on the host only when somebody asks for a scalar, all waiting ones at once.

    Args:
        name: Name of the run.
        log_scalars: Scalars to begin with.
        runtime_info: Information to begin with.
        resumed_keys: For each name, whether a checkpoint keeps it.
    """

    def __init__(
        self,
        name: str,
        log_scalars: Mapping[str, HistoryBuffer] | None = None,
        runtime_info: Mapping[str, Any] | None = None,
        resumed_keys: Mapping[str, bool] | None = None,
    ) -> None:
        super().__init__(name)
        for title, given in (
            ("log_scalars", log_scalars),
            ("runtime_info", runtime_info),
            ("resumed_keys", resumed_keys),
        ):
            if given is not None and not isinstance(given, dict):
                raise TypeError(f"{title} is a dict or None, not {type(given).__name__}")
        self._log_scalars: OrderedDict[str, HistoryBuffer] = OrderedDict(log_scalars or {})
        self._runtime_info: OrderedDict[str, Any] = OrderedDict(runtime_info or {})
        self._resumed_keys: OrderedDict[str, bool] = OrderedDict(resumed_keys or {})
        for key, value in self._log_scalars.items():
            if not isinstance(value, HistoryBuffer):
                raise TypeError(f"{key} is a {type(value).__name__}, not a HistoryBuffer")
        self._window = ScalarWindow(self._append)

    @classmethod
    def get_current_instance(cls) -> Self:
        """The current hub; one named ``mainspring`` is made when there is none."""
        if not cls._instance_dict:
            cls.get_instance("mainspring")
        return super().get_current_instance()

    def _append(self, key: str, value: float, count: float) -> None:
        buffer = self._log_scalars.get(key)
        if buffer is None:
            buffer = self._log_scalars[key] = HistoryBuffer()
            self._resumed_keys.setdefault(key, True)
        buffer.append(value, count)

    def record(self, prefix: str, values: Mapping[str, Any]) -> None:
        """Keep the scalars of one iteration, by reference and without reading them.

        The mapping must not be changed afterwards.

        Args:
            prefix: Mode, such as ``"train"``.
            values: Numbers, or tensors with one element, by name.
        """
        self._window.record(prefix, values)

    def update_scalar(self, key: str, value: Any, count: int = 1, resumed: bool = True) -> None:
        """Keep one scalar.

        Args:
            key: Name, such as ``"train/loss"``.
            value: Number, or tensor or array with one element.
            count: Samples that it stands for.
            resumed: Whether a checkpoint keeps it.

        Raises:
            ValueError: The tensor or array has several elements.
            TypeError: The value is nothing of this kind.
        """
        self._set_resumed(key, resumed)
        self._window.add(key, _checked_scalar(key, value), _checked_count(key, count))

    def update_scalars(self, log_dict: Mapping[str, Any], resumed: bool = True) -> None:
        """Keep several scalars.

        Args:
            log_dict: Values by name; a dict with ``value`` and ``count`` gives a count as well.
            resumed: Whether a checkpoint keeps them.

        Raises:
            TypeError: `log_dict` is no dict.
            ValueError: A dict inside has no ``value``.
        """
        if not isinstance(log_dict, dict):
            raise TypeError(f"log_dict is a dict, not {type(log_dict).__name__}")
        for key, value in log_dict.items():
            if isinstance(value, dict):
                if "value" not in value:
                    raise ValueError(f"{key} has no 'value': {value!r}")
                self.update_scalar(key, value["value"], value.get("count", 1), resumed)
            else:
                self.update_scalar(key, value, 1, resumed)

    def update_info(self, key: str, value: Any, resumed: bool = True) -> None:
        """Keep a piece of information, in place of the last one of that name."""
        self._set_resumed(key, resumed)
        self._runtime_info[key] = value

    def update_info_dict(self, info_dict: Mapping[str, Any], resumed: bool = True) -> None:
        """Keep several pieces of information.

        Raises:
            TypeError: `info_dict` is no dict.
        """
        if not isinstance(info_dict, dict):
            raise TypeError(f"info_dict is a dict, not {type(info_dict).__name__}")
        for key, value in info_dict.items():
            self.update_info(key, value, resumed)

    def pop_info(self, key: str, default: Any = None) -> Any:
        """Remove a piece of information and return it."""
        return self._runtime_info.pop(key, default)

    def _set_resumed(self, key: str, resumed: bool) -> None:
        known = self._resumed_keys.setdefault(key, resumed)
        if known != resumed:
            raise AssertionError(f"{key} was recorded with resumed={known} before, now {resumed}")

    @property
    def log_scalars(self) -> OrderedDict[str, HistoryBuffer]:
        """The scalars by name."""
        self._window.read()
        return self._log_scalars

    @property
    def runtime_info(self) -> OrderedDict[str, Any]:
        """The information by name."""
        return self._runtime_info

    def get_scalar(self, key: str) -> HistoryBuffer:
        """History of a scalar.

        Raises:
            KeyError: Nothing of that name was recorded.
        """
        scalars = self.log_scalars
        if key not in scalars:
            known = ", ".join(scalars) or "nothing yet"
            raise KeyError(f"{key} was not recorded; recorded are: {known}")
        return scalars[key]

    def get_info(self, key: str, default: Any = None) -> Any:
        """A copy of a piece of information, or `default`."""
        if key not in self._runtime_info:
            return default
        value = self._runtime_info[key]
        if value is None or isinstance(value, bool | int | float | str):
            return value
        return copy.deepcopy(value)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, as plain types and tensors."""
        scalars = {
            key: buffer.state_dict()
            for key, buffer in self.log_scalars.items()
            if self._resumed_keys.get(key, False)
        }
        information = {}
        for key, value in self._runtime_info.items():
            if not self._resumed_keys.get(key, False):
                continue
            try:
                information[key] = _plain(value)
            except TypeError as error:
                print_log(f"{key} is not kept in checkpoints: {error}", "current", level=10)
        return {
            "log_scalars": scalars,
            "runtime_info": information,
            "resumed_keys": dict(self._resumed_keys),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any] | MessageHub) -> None:
        """Take back what `state_dict` gave, or what a checkpoint of MMEngine holds.

        Raises:
            TypeError: It is nothing of this kind.
        """
        if isinstance(state_dict, MessageHub):
            state_dict = state_dict.state_dict()
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"the state of a hub is a dict, not {type(state_dict).__name__}")
        self._window.read()
        for key, value in state_dict.get("log_scalars", {}).items():
            if isinstance(value, Mapping):
                self._log_scalars[key] = HistoryBuffer.from_state_dict(dict(value))
            elif isinstance(value, HistoryBuffer):
                self._log_scalars[key] = copy.deepcopy(value)
            else:
                print_log(f"{key} in the checkpoint is no history: it is left out", "current")
        for key, value in state_dict.get("runtime_info", {}).items():
            self._runtime_info[key] = copy.deepcopy(value)
        for key, resumed in state_dict.get("resumed_keys", {}).items():
            self._resumed_keys[key] = bool(resumed)


def _checked_scalar(key: str, value: Any) -> Any:
    if isinstance(value, numbers.Number):
        return value
    size = getattr(value, "numel", None)
    count = size() if callable(size) else getattr(value, "size", None)
    if count is None or not hasattr(value, "item"):
        raise TypeError(f"{key} is a {type(value).__name__}, not a number or a tensor")
    if count != 1:
        raise ValueError(f"{key} has {count} elements, but a scalar has one")
    return value.detach() if hasattr(value, "detach") else value


def _checked_count(key: str, count: Any) -> float:
    if hasattr(count, "item"):
        count = count.item()
    if not isinstance(count, int | float):
        raise TypeError(f"the count of {key} is a {type(count).__name__}, not a number")
    return count


def _plain(value: Any) -> Any:
    """A value as plain types and tensors.

    Raises:
        TypeError: It holds something else.
    """
    if value is None or isinstance(value, bool | int | float | str | bytes):
        if isinstance(value, float) and type(value) is not float:
            return float(value)
        return value
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if hasattr(value, "detach"):
        return value.detach().cpu()
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"it holds a {type(value).__name__}")
