"""Put calls that set marks into the code of a Python config; `marking` has what they call."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mainspring.config.provenance.marks import MarkedText, Spot

__all__ = ["EACH", "WORDS", "Site", "instrumented", "site_of", "spot_of"]

_CHANGES = frozenset(("append", "extend", "insert", "merge", "setdefault", "update"))
_TRAIN_CFG = {"ByEpoch": "max_epochs", "ByIteration": "max_iters"}
_MORE_OF_TRAIN_CFG = ("val_begin", "val_interval", "dynamic_intervals")
EACH = "for"
WORDS = frozenset(("__made__", "__source__", "__stores__", "__binds__"))


@dataclass(slots=True, eq=False)
class Site:
    """An expression or statement that makes, changes or binds values.

    Attributes:
        where: Its place.
        keys: Places of the keys or names that it writes.
        after: How many sources are unpacked after each of these keys, in a display; which of the
            sources is the value of a keyword, in a call that changes something.
        items: Places of items or positional arguments; ``None`` where several are unpacked.
        sources: How many sources it has.
        word: What is called, with a dot if that changes what it is called of; ``for`` of a
            comprehension, ``import``, ``+=``; else empty.
        target: Place of what is called.
        imports: Names that are imported, and the variables that they get.
    """

    where: Spot
    keys: dict[Any, Spot] = field(default_factory=dict)
    after: dict[Any, int] = field(default_factory=dict)
    items: list[Spot | None] = field(default_factory=list)
    sources: int = 0
    word: str = ""
    target: Spot | None = None
    imports: list[tuple[str, str]] = field(default_factory=list)


def instrumented(tree: ast.Module, text: MarkedText) -> tuple[ast.Module, list[Site]]:
    """The tree of a file with calls that set marks.

    Args:
        tree: The tree; it is changed.
        text: The text of the file.

    Returns:
        The tree, and the sites that the calls name by number.
    """
    sites = _Sites(text)
    return sites.visit(tree), sites.found


def site_of(node: ast.expr, text: MarkedText) -> Site:
    """The site of an expression that is not going to run; it is changed.

    Args:
        node: A call or display.
        text: The text of the file.
    """
    return _Sites(text).site(node)


def spot_of(node: ast.AST, value: ast.expr, text: MarkedText) -> Spot:
    """The place of a token, and of the value that it stands for."""
    return _Sites(text).spot(node, value)


class _Sites(ast.NodeTransformer):
    def __init__(self, text: MarkedText) -> None:
        self.text = text
        self.found: list[Site] = []
        self.parameters: dict[str, Spot | None] | None = None  # of the function that is visited

    # Places

    def spot(self, node: Any, value: Any = None, *, is_change: bool = False) -> Spot:
        """The place of a token, and of the value that it stands for."""
        line, offset, span = node.lineno, node.col_offset, None
        if isinstance(getattr(node, "ctx", None), ast.Store) and hasattr(node, "attr"):
            line, offset = node.end_lineno, node.end_col_offset - len(node.attr.encode())
        if value is not None:
            span = value.lineno, value.col_offset, value.end_lineno, value.end_col_offset
        return Spot(self.text, line, offset, span, self.parameters, is_change)

    def site(self, node: ast.expr) -> Site:
        """The places in an expression; what its value is made of becomes a source."""
        site = Site(self.spot(node))
        if isinstance(node, ast.Dict):
            for number, (key, value) in enumerate(zip(node.keys, node.values, strict=True)):
                if key is None:
                    node.values[number] = self.source(site, value)
                    site.after = {known: count + 1 for known, count in site.after.items()}
                elif isinstance(key, ast.Constant):
                    site.keys[key.value] = self.spot(key, value)
                    site.after[key.value] = 0
        elif isinstance(node, ast.List | ast.Tuple):
            site.items = self.items(site, node.elts)
        elif isinstance(node, ast.ListComp | ast.DictComp):
            item = node.elt if isinstance(node, ast.ListComp) else node.value
            site.items, site.word = [self.spot(item, item)], EACH
        elif isinstance(node, ast.BinOp):
            node.left, node.right = self.source(site, node.left), self.source(site, node.right)
        elif isinstance(node, ast.Subscript):
            node.value = self.source(site, node.value)
        elif isinstance(node, ast.Call):
            self.arguments(site, node)
        return site

    def items(self, site: Site, nodes: list[ast.expr]) -> list[Spot | None]:
        spots: list[Spot | None] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                node.value = self.source(site, node.value)
            spots.append(None if isinstance(node, ast.Starred) else self.spot(node, node))
        return spots

    def arguments(self, site: Site, node: ast.Call) -> None:
        function, args = node.func, list(node.args)
        name = getattr(function, "attr", getattr(function, "id", ""))
        target = function
        if name == "partial" and args:
            target = args.pop(0)
        elif isinstance(function, ast.Call) and function.args:
            target = function.args[0]  # later(AdamW)(lr=1), L(ResNet)(depth=50)
        site.word, site.target = name or "()", self.spot(target, target)
        changes = isinstance(function, ast.Attribute) and name in _CHANGES
        if isinstance(function, ast.Attribute) and (changes or name == "copy"):
            function.value = self.source(site, function.value)
            site.word = f".{name}" if changes else name
        site.items = self.items(site, args)
        for number, argument in enumerate(node.args):
            is_name = isinstance(argument, ast.Name | ast.Attribute | ast.Subscript)
            if is_name or (changes and not isinstance(argument, ast.Constant | ast.Starred)):
                node.args[number] = self.source(site, argument)
        for word in node.keywords:
            if word.arg is not None:
                site.keys[word.arg] = self.spot(word, word.value, is_change=changes)
                if changes and not isinstance(word.value, ast.Constant):
                    site.after[word.arg] = site.sources - 1  # not counting what is changed
                    word.value = self.source(site, word.value)
            else:
                word.value = self.source(site, word.value)
        if name in _TRAIN_CFG:
            names = (_TRAIN_CFG[name], *_MORE_OF_TRAIN_CFG)
            given = zip(names, site.items, strict=False)
            site.keys |= {name: spot for name, spot in given if spot is not None}
        if site.word == ".setdefault" and args and isinstance(args[0], ast.Constant):
            site.keys[args[0].value] = self.spot(args[0], args[-1], is_change=True)

    # Calls that are added

    def call(self, word: str, node: ast.expr, number: int | None = None) -> ast.expr:
        name = ast.copy_location(ast.Name(f"__{word}__", ast.Load()), node)
        numbers = [] if number is None else [ast.copy_location(ast.Constant(number), node)]
        return ast.copy_location(ast.Call(name, [*numbers, node], []), node)

    def source(self, site: Site, node: ast.expr) -> ast.expr:
        site.sources += 1
        return self.call("source", node)

    def add(self, word: str, site: Site, node: ast.expr) -> ast.expr:
        self.found.append(site)
        return self.call(word, node, len(self.found) - 1)

    def made(self, node: ast.expr, is_new: bool = True) -> ast.expr:
        """An expression within the call that takes what it makes, unless it makes nothing new."""
        site = self.site(node) if is_new else None
        self.generic_visit(node)
        return self.add("made", site, node) if site is not None else node

    visit_Dict = visit_ListComp = visit_DictComp = made  # noqa: N815 - names of syntax

    def visit_Call(self, node: ast.Call) -> ast.expr:
        return self.made(node, not (isinstance(node.func, ast.Name) and node.func.id in WORDS))

    def visit_List(self, node: ast.List | ast.Tuple) -> ast.expr:
        return self.made(node, isinstance(node.ctx, ast.Load) and bool(node.elts))

    visit_Tuple = visit_List  # noqa: N815 - names of syntax

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        left, right = (isinstance(part, ast.Constant) for part in (node.left, node.right))
        joins = isinstance(node.op, ast.Add | ast.BitOr) and not right
        return self.made(node, (joins or isinstance(node.op, ast.Mult)) and not left)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        return self.made(node, isinstance(node.ctx, ast.Load) and isinstance(node.slice, ast.Slice))

    # Statements

    def targets(self, node: ast.expr, value: ast.expr | None) -> Iterator[tuple[str, Spot]]:
        """The variables that an assignment binds; other targets say what they change."""
        if isinstance(node, ast.Name):
            if self.parameters is None:
                yield node.id, self.spot(node, value)
        elif isinstance(node, ast.Tuple | ast.List):
            values = value.elts if isinstance(value, ast.Tuple | ast.List) else []
            for number, inner in enumerate(node.elts):
                yield from self.targets(inner, values[number] if number < len(values) else None)
        elif isinstance(node, ast.Attribute):
            site = Site(self.spot(node, value, is_change=True), word=node.attr)
            node.value = self.add("stores", site, self.visit(node.value))
        elif isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
            site = Site(self.spot(node.slice, value, is_change=True))
            node.value = self.source(site, self.visit(node.value))
            node.slice = self.add("stores", site, self.visit(node.slice))

    def visit_Assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> ast.stmt:
        if node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [pair for target in targets for pair in self.targets(target, node.value)]
            word = "+=" if isinstance(node, ast.AugAssign) else ""
            node.value = self.bound(names, self.visit(node.value), word)
        return node

    visit_AnnAssign = visit_AugAssign = visit_Assign  # noqa: N815 - names of syntax

    def visit_For(self, node: ast.For) -> ast.stmt:
        names = list(self.targets(node.target, None))
        self.generic_visit(node)
        node.iter = self.bound(names, node.iter)
        return node

    def bound(self, names: list[tuple[str, Spot]], value: ast.expr, word: str = "") -> ast.expr:
        if not names:
            return value
        return self.add("binds", Site(names[0][1], dict(names), word=word), value)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | list[ast.stmt]:
        if self.parameters is not None or node.module == "__future__":
            return node
        pairs = [(alias.name, alias.asname or alias.name) for alias in node.names]
        spots = {pair[1]: self.spot(alias) for pair, alias in zip(pairs, node.names, strict=True)}
        site = Site(self.spot(node), spots, word="import", imports=pairs)
        nothing = ast.copy_location(ast.Constant(None), node)
        after = ast.copy_location(ast.Expr(self.add("binds", site, nothing)), node)
        return [node, after]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        names = [*node.args.posonlyargs, *node.args.args]
        given = zip(reversed(names), reversed(node.args.defaults), strict=False)
        named = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        defaults = {name.arg: self.spot(name, value) for name, value in [*given, *named] if value}
        others = dict.fromkeys(name.arg for name in names)
        before, self.parameters = self.parameters, {**(self.parameters or {}), **others, **defaults}
        node.args.defaults = [self.visit(value) for value in node.args.defaults]
        node.body = self.block(node.body)
        self.parameters = before
        return node

    def visit_Match(self, node: ast.Match) -> ast.stmt:
        node.subject = self.visit(node.subject)
        for case in node.cases:  # patterns look like expressions and are none
            case.body = self.block(case.body)
        return node

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        parts = [self.visit(statement) for statement in statements]
        return [s for part in parts for s in (part if isinstance(part, list) else [part])]

    def leave(self, node: Any) -> Any:
        """What describes no values stays as it is."""
        return node

    visit_ClassDef = visit_AsyncFunctionDef = visit_Lambda = leave  # noqa: N815
    visit_JoinedStr = visit_Constant = visit_Name = leave  # noqa: N815 - names of syntax
