"""The JSON Schema of configs, by which editors complete and check YAML and JSON.

It is made of the sections of `mainspring.config.schema`, the names that the registries know, and
the signatures and docstrings behind them. It refuses only what is wrong in every config: a file may
change its base in part, and hold variables of any name.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import mainspring.registry as registries
from mainspring.check.annotations import annotation_of
from mainspring.check.docstrings import parameter_text
from mainspring.config.schema import ROLES, SECTIONS, Role, role_of_section
from mainspring.registry.registry import Registry
from mainspring.registry.signatures import callee_of

__all__ = ["json_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ANY: dict[str, Any] = {}
_NULL = {"type": "null"}
_OBJECT = {"type": ["object", "null"]}
_TEMPLATE = {"type": "string", "pattern": r"\{\{"}
"""A value that the file takes from its bases or the environment."""

_PLAIN: dict[Any, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
_LIST = {"type": ["array", "object"]}  # {"_tuple_": [...]} is a tuple
_TRAIN_LOOPS = ("EpochBasedTrainLoop", "WorkflowTrainLoop", "IterBasedTrainLoop")
_MARKS = {"_scope_": {"type": "string"}, "_delete_": {"type": "boolean"}}
"""What every dict may have beside its arguments."""


def json_schema() -> dict[str, Any]:
    """The schema of configs, as JSON Schema of draft 2020-12."""
    from mainspring.runner import Runner

    properties = {name: _section(name, Runner) for name in SECTIONS}
    properties["_base_"] = {"type": ["string", "array"], "items": {"type": "string"}}
    for name in ("model_wrapper_cfg", "tta_model"):
        role = next(known for known in ROLES if ROLES[known] is role_of_section(name))
        properties[name] = _one_of(_ref(role), _NULL)
    return {
        "$schema": DIALECT,
        "title": "config of a run of mainspring",
        "type": "object",
        "properties": properties,
        "$defs": {name: _role(role) for name, role in ROLES.items() if role.registry},
    }


def _section(name: str, runner: Any) -> dict[str, Any]:
    section = SECTIONS[name]
    text = {"description": parameter_text(runner, name)}
    if name == "default_hooks":
        hook = _one_of(_ref("hook"), _NULL)
        known = dict.fromkeys(section.keys, hook)
        return text | {"properties": known, "additionalProperties": hook} | _OBJECT
    if section.role:
        one = _ref(section.role)
        if section.role == "evaluator":
            one = {"anyOf": [one, _ref("evaluator_of_metrics")]}
        return text | _one_of(one, {"type": "array", "items": one}, {"type": "string"}, _NULL)
    if section.keys:
        return text | {"properties": dict.fromkeys(section.keys, _ANY)} | _OBJECT
    parameter = inspect.signature(runner).parameters[name]
    return text | _type(annotation_of(runner, parameter))


def _role(role: Role) -> dict[str, Any]:
    """A dict with a type: what it takes follows from the type."""
    registry: Registry = getattr(registries, role.registry)
    registry.try_locations()
    targets = dict(sorted(registry.module_dict.items()))
    names: dict[str, Any] = {"anyOf": [{"enum": list(targets)}, {"type": ["string", "object"]}]}
    if role.default is not None:
        names["default"] = role.default
    cases = [
        {
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": _arguments(target, role),
        }
        for name, target in targets.items()
    ]
    shown: dict[str, Any] = {}
    for usual in (role.default, *(_TRAIN_LOOPS if role is ROLES["train_loop"] else ())):
        target = registry.get(usual) if usual is not None else None
        takes = _arguments(target, role)["properties"] if target is not None else {}
        shown |= {name: schema for name, schema in takes.items() if schema or name not in shown}
    cases.append({"if": {"not": {"required": ["type"]}}, "then": {"properties": shown}})
    properties = {"type": names, **_parts(role)}
    return {"type": "object", "properties": properties, "allOf": cases}


def _arguments(target: Any, role: Role) -> dict[str, Any]:
    callee = callee_of(target)
    if callee is None:
        return {"properties": {}}
    properties: dict[str, Any] = {}
    for name, parameter in callee.parameters.items():
        if name not in role.supplied:
            schema = _type(annotation_of(target, parameter))
            if parameter.default is None or type(parameter.default) in _PLAIN:
                schema = schema | {"default": parameter.default}
            properties[name] = {"description": parameter_text(target, name)} | schema
    properties |= _parts(role)
    if callee.openness != "closed" or not role.certain:
        return {"properties": properties}
    given = dict.fromkeys(sorted({*callee.names, *role.extra, "type"}), _ANY)
    return {"properties": given | _MARKS | properties, "additionalProperties": False}


def _parts(role: Role) -> dict[str, Any]:
    """The arguments of which it is known what they hold, wherever they are taken."""
    return {
        name: _one_of(_ref(part), {"type": "array", "items": _ref(part)}, {"type": "string"}, _NULL)
        for name, part in role.parts.items()
        if ROLES[part].registry
    }


def _type(annotation: Any) -> dict[str, Any]:
    """What a config can write for an annotation; anything for those of no plain values."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if annotation in _PLAIN:
        return _one_of({"type": _PLAIN[annotation]}, _TEMPLATE)
    if annotation in (None, type(None)):
        return _NULL
    if origin is Literal:
        return _one_of({"enum": list(arguments)}, _TEMPLATE)
    if origin in (Union, types.UnionType):
        options = [_type(option) for option in arguments]
        return _ANY if _ANY in options else _one_of(*options)
    kind = origin or annotation
    if kind in (list, tuple) or kind is Sequence:
        return _one_of(_LIST, _TEMPLATE)
    if kind in (dict, Mapping):
        return _one_of({"type": "object"}, _TEMPLATE)
    return _ANY


def _one_of(*options: dict[str, Any]) -> dict[str, Any]:
    """One of several schemas; those that are nested are taken apart."""
    flat: list[dict[str, Any]] = []
    for option in options:
        parts = option["anyOf"] if list(option) == ["anyOf"] else [option]
        flat += [part for part in parts if part not in flat]
    return {"anyOf": flat}


def _ref(role: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{role}"}
