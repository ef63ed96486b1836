"""New-style files: bases and classes are imported, and nothing is imported for it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import mainspring
from mainspring.config import Config, ConfigDict, read_base
from mainspring.config.lazy import LazyAttr, LazyObject
from mainspring.config.utils import ConfigParsingError
from mainspring.errors import ConfigError

BASE = """
import torch.nn as nn
import torch.utils.data
from torch.optim import SGD, Adam as TheAdam
_private = 4
__hidden = 5
def twice(x):
    return 2 * x
lr = twice(1)
model = dict(type=SGD, act=nn.ReLU, data=torch.utils.data.Dataset, inner=dict(a=1, b=2))
hooks = [dict(type=TheAdam)]
"""
READ_BASE = "from mainspring.config import read_base\nwith read_base():\n    from .base import *\n"


@pytest.fixture(autouse=True)
def base(write):
    write("base.py", BASE)


def test_a_name_that_is_imported_stands_for_itself():
    cfg = Config.fromfile("base.py")
    assert cfg.to_dict() == dict(
        _private=4,
        lr=2,
        model=dict(
            type="torch.optim.SGD",
            act="torch.nn.ReLU",
            data="torch.utils.data.Dataset",
            inner=dict(a=1, b=2),
        ),
        hooks=[dict(type="torch.optim.Adam")],
    )
    assert set(cfg.to_dict(keep_imported=True)) - set(cfg.to_dict()) == {
        "SGD", "TheAdam", "nn", "torch",
    }  # fmt: skip


def test_reading_a_value_imports_it(write, read, folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    write("ms_lazy/__init__.py", "class A:\n    pass")
    write("ms_lazy/sub/__init__.py", "")
    write("ms_lazy/sub/inner.py", "class B:\n    class C:\n        pass")
    text = "import ms_lazy.sub.inner as i\nimport ms_lazy.sub.inner\nfrom ms_lazy import A\n"
    model = read(text + "model = dict(type=A, b=i.B, c=ms_lazy.sub.inner.B.C)").model
    assert "ms_lazy" not in sys.modules
    assert model.type is sys.modules["ms_lazy"].A
    assert "ms_lazy.sub.inner" not in sys.modules
    assert model["b"].__name__ == "B"
    assert model.get("c") is model.b.C


def test_a_base_is_changed_with_ordinary_python(read):
    cfg = read(
        READ_BASE
        + "model.update(dict(lr=5, inner=dict(b=3)))\n"
        + "model.inner.merge(dict(c=dict(_delete_=True, x=1)))\n"
        + "hooks[0].n = lr\n"
        + "again = twice(lr)\n"
        + "model['act'] = TheAdam\n"
    )
    plain = cfg.to_dict()
    assert plain["model"]["inner"] == dict(a=1, b=3, c=dict(x=1))
    assert plain["model"]["act"] == "torch.optim.Adam"
    assert plain["hooks"] == [dict(type="torch.optim.Adam", n=2)]
    assert plain["again"] == 4
    assert "read_base" not in cfg
    assert "SGD" not in plain


def test_named_imports_of_a_base(read):
    cfg = read(READ_BASE.replace("*", "model as net, lr"))
    assert list(cfg.to_dict()) == ["net", "lr"]


def test_every_reading_makes_new_values(write, read):
    write("one.py", READ_BASE + "model.inner.a = 5")
    write("two.py", READ_BASE)
    cfg = read(
        "from mainspring.config import read_base\nwith read_base():\n"
        "    from .one import model as one\n    from .two import model as two\n"
    )
    assert (cfg.one.inner.a, cfg.two.inner.a) == (5, 1)


def test_bases_above_and_in_packages(write, read, folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    write("ms_new_zoo/__init__.py", "")
    write("ms_new_zoo/configs/net.py", "net = dict(a=1)")
    cfg = read(
        "from mainspring.config import read_base\nwith read_base():\n"
        "    from ..base import lr\n    from ms_new_zoo.configs.net import *\n",
        "sub/run.py",
    )
    assert cfg.to_dict() == dict(lr=2, net=dict(a=1))


def test_mmengines_name_of_the_marker(read):
    assert read(READ_BASE.replace("mainspring", "mmengine")).lr == 2


def test_a_relative_import_is_a_base_without_the_marker_too(read):
    assert read("from .base import lr\nx = lr").x == 2


class TestDialects:
    def test_a_new_style_file_on_a_text_style_one(self, write, read):
        write("root.py", "seed = 1")
        write("old.py", "_base_ = 'root.py'\na = dict(x={{_base_.seed}})")
        cfg = read(READ_BASE.replace(".base", ".old") + "a.update(y=2)")
        assert cfg.to_dict() == dict(seed=1, a=dict(x=1, y=2))

    def test_a_text_style_file_on_a_new_style_one(self, read):
        cfg = read("_base_ = 'base.py'\nmodel = dict(inner=dict(a=7))\nl = {{_base_.lr}}")
        assert cfg.to_dict()["model"]["inner"] == dict(a=7, b=2)
        assert cfg.to_dict()["model"]["type"] == "torch.optim.SGD"
        assert cfg.l == 2
        assert "SGD" not in cfg.to_dict()

    def test_the_standard_library_does_not_make_a_file_new_style(self, read):
        cfg = read("import os, json\nfrom math import pi\nx = json.loads('[1]')\ny = os.sep")
        assert (cfg.x, cfg.y) == ([1], "/")

    def test_a_text_style_file_imports_for_real(self, write, read, folder, monkeypatch):
        monkeypatch.syspath_prepend(folder)
        write("ms_real_module.py", "value = 3")
        write("root.py", "a = 1")
        assert read("_base_ = 'root.py'\nfrom ms_real_module import value\nb = value + 1").b == 4
        assert read("from ms_real_module import value\nb = value + 1", lazy_import=False).b == 4

    def test_both_ways_to_inherit_in_one_file(self, read):
        with pytest.raises(ConfigParsingError, match="two ways") as error:
            read(READ_BASE + "_base_ = 'base.py'")
        assert str(error.value).startswith("run.py:4:1: ")

    def test_lazy_import_against_the_file(self, read):
        with pytest.raises(RuntimeError, match="lazy_import=True, but"):
            read("_base_ = 'base.py'", lazy_import=True)
        with pytest.raises(RuntimeError, match="lazy_import=False, but"):
            read(READ_BASE, lazy_import=False)


MISTAKES = {
    "a star import": ("from torch import *", RuntimeError, "run.py:1:1: `from torch import *`"),
    "a star import of the library": (
        "import torch\nfrom math import *",
        RuntimeError,
        "run.py:2:1: `from math import *`",
    ),
    "another statement": (READ_BASE + "    x = 1", AssertionError, "run.py:4:5: only `from base"),
    "another import": (READ_BASE + "    import os", AssertionError, "run.py:4:5: only `from base"),
    "a missing variable": (
        READ_BASE.replace("*", "modelx"),
        KeyError,
        "run.py:3:23: the base has no variable 'modelx'\n  help: did you mean 'model'?",
    ),
    "a missing base": (
        READ_BASE.replace(".base", ".bsae"),
        RuntimeError,
        "run.py:3:10: there is no",
    ),
    "a missing package": (
        READ_BASE.replace(".base", "ms_nothing.configs.x"),
        ImportError,
        "run.py:3:10: the package 'ms_nothing' is not installed",
    ),
    "itself as base": (
        READ_BASE.replace(".base", ".run"),
        RuntimeError,
        "run.py:3:10: 'run.py' is",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_with_its_line(name, read):
    text, builtin, message = MISTAKES[name]
    with pytest.raises(builtin) as error:
        read(text)
    assert isinstance(error.value, ConfigError)
    assert message in str(error.value)


def test_what_cannot_be_imported_is_an_error_when_it_is_read(read):
    cfg = read("import ms_nothing\nfrom ms_nothing import x\nm = dict(type=ms_nothing.A.B, y=x)")
    with pytest.raises(ModuleNotFoundError, match=r"ms_nothing.*run\.py, line 1"):
        _ = cfg.m.type
    with pytest.raises(ImportError, match=r"Failed to import x from ms_nothing.*run\.py, line 2"):
        _ = cfg.m.y
    assert cfg.to_dict()["m"] == dict(type="ms_nothing.A.B", y="ms_nothing.x")


def test_a_dump_reads_back_with_its_names(read):
    cfg = Config.fromfile("base.py")
    again = read(cfg.pretty_text, "dumped.py")
    assert again.to_dict() == cfg.to_dict()
    assert again.model.type is cfg.model.type


def test_copies_stay_lazy():
    cfg = Config.fromfile("base.py")
    for other in (cfg.copy(), pickle.loads(pickle.dumps(cfg))):
        assert dict.__getitem__(other.model, "type") == LazyObject("torch.optim", "SGD")
        assert other.to_dict() == cfg.to_dict()


def test_nothing_heavy_is_imported():
    code = (
        "import sys\nfrom mainspring.config import Config\n"
        "cfg = Config.fromfile('base.py')\ncfg.pretty_text, cfg.to_dict(), repr(cfg)\n"
        "heavy = {'torch', 'numpy', 'yaml', 'matplotlib', 'cv2', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(mainspring.__file__).parents[1])}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert result.returncode == 0, result.stderr


class TestLazyObject:
    def test_it_builds_modules_names_and_attributes(self):
        import json.decoder

        assert LazyObject("json").build() is json
        assert LazyObject("json.decoder", "JSONDecoder").build() is json.decoder.JSONDecoder
        assert LazyObject(["json", "json.decoder"]).build() is json
        assert LazyObject("json").decoder.JSONDecoder.build() is json.decoder.JSONDecoder

    def test_names(self):
        lazy = LazyObject("torch", "nn", "f.py, line 3")
        assert (str(lazy), repr(lazy.ReLU), str(LazyObject("torch.nn"))) == (
            "nn",
            "ReLU",
            "torch.nn",
        )
        assert (lazy.module, lazy.location, lazy.ReLU.module) == (
            "torch",
            "f.py, line 3",
            "torch.nn",
        )
        assert isinstance(lazy.ReLU, LazyAttr)

    def test_this_package_by_its_older_name(self):
        assert LazyObject("mmengine.config", "ConfigDict").build() is ConfigDict

    def test_pickling(self):
        attr = pickle.loads(pickle.dumps(LazyObject("json", None, "f.py, line 3").dumps))
        assert attr.location == "f.py, line 3"
        assert attr == LazyObject("json", "dumps")
        assert {attr: 1}[LazyObject("json", "dumps")] == 1


def test_outside_of_configs_the_marker_does_nothing():
    before = dict(globals())
    with read_base() as names:
        from json import dumps
    assert names is None
    assert dumps([1]) == "[1]"
    assert dict(globals()) == before
