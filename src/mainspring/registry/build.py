"""Build what a spec describes: a dict with ``type`` and the arguments of the type."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mainspring.errors import ConfigError, mark_user_mistake
from mainspring.registry.default_scope import DefaultScope
from mainspring.registry.mistakes import describing_calls, remembering_spec
from mainspring.registry.parts import with_parts_built
from mainspring.registry.recorded import POSITIONAL_KEY, RecordedCall
from mainspring.utils.manager import ManagerMixin

if TYPE_CHECKING:
    from mainspring.registry.registry import Registry

__all__ = [
    "build_from_cfg",
    "build_model_from_cfg",
    "build_optimizer_from_cfg",
    "build_runner_from_cfg",
    "build_scheduler_from_cfg",
]


class MissingTypeError(ConfigError, KeyError):
    """A spec does not say what to build."""

    __str__ = ConfigError.__str__


class ConversionError(ConfigError, AssertionError):
    """A scheduler cannot be converted from epochs to iterations."""


def build_from_cfg(cfg: Any, registry: Registry, default_args: Any = None) -> Any:
    """Build what a spec describes.

    Args:
        cfg: Dict with ``type`` (a registered name, the path of an importable object, or a class or
            function) and its keyword arguments. ``_scope_`` makes a scope the current one while
            building. The dict itself is not changed.
        registry: Where names are looked up, unless the current scope has a registry in its tree.
        default_args: Arguments that ``cfg`` does not have; may hold ``type``.

    Returns:
        The new object; for a `ManagerMixin` class the instance of that name.

    Raises:
        KeyError: If ``type`` is missing or names nothing (`mainspring.errors.UnknownTypeError`).
        TypeError: If an argument has a wrong type, or ``cfg`` lacks arguments of the type or has
            others; the notes of the error say which.
        Exception: Whatever the constructor raises, with notes on what was being built.
    """
    _check_mapping(cfg, "cfg")
    with remembering_spec(cfg):
        return _build(_arguments(cfg, registry, default_args), registry, _is_late(cfg))


def build_model_from_cfg(cfg: Any, registry: Registry, default_args: Any = None) -> Any:
    """Build a model; a list of specs becomes a `mainspring.model.Sequential` of their models.

    Args:
        cfg: A spec as for `build_from_cfg`, or a list of them.
        registry: Where names are looked up.
        default_args: Arguments for each spec.
    """
    if not isinstance(cfg, list):
        return build_from_cfg(cfg, registry, default_args)
    parts = [build_from_cfg(part, registry, default_args) for part in cfg]
    # The package of models lies above this one.
    return import_module("mainspring.model").Sequential(*parts)


def build_optimizer_from_cfg(cfg: Any, registry: Registry, default_args: Any = None) -> Any:
    """Build an optimizer; torch's Adafactor is registered as ``TorchAdafactor``.

    Args:
        cfg: A spec as for `build_from_cfg`.
        registry: Where names are looked up.
        default_args: Arguments that the spec does not have.
    """
    try:
        return build_from_cfg(cfg, registry, default_args)
    except Exception as error:
        if isinstance(cfg, Mapping) and cfg.get("type") == "Adafactor":
            error.add_note(
                "Adafactor is the one of the transformers package; torch's is TorchAdafactor"
            )
        raise


def build_runner_from_cfg(cfg: Any, registry: Registry) -> Any:
    """Build a runner from the config of a whole run, with ``from_cfg`` of its class.

    Args:
        cfg: Config of the run; ``runner_type`` names the class, ``Runner`` by default.
        registry: Where names are looked up.
    """
    _check_mapping(cfg, "cfg")
    with remembering_spec(cfg):
        args = cfg.copy()
        scope = args.pop("_scope_", None)
        with _found(args.get("runner_type", "Runner"), registry, scope) as runner_type:
            return runner_type.from_cfg(args)


def build_scheduler_from_cfg(cfg: Any, registry: Registry, default_args: Any = None) -> Any:
    """Build a parameter scheduler.

    Args:
        cfg: A spec as for `build_from_cfg`. With ``convert_to_iter_based=True`` a scheduler that
            is described in epochs is built in iterations; ``epoch_length`` is needed for that.
        registry: Where names are looked up.
        default_args: Arguments that the spec does not have, such as ``optimizer`` and
            ``epoch_length``.
    """
    _check_mapping(cfg, "cfg")
    with remembering_spec(cfg):
        args = _arguments(cfg, registry, default_args)
        if not args.pop("convert_to_iter_based", False):
            args.pop("epoch_length", None)
            return _build(args, registry, _is_late(cfg))
        if args.get("epoch_length") is None or not args.get("by_epoch", True):
            raise ConversionError(
                "convert_to_iter_based=True needs a scheduler with by_epoch=True and the number "
                f"of iterations in an epoch (epoch_length), but got {cfg!r}"
            )
        named, scope = _type_of(args), args.pop("_scope_", None)
        with _found(named, registry, scope) as scheduler, describing_calls(scheduler, args):
            return scheduler.build_iter_from_epoch(**args)


def _check_mapping(value: Any, name: str) -> None:
    if not (isinstance(value, Mapping) or hasattr(value, "_cfg_dict")):
        wrong = f"{name} should be a dict, ConfigDict or Config, but got {type(value)}: {value!r}"
        raise mark_user_mistake(TypeError(wrong))


def _arguments(cfg: Any, registry: Registry, default_args: Any) -> dict[str, Any]:
    """The spec's own values and the defaults for what it lacks, in a new dict."""
    if not hasattr(registry, "look_up"):
        raise TypeError(f"registry must be a mainspring.Registry object, but got {registry!r}")
    # Items are read one by one: a ConfigDict may resolve what it holds as it is asked for it.
    args = {key: cfg[key] for key in _keys(cfg)}
    if default_args is not None:
        _check_mapping(default_args, "default_args")
        for key in _keys(default_args):
            if key not in args:
                args[key] = default_args[key]
    return args


