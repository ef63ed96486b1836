"""Config: the object."""

from __future__ import annotations

import copy
import pickle
import sys

import pytest

import mainspring.config as package
from mainspring.config import Config, ConfigDict
from mainspring.config.utils import MODULE2PACKAGE, PKG2PROJECT


def test_public_names():
    assert {"Config", "ConfigDict", "DictAction", "read_base"} <= set(package.__all__)
    assert MODULE2PACKAGE["mmseg"] == PKG2PROJECT["mmseg"] == "mmsegmentation"


def test_it_is_a_dict_in_all_but_name():
    cfg = Config(dict(a=1, b=dict(c=2)))
    cfg.x = dict(y=[dict(z=1)])
    cfg["w"] = 5
    assert cfg.x.y[0].z == 1
    assert list(cfg) == ["a", "b", "x", "w"]
    assert len(cfg) == 4
    assert "a" in cfg
    assert "q" not in cfg
    assert hasattr(cfg, "b")
    assert not hasattr(cfg, "q")
    assert cfg.get("q", 3) == 3
    assert cfg.pop("w") == 5
    assert cfg.setdefault("v", dict(u=1)).u == 1
    cfg.update(dict(b=dict(d=3)))
    assert cfg.b == dict(c=2, d=3)
    assert dict(**cfg).keys() == cfg.keys()
    del cfg.x
    del cfg["v"]
    assert cfg.to_dict() == dict(a=1, b=dict(c=2, d=3))
    assert type(cfg._cfg_dict) is ConfigDict


def test_missing_names():
    cfg = Config(dict(a=1))
    with pytest.raises(KeyError, match="q"):
        cfg["q"]
    with pytest.raises(AttributeError, match="has no attribute 'q'"):
        _ = cfg.q
    with pytest.raises(AttributeError, match="has no attribute 'q'"):
        del cfg.q


def test_its_arguments(write):
    assert Config().to_dict() == {}
    assert Config(dict(a=1), cfg_text="hello").text == "hello"
    assert Config(dict(a=1), filename=write("x.py", "a = 1")).text == "a = 1"
    with pytest.raises(TypeError, match="cfg_dict must be a dict"):
        Config([("a", 1)])
    with pytest.raises(KeyError, match="filename is reserved"):
        Config(dict(filename=1))


def test_its_repr(read):
    assert repr(read("a = dict(b=1)")) == "Config (path: run.py): {'a': {'b': 1}}"
    assert repr(Config()) == "Config (path: None): {}"


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, Config.copy, lambda c: pickle.loads(pickle.dumps(c))]
)
def test_copies(read, copied):
    cfg = read("a = dict(b=[dict(c='{{$MS_UNSET:1}}')])")
    other = copied(cfg)
    assert type(other) is Config
    assert other.to_dict() == cfg.to_dict()
    assert (other.filename, other.text, other.env_variables) == (
        cfg.filename, cfg.text, cfg.env_variables,
    )  # fmt: skip
    other.new = 1
    assert "new" not in cfg


def test_a_copy_shares_dicts_and_a_deep_copy_does_not():
    cfg = Config(dict(a=dict(b=1)))
    assert copy.copy(cfg).a is cfg.a
    assert copy.deepcopy(cfg).a is not cfg.a


def test_the_state_is_the_tuple_of_six_that_mmengine_pickles(read):
    cfg = read("a = 1")
    assert cfg.__getstate__() == (dict(a=1), "run.py", cfg.text, {}, True, set())
    assert tuple(vars(cfg).values()) == cfg.__getstate__()
    assert vars(pickle.loads(pickle.dumps(cfg))) == vars(cfg)


class TestFromString:
    @pytest.mark.parametrize(
        ("text", "file_format"),
        [
            ("a = dict(b=1)", ".py"),
            ('{"a": {"b": 1}}', ".json"),
            ("a: {b: 1}", ".yaml"),
            ("a: {b: 1}", ".yml"),
            ("[a]\nb = 1", ".toml"),
        ],
    )
    def test_every_format(self, text, file_format):
        cfg = Config.fromstring(text, file_format)
        assert cfg.to_dict() == dict(a=dict(b=1))
        assert cfg.filename is None

    def test_a_wrong_format(self):
        with pytest.raises(OSError, match="extension 'py'"):
            Config.fromstring("a = 1", "py")
        with (
            pytest.warns(UserWarning, match=r"may be \.py|\"\.py\""),
            pytest.raises(SyntaxError, match="<string>:1:1"),
        ):
            Config.fromstring("a = dict(b=1)", ".json")

    def test_bases_are_relative_to_the_current_directory(self, write):
        write("base.py", "a = 1")
        assert Config.fromstring("_base_ = 'base.py'", ".py").a == 1


def test_diff(write, read):
    write("other.py", "a = 2\nb = dict(c=1)")
    diff = Config.diff(read("a = 1\nb = dict(c=1)"), "other.py")
    assert diff == "--- \n+++ \n@@ -1,3 +1,3 @@\n-a = 1\n+a = 2\n b = dict(c=1)\n \n"
    assert Config.diff("other.py", "other.py") == ""


def test_auto_argparser(write, monkeypatch):
    write(
        "run.py",
        "a = 1\nb = dict(c=[1.5], d=dict(e='x', f=False))\nn = None\nempty = []\nl = [dict(g=1)]",
    )
    monkeypatch.setattr(sys, "argv", ["train", "run.py", "--b.c", "2", "3", "--b.d.f"])
    parser, cfg = Config.auto_argparser("Trains.")
    args = parser.parse_args()
    assert cfg.filename == "run.py"
    assert getattr(args, "b.c") == [2.0, 3.0]
    assert getattr(args, "b.d.f") is True
    assert args.a is None
    assert args.l is None
    assert not hasattr(args, "n")


def test_a_dump_replaces_a_file_whole_or_not_at_all(read, folder, monkeypatch):
    cfg = read("a = 1")
    cfg.dump("out.py")
    (folder / "link.py").symlink_to("out.py")
    before = (folder / "out.py").stat().st_ino
    cfg.a = 2
    cfg.dump("link.py")
    assert (folder / "link.py").is_symlink()
    assert (folder / "out.py").stat().st_ino != before  # a reader of the old one keeps it

    def refuse(*_):
        raise OSError("no space left")

    cfg.a = 3
    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError, match="no space left"):
        cfg.dump("out.py")
    assert (folder / "out.py").read_text() == "a = 2\n"
    assert sorted(path.name for path in folder.iterdir()) == ["link.py", "out.py", "run.py"]
