"""One object of a config is one object of the run, as in the program that the file is."""

from __future__ import annotations

import copy as copying
import pickle

import pytest

from mainspring.config import Config
from mainspring.config.diff import differences
from mainspring.errors import ConfigError
from mainspring.registry import Registry
from mainspring.registry.shared import SharedParts
from mainspring.tools.convert import convert

ZOO = """
from mainspring.registry import Registry
PARTS = Registry("parts")
class Body:
    def __init__(self, depth: int = 1): self.depth = depth
class Pair:
    def __init__(self, left: Body, right: Body): self.left, self.right = left, right
class Row:
    def __init__(self, *bodies: Body): self.bodies = bodies
@PARTS.register_module()
class Stack:
    def __init__(self, layer, times=2): self.layers = [PARTS.build(layer) for _ in range(times)]
"""
HEAD = (
    "from mainspring.config import copy, edit, later\nfrom id_zoo import Body, Pair, Row, Stack\n"
)
PARTS = Registry("parts of this test")


@pytest.fixture(autouse=True)
def zoo(write, monkeypatch, folder):
    write("id_zoo.py", ZOO)
    monkeypatch.syspath_prepend(str(folder))


@pytest.fixture
def model(read):
    """The model of a recorded file, built."""
    return lambda text: PARTS.build(read(HEAD + text).model)


class TestBuilding:
    def test_a_variable_that_stands_twice_is_one_object(self, model):
        pair = model("shared = Body()\nmodel = Pair(shared, right=shared)")
        assert pair.left is pair.right

    def test_a_call_written_twice_is_two(self, model):
        pair = model("model = Pair(Body(), Body())")
        assert pair.left is not pair.right

    def test_a_repeated_list_repeats_the_object_and_a_comprehension_makes_new_ones(self, model):
        assert len({id(body) for body in model("model = Row(*[Body()] * 3)").bodies}) == 1
        row = model("model = Row(*[Body() for _ in range(3)])")
        assert len({id(body) for body in row.bodies}) == 3

    def test_however_deep_and_through_functions_lists_and_dicts(self, model):
        pair = model(
            "def wrap(x):\n    return Pair(x, dict(inner=[x]))\n"
            "shared = Body()\nmodel = Pair(wrap(shared), (shared, [shared]))"
        )
        found = (pair.left.left, pair.left.right["inner"][0], pair.right[0], pair.right[1][0])
        assert len({id(body) for body in found}) == 1

    def test_a_plain_list_or_dict_is_a_value_of_each_part(self, model):
        sizes = "sizes, names, body = [1], dict(a=2), Body()\n"
        pair = model(sizes + "model = Pair(Pair(sizes, names), Pair([*sizes, body], [body]))")
        assert pair.right.left[1] is pair.right.right[0]
        pair = model(sizes + "model = Pair(Pair(sizes, names), Pair(sizes, names))")
        assert (pair.left.left, pair.left.right) == (pair.right.left, pair.right.right)
        assert pair.left.left is not pair.right.left
        assert pair.left.right is not pair.right.right

    def test_a_copy_is_another_one(self, model):
        pair = model("shared = Body(depth=3)\nmodel = Pair(shared, copy(shared))")
        assert pair.left is not pair.right
        assert pair.right.depth == 3

    @pytest.mark.parametrize("call", ["dict(type=Row, _args_=[part, part])", "Row(part, part)"])
    def test_a_dict_with_a_type_is_built_for_each_place(self, call, read):
        one, other = read(f"{HEAD}part = dict(type=Body, depth=2)\nmodel = {call}").model._args_
        assert PARTS.build(one) is not PARTS.build(other)

    def test_a_class_that_builds_descriptions_makes_as_many_as_it_likes(self, model):
        pair = model("layer = Body()\nmodel = Pair(Stack(layer), Stack(layer))")
        layers = [*pair.left.layers, *pair.right.layers]
        assert len({id(layer) for layer in layers}) == 4

    def test_each_build_makes_new_objects(self, read):
        cfg = read(HEAD + "shared = Body()\nmodel = Pair(shared, shared)")
        assert PARTS.build(cfg.model).left is not PARTS.build(cfg.model).left

    def test_a_late_call_waits_for_each_place(self, read):
        cfg = read(HEAD + "part = later(Pair)(right=1)\nmodel = [part, part]")
        one, other = (
            PARTS.build(spec, default_args={"left": n}) for n, spec in enumerate(cfg.model)
        )
        assert (one.left, other.left) == (0, 1)

    def test_a_part_that_is_completed_differently_is_another_one(self, read):
        cfg = read(HEAD + "part = Body()\nmodel = Row(part, part)")
        spec = cfg.model._args_[0]
        with SharedParts(cfg.model).active():
            plain = PARTS.build(spec)
            assert PARTS.build(spec) is plain
            assert PARTS.build(spec, default_args={"depth": 5}).depth == 5


SHARED = HEAD + "_shared = Body(depth=2)\nmodel = Pair(_shared, Row(_shared))\nother = _shared\n"


