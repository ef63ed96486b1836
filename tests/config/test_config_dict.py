"""ConfigDict: items as attributes, wrapping, merging, lazy values."""

from __future__ import annotations

import collections
import copy
import pickle
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.config import ConfigDict
from mainspring.config.config_dict import keeping_lazy
from mainspring.config.lazy import LazyObject


def test_items_are_attributes():
    cfg = ConfigDict(a=1, b=dict(c=2))
    cfg.b.d = 3
    cfg["e"] = 4
    assert (cfg.a, cfg["b"]["c"], cfg.b.d, cfg.e) == (1, 2, 3, 4)
    del cfg.a
    assert "a" not in cfg


def test_dicts_inside_are_wrapped_in_lists_and_tuples_too():
    cfg = ConfigDict(a=[dict(x=1), (dict(y=2),)], b=collections.OrderedDict(z=3))
    assert all(type(d) is ConfigDict for d in (cfg.a[0], cfg.a[1][0], cfg.b))
    cfg.a = [{"k": {"v": 1}}]
    assert cfg.a[0].k.v == 1


class Point(NamedTuple):
    x: int
    y: dict


def test_other_classes_of_containers_are_kept():
    cfg = ConfigDict(p=Point(1, {"z": 2}), d=collections.defaultdict(list))
    assert type(cfg.p) is Point
    assert cfg.p.y.z == 2
    assert type(cfg.d) is collections.defaultdict


def test_a_list_that_is_set_is_not_shared():
    items = [1, 2]
    cfg = ConfigDict(a=items)
    items.append(3)
    assert cfg.a == [1, 2]


def test_a_missing_key():
    cfg = ConfigDict(depth=1)
    with pytest.raises(KeyError, match="dept"):
        cfg["dept"]
    with pytest.raises(AttributeError, match="'ConfigDict' object has no attribute 'dept'"):
        _ = cfg.dept
    assert cfg.get("dept") is None
    assert cfg.get("dept", 5) == 5
    assert not hasattr(cfg, "dept")


def test_pop_never_raises():
    cfg = ConfigDict(a=1)
    assert cfg.pop("a") == 1
    assert cfg.pop("a") is None
    assert cfg.pop("a", 7) == 7


def test_update_is_recursive_for_dicts_and_replaces_the_rest():
    cfg = ConfigDict(a=dict(x=1, y=dict(p=1)), b=[1, 2], c=1)
    cfg.update(dict(a=dict(y=dict(q=2)), b=[3]), c=dict(z=1))
    assert cfg == dict(a=dict(x=1, y=dict(p=1, q=2)), b=[3], c=dict(z=1))
    with pytest.raises(TypeError):
        cfg.update({}, {})


def test_assignment_is_no_merge():
    cfg = ConfigDict(a=dict(x=1, y=2))
    cfg.a = dict(x=3)
    assert cfg.a == dict(x=3)


def test_merge_honours_delete_and_leaves_no_mark():
    cfg = ConfigDict(a=dict(x=1), b=dict(y=1), c=3)
    cfg.merge(dict(a=dict(_delete_=True, z=1), b=dict(w=2), c=dict(v=dict(_delete_=True))))
    assert cfg == dict(a=dict(z=1), b=dict(y=1, w=2), c=dict(v={}))


def test_names_of_methods_are_no_attributes_to_set():
    cfg = ConfigDict()
    with pytest.raises(AttributeError, match="read-only"):
        cfg.items = 3
    cfg["items"] = 3
    assert cfg["items"] == 3


@pytest.mark.parametrize("copied", [copy.copy, ConfigDict.copy])
def test_a_shallow_copy_shares_dicts(copied):
    cfg = ConfigDict(a=dict(b=1))
    other = copied(cfg)
    assert type(other) is ConfigDict
    assert other.a is cfg.a
    other.c = 1
    assert "c" not in cfg


def test_a_deep_copy_keeps_what_is_shared_inside():
    cfg = ConfigDict(a=dict(b=1))
    cfg.c = cfg.a
    other = copy.deepcopy(cfg)
    assert other.a is not cfg.a
    assert other.a is other.c


