"""Configs in JSON and YAML: what these formats lack is written under a key with underscores.

======================  ==========================================================
``{"_ref_": "a.B"}``    the object of that name
``"_call_": true``      in a dict: it is a recorded call; ``"_late_"``: one that waits
``{"_tuple_": [...]}``  a tuple (in YAML, its tag); likewise ``_set_``, ``_frozenset_``
``{"_bytes_": "..."}``  bytes in base64; ``_complex_`` and ``_range_`` likewise
``{"_dict_": [...]}``   a dict by its items: keys that are no strings, or that look like these
======================  ==========================================================
"""

from __future__ import annotations

import base64
from typing import Any

from mainspring.config.dumped import dumped_reference
from mainspring.config.node import Node
from mainspring.config.plain import plain
from mainspring.config.references import is_printed_as_call, reference_of
from mainspring.errors import ConfigError

__all__ = ["dump_data", "revive"]

_REF, _CALL, _LATE = "_ref_", "_call_", "_late_"
_SINGLE = frozenset(
    (_REF, "_tuple_", "_set_", "_frozenset_", "_bytes_", "_complex_", "_range_", "_dict_")
)
_SPECIAL = _SINGLE | {_CALL, _LATE}


def dump_data(values: dict[Any, Any], extension: str) -> str:
    """The text of a config in a data format.

    Args:
        values: The config.
        extension: ``.json``, ``.yaml`` or ``.yml``.
    """
    tree = {key: _tree(item, extension) for key, item in dict.items(values)}
    if not all(isinstance(key, str) and key not in _SPECIAL for key in tree):
        tree = _tree(values, extension)
    if extension == ".json":
        import json

        # Two braces would be a template when the text is read again.
        return json.dumps(tree).replace("{{", "{\\u007b")
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # - chosen at run time
        def ignore_aliases(self, data: Any) -> bool:
            return True

    Dumper.add_representer(
        tuple,
        lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:python/tuple", data),
    )
    Dumper.add_representer(
        str,
        lambda dumper, data: dumper.represent_scalar(
            "tag:yaml.org,2002:str", data, style='"' if "{{" in data else None
        ),
    )
    text = str(yaml.dump(tree, Dumper=Dumper, sort_keys=False))
    return text.replace("{{", "{\\x7b")


def _tree(value: Any, extension: str) -> Any:
    if isinstance(value, dict):
        return _dict_tree(value, extension)
    if isinstance(value, list):
        return [_tree(item, extension) for item in value]
    if isinstance(value, tuple):
        items = [_tree(item, extension) for item in value]
        return {"_tuple_": items} if extension == ".json" else tuple(items)
    reference = reference_of(value)
    if reference is not None:
        module, name = reference
        return {_REF: f"{module}.{name.lstrip('.')}" if name else module}
    value = plain(value)
    if isinstance(value, set | frozenset):
        items = [_tree(item, extension) for item in sorted(value, key=repr)]
        return {"_frozenset_" if isinstance(value, frozenset) else "_set_": items}
    if isinstance(value, bytes):
        return {"_bytes_": base64.b64encode(value).decode()}
    if isinstance(value, complex):
        return {"_complex_": str(value)}
    if isinstance(value, range):
        return {"_range_": [value.start, value.stop, value.step]}
    return value


def _dict_tree(value: dict[Any, Any], extension: str) -> Any:
    items = [(key, _tree(item, extension)) for key, item in dict.items(value)]
    if not all(isinstance(key, str) and key not in _SPECIAL for key, _ in items):
        pairs = [[_tree(key, extension), item] for key, item in items]
        return {"_dict_": pairs, **_marks(value)}
    return {**_type_first(items), **_marks(value)}


def _type_first(items: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(items)
    return {"type": tree.pop("type"), **tree} if "type" in tree else tree


def _marks(value: dict[Any, Any]) -> dict[str, Any]:
    if not is_printed_as_call(value):
        return {}
    return {_CALL: True, **({_LATE: True} if isinstance(value, Node) and value.is_late else {})}


def revive(value: Any) -> Any:
    """What parsed JSON or YAML stands for.

    Args:
        value: What the parser gave.

    Raises:
        ConfigError: A key with underscores holds what it cannot hold.
    """
    if isinstance(value, list):
        return [revive(item) for item in value]
    if isinstance(value, tuple):
        return tuple(revive(item) for item in value)
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (key := next(iter(value))) in _SINGLE and key != "_dict_":
        return _revived(key, value[key])
    if not value.keys().isdisjoint((_CALL, _LATE, "_dict_")):
        return _revived_dict(value)
    return {key: revive(item) for key, item in value.items()}


def _revived_dict(value: dict[Any, Any]) -> Any:
    marks = {key: value[key] for key in (_CALL, _LATE) if key in value}
    rest = {key: item for key, item in value.items() if key not in marks}
    if "_dict_" in rest:
        pairs = rest["_dict_"]
        is_list = isinstance(pairs, list) and all(
            isinstance(p, list) and len(p) == 2 for p in pairs
        )
        if len(rest) != 1 or not is_list:
            raise _malformed("_dict_", pairs)
        try:
            items = {revive(key): revive(item) for key, item in pairs}
        except TypeError as error:
            raise _malformed("_dict_", pairs) from error
    else:
        items = {key: revive(item) for key, item in rest.items()}
    if not marks:
        return items
    if any(mark is not True for mark in marks.values()) or "type" not in items:
        raise _malformed(_CALL, value)
    return Node(items.pop("type"), (), items, late=_LATE in marks)


def _is_list_of_pairs(value: Any) -> bool:
    if not isinstance(value, list):
        return False
    return all(isinstance(pair, list) and len(pair) == 2 for pair in value)


def _revived(key: str, held: Any) -> Any:
    try:
        if key == _REF and isinstance(held, str) and _is_path(held):
            return dumped_reference(held)
        if key == "_bytes_" and isinstance(held, str):
            return base64.b64decode(held, validate=True)
        if key == "_complex_" and isinstance(held, str):
            return complex(held)
        if key == "_range_" and isinstance(held, list) and len(held) == 3:
            return range(*held)
        makers = {"_tuple_": tuple, "_set_": set, "_frozenset_": frozenset}
        if key in makers and isinstance(held, list):
            return makers[key](revive(item) for item in held)
    except (ValueError, TypeError) as error:
        raise _malformed(key, held) from error
    raise _malformed(key, held)


def _is_path(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _malformed(key: str, held: Any) -> ConfigError:
    return ConfigError(
        f"{key} holds {held!r:.80}",
        help=f"{key} is a word of dumped configs; give the key another name if you mean your own",
    )
