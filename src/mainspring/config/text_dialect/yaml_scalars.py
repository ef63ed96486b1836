"""What a word without quotes means in YAML: numbers as YAML 1.2 and Python read them.

PyYAML reads YAML 1.1, where ``1e-3`` is text, ``12:30`` is 750, ``010`` is 8, and ``on`` and ``no``
are truth values, also as keys.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any, ClassVar

__all__ = ["changed_words", "knowing_numbers", "yaml_loader"]

_TAG = "tag:yaml.org,2002:"
_REPLACED = {_TAG + name for name in ("bool", "int", "float", "value")}
_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)\Z")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=[eE]))(?:[eE][-+]?[0-9]+)?\Z"
    r"|[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"
)
_SCALARS = {
    "bool": (re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), "tTfF"),
    "int": (_INTEGER, "-+0123456789"),
    "float": (_FLOAT, "-+.0123456789"),
}
_MEANT_OTHERWISE = re.compile(r"(?:yes|no|on|off)\Z|[-+]?0[0-7_]+\Z", re.IGNORECASE)


@functools.cache
def yaml_loader() -> Any:
    """A safe loader: numbers as in YAML 1.2, and tuples as `Config.dump` writes them."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # - chosen at run time
        yaml_implicit_resolvers: ClassVar = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    for name, (pattern, first) in _SCALARS.items():
        Loader.add_implicit_resolver(_TAG + name, pattern, list(first))
    Loader.add_constructor(_TAG + "int", lambda _, node: _integer(node.value))
    Loader.add_constructor(
        _TAG + "python/tuple",
        lambda loader, node: tuple(loader.construct_sequence(node, deep=True)),
    )
    return Loader


@functools.cache
def knowing_numbers(base: Any, *names: str) -> Any:
    """A loader or dumper of PyYAML that also knows the numbers of YAML 1.2, for a dumper to quote.

    Args:
        base: PyYAML's class.
        names: Of ``"int"`` and ``"float"``.
    """

    class Knowing(base):  # type: ignore[misc]  # - chosen at run time
        pass

    for name in names:
        pattern, first = _SCALARS[name]
        Knowing.add_implicit_resolver(_TAG + name, pattern, list(first))
    return Knowing


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    return int(digits, 0 if digits.lstrip("+-")[1:2] in ("b", "o", "x") else 10)


def changed_words(root: Any) -> Iterator[tuple[Any, str]]:
    """Values that YAML 1.1, and thus other tools, read differently, each with what it is here.

    Args:
        root: The node of a document; its aliases stand for a bounded number of values.
    """
    open_nodes = [root]
    for node in open_nodes:
        if isinstance(node.value, list):
            open_nodes += [part[1] if isinstance(part, tuple) else part for part in node.value]
        elif not node.style and _MEANT_OTHERWISE.match(node.value):
            is_number = node.tag == _TAG + "int"
            yield node, f"the number {_integer(node.value)}" if is_number else "text"
