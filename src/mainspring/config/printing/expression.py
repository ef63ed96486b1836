"""Evaluate expressions of a dump, and of a command line, without running code.

Literals, displays, calls and dotted names are all there is. A call gives a `Node`, a name that is
no literal a reference; both are imported when they are built, if the allow-list has them.
"""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from mainspring.config.config_dict import ConfigDict
from mainspring.config.lazy import LostObject, dotted_path, is_lazy
from mainspring.config.node import Node
from mainspring.config.printing.plain import MAKERS, builtin_of
from mainspring.config.recorded_python.reference import Reference, ReferenceAttr, reference_to
from mainspring.config.words import ByEpoch, ByIteration
from mainspring.errors import ConfigParsingError, Location
from mainspring.output import MASK, Secret, note_secrets

__all__ = ["Evaluator", "evaluate_call", "from_environment"]

Place = Callable[[ast.AST], Location | None]

_NUMBERS = (int, float, complex)


class ExpressionError(ConfigParsingError, SyntaxError):
    """A dump, or a word of the command line, holds what is neither a literal nor a call."""


class Evaluator:
    """Evaluates expressions of literals, names and calls.

    Args:
        names: What imported names stand for; ``None`` where every dotted name stands for itself.
        place: Where a node of the syntax tree is written.
        mark: Takes each call and display with its value; returns the value to use.
    """

    def __init__(
        self,
        names: Mapping[str, Any] | None,
        place: Place,
        mark: Callable[[ast.expr, Any], Any] = lambda _, value: value,
    ) -> None:
        self._names = names
        self._place = place
        self._mark = mark

    def value(self, node: ast.expr) -> Any:
        """The value of an expression.

        Raises:
            ConfigError: It holds something else than literals, names and calls.
        """
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.List):
            return self._mark(node, [self.value(item) for item in node.elts])
        if isinstance(node, ast.Tuple):
            return self._mark(node, tuple(self.value(item) for item in node.elts))
        if isinstance(node, ast.Set):
            return self._made(set, node, [self.value(item) for item in node.elts])
        if isinstance(node, ast.Dict):
            return self._mark(node, self._dict(node))
        if isinstance(node, ast.UnaryOp | ast.BinOp):
            return self._number(node)
        if isinstance(node, ast.Name | ast.Attribute):
            return self._reference(node)
        if isinstance(node, ast.Call):
            return self._mark(node, self._call(node))
        raise self._refused(node)

    def _dict(self, node: ast.Dict) -> dict[Any, Any]:
        result = ConfigDict()
        for key, item in zip(node.keys, node.values, strict=True):
            if key is None:
                raise self._refused(node)
            name = self.value(key)
            try:
                hash(name)
            except TypeError as error:
                raise self._refused(key) from error
            result[name] = self.value(item)
        return result

    def _number(self, node: ast.UnaryOp | ast.BinOp) -> Any:
        """A signed number, or a complex one: ``-1``, ``1e-3 + 2j``."""
        if isinstance(node, ast.UnaryOp):
            value = self.value(node.operand)
            if isinstance(node.op, ast.USub | ast.UAdd) and type(value) in _NUMBERS:
                return -value if isinstance(node.op, ast.USub) else +value
            raise self._refused(node)
        left, right = self.value(node.left), self.value(node.right)
        is_complex = type(left) in (int, float) and type(right) is complex
        if is_complex and isinstance(node.op, ast.Add | ast.Sub):
            return left + right if isinstance(node.op, ast.Add) else left - right
        raise self._refused(node)

    def _reference(self, node: ast.Name | ast.Attribute) -> Any:
        parts: list[str] = []
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            parts.insert(0, root.attr)
            root = root.value
        if not isinstance(root, ast.Name) or any(
            part.startswith("__") and part.endswith("__") for part in parts
        ):
            raise self._refused(node)
        known = self._names is not None and root.id in self._names
        found = None if known or parts else builtin_of(root.id)
        if found is not None:
            return found
        if self._names is None:
            return reference_to(".".join([root.id, *parts]), "person")
        if not known:
            raise ExpressionError(
                f"{root.id!r} is not imported", location=self._place(root), help="import it first"
            )
        found = self._names[root.id]
        for part in parts:
            if not isinstance(found, Reference | ReferenceAttr):
                raise self._refused(node)
            found = found.attribute_(part)
        return found

    def _call(self, node: ast.Call) -> Any:
        function, late = node.func, isinstance(node.func, ast.Call)
        if isinstance(function, ast.Call):  # later(AdamW)(lr=1)
            is_later = isinstance(function.func, ast.Name) and function.func.id == "later"
            if not is_later or len(function.args) != 1 or function.keywords:
                raise self._refused(node)
            function = function.args[0]
        args, kwargs = self._arguments(node)
        if isinstance(function, ast.Name) and function.id not in (self._names or ()) and not late:
            if function.id == "lost" and len(args) == 1 and isinstance(args[0], str):
                return LostObject(args[0], self._place(node))
            if function.id in _MAKERS:
                return self._made(_MAKERS[function.id], node, *args, **kwargs)
        target = self.value(function)
        if is_lazy(target):
            maker = _WORDS.get(dotted_path(target))
        else:
            maker = next((known for known in MAKERS.values() if known is target), None)
        if maker is not None and not late:
            return self._made(maker, node, *args, **kwargs)
        if not is_lazy(target):
            raise self._refused(node)
        return Node(target, args, kwargs, where=self._place(node), late=late)

    def _arguments(self, node: ast.Call) -> tuple[list[Any], dict[str, Any]]:
        args = [self.value(argument) for argument in node.args]
        kwargs: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is not None:
                more = {keyword.arg: self.value(keyword.value)}
            else:
                more = self.value(keyword.value)
                if not isinstance(more, dict) or not all(isinstance(key, str) for key in more):
                    raise self._refused(keyword.value)
            if kwargs.keys() & dict.keys(more):
                raise self._refused(keyword.value)
            kwargs |= dict(dict.items(more))
        return args, kwargs

    def _made(self, maker: Callable[..., Any], node: ast.expr, *args: Any, **kwargs: Any) -> Any:
        try:
            return maker(*args, **kwargs)
        except (TypeError, ValueError, OverflowError, ArithmeticError) as error:
            raise ExpressionError(
                f"{ast.unparse(node):.60}: {error}", location=self._place(node)
            ) from error

    def _refused(self, node: ast.AST) -> ExpressionError:
        return ExpressionError(
            f"{ast.unparse(node):.60} is neither a literal nor a call",
            location=self._place(node),
            help="a file of data holds literals, names that it imports, and calls of them",
        )


