"""The tree of errors that `mainspring.errors` draws is the one that the package has."""

import importlib
import re
from pathlib import Path

import pytest

import mainspring
from mainspring import errors
from mainspring.errors import MainspringError

BRANCH = re.compile(r"^ {4}((?:│   |    )*)(?:[├└]── )?(\w+)(?: \(([\w, ]+)\))?(?:  +([\w.]+): )?")


def drawn():
    """Parent, module where it is another, and builtin bases of each class of the drawing."""
    path, found = [], {}
    for line in errors.__doc__.split("::\n\n")[1].split("\n\n")[0].splitlines():
        indent, name, builtins, module = BRANCH.match(line).groups()
        depth = len(indent) // 4 + (name != "MainspringError")
        path[depth:] = [name]
        found.setdefault(name, [set(), None, set()])
        found[name][0].update(path[depth - 1 : depth] if depth else ())
        found[name][1] = module or found[name][1]
        found[name][2].update((builtins or "").split(", ") if builtins else ())
    return found


def defined():
    root = Path(mainspring.__file__).parent
    for file in root.rglob("*.py"):
        parts = ["mainspring", *file.relative_to(root).with_suffix("").parts]
        # The faces of other engines change what this process imports; templates are for projects.
        if not {"compat", "templates", "__main__"} & set(parts):
            importlib.import_module(".".join(parts).removesuffix(".__init__"))
    found, waiting = {}, [MainspringError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("mainspring."):
            module = kind.__module__.removeprefix("mainspring.")
            ours = {base for base in kind.__bases__ if issubclass(base, MainspringError)}
            found[kind.__name__] = [
                {base.__name__ for base in ours},
                None if module == "errors" else module,
                {base.__name__ for base in kind.__bases__ if base not in {*ours, Exception}},
            ]
    return found


def test_the_tree_that_is_drawn_is_the_one_that_is_there():
    assert drawn() == defined()


@pytest.mark.parametrize("name", [name for name in errors.__all__ if name.endswith("Error")])
def test_each_error_prints_place_and_help_whatever_builtin_it_also_is(name):
    error = getattr(errors, name)(
        "it is wrong",
        location=errors.Location("a.py", 3, 4),
        config_path="model.depth",
        help="mend it",
    )
    assert str(error) == "a.py:3:4: it is wrong\n  at: model.depth\n  help: mend it"
