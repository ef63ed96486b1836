"""The words of configs: `later`, `edit`, `copy`, `env`, `eager`, `available`, `include` and so on.

In a config file they act on recorded calls; in a script they do the same with real classes. `L`
makes nodes in scripts. `ByEpoch` and `ByIteration` are typed forms of ``train_cfg``.
"""

from __future__ import annotations

import contextlib
import copy as copying
import functools
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, overload

from mainspring.config.config_dict import ConfigDict
from mainspring.config.edit import edit
from mainspring.config.lazy import LazyAttr, LazyObject
from mainspring.config.node import Node
from mainspring.config.recorded_python.recording import calling_place, is_recording, refuse
from mainspring.errors import ConfigError, Location
from mainspring.output import Secret, note_secrets
from mainspring.registry.build import later_partial
from mainspring.registry.within import within

__all__ = [
    "ByEpoch",
    "ByIteration",
    "Factory",
    "L",
    "Unfinished",
    "asked_variables",
    "available",
    "copy",
    "eager",
    "edit",
    "env",
    "include",
    "later",
    "later_partial",
    "partial",
    "read_base",
]

P = ParamSpec("P")
T = TypeVar("T")

Factory = Callable[..., T]
"""What gives a ``T`` when the runner calls it: ``Optimizer | Factory[Optimizer]``."""

EnvT = TypeVar("EnvT", str, int, float, bool)

_asked: ContextVar[dict[str, Any] | None] = ContextVar("mainspring_env_variables", default=None)


def later(target: Callable[Concatenate[Any, P], T]) -> Callable[P, Callable[..., T]]:
    """Describe a part whose first argument the runner adds: ``later(AdamW)(lr=1e-3)``.

    Optimizers get the parameters, schedulers the optimizer, samplers the data set. The call takes
    all other arguments, and editors and type checkers know them.

    Args:
        target: The class or function.

    Returns:
        A callable for the other arguments; it gives a node in a config, elsewhere a
        `functools.partial`.

    Example:
        >>> make = later(torch.optim.SGD)(lr=0.5)
        >>> make([torch.ones(1, requires_grad=True)]).defaults["lr"]
        0.5
    """
    if isinstance(target, LazyObject | LazyAttr):
        return Unfinished(target, calling_place())
    if is_recording() and isinstance(target, Unfinished | Node):
        refuse(f"later() of {target!r}", "it takes an imported class or function")

    def without_first(*args: P.args, **kwargs: P.kwargs) -> Callable[..., T]:
        waiting: Callable[..., T] = later_partial(target, args, kwargs)
        return waiting

    return without_first