def _make_dict(*args: Any, **kwargs: Any) -> ConfigDict:
    if args:
        raise TypeError("dict takes arguments by name here")
    return ConfigDict(kwargs)


def _make_float(text: Any) -> float:
    if text not in ("inf", "-inf", "nan"):
        raise ValueError("only float('inf'), float('-inf') and float('nan')")
    return float(text)


def from_environment(variable: str) -> Secret:
    """The value of a variable that a dump names instead of holding its value."""
    if not isinstance(variable, str):
        raise TypeError("env takes the name of a variable here")
    note_secrets()
    if variable not in os.environ:
        warnings.warn(f"the environment variable {variable} is not set", stacklevel=2)
    return Secret.of_variable(variable, os.environ.get(variable, MASK))


def _make_complex(text: Any) -> complex:
    if not isinstance(text, str):
        raise TypeError("complex takes a string here")
    return complex(text)


_MAKERS: dict[str, Callable[..., Any]] = {
    "env": from_environment,
    "dict": _make_dict,
    "float": _make_float,
    "set": set,
    "frozenset": frozenset,
    "range": range,
    "complex": _make_complex,
    **{name: MAKERS[f"builtins.{name}"] for name in ("bytearray", "slice", "type")},
}


_WORDS: dict[str, Callable[..., Any]] = {
    f"mainspring.{module}.{word.__name__}": word
    for module in ("config", "config.words", "runner")
    for word in (ByEpoch, ByIteration)
}
"""Functions that stand for a dict, in files too."""


def evaluate_call(text: str) -> Any:
    """The node that ``zoo.Swin(depth=2)`` records, without an import of `zoo`.

    Args:
        text: A call, or a dotted name, with literals and further calls as arguments.

    Raises:
        ConfigError: It is anything else.
    """
    tree = parse_expression(text)
    node = Evaluator(None, lambda _: None).value(tree)
    if isinstance(node, dict) or is_lazy(node):
        return node
    raise ExpressionError(f"{text!r} is no call", help="after @ comes a call: @zoo.Swin(depth=2)")


def parse_expression(text: str) -> ast.expr:
    """The syntax tree of an expression.

    Raises:
        ConfigError: It is no expression.
    """
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        reason = getattr(error, "msg", None) or "it cannot be read"
        once = "write @ once, before the outermost call" if "@" in text else None
        raise ExpressionError(f"{text!r:.80} is no expression: {reason}", help=once) from error
