"""A cell that registers something is run again: the new replaces the old. A file twice is refused."""

from __future__ import annotations

import importlib
import sys
import textwrap

import pytest

from mainspring.registry import Registry
from prepared_processes import run

SESSION = """
import mainspring.fileio as fileio
from mainspring.registry import MODELS, Registry
from mainspring.checkpoint import CheckpointLoader

def run(cell, name="<cell>"):
    exec(compile(cell, name, "exec"), globals())

cell = '''
@MODELS.register_module()
class Tiny:
    def __init__(self, width=VERSION): self.width = width

@MODELS.register_module(name=["small", "mini"])
def small(): return VERSION

@fileio.register_backend("mine", prefixes="mine")
class Mine(fileio.LocalBackend): version = VERSION

@CheckpointLoader.register_scheme("mine://")
def load(filename, map_location): return VERSION

OURS = Registry("model", parent=MODELS, scope="ours")
'''
for VERSION in (1, 2):
    run(cell)
assert MODELS.build(dict(type="Tiny")).width == 2
assert MODELS.build(dict(type="mini")) == 2
assert fileio.get_file_backend("mine://x").version == 2
assert MODELS.children["ours"] is OURS
try:
    run('''
from mainspring.model import BaseModel
@MODELS.register_module(name="Tiny")
class Other: pass
''')
except KeyError as error:
    assert "force=True" in str(error)
else:
    raise AssertionError("another class took the name")
"""


def test_a_cell_run_again_replaces_what_it_registered(tmp_path):
    done = run([sys.executable, "-c", SESSION], text=True, capture_output=True)
    assert not done.returncode, done.stderr


def test_a_reloaded_module_replaces_what_it_registered(tmp_path, monkeypatch):
    registry = Registry("reloaded", scope="tests")
    monkeypatch.setattr(sys, "reloaded_registry", registry, raising=False)
    file = tmp_path / "reloaded_module.py"
    source = """
        import sys
        @sys.reloaded_registry.register_module()
        class Net: number = {}
    """
    file.write_text(textwrap.dedent(source).format(1))
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("reloaded_module")
    file.write_text("\n\n" + textwrap.dedent(source).format(22))
    importlib.reload(module)
    assert registry.get("Net").number == 22
    del sys.modules["reloaded_module"]


def test_the_same_name_twice_in_a_file_is_refused():
    registry = Registry("twice", scope="tests")

    def make():
        @registry.register_module()
        class Net:
            pass

    make()
    with pytest.raises(KeyError, match="already registered"):
        make()