def test_it_pickles():
    cfg = ConfigDict(a=dict(b=[dict(c=1)]), t=LazyObject("json", "dumps"))
    other = pickle.loads(pickle.dumps(cfg))
    assert type(other.a.b[0]) is ConfigDict
    assert dict.__getitem__(other, "t") == LazyObject("json", "dumps")


def test_it_unpacks_to_keyword_arguments():
    def keywords(**kwargs):
        return kwargs

    assert keywords(**ConfigDict(a=1, b=2)) == {"a": 1, "b": 2}
    assert ConfigDict(a=1).items() == [("a", 1)]
    assert ConfigDict(a=1).values() == [1]


def test_to_dict_is_plain_all_the_way_down():
    plain = ConfigDict(a=dict(b=[dict(c=1)])).to_dict()
    assert type(plain) is dict
    assert type(plain["a"]) is dict
    assert type(plain["a"]["b"][0]) is dict


def test_union_merges():
    left = ConfigDict(a=dict(x=1))
    assert (left | dict(a=dict(y=2))) == dict(a=dict(x=1, y=2))
    assert ({"a": {"y": 2}} | left) == dict(a=dict(x=1, y=2))
    assert left == dict(a=dict(x=1))


class TestLazy:
    def test_every_way_to_read_imports(self):
        import json

        def fresh():
            return ConfigDict(t=LazyObject("json", "dumps"))

        assert fresh()["t"] is json.dumps
        assert fresh().t is json.dumps
        assert fresh().get("t") is json.dumps
        assert fresh().pop("t") is json.dumps
        assert fresh().values() == [json.dumps]
        assert fresh().items() == [("t", json.dumps)]
        assert dict(fresh()) == {"t": json.dumps}
        assert {**fresh()} == {"t": json.dumps}
        assert fresh() == {"t": json.dumps}

    def test_nothing_is_imported_while_a_file_is_read(self):
        cfg = ConfigDict(t=LazyObject("no_such_module"))
        with keeping_lazy():
            assert cfg.t == LazyObject("no_such_module")
        ConfigDict.lazy = True
        try:
            assert cfg.t == LazyObject("no_such_module")
        finally:
            ConfigDict.lazy = False
        with pytest.raises(ModuleNotFoundError):
            _ = cfg.t

    def test_copies_and_conversions_import_nothing(self):
        cfg = ConfigDict(a=dict(t=LazyObject("no_such_module", "Class")))
        assert copy.deepcopy(cfg).to_dict() == {"a": {"t": "no_such_module.Class"}}
        assert cfg.copy()._to_lazy_dict() == {"a": {"t": LazyObject("no_such_module", "Class")}}
        cfg.update(b=1)
        assert cfg == copy.deepcopy(cfg)


keys = st.sampled_from(["a", "b", "c"])
trees = st.recursive(
    st.integers(0, 3), lambda inner: st.dictionaries(keys, inner, max_size=3), max_leaves=8
)
dicts = st.dictionaries(keys, trees, max_size=3)


@given(dicts)
def test_equal_to_the_dict_it_is_made_of(tree):
    assert ConfigDict(tree) == tree
    assert tree == ConfigDict(tree)
    assert ConfigDict(tree) == ConfigDict(tree)
    assert ConfigDict(tree).to_dict() == tree


@given(dicts)
def test_updating_with_nothing_or_with_itself_changes_nothing(tree):
    cfg = ConfigDict(tree)
    cfg.update({})
    cfg.update(tree)
    cfg.merge(tree)
    assert cfg == tree


@given(dicts, dicts)
def test_after_an_update_every_leaf_of_the_update_is_there(base, change):
    cfg = ConfigDict(base)
    cfg.update(change)
    again = cfg.deepcopy()
    again.update(change)
    assert again == cfg
    merged = ConfigDict(base)
    merged.merge(change)
    assert merged == cfg
    for key, value in change.items():
        if not isinstance(value, dict):
            assert cfg[key] == value


@pytest.mark.parametrize("words", [(1,), (["os", 1],), ("os", ["path"])])
def test_lazy_objects_are_named_by_text(words):
    with pytest.raises(TypeError):
        LazyObject(*words)
