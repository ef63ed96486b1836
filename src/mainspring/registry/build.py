"""Build what a spec describes: a dict with ``type`` and the arguments of the type."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from mainspring.defaults import DEFAULTS
from mainspring.errors import ArgumentTypeError, ConfigError, ConfigKeyError, mark_user_mistake
from mainspring.names import origin_of, refuse_trust
from mainspring.registry.default_scope import DefaultScope
from mainspring.registry.manager import ManagerMixin
from mainspring.registry.mistakes import describing_calls, remembering_spec
from mainspring.registry.nested_specs import with_parts_built
from mainspring.registry.recorded import POSITIONAL_KEY, RecordedCall
from mainspring.registry.shared import building_apart, building_together
from mainspring.registry.signatures import signature_of

if TYPE_CHECKING:
    from mainspring.registry.registry import Registry

__all__ = [
    "build_from_cfg",
    "build_model_from_cfg",
    "build_optimizer_from_cfg",
    "build_runner_from_cfg",
    "build_scheduler_from_cfg",
    "joins_models",
    "later_partial",
]

JoinT = TypeVar("JoinT", bound=Callable[..., Any])

_joiners: list[Callable[..., Any]] = []


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
    with building_together(cfg) as shared, remembering_spec(cfg):
        args = _arguments(cfg, registry, default_args)
        own = set(_keys(cfg))
        added = {key: value for key, value in args.items() if key not in own}
        return shared.built(cfg, added, lambda: _build(cfg, args, registry))


def build_model_from_cfg(cfg: Any, registry: Registry, default_args: Any = None) -> Any:
    """Build a model; a list of specs becomes a `mainspring.model.Sequential` of their models.

    Args:
        cfg: A spec as for `build_from_cfg`, or a list of them.
        registry: Where names are looked up.
        default_args: Arguments for each spec.
    """
    if not isinstance(cfg, list):
        return build_from_cfg(cfg, registry, default_args)
    with building_together(cfg):
        parts = [build_from_cfg(part, registry, default_args) for part in cfg]
    if not _joiners:
        from mainspring.registry.root import MODELS

        MODELS.import_from_location()
    return _joiners[-1](*parts)


def joins_models(join: JoinT) -> JoinT:
    """Decorate what a list of models becomes: a class, or function, that takes them in order."""
    _joiners.append(join)
    return join


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
            return _build(cfg, args, registry)
        if args.get("epoch_length") is None or not args.get("by_epoch", True):
            raise ConfigError(
                "convert_to_iter_based=True needs a scheduler with by_epoch=True and the number "
                f"of iterations in an epoch (epoch_length), but got {cfg!r}"
            )
        with _target_of(args, registry) as scheduler, describing_calls(scheduler, args):
            return scheduler.build_iter_from_epoch(**args)


def _check_mapping(value: Any, name: str) -> None:
    if not (isinstance(value, Mapping) or hasattr(value, "_cfg_dict")):
        wrong = f"{name} should be a dict, ConfigDict or Config, but got {type(value)}: {value!r}"
        raise mark_user_mistake(ArgumentTypeError(wrong))


def _arguments(cfg: Any, registry: Registry, default_args: Any) -> dict[str, Any]:
    """The spec's own values and the defaults for what it lacks, in a new dict."""
    if not hasattr(registry, "look_up"):
        raise TypeError(
            f"registry must be a {DEFAULTS.name}.Registry object, but got {type(registry)}"
        )
    written: Any = dict(dict.items(cfg)) if isinstance(cfg, dict) else {}
    if origin_of(written.get("type")) == "data":
        refuse_trust(written)
    # Items are read one by one: a ConfigDict may resolve what it holds as it is asked for it.
    args = {key: cfg[key] for key in _keys(cfg)}
    if default_args is not None:
        _check_mapping(default_args, "default_args")
        args |= {key: default_args[key] for key in _keys(default_args) if key not in args}
    return args


def _keys(mapping: Any) -> Iterator[str]:
    return iter(getattr(mapping, "_cfg_dict", mapping))


@contextmanager
def _found(named: Any, registry: Registry, scope: str | None) -> Iterator[Any]:
    """What a ``type`` means; its scope is the current one within the block."""
    with DefaultScope.overwrite_default_scope(scope):
        if isinstance(named, str):
            named, unknown = registry.search(named)
            if unknown is not None:
                raise unknown
        if not callable(named):
            wrong = f"type must be a str or valid type, but got {type(named)}: {named!r}"
            raise mark_user_mistake(TypeError(wrong))
        yield named


def _target_of(args: dict[str, Any], registry: Registry) -> AbstractContextManager[Any]:
    """What the ``type`` of arguments means; it and the scope are taken out of them."""
    if "type" not in args:
        raise ConfigKeyError(
            f'`cfg` or `default_args` must contain the key "type", but got {args!r}',
            help='a spec is written dict(type="Name", argument=value)',
        )
    return _found(args.pop("type"), registry, args.pop("_scope_", None))


def _build(cfg: Any, args: dict[str, Any], registry: Registry) -> Any:
    late = isinstance(cfg, RecordedCall) and cfg.is_late
    with _target_of(args, registry) as target, describing_calls(target, args):
        args = with_parts_built(target, args, lambda part: build_from_cfg(part, registry))
        positional = args.pop(POSITIONAL_KEY, ())
        signature = signature_of(target) if late else None
        if late and next(iter(signature.parameters if signature else ()), None) not in args:
            return later_partial(target, positional, args)
        make = target
        if inspect.isclass(target) and issubclass(target, ManagerMixin):
            make = target.get_instance
        # Classes of this package build each description that they get once, others as they like.
        with building_apart(not getattr(target, "__module__", "").startswith("mainspring.")):
            return make(*positional, **args)


def later_partial(target: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """A callable that takes the first argument of a target and already has the others.

    Args:
        target: The class or function.
        args: Positional arguments from the second one on.
        kwargs: Arguments by name.
    """
    if not args:
        return functools.partial(target, **kwargs)
    return functools.partial(_call_with_first, target, args, kwargs)


def _call_with_first(
    target: Any, args: Sequence[Any], kwargs: Mapping[str, Any], first: Any
) -> Any:
    return target(first, *args, **kwargs)
