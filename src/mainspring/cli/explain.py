"""What `mainspring show CONFIG KEY` says about one part of a config."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any

from mainspring.check.docstrings import parameter_text
from mainspring.cli.printing import in_lines, in_one_line, origin_lines, paint
from mainspring.columns import in_columns
from mainspring.config.lazy import LazyAttr, LazyObject, is_lazy
from mainspring.config.node import Node
from mainspring.config.provenance.history import origins
from mainspring.config.provenance.places import keys_of, value_at
from mainspring.config.schema import RUNNER_SECTIONS
from mainspring.config.words import available
from mainspring.errors import ConfigError, close_names
from mainspring.registry.recorded import POSITIONAL_KEY
from mainspring.registry.signatures import signature_of
from mainspring.walk import paths_of

if TYPE_CHECKING:
    from mainspring.config import Config

__all__ = ["explain_key", "part_of"]

_MISSING: Any = object()


def explain_key(cfg: Config, key: str) -> str:
    """Value, type, lines and documentation of one part.

    Args:
        cfg: The config.
        key: Dotted path; it may also name a parameter that is not set.

    Returns:
        Some lines.

    Raises:
        ConfigError: There is no such part; with the nearest one.
    """
    holder_path, _, name = key.rpartition(".")
    unset: ConfigError | None = None
    value = None
    try:
        value = part_of(cfg, key)
    except ConfigError as error:
        unset = error
    holder = value_at(cfg._cfg_dict, keys_of(cfg._cfg_dict, holder_path)) if holder_path else None
    about = _about_call(holder, cfg, name) if _is_call(holder) and name != "type" else []
    if unset is not None:
        if not _is_call(holder) or name not in _parameters(holder, cfg):
            raise unset
        return "\n".join([f"{paint(key, 'title')} is not set", *_rows(about)])
    rows = [("type", [_kind(value)]), ("set by", origin_lines(origins(cfg, key), value))]
    rows += _about_call(value, cfg) if _is_call(value) else []
    title = f"{paint(key, 'title')} = {in_lines(value, len(key) + 3)}"
    return "\n".join([title, *_rows([*rows, *about])])


def part_of(cfg: Config, key: str) -> Any:
    """A part of a config; classes are imported only to name positional arguments.

    Args:
        cfg: The config.
        key: Dotted path.

    Raises:
        ConfigError: There is no such part; with the nearest one.
    """
    part: Any = cfg._cfg_dict
    names = keys_of(cfg._cfg_dict, key)
    for depth, name in enumerate(names):
        found = _item(part, name)
        if found is _MISSING:
            here = ".".join(names[:depth])
            raise ConfigError(
                f"{here} has no {name!r}" if here else f"the config has no {name!r}",
                location=cfg.nearest_place(here) if here else None,
                config_path=key,
                help=_nearest(cfg, part, names, depth),
            )
        part = found
    return part


def _item(part: Any, name: str) -> Any:
    if isinstance(part, list | tuple):
        return part[int(name)] if name.isdecimal() and int(name) < len(part) else _MISSING
    if not isinstance(part, dict):
        return _MISSING
    if isinstance(part, Node) and not dict.__contains__(part, name):
        part.try_bind()  # any module may run then; if it fails, the arguments keep their numbers
    key: Any = name
    if not dict.__contains__(part, name) and name.isdecimal():
        key = int(name)
    return dict.__getitem__(part, key) if dict.__contains__(part, key) else _MISSING


def _nearest(cfg: Config, part: Any, names: list[str], depth: int) -> str | None:
    """The path that is most like one that is not there.

    Args:
        cfg: The config.
        part: What should hold the next key.
        names: The keys of the path.
        depth: How many of them are there.
    """
    if isinstance(part, list | tuple):
        return f"it has {len(part)} items, counted from 0"
    if not isinstance(part, dict):
        return f"it is {in_one_line(part, 60)}"
    name = names[depth]
    keys = [str(key) for key in dict.keys(part)]
    near = close_names(name, [*keys, *(() if depth else RUNNER_SECTIONS)], count=1)
    if near and near[0] in keys:
        fixed = [*names[:depth], near[0]]
        whole = [*fixed, *names[depth + 1 :]]
        exists = reduce(_item, whole, cfg._cfg_dict) is not _MISSING
        return f"did you mean {'.'.join(whole if exists else fixed)!r}?"
    paths = (".".join(map(str, keys)) for keys, _ in paths_of(cfg._own_values()))
    by_name = {path.rpartition(".")[2]: path for path in paths}
    elsewhere = close_names(names[-1], by_name, count=1)
    if elsewhere:
        return f"did you mean {by_name[elsewhere[0]]!r}?"
    if near:
        return f"the config says nothing about {near[0]}"
    return f"it has {', '.join(keys)}" if keys else None


# What is said


def _rows(rows: list[tuple[str, list[str]]]) -> Iterator[str]:
    """Labels, with the lines of each beside it."""
    cells = [(label * (not n), line) for label, lines in rows for n, line in enumerate(lines)]
    return (f"  {line}" for line in in_columns(cells))


def _kind(value: Any) -> str:
    if isinstance(value, Node):
        return "a call whose first argument the runner adds" if value.is_late else "a call"
    if isinstance(value, dict):
        return "dict"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__} of {len(value)}"
    return "an imported name" if is_lazy(value) else type(value).__name__


def _is_call(value: Any) -> bool:
    return isinstance(value, dict) and dict.__contains__(value, "type")


def _about_call(call: Any, cfg: Config, argument: str = "") -> list[tuple[str, list[str]]]:
    """What is said of a call, or of one argument of it."""
    try:
        target = _target(call, cfg)
    except Exception as error:  # noqa: BLE001 - a module may raise anything while it is imported
        text = str(getattr(error, "message", error)).split("\n")[0]
        kind = "" if isinstance(error, ImportError | ConfigError) else f"{type(error).__name__}: "
        return [("import", [f"{_name(call)} cannot be imported: {kind}{text}"])]
    signature = _signature(target)
    parameters = signature.parameters if signature is not None else {}
    if argument in parameters:
        rows = [("for", [f"{_name(call)}({parameters[argument]})"])]
        about = parameter_text(target, argument)
    elif argument:
        return [("for", [f"{_name(call)}{signature or '(...)'}"])]
    else:
        rows = [("calls", [f"{_name(call)}{signature or '(...)'}"])]
        written = {str(key) for key in dict.keys(call)}
        unset = [
            str(parameter).partition(":")[0].partition("=")[0].strip()
            + f"={in_one_line(parameter.default)}"
            for parameter in parameters.values()
            if parameter.default is not parameter.empty and parameter.name not in written
        ]
        if unset and not dict.__contains__(call, POSITIONAL_KEY):
            rows.append(("not set", [", ".join(unset)]))
        documented = (target.__doc__ and inspect.getdoc(target)) or ""
        about = " ".join(documented.split("\n\n")[0].split())
    return [*rows, ("about", [about])] if about else rows


def _name(call: dict[str, Any]) -> str:
    target = dict.__getitem__(call, "type")
    return target if isinstance(target, str) else in_one_line(target)


class _Written:
    """An annotation that is kept as text, printed without quotes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _signature(target: Any) -> inspect.Signature | None:
    """A signature that prints annotations as they are written; ``None`` if there is none."""
    signature = signature_of(target)
    if signature is None:
        return None

    def written(annotation: Any) -> Any:
        return _Written(annotation) if isinstance(annotation, str) else annotation

    return signature.replace(
        parameters=[
            parameter.replace(annotation=written(parameter.annotation))
            for parameter in signature.parameters.values()
        ],
        return_annotation=written(signature.return_annotation),
    )


def _parameters(call: Any, cfg: Config) -> Mapping[str, inspect.Parameter]:
    """The parameters of what a call calls; none if it cannot be imported."""
    try:
        signature = _signature(_target(call, cfg))
    except Exception:  # noqa: BLE001 - a module may raise anything while it is imported
        signature = None
    return signature.parameters if signature is not None else {}


def _target(call: dict[str, Any], cfg: Config) -> Any:
    """What a call calls, imported.

    Raises:
        ConfigError: No registry has its name.
        Exception: What a module raises while it is imported.
    """
    target = dict.get(call, "type")
    if isinstance(target, LazyObject | LazyAttr):
        return target.build()
    if not isinstance(target, str):
        return target
    from mainspring import registry
    from mainspring.config.custom_imports import import_modules_of

    import_modules_of(cfg)
    scope = dict.get(cfg._cfg_dict, "default_scope")
    missing = isinstance(scope, str) and not available(scope)
    for one in vars(registry).values():
        if isinstance(one, registry.Registry):
            with one.switch_scope_and_registry(None if missing else scope) as here:
                found = here.look_up(target).found
            if found is not None:
                return found
    why = f"; the scope {scope!r} is not installed" if missing else ""
    raise ConfigError(f"no registry has this name{why}")