class TestWritingDown:
    @pytest.mark.parametrize("name", ["again.py", "again.json", "again.yaml"])
    def test_dumps_keep_what_is_shared(self, name, read, folder):
        read(SHARED).dump(name)
        cfg = Config.fromfile(name)
        assert "_shared_body" not in cfg
        cfg.dump("third" + name[5:])
        assert (folder / name).read_text() == (folder / ("third" + name[5:])).read_text()
        pair = PARTS.build(cfg.model)
        assert pair.left is pair.right.bodies[0]

    def test_python_has_a_variable_yaml_an_anchor_json_a_mark(self, read):
        cfg = read(SHARED.replace("other = _shared\n", ""))
        assert "_shared_body = Body(depth=2)\nmodel = Pair(_shared_body, Row(_shared_body))" in (
            cfg.pretty_text
        )
        cfg._filename = "x.yaml"
        assert "*id001" in cfg.dump()
        cfg._filename = "x.json"
        assert '{"_same_": "1"}' in cfg.dump()

    def test_a_key_that_looks_like_a_variable_of_a_dump(self, read):
        cfg = read("_shared_body = 3\nx = 1")
        assert Config.fromstring(cfg.pretty_text, ".py").to_dict() == {"_shared_body": 3, "x": 1}

    def test_copies_pickles_and_merges_keep_it(self, read):
        cfg = read(SHARED)
        merged = copying.deepcopy(cfg)
        merged.merge_from_dict({"model.x": 1})
        for one in (copying.copy(cfg), merged, pickle.loads(pickle.dumps(cfg))):
            assert one.model.left is one.model.right._args_[0] is one.other

    def test_a_data_file_as_base_keeps_it(self, read, write):
        read(SHARED).dump("base.yaml")
        write("run.yaml", "_base_: ./base.yaml\nx: 1\n")
        pair = PARTS.build(Config.fromfile("run.yaml").model)
        assert pair.left is pair.right.bodies[0]

    def test_a_difference_in_what_is_shared_is_one(self, read):
        one = read(HEAD + "_b = Body(depth=2)\nmodel = Pair(left=_b, right=_b)")._own_values()
        other = read(HEAD + "model = Pair(left=Body(depth=2), right=Body(depth=2))")._own_values()
        assert not list(differences(one, one))
        (found,) = differences(one, other)
        assert (found.path, found.left) == ("model.right", "the same object as model.left")

    def test_converting_keeps_apart_what_each_place_builds(self, write, folder):
        write(
            "old.py",
            "from id_zoo import Body, Pair\nbody = dict(type=Body, depth=2)\n"
            "model = dict(type=Pair, left=body, right=body)\n"
            "with_list = [dict(type=Body)] * 2\n",
        )
        convert("old.py", "new.py")
        text = (folder / "new.py").read_text()
        assert "copy(body)" in text
        pair = PARTS.build(Config.fromfile("new.py").model)
        assert pair.left is not pair.right

    def test_converting_keeps_together_what_is_shared(self, write, folder):
        write("base.py", HEAD + "_b = Body(depth=2)\nmodel = Pair(left=_b, right=_b)\n")
        write("old.py", "from .base import *\nx = 1\n")
        convert("old.py", "new.py", flat=True)
        pair = PARTS.build(Config.fromfile("new.py").model)
        assert pair.left is pair.right


class TestChanging:
    @pytest.mark.parametrize(
        ("lines", "places"),
        [
            ("model = Pair(left=_b, right=_b)\nedit(model).left.depth = 9", "model.left and model.right"),
            ("net = Pair(left=_b, right=_b)\nedit(net.left).depth = 9", "net.left and net.right"),
            ("model = Pair(left=_b, right=_b)\ndel edit(model).right.depth", "model.left"),
            ("model = Pair(left=_b, right=_b)\nedit(model).left.update(depth=3)", "model.left"),
            ("_p = Pair(left=_b, right=1)\nmodel = Pair(left=_p, right=_p)\nedit(model).left.left.depth = 9",
             "model.left.left and model.right.left"),
            ("_p = Row([_b], x=[1])\nmodel = Pair(left=_p, right=_p)\nedit(model).left.x.append(9)", "model.left.x"),
            ("model = Pair(left=[_b] * 2, right=1)\nedit(model).left[0].depth = 9", "model.left.0 and model.left.1"),
        ],
    )  # fmt: skip
    def test_an_edit_that_would_change_another_place_is_refused(self, lines, places, read):
        with pytest.raises(ConfigError, match=places) as error:
            read(f"{HEAD}_b = Body(depth=1)\n{lines}")
        assert "copy(...)" in (error.value.help or "")

    def test_replacing_one_place_leaves_the_other(self, model):
        pair = model("_b = Body(1)\nmodel = Pair(left=_b, right=_b)\nedit(model).left = Body(2)")
        assert (pair.left.depth, pair.right.depth) == (2, 1)

    @pytest.mark.parametrize("merges", [True, False])
    def test_options_change_it_everywhere_and_say_so(self, merges, read):
        text = HEAD + "_b = Body(depth=1)\nmodel = Pair(left=_b, right=_b)"
        cfg = read(text)
        change, argument = (
            (cfg.merge_from_dict, {"model.left.depth": 5})
            if merges
            else (cfg.override, ["model.left.depth=5"])
        )
        with pytest.warns(UserWarning, match="model.left and model.right"):
            change(argument)
        pair = PARTS.build(cfg.model)
        assert pair.left is pair.right
        assert pair.right.depth == 5