def _keys(mapping: Any) -> Iterator[str]:
    return iter(getattr(mapping, "_cfg_dict", mapping))


@contextmanager
def _found(named: Any, registry: Registry, scope: str | None) -> Iterator[Any]:
    """What a ``type`` means; its scope is the current one within the block."""
    with DefaultScope.overwrite_default_scope(scope):
        yield _resolve(named, registry)


def _resolve(named: Any, registry: Registry) -> Any:
    if isinstance(named, str):
        named = _look_up(named, registry)
    if not callable(named):
        wrong = f"type must be a str or valid type, but got {type(named)}: {named!r}"
        raise mark_user_mistake(TypeError(wrong))
    return named


def _look_up(name: str, registry: Registry) -> Any:
    in_scope, missing_scope, failure = registry.in_current_scope()
    search = in_scope.look_up(name)
    if search.found is not None:
        return search.found
    if failure is not None:
        search.scope_failures.append(failure)
    if in_scope is registry:
        raise search.error(missing_scope=missing_scope)
    # The registry that was asked may know a name that the current scope's does not see.
    own = registry.look_up(name)
    if own.found is None:
        raise own.error(tried=search)
    return own.found


def _build(args: dict[str, Any], registry: Registry, late: bool) -> Any:
    named, scope = _type_of(args), args.pop("_scope_", None)
    with _found(named, registry, scope) as target, describing_calls(target, args):
        args = with_parts_built(target, args, lambda part: build_from_cfg(part, registry))
        positional = args.pop(POSITIONAL_KEY, ())
        if late and _first_parameter(target) not in args:
            return _waiting(target, positional, args)
        if inspect.isclass(target) and issubclass(target, ManagerMixin):
            return target.get_instance(*positional, **args)
        return target(*positional, **args)


def _is_late(cfg: Any) -> bool:
    return isinstance(cfg, RecordedCall) and cfg.is_late


def _first_parameter(target: Any) -> str | None:
    try:
        return next(iter(inspect.signature(target).parameters), None)
    except (TypeError, ValueError):
        return None


def _waiting(target: Any, positional: Sequence[Any], args: Mapping[str, Any]) -> Any:
    """A callable that takes the first argument later."""
    if not positional:
        return functools.partial(target, **args)
    return functools.partial(_call_with_first, target, positional, args)


def _call_with_first(
    target: Any, positional: Sequence[Any], args: Mapping[str, Any], first: Any
) -> Any:
    return target(first, *positional, **args)


def _type_of(args: dict[str, Any]) -> Any:
    if "type" not in args:
        raise MissingTypeError(
            f'`cfg` or `default_args` must contain the key "type", but got {args!r}',
            help='a spec is written dict(type="Name", argument=value)',
        )
    return args.pop("type")