def partial(target: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`functools.partial` for configs: of an imported name it is recorded.

    Args:
        target: The class or function.
        *args: Its first arguments.
        **kwargs: Arguments by name.
    """
    if not isinstance(target, LazyObject | LazyAttr):
        return functools.partial(target, *args, **kwargs)
    if not args:
        return Node(target, (), kwargs, where=calling_place(), late=True)
    recorded = LazyObject("functools", "partial")
    return Node(recorded, (target, *args), kwargs, where=calling_place())


class Unfinished:
    """``later(AdamW)``, which is a part of the run only when it is called in turn.

    Args:
        target: The class or function.
        where: Where it is written.
    """

    def __init__(self, target: Any, where: Location | None) -> None:
        self.target = target
        self.where = where

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Record a call whose first argument is added later."""
        return Node(self.target, args, kwargs, where=calling_place(), late=True)

    def __repr__(self) -> str:
        return f"later({self.target!s})"


class _NodeMaker:
    """`L`: nodes for scripts, with the completion and checking of the class itself."""

    def __call__(self, target: Callable[P, T]) -> Callable[P, T]:
        """Describe a call: ``L(ResNet)(depth=50)``.

        Args:
            target: The class or function.

        Returns:
            A callable with the parameters of the target that gives a node instead of calling it.

        Example:
            >>> from mainspring.registry import MODELS
            >>> MODELS.build(L(nn.Linear)(3, out_features=2))
            Linear(in_features=3, out_features=2, bias=True)
        """

        def record(*args: Any, **kwargs: Any) -> Any:
            return Node(target, args, kwargs, where=calling_place())

        return record

    def late(self, target: Callable[Concatenate[Any, P], T]) -> Callable[P, Callable[..., T]]:
        """Describe a call whose first argument the runner adds, see `later`."""
        return Unfinished(target, calling_place())


L = _NodeMaker()
"""``L(ResNet)(depth=50)`` is a node in scripts, where names are not recorded by themselves."""


def copy(value: T) -> T:
    """A copy of a part that can be edited without changing the original, however deep.

    Args:
        value: Node, dict or list.

    Example:
        >>> options = dict(sizes=[1, 2])
        >>> edit(copy(options)).sizes.append(3)
        >>> options
        {'sizes': [1, 2]}
    """
    return copying.deepcopy(value)


@overload
def env(name: str) -> str: ...
@overload
def env(name: str, default: EnvT) -> EnvT: ...
def env(name: str, default: Any = None) -> Any:
    """The value of an environment variable; the config remembers that it asked for it.

    Text from the environment is written down nowhere: logs, records and checkpoints hold
    ``env('NAME')`` in its place.

    Args:
        name: Name of the variable.
        default: Value where it is not set; the variable is read as the type of the default. Without
            a default it must be set.

    Raises:
        ConfigError: It is not set and there is no default, or it cannot be read as that type.
    """
    written = os.environ.get(name)
    if written is None and default is None:
        raise ConfigError(
            f"the environment variable {name} is not set",
            location=calling_place(),
            help=f"set it, or give a default: env({name!r}, ...)",
        )
    value = default if written is None else _as_type_of(default, written, name)
    if written is not None and isinstance(value, str):
        note_secrets()
        value = Secret.of_variable(name, value)
    asked = _asked.get()
    if asked is not None:
        asked[name] = value
    return value


def _as_type_of(default: Any, written: str, name: str) -> Any:
    if default is None or isinstance(default, str):
        return written
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    with contextlib.suppress(ValueError, KeyError):
        return words[written.lower()] if isinstance(default, bool) else type(default)(written)
    raise ConfigError(
        f"the environment variable {name} is {written!r}, which is no {type(default).__name__}",
        location=calling_place(),
        help=f"its default is {default!r}, so it is read as {type(default).__name__}",
    )


def asked_variables(into: dict[str, Any]) -> AbstractContextManager[dict[str, Any]]:
    """Within the block `env` writes down here what it was asked for, and its answers."""
    return within(_asked, into)


@contextmanager
def eager() -> Iterator[None]:
    """Mark imports that happen for real, while the config is read.

    ``with eager(): from my_data import CLASSES`` binds the constant itself, at the price of
    importing the module whenever the config is read.
    """
    yield


def available(package: str) -> bool:
    """Whether a package is installed; nothing of it is imported.

    Args:
        package: Name of a top-level package.
    """
    return importlib.util.find_spec(package.partition(".")[0]) is not None


@contextmanager
def read_base() -> Iterator[None]:
    """Mark the imports of a block as imports from other configs.

    Inside of the block, ``from .base import *`` binds the variables of ``base.py``, and
    ``from package.configs.base import model`` one of an installed package.
    """
    yield


def include(path: str) -> Any:
    """Take over all variables of another config, whose file name is no Python name.

    Args:
        path: Path of the config, relative to this one, such as ``"./faster-rcnn_r50.py"``.

    Returns:
        Its variables, as attributes: ``base = include("./faster-rcnn_r50.py"); base.model``.

    Raises:
        ConfigError: Called outside of a config file.
    """
    if is_recording():
        refuse("include() is called in another way than by its name", "write include(...)")
    raise ConfigError(
        f"include({path!r}) is called outside of a config file",
        help="read the config with Config.fromfile",
    )


def ByEpoch(  # noqa: N802 - a config reads it as a type
    max_epochs: int,
    val_begin: int = 1,
    val_interval: int = 1,
    dynamic_intervals: Sequence[tuple[int, int]] | None = None,
) -> dict[str, Any]:
    """The ``train_cfg`` of a run that counts epochs: ``dict(by_epoch=True, ...)``.

    Args:
        max_epochs: Length of the run in epochs.
        val_begin: First epoch after which the model is validated.
        val_interval: Epochs from one validation to the next.
        dynamic_intervals: Pairs of an epoch and the interval from it on.
    """
    return _train_cfg(True, "max_epochs", max_epochs, val_begin, val_interval, dynamic_intervals)


def ByIteration(  # noqa: N802 - a config reads it as a type
    max_iters: int,
    val_begin: int = 1,
    val_interval: int = 1000,
    dynamic_intervals: Sequence[tuple[int, int]] | None = None,
) -> dict[str, Any]:
    """The ``train_cfg`` of a run that counts iterations: ``dict(by_epoch=False, ...)``.

    Args:
        max_iters: Length of the run in iterations.
        val_begin: First iteration after which the model is validated.
        val_interval: Iterations from one validation to the next.
        dynamic_intervals: Pairs of an iteration and the interval from it on.
    """
    return _train_cfg(False, "max_iters", max_iters, val_begin, val_interval, dynamic_intervals)


def _train_cfg(
    by_epoch: bool,
    name: Literal["max_epochs", "max_iters"],
    length: int,
    val_begin: int,
    val_interval: int,
    dynamic_intervals: Sequence[tuple[int, int]] | None,
) -> dict[str, Any]:
    section: dict[str, Any] = {"by_epoch": by_epoch, name: length}
    if val_begin != 1:
        section["val_begin"] = val_begin
    if val_interval != (1 if by_epoch else 1000):
        section["val_interval"] = val_interval
    if dynamic_intervals is not None:
        is_tuple = isinstance(dynamic_intervals, tuple)
        section["dynamic_intervals"] = list(dynamic_intervals) if is_tuple else dynamic_intervals
    return ConfigDict(section)
