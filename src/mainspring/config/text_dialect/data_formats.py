"""Configs in JSON and YAML: what these formats lack is written under a key with underscores.

======================  ==========================================================
``{"_ref_": "a.B"}``    the object of that name; ``"a:B.C"`` for what is inside of one
``"_call_": true``      in a dict: it is a recorded call; ``"_late_"``: one that waits
``"_shared_": "name"``  in a call that stands in several places, in the others
                        ``{"_same_": "name"}``; in YAML an anchor and aliases
``{"_tuple_": [...]}``  a tuple (in YAML, its tag); likewise ``_set_``, ``_frozenset_``
``{"_bytes_": "..."}``  bytes in base64; ``_complex_`` and ``_range_`` likewise
``{"_env_": "TOKEN"}``  the value of an environment variable
``{"_value_": [...]}``  a value by the path of what makes it, and the arguments
``{"_lost_": "a.B"}``   an object that could not be written down
``{"_dict_": [...]}``   a dict by its items: keys that are no strings, or that look like these
======================  ==========================================================
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from mainspring.config.lazy import LostObject
from mainspring.config.node import Node
from mainspring.config.printing.expression import from_environment
from mainspring.config.printing.plain import MAKERS, builtin_of, call_of, has_literal, plain
from mainspring.config.printing.references import is_printed_as_call, reference_of, shared_calls
from mainspring.config.printing.sharing import refuse_endless
from mainspring.config.recorded_python.reference import Reference, reference_to
from mainspring.config.text_dialect.yaml_scalars import knowing_numbers
from mainspring.errors import ConfigError
from mainspring.output import Secret, masked
from mainspring.walk import parts_of

__all__ = ["dump_data", "revive"]

_REF, _CALL, _LATE = "_ref_", "_call_", "_late_"
_SHARED, _SAME, _VALUE, _LOST = "_shared_", "_same_", "_value_", "_lost_"
_SINGLE = frozenset(
    (
        *(_REF, _SAME, _VALUE, _LOST, "_tuple_", "_set_", "_frozenset_", "_bytes_", "_complex_"),
        *("_range_", "_dict_", "_env_"),
    )
)
_MARKS = frozenset((_CALL, _LATE, _SHARED))
_SPECIAL = _SINGLE | _MARKS


def dump_data(values: dict[Any, Any], extension: str) -> str:
    """The text of a config in a data format.

    Args:
        values: The config.
        extension: ``.json``, ``.yaml`` or ``.yml``.
    """
    writer = _Writer(shared_calls(values), extension)
    tree = {key: writer.tree(item) for key, item in dict.items(values)}
    if not all(isinstance(key, str) and key not in _SPECIAL for key in tree):
        tree = _Writer(shared_calls(values), extension).tree(values)
    if extension == ".json":
        import json

        # Two braces would be a template when the text is read again.
        return json.dumps(tree).replace("{{", "{\\u007b")
    import yaml

    anchored = {id(part) for part in writer.written.values()}
    quick = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Dumper(knowing_numbers(quick, "int", "float")):  # type: ignore[misc]  # - chosen at run time
        def ignore_aliases(self, data: Any) -> bool:
            return id(data) not in anchored

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


class _Writer:
    """Makes trees of what the formats have.

    Args:
        shared: The calls that stand in several places, by their `id`.
        extension: That of the file.

    Attributes:
        written: The trees of those that were written, by the same.
    """

    def __init__(self, shared: Mapping[int, Node], extension: str) -> None:
        self._shared = shared
        self._json = extension == ".json"
        self.written: dict[int, dict[str, Any]] = {}

    def tree(self, value: Any) -> Any:
        if isinstance(value, dict):
            if id(value) in self.written:
                known = self.written[id(value)]
                return {_SAME: known[_SHARED]} if self._json else known
            tree = self._dict(value)
            if id(value) in self._shared:
                if self._json:
                    tree[_SHARED] = str(len(self.written) + 1)
                self.written[id(value)] = tree
            return tree
        if isinstance(value, list):
            return [self.tree(item) for item in value]
        if isinstance(value, tuple):
            items = [self.tree(item) for item in value]
            return {"_tuple_": items} if self._json else tuple(items)
        reference = reference_of(value)
        if reference is not None:
            module, name = reference
            if name.startswith("."):
                return {_REF: f"{module}{name}"}
            return {_REF: f"{module}{':' if '.' in name else '.'}{name}" if name else module}
        if isinstance(value, Secret):
            return {"_env_": value.variable}
        call = call_of(value)
        if call is not None:
            return {_VALUE: [call[0], *(self.tree(argument) for argument in call[1])]}
        literal = plain(value)
        if isinstance(literal, set | frozenset):
            items = [self.tree(item) for item in sorted(literal, key=repr)]
            return {"_frozenset_" if isinstance(literal, frozenset) else "_set_": items}
        if literal is ...:
            return {_VALUE: ["builtins.Ellipsis"]}
        if not has_literal(value):
            return {_LOST: literal}
        if isinstance(literal, str):
            return masked(literal)
        if isinstance(literal, bytes):
            return {"_bytes_": base64.b64encode(literal).decode()}
        if isinstance(literal, complex):
            return {"_complex_": str(literal)}
        if isinstance(literal, range):
            return {"_range_": [literal.start, literal.stop, literal.step]}
        return literal

    def _dict(self, value: dict[Any, Any]) -> dict[str, Any]:
        items = [(key, self.tree(item)) for key, item in dict.items(value)]
        if not all(isinstance(key, str) and key not in _SPECIAL for key, _ in items):
            pairs = [[self.tree(key), item] for key, item in items]
            return {"_dict_": pairs, **_marks(value)}
        items.sort(key=lambda item: item[0] != "type")
        return {**dict(items), **_marks(value)}


def _marks(value: dict[Any, Any]) -> dict[str, Any]:
    if not is_printed_as_call(value):
        return {}
    return {_CALL: True, **({_LATE: True} if isinstance(value, Node) and value.is_late else {})}


def revive(value: Any) -> Any:
    """What parsed JSON, YAML or TOML stands for.

    Args:
        value: What the parser gave.

    Raises:
        ConfigError: A key with underscores holds what it cannot hold.
    """
    revived = _Reader(value).revived(value)
    refuse_endless(revived)
    return revived


class _Reader:
    """Makes values of trees; a call that stands in several places is made once.

    Args:
        root: The whole tree.
    """

    def __init__(self, root: Any) -> None:
        self._made: dict[int, Node] = {}
        self._defined: dict[Any, dict[str, Any]] = {
            part[_SHARED]: part
            for part in parts_of(root)
            if isinstance(part, dict) and _CALL in part and isinstance(part.get(_SHARED), str)
        }

    def revived(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.revived(item) for item in value]
        if isinstance(value, tuple):
            return tuple(self.revived(item) for item in value)
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and (key := next(iter(value))) in _SINGLE and key != "_dict_":
            return self._single(key, value[key])
        if _CALL in value or _LATE in value:
            if id(value) not in self._made:
                self._made[id(value)] = self._call(value)
            return self._made[id(value)]
        return self._items(value)

    def _call(self, value: dict[Any, Any]) -> Node:
        marks = {key: value[key] for key in _MARKS if key in value}
        items = self._items({key: item for key, item in value.items() if key not in marks})
        marks.pop(_SHARED, None)
        if any(mark is not True for mark in marks.values()) or "type" not in items:
            raise _malformed(_CALL, value)
        return Node(items.pop("type"), (), items, late=_LATE in marks)

    def _items(self, value: dict[Any, Any]) -> dict[Any, Any]:
        if "_dict_" not in value:
            return {key: self.revived(item) for key, item in value.items()}
        pairs = value["_dict_"]
        is_list = isinstance(pairs, list) and all(
            isinstance(p, list) and len(p) == 2 for p in pairs
        )
        if len(value) != 1 or not is_list:
            raise _malformed("_dict_", pairs)
        try:
            return {self.revived(key): self.revived(item) for key, item in pairs}
        except TypeError as error:
            raise _malformed("_dict_", pairs) from error

    def _single(self, key: str, held: Any) -> Any:
        try:
            if key == _REF and isinstance(held, str) and _is_path(held):
                return _named(held)
            if key == _SAME and isinstance(held, str) and held in self._defined:
                return self.revived(self._defined[held])
            if key == "_env_" and isinstance(held, str):
                return from_environment(held)
            if key == _LOST and isinstance(held, str):
                return LostObject(held)
            if key == _VALUE and held == ["builtins.Ellipsis"]:
                return ...
            if key == _VALUE and isinstance(held, list) and held:
                given = [self.revived(argument) for argument in held[1:]]
                if held[0] in MAKERS:
                    return MAKERS[held[0]](*given)
                if isinstance(held[0], str) and _is_path(held[0]):
                    return Node(reference_to(held[0], "data"), given)
            if key == "_bytes_" and isinstance(held, str):
                return base64.b64decode(held, validate=True)
            if key == "_complex_" and isinstance(held, str):
                return complex(held)
            if key == "_range_" and isinstance(held, list) and len(held) == 3:
                return range(*held)
            makers = {"_tuple_": tuple, "_set_": set, "_frozenset_": frozenset}
            if key in makers and isinstance(held, list):
                return makers[key](self.revived(item) for item in held)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise _malformed(key, held) from error
        raise _malformed(key, held)


def _named(path: str) -> Any:
    module, colon, inner = path.partition(":")
    if colon:
        outer, *rest = inner.split(".")
        reference: Any = Reference(module, outer, None, "data")
        for name in rest:
            reference = reference.attribute_(name)
        return reference
    module, _, name = path.rpartition(".")
    found = builtin_of(name) if module == "builtins" else MAKERS.get(path)
    return reference_to(path, "data") if found is None else found


def _is_path(text: str) -> bool:
    return text.count(":") < 2 and all(
        part.isidentifier() for part in text.replace(":", ".").split(".")
    )


def _malformed(key: str, held: Any) -> ConfigError:
    return ConfigError(
        f"{key} holds {held!r:.80}",
        help=f"{key} is a word of dumped configs; give the key another name if you mean your own",
    )
