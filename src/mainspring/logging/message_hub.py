"""What the parts of a run tell each other: scalars with their history, and other information."""

from __future__ import annotations

import copy
import logging
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mainspring.errors import (
    ArgumentTypeError,
    ArgumentValueError,
    UnknownScalarError,
    did_you_mean,
)
from mainspring.logging.history_buffer import HistoryBuffer
from mainspring.logging.print_log import print_log, warn
from mainspring.logging.scalar_window import ScalarWindow, as_scalar
from mainspring.registry.manager import ManagerMixin

__all__ = ["MessageHub"]


class MessageHub(ManagerMixin):
    """Scalars and information of a run, by name.

    Scalars are named ``mode/name``, such as ``train/loss``. A value on an accelerator is read only
    when somebody asks for a scalar, all waiting ones at once.

    Args:
        name: Name of the run.
        log_scalars: Scalars to begin with.
        runtime_info: Information to begin with.
        resumed_keys: For each of their names, whether a checkpoint keeps it.

    Raises:
        ArgumentTypeError: An argument is no dict, or a scalar is no `HistoryBuffer`.
        ArgumentValueError: `resumed_keys` has a name that neither of the others has.

    Example:
        >>> hub = MessageHub.get_instance("docs")
        >>> for loss in (4.0, 2.0):
        ...     hub.update_scalar("train/loss", loss)
        >>> float(hub.get_scalar("train/loss").mean())
        3.0
        >>> hub.update_info("phase", "warm-up")
        >>> hub.get_info("phase")
        'warm-up'
    """

    _has_default = True

    def __init__(
        self,
        name: str,
        log_scalars: Mapping[str, HistoryBuffer] | None = None,
        runtime_info: Mapping[str, Any] | None = None,
        resumed_keys: Mapping[str, bool] | None = None,
    ) -> None:
        super().__init__(name)
        self._log_scalars = _ordered("log_scalars", log_scalars)
        self._runtime_info = _ordered("runtime_info", runtime_info)
        self._resumed_keys = _ordered("resumed_keys", resumed_keys)
        for key, value in self._log_scalars.items():
            if not isinstance(value, HistoryBuffer):
                raise ArgumentTypeError(f"{key} is a {type(value).__name__}, not a HistoryBuffer")
        for key in self._resumed_keys:
            if key not in self._log_scalars and key not in self._runtime_info:
                raise ArgumentValueError(
                    f"resumed_keys has {key!r}, which is no scalar or information"
                )
        self._window = ScalarWindow(self._append)

    def _append(self, key: str, value: float, count: float) -> None:
        buffer = self._log_scalars.get(key)
        if buffer is None:
            self._log_scalars[key] = HistoryBuffer([value], [count])
            self._resumed_keys.setdefault(key, True)
        else:
            buffer.append(value, count)

    def record(self, prefix: str, values: Mapping[str, Any]) -> None:
        """Keep the scalars of one iteration.

        Does for all of them what `update_scalar` does for one, and costs less.

        Args:
            prefix: Mode, such as ``"train"``.
            values: Numbers, or tensors with one element, by name.

        Raises:
            ArgumentValueError: A tensor or array has several elements.
            ArgumentTypeError: A value is nothing of this kind.
        """
        window, buffers = self._window, self._log_scalars
        for name, value in values.items():
            key = f"{prefix}/{name}"
            number = value if type(value) is float else as_scalar(key, value)
            buffer = buffers.get(key)
            if buffer is not None and type(number) is float and not window.waiting:
                buffer.append(number)
            else:
                window.add(key, number)

    def update_scalar(self, key: str, value: Any, count: int = 1, resumed: bool = True) -> None:
        """Keep one scalar.

        Args:
            key: Name, such as ``"train/loss"``.
            value: Number, or tensor or array with one element.
            count: Samples that it stands for.
            resumed: Whether a checkpoint keeps it.

        Raises:
            ArgumentValueError: The tensor or array has several elements, or `resumed` was another
                before.
            ArgumentTypeError: The value is nothing of this kind, or the count no whole number.
        """
        self._set_resumed(key, resumed)
        if not isinstance(count, int):
            raise ArgumentTypeError(
                f"the count of {key} is {count!r} ({type(count).__name__}), not a whole number"
            )
        self._window.add(key, as_scalar(key, value), count)

    def update_scalars(self, log_dict: Mapping[str, Any], resumed: bool = True) -> None:
        """Keep several scalars.

        Args:
            log_dict: Values by name; a dict with ``value`` and ``count`` gives a count as well.
            resumed: Whether a checkpoint keeps them.

        Raises:
            ArgumentTypeError: `log_dict` is no dict, or see `update_scalar`.
            ArgumentValueError: A dict inside has no ``value``, or see `update_scalar`.
        """
        if not isinstance(log_dict, dict):
            raise ArgumentTypeError(f"log_dict is a {type(log_dict).__name__}, not a dict")
        for key, value in log_dict.items():
            count: Any = 1
            if isinstance(value, dict):
                if "value" not in value:
                    raise ArgumentValueError(f"{key} has no 'value': {value!r}")
                count = value.get("count", 1)
                value = value["value"]
            self.update_scalar(
                key, value, count.item() if hasattr(count, "item") else count, resumed
            )

    def update_info(self, key: str, value: Any, resumed: bool = True) -> None:
        """Keep a piece of information, in place of the last one of that name.

        Args:
            key: Its name.
            value: Anything; a checkpoint keeps it if it is made of plain types and tensors.
            resumed: Whether a checkpoint keeps it.

        Raises:
            ArgumentValueError: `resumed` was another before.
        """
        self._set_resumed(key, resumed)
        self._runtime_info[key] = value

    def update_info_dict(self, info_dict: Mapping[str, Any], resumed: bool = True) -> None:
        """Keep several pieces of information, see `update_info`.

        Raises:
            ArgumentTypeError: `info_dict` is no dict.
        """
        if not isinstance(info_dict, dict):
            raise ArgumentTypeError(f"info_dict is a {type(info_dict).__name__}, not a dict")
        for key, value in info_dict.items():
            self.update_info(key, value, resumed)

    def pop_info(self, key: str, default: Any = None) -> Any:
        """Remove a piece of information and return it, or `default`."""
        return self._runtime_info.pop(key, default)

    def _set_resumed(self, key: str, resumed: bool) -> None:
        known = self._resumed_keys.setdefault(key, resumed)
        if known is not resumed and known != resumed:
            raise ArgumentValueError(
                f"{key} was recorded with resumed={known} before, now with resumed={resumed}",
                help="keep to one of the two for each name",
            )

    @property
    def log_scalars(self) -> OrderedDict[str, HistoryBuffer]:
        """The scalars by name, all of them read."""
        self._window.read()
        return self._log_scalars

    @property
    def runtime_info(self) -> OrderedDict[str, Any]:
        """The information by name."""
        return self._runtime_info

    def get_scalar(self, key: str) -> HistoryBuffer:
        """History of a scalar.

        Raises:
            UnknownScalarError: Nothing of that name was recorded.
        """
        scalars = self.log_scalars
        if key not in scalars:
            known = ", ".join(scalars) or "nothing yet"
            raise UnknownScalarError(
                f"{key} was not recorded; recorded are: {known}", help=did_you_mean(key, scalars)
            )
        return scalars[key]

    def get_info(self, key: str, default: Any = None) -> Any:
        """A piece of information itself, not a copy; or `default`."""
        return self._runtime_info.get(key, default)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps, as plain types and tensors.

        Information that is made of anything else is left out.
        """
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
                print_log(
                    f"{key} is not kept in checkpoints: {error}", "current", level=logging.DEBUG
                )
        return {
            "log_scalars": scalars,
            "runtime_info": information,
            "resumed_keys": dict(self._resumed_keys),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any] | MessageHub) -> None:
        """Take back what `state_dict` gave, or what a checkpoint of MMEngine holds.

        Args:
            state_dict: The state; of another hub everything is copied.

        Raises:
            ArgumentTypeError: It is nothing of this kind.
        """
        if isinstance(state_dict, MessageHub):
            other = state_dict
            state_dict = {
                "log_scalars": other.log_scalars,
                "runtime_info": other.runtime_info,
                "resumed_keys": other._resumed_keys,
            }
            for owned in (self.log_scalars, self._runtime_info, self._resumed_keys):
                owned.clear()
        if not isinstance(state_dict, Mapping):
            raise ArgumentTypeError(
                f"the state of a message hub is a {type(state_dict).__name__}, not a dict"
            )
        self._window.read()
        for key, value in state_dict.get("log_scalars", {}).items():
            if isinstance(value, Mapping):
                self._log_scalars[key] = HistoryBuffer.from_state_dict(value)
            elif isinstance(value, HistoryBuffer):
                self._log_scalars[key] = copy.deepcopy(value)
            else:
                warn(
                    f"{key} in the checkpoint is a {type(value).__name__}, not a history: it is "
                    "left out"
                )
        for key, value in state_dict.get("runtime_info", {}).items():
            self._runtime_info[key] = value
            with suppress(Exception):  # what cannot be copied is shared
                self._runtime_info[key] = copy.deepcopy(value)
        for key, resumed in state_dict.get("resumed_keys", {}).items():
            if key in self._log_scalars or key in self._runtime_info:
                self._resumed_keys[key] = bool(resumed)


def _ordered(title: str, given: Mapping[str, Any] | None) -> OrderedDict[str, Any]:
    if given is not None and not isinstance(given, dict):
        raise ArgumentTypeError(f"{title} is a {type(given).__name__}, not a dict or None")
    return OrderedDict(given or {})


def _plain(value: Any) -> Any:
    """A value as plain types and tensors, which loading a checkpoint cannot be tricked with.

    Raises:
        TypeError: It holds something else.
    """
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        return value.detach().cpu()
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return _plain(value.tolist())
    raise TypeError(f"it holds a {type(value).__name__}")
