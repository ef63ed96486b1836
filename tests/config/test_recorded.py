"""Recorded configs: files that read as the program they describe, and what they refuse."""

from __future__ import annotations

import copy as copying
import os
import pickle
import re
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

import mainspring
from mainspring.config import Config, ConfigDict, L, Node, copy, edit, env, include, later, sweep
from mainspring.config.lazy import dotted_path
from mainspring.errors import ConfigError, Location, as_ours
from mainspring.registry import MODELS

ZOO = """
class ResNet:
    def __init__(self, depth, frozen_stages=0, act=None):
        self.depth, self.frozen_stages, self.act = depth, frozen_stages, act
    @classmethod
    def from_pretrained(cls, name):
        return cls(int(name))
class RetinaNet:
    def __init__(self, backbone, num_classes=80, heads=()):
        self.backbone, self.num_classes, self.heads = backbone, num_classes, heads
class Head:
    def __init__(self, channels): self.channels = channels
class Opt:
    def __init__(self, params, lr=0.1): self.params, self.lr = params, lr
def group(*parts, name=None): return list(parts), name
CLASSES = ("cat", "dog", "cow")
"""
BASE = """
from zoo import Head, ResNet, RetinaNet
from mainspring.config import later
import zoo

epochs = 12
model = RetinaNet(backbone=ResNet(depth=50), heads=[Head(c) for c in (8, 16)])
milestones = [epochs * 2 // 3, epochs - 1]
optimizer = later(zoo.Opt)(lr=2e-4)
_private = 1

def variant(depth):
    return RetinaNet(backbone=ResNet(depth=depth))
"""


@pytest.fixture(autouse=True)
def zoo(write, folder, monkeypatch):
    write("zoo.py", ZOO)
    write("base.py", BASE)
    monkeypatch.syspath_prepend(folder)
    yield
    sys.modules.pop("zoo", None)


def raw(value, path):
    """A value inside of a config, without importing anything."""
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else dict.__getitem__(value, part)
    return value


class TestWhatIsRecorded:
    def test_a_call_is_a_dict_with_the_type_first(self, read):
        cfg = read("from zoo import ResNet\nmodel = ResNet(depth=50, frozen_stages=1)")
        node = raw(cfg._cfg_dict, "model")
        assert isinstance(node, Node)
        assert list(dict.keys(node)) == ["type", "depth", "frozen_stages"]
        assert dotted_path(raw(node, "type")) == "zoo.ResNet"
        assert "zoo" not in sys.modules

    def test_it_equals_the_dict_that_one_would_write(self, read):
        called = read("from zoo import ResNet\nmodel = ResNet(depth=50)", "a.py")
        written = read("from zoo import ResNet\nmodel = dict(type=ResNet, depth=50)", "b.py")
        assert raw(called._cfg_dict, "model") == raw(written._cfg_dict, "model")

    def test_it_knows_file_line_and_column(self, read):
        cfg = read(
            "from zoo import ResNet, RetinaNet\n\nmodel = RetinaNet(\n    backbone=ResNet(\n"
            "        depth=50),\n)"
        )
        assert raw(cfg._cfg_dict, "model").where_written == Location("run.py", 3, 9)
        assert raw(cfg._cfg_dict, "model.backbone").where_written == Location("run.py", 4, 14)

    def test_positional_arguments_get_their_names_when_they_are_read(self, read):
        cfg = read("from zoo import ResNet, RetinaNet\nmodel = RetinaNet(ResNet(50), 20)")
        assert raw(cfg._cfg_dict, "model._args_")[1] == 20
        assert cfg.model.num_classes == 20
        assert list(cfg.model) == ["type", "backbone", "num_classes"]
        assert cfg.model.backbone.depth == 50

    def test_too_many_positional_arguments_are_refused_at_their_place(self, read):
        cfg = read("from zoo import Head\nhead = Head(1, 2)")
        with pytest.raises(ConfigError, match=r"run.py:2:8: Head takes 1 .*, but 2 are given"):
            _ = cfg.head.channels

    def test_arguments_of_a_variadic_function_stay_positional(self, read):
        cfg = read("from zoo import Head, group\nx = group(Head(1), Head(2), name='g')")
        parts, name = MODELS.build(cfg.x)
        assert [part.channels for part in parts] == [1, 2]
        assert name == "g"

    def test_classmethods_and_attributes_are_references(self, read):
        cfg = read(
            "import torch\nfrom torch import nn\nfrom zoo import ResNet\n"
            "model = ResNet.from_pretrained('18')\ndtype = torch.bfloat16\nact = nn.ReLU"
        )
        assert dotted_path(raw(cfg._cfg_dict, "model.type")) == "zoo.ResNet.from_pretrained"
        assert MODELS.build(cfg.model).depth == 18
        import torch

        assert cfg.dtype is torch.bfloat16
        assert cfg.act is torch.nn.ReLU

    def test_what_a_file_imports_is_no_part_of_the_config(self, read):
        cfg = Config.fromfile("base.py")
        assert list(cfg.to_dict()) == ["epochs", "model", "milestones", "optimizer"]

    def test_each_node_of_a_comprehension_is_its_own(self):
        heads = raw(Config.fromfile("base.py")._cfg_dict, "model.heads")
        assert [raw(head, "_args_") for head in heads] == [[8], [16]]
        assert heads[0] is not heads[1]

    def test_functions_run_and_what_they_call_is_recorded(self, read):
        cfg = read("from .base import *\nmodel = variant(101)")
        assert raw(cfg._cfg_dict, "model.backbone.depth") == 101
        assert raw(cfg._cfg_dict, "model").where_written.file == "base.py"

    def test_imports_inside_of_functions_are_recorded(self, read):
        cfg = read(
            "from mainspring.config import later\n"
            "def make():\n    from zoo import ResNet\n    return ResNet(depth=3)\nmodel = make()"
        )
        assert raw(cfg._cfg_dict, "model.depth") == 3
        assert "zoo" not in sys.modules

    def test_every_reading_makes_new_objects(self):
        one, other = Config.fromfile("base.py"), Config.fromfile("base.py")
        assert raw(one._cfg_dict, "model") is not raw(other._cfg_dict, "model")

    def test_copies_and_pickles_keep_what_a_node_is(self):
        node = raw(Config.fromfile("base.py")._cfg_dict, "optimizer")
        for other in (copying.copy(node), copying.deepcopy(node), pickle.loads(pickle.dumps(node))):
            assert isinstance(other, Node)
            assert other == node
            assert other.is_late
            assert other.where_written == node.where_written

    def test_reading_in_threads_does_not_mix(self, write):
        for index in range(4):
            write(
                f"t{index}.py", f"from zoo import Head\nheads = [Head({index}) for _ in range(50)]"
            )
        found = {}

        def load(index):
            found[index] = Config.fromfile(f"t{index}.py")

        threads = [threading.Thread(target=load, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for index, cfg in found.items():
            heads = raw(cfg._cfg_dict, "heads")
            assert [raw(head, "_args_") for head in heads] == [[index]] * 50
            assert {head.where_written.file for head in heads} == {f"t{index}.py"}


class TestBuilding:
    def test_calls_inside_of_a_call_are_built_before_it(self, read):
        model = MODELS.build(read("from .base import *").model)
        assert model.backbone.depth == 50
        assert [head.channels for head in model.heads] == [8, 16]

    def test_a_late_call_waits_for_its_first_argument(self, read):
        cfg = Config.fromfile("base.py")
        factory = MODELS.build(cfg.optimizer)
        optimizer = factory([1, 2])
        assert (optimizer.params, optimizer.lr) == ([1, 2], 2e-4)
        assert MODELS.build(cfg.optimizer, default_args={"params": [3]}).params == [3]

    def test_a_registered_class_without_annotations_gets_descriptions(self, read, write):
        write(
            "mm.py",
            "from mainspring.registry import MODELS\n"
            "@MODELS.register_module(name='RecordedMM')\nclass MM:\n"
            "    def __init__(self, backbone): self.backbone = backbone\n"
            "class Typed:\n    def __init__(self, cfg: dict, part: 'Typed | None' = None):\n"
            "        self.cfg, self.part = cfg, part\n",
        )
        cfg = read(
            "from mm import MM, Typed\nfrom zoo import ResNet\n"
            "model = MM(backbone=ResNet(depth=3))\n"
            "typed = Typed(cfg=ResNet(depth=4), part=Typed({}))"
        )
        assert MODELS.build(cfg.model).backbone == dict(
            type=raw(cfg._cfg_dict, "model.backbone.type").build(), depth=3
        )
        typed = MODELS.build(cfg.typed)
        assert typed.cfg["depth"] == 4
        assert type(typed.part).__name__ == "Typed"
        MODELS.module_dict.pop("RecordedMM")
        sys.modules.pop("mm")

    def test_a_parameter_called_type_is_given_by_position(self, read, write):
        write(
            "mm.py",
            "class Pad:\n    def __init__(self, type, size=1): self.type, self.size = type, size\n",
        )
        cfg = read("from mm import Pad\nmodel = Pad('zero', size=2)")
        for one in (cfg, Config.fromstring(cfg.dump(), ".py")):
            built = MODELS.build(one.model)
            assert (built.type, built.size) == ("zero", 2)
        sys.modules.pop("mm")

    def test_an_error_names_the_place_of_the_inner_call(self, read):
        cfg = read(
            "from zoo import ResNet, RetinaNet\nmodel = RetinaNet(\n    backbone=ResNet(dept=50))"
        )
        with pytest.raises(TypeError) as error:
            MODELS.build(cfg.model)
        assert "ResNet has no argument 'dept'; did you mean 'depth'?" in "".join(
            error.value.__notes__
        )


class TestInheritance:
    def test_a_relative_import_inherits_and_edit_changes(self, read):
        cfg = read(
            "from mainspring.config import edit\nfrom zoo import ResNet\nfrom .base import *\n"
            "edit(model).backbone = ResNet(depth=101)\nedit(model).num_classes = 20\n"
            "edit(model).heads[0].channels = 9\nedit(model).heads.append(dict(x=1))\n"
            "del edit(model).heads[1]\nedit(optimizer).lr = 1"
        )
        assert raw(cfg._cfg_dict, "model.backbone.depth") == 101
        assert list(dict.keys(raw(cfg._cfg_dict, "model.backbone"))) == ["type", "depth"]
        assert cfg.model.heads[0].channels == 9
        assert cfg.model.heads[1] == {"x": 1}
        assert cfg.model.num_classes == 20
        assert raw(cfg._cfg_dict, "optimizer.lr") == 1

    def test_editing_imports_nothing(self, read):
        read(
            "from mainspring.config import edit\nfrom .base import *\n"
            "edit(model).heads[0].channels = 9\nedit(model).backbone.depth = 9"
        )
        assert "zoo" not in sys.modules

    @pytest.mark.parametrize(
        "line",
        [
            "_base_ = ['./base-50.py']",
            "_base_ = 'base-50.py'",
            "base = include('./base-50.py')",
        ],
    )
    def test_bases_with_names_that_are_no_names_of_python(self, line, read, write):
        write("base-50.py", BASE)
        cfg = read(
            f"from mainspring.config import edit, include\n{line}\n"
            "edit(model).num_classes = 3\nnumber = epochs + 1"
        )
        assert raw(cfg._cfg_dict, "model.num_classes") == 3
        assert cfg.number == 13
        assert raw(cfg._cfg_dict, "model.backbone.depth") == 50

    def test_what_include_returns_has_the_variables(self, read, write):
        write("base-50.py", BASE)
        cfg = read("from mainspring.config import include\nb = include('base-50.py')\nn = b.epochs")
        assert cfg.n == 12
        assert "b" not in cfg

    def test_a_config_as_a_module(self, read):
        cfg = read("from . import base\nmodel = base.model\nn = base.epochs")
        assert cfg.n == 12
        assert list(cfg.to_dict()) == ["model", "n"]

    def test_a_text_style_child_of_a_recorded_base(self, read):
        cfg = read(
            "_base_ = './base.py'\nmodel = dict(backbone=dict(depth=18), num_classes={{_base_.epochs}})"
        )
        assert MODELS.build(cfg.model).backbone.depth == 18
        assert cfg.model.num_classes == 12

    def test_a_recorded_child_of_text_style_yaml_and_new_style_bases(self, read, write):
        write("text.py", "a = dict(b=1, c=[1, 2])")
        write("data.yaml", "d: {e: 1}")
        write("new.py", "from zoo import ResNet\nm = dict(type=ResNet, depth=3)")
        cfg = read(
            "from mainspring.config import edit\n_base_ = ['text.py', 'data.yaml']\n"
            "from .new import m\nedit(a).b = 2\nedit(d).e = 5\nedit(m).depth = 4"
        )
        assert cfg.to_dict() == {
            "a": {"b": 2, "c": [1, 2]},
            "d": {"e": 5},
            "m": {"type": "zoo.ResNet", "depth": 4},
        }

    def test_a_variable_that_the_base_does_not_have(self, read):
        with pytest.raises(
            ConfigError, match=r"run.py:1:19: the base has no variable 'modle'"
        ) as e:
            read("from .base import modle")
        assert e.value.help == "did you mean 'model'?"


class TestOneCallForTheRun:
    RUN = (
        "from mainspring.runner import Runner\nfrom zoo import ResNet\n"
        "def resnet(depth=50, epochs=12) -> Runner:\n"
        "    return Runner(model=ResNet(depth=depth), train_cfg=dict(max_epochs=epochs))\n"
    )

    def test_the_only_result_is_a_run(self, read):
        cfg = read(
            "from mainspring.runner import Runner\nfrom zoo import ResNet\nlr = 1\n"
            "run = Runner(ResNet(depth=3), 'dir', train_cfg=dict(max_epochs=2))"
        )
        assert cfg.to_dict() == {
            "lr": 1,
            "model": {"type": "zoo.ResNet", "depth": 3},
            "work_dir": "dir",
            "train_cfg": {"max_epochs": 2},
        }

    def test_a_function_that_returns_one(self, read):
        cfg = read(self.RUN)
        assert cfg.to_dict() == {
            "model": {"type": "zoo.ResNet", "depth": 50},
            "train_cfg": {"max_epochs": 12},
        }

    def test_its_arguments_are_variables_of_the_command_line(self, write):
        write("run.py", self.RUN)
        cfg = Config.fromfile("run.py:resnet", overrides=["depth=101", "model.act=x"])
        assert raw(cfg._cfg_dict, "model.depth") == 101
        assert raw(cfg._cfg_dict, "model.act") == "x"
        assert "depth" not in cfg

    def test_a_function_that_is_not_there(self, write):
        write("run.py", self.RUN)
        with pytest.raises(ConfigError, match=r"run.py has no function 'resnt'") as error:
            Config.fromfile("run.py:resnt")
        assert error.value.help == "did you mean 'resnet'?"

    def test_a_misspelt_section(self, read):
        with pytest.raises(ConfigError, match=r"run.py:4:46: Runner has no parameter") as error:
            read(self.RUN.replace("train_cfg=", "train_cgf="))
        assert error.value.help == "did you mean 'train_cfg'?"

    def test_several_functions_need_a_choice(self, read):
        with pytest.raises(ConfigError, match="2 functions that describe a run") as error:
            read(self.RUN + "def other() -> Runner:\n    return resnet(3)\n")
        assert "run.py:resnet" in error.value.help

    def test_a_required_argument(self, read):
        with pytest.raises(ConfigError, match=r"resnet\(\) needs depth") as error:
            read(self.RUN.replace("depth=50", "depth"))
        assert error.value.help == "give it on the command line: depth=..."


SHARING = """from mainspring.config import edit
def f():
    d = zoo.f(x=1)
    return zoo.L(d=d), zoo.L(d=d)
train_dataloader, val_dataloader = f()
"""
WITH = "2:6" if sys.version_info >= (3, 13) else "2:1"
REFUSED = {
    "arithmetic on an imported name": ("x = 3 * zoo.CLASSES", "2:5", "arithmetic", "eager"),
    "comparison": ("x = zoo.A == 3", "2:5", "a comparison", "eager"),
    "order": ("x = zoo.A < 3", "2:5", "a comparison", "eager"),
    "f-string": ("x = f'{zoo.ROOT}/a'", "2:", "an f-string", "eager"),
    "index": ("x = zoo.CLASSES[0]", "2:5", "an index", "eager"),
    "condition": ("x = 1 if zoo.A else 2", "2:", "a condition", "eager"),
    "iteration": ("for c in zoo.CLASSES:\n    pass", "2:1", "iteration", "eager"),
    "comprehension over an imported constant": (
        "x = [c for c in zoo.CLASSES]", "2:", "iteration", "eager",
    ),
    "length of an imported name": ("x = len(zoo.CLASSES)", "2:5", r"len\(\)", "eager"),
    "membership": ("x = 'cat' in zoo.CLASSES", "2:5", "a test of membership", "eager"),
    "unpacking": ("a, b = zoo.CLASSES", "2:", "iteration", "eager"),
    # Where the interpreter says that it is; from Python 3.13 on, at the expression.
    "with": ("with zoo.open():\n    pass", WITH, "no context manager", "module"),
    "isinstance": ("x = isinstance(1, zoo.ResNet)", "2:5", "isinstance", "model.type"),
    "a class pattern": (
        "match 1:\n    case zoo.ResNet():\n        pass", "3:10", r"imported \(zoo\).*pattern", "eager",
    ),
    "length of a call": ("x = len(zoo.get_classes())", "2:5", "its length", "eager"),
    "a section that is imported": (
        "from other import model", "2", "model is imported, .* no section", "from .base import model",
    ),
    "truth of a call": ("x = 1 if zoo.f() else 2", "2:", "neither true nor false", "is None"),
    "comparison of calls": ("x = zoo.f() == zoo.f()", "2:5", "cannot be compared", "type"),
    "iteration over a call": ("x = list(zoo.f())", "2:5", "iterated over", "plain values"),
    "unpacking a call": ("x = dict(**zoo.f(a=1))", "2:5", "its keys", "copy"),
    "method of what is recorded": ("x = zoo.ResNet(depth=3).eval()", "2:25", "no 'eval'", "argument"),
    "base class": ("class A(zoo.ResNet):\n    pass", "2:9", "derives from zoo.ResNet", "module"),
    "decorator": ("@zoo.register\ndef f():\n    pass", "2:2", "the decorator zoo.register", "module"),
    "try around an import": (
        "try:\n    import faster\nexcept ImportError:\n    faster = None", "2:1",
        "imports never fail", "available",
    ),
    "lambda": ("x = dict(f=lambda v: v)", "2:", "a lambda", "function in a module"),
    "global": ("def f():\n    global x\n    x = 1", "3:5", "global x", "return"),
    "del": ("del zoo", "2:1", "del zoo", "leave the line out"),
    "star import of a package": ("from zoo import *", "2:1", "import \\*", "name what you import"),
    "environment": ("import os\nos.environ['A'] = '1'", "3:1", "sets the environment", "shell"),
    "side effects": ("import os\nos.makedirs('x')", "3:1", "os.makedirs", "module"),
    "opening a file for writing": ("x = open('notes.txt', 'w')", "2:5", "for writing", "program"),
    "an object of the file's own class": (
        "class Scale:\n    pass\nx = dict(a=[Scale()])", "4", "x.a.0 is an object of the class Scale",
        "module",
    ),
    "such an object with an annotation": (
        "class Scale:\n    pass\nx: Scale = Scale()", "4", "x is an object of the class Scale", "module",
    ),
    "arithmetic on a call": ("x = zoo.f() + 1", "2:5", "no value to calculate", "number"),
    "calling what a call gives": ("x = zoo.f()(1)", "2:5", "cannot be called", "module"),
    "an item of a call": ("x = zoo.f()[0]", "2:5", "no item 0", "argument"),
    "editing what has two names": (
        "from mainspring.config import edit\na = zoo.f(x=1)\nb = a\nedit(b).x = 2", "5:1",
        "a and b are the same object", r"b = copy\(a\) first",
    ),
    "editing what two sections share": (
        SHARING + "edit(val_dataloader).d.x = 2", "7:1",
        "train_dataloader.d and val_dataloader.d", "copy",
    ),
    "editing what is not there": (
        "from mainspring.config import edit\nm = zoo.f(width=1)\nedit(m).widht.x = 2", "4:9",
        "has no 'widht' to edit", "did you mean 'width'",
    ),
    "editing a number": (
        "from mainspring.config import edit\nm = 3\nedit(m).x = 2", "4:1", "but got 3", "assign",
    ),
    "a call whose record is dropped": ("zoo.setup()", "2:1", "nothing keeps the record", "assign"),
    "leaving the program": ("import sys\nsys.exit(3)", "3:1", "nothing keeps", "module"),
    "later without arguments": (
        "from mainspring.config import later\nx = zoo.W(later(zoo.Opt))", "3:11",
        "describes nothing yet", r"later\(Opt\)\(\)",
    ),
    "later of later": (
        "from mainspring.config import later\nx = later(later(zoo.Opt))", "3:5",
        r"later\(\) of later", "imported class",
    ),
    "a generator": ("x = zoo.f(p=(zoo.g() for _ in range(3)))", "2", "a generator", "list"),
    "two runs": (
        "from mainspring.runner import Runner\na = Runner(1)\nb = Runner(2)", "4:5",
        "describes 2 runs: a, b", "config.py:function",
    ),
    "an environment variable that is not set": (
        "from mainspring.config import env\nx = env('MS_NOT_SET')", "3:5", "is not set", "default",
    ),
}  # fmt: skip


class TestWhatIsRefused:
    @pytest.mark.parametrize("name", REFUSED)
    def test_with_the_place_and_a_help_line(self, name, read):
        text, place, message, help_line = REFUSED[name]
        with pytest.raises(ConfigError, match=message) as error:
            read(f"import zoo; ZOO = zoo.x()\n{text}")
        assert f"{error.value.location}".startswith(f"run.py:{place}")
        assert error.value.help
        assert re.search(help_line, error.value.help)

    def test_a_variable_of_the_environment_that_is_not_set_is_a_key_error(self, read):
        text = "import os, zoo\nx = zoo.f()\ny = os.environ['MS_NOT_SET']"
        with pytest.raises(
            KeyError, match="the environment variable MS_NOT_SET is not set"
        ) as error:
            read(text)
        assert (
            "help: set it in the shell, or write env('MS_NOT_SET', DEFAULT)"
            in error.value.__notes__
        )
        message = "the environment variable MS_NOT_SET is not set"
        assert as_ours(error.value).report() == (
            f"run.py:3:16: error: {message}\n"
            "  help: set it in the shell, or write env('MS_NOT_SET', DEFAULT)"
        )
        caught = text.replace("y =", "try:\n    y =") + "\nexcept KeyError as e:\n    y = e.args[0]"
        assert read(caught).y == "MS_NOT_SET"

    def test_a_function_that_calls_itself_is_said_at_its_line(self, read):
        with pytest.raises(RecursionError) as error:
            read("import zoo\ndef f():\n    return f()\nx = f()")
        assert "while reading the config, run.py:3:12" in error.value.__notes__
        with pytest.raises(ConfigError, match="hold themselves"):
            read("import zoo\nx = []\nx.append(x)")

    def test_nothing_was_imported_or_run(self, read, folder):
        with pytest.raises(ConfigError):
            read("import os, zoo\nx = zoo.f()\nos.makedirs('made')")
        assert not (folder / "made").exists()
        assert "zoo" not in sys.modules


class TestWhatIsAllowed:
    def test_a_function_that_remembers_its_results(self, read):
        text = (
            "import zoo\nfrom functools import lru_cache\n@lru_cache\ndef f(x):\n    return 2 * x\n"
        )
        cfg = read(f"{text}y = f(3)")
        assert cfg.y == 6
        assert "f" not in cfg

    def test_constants_are_there_within_eager(self, read):
        cfg = read(
            "from mainspring.config import eager\nfrom zoo import Head\nwith eager():\n"
            "    from zoo import CLASSES\nhead = Head(len(CLASSES))\nnames = list(CLASSES)"
        )
        assert cfg.head.channels == 3
        assert cfg.names == ["cat", "dog", "cow"]

    def test_available_asks_without_importing(self, read):
        cfg = read(
            "from mainspring.config import available\na = available('zoo')\nb = available('nozoo')"
        )
        assert (cfg.a, cfg.b) == (True, False)
        assert "zoo" not in sys.modules

    def test_a_file_is_opened_for_reading(self, read, folder):
        (folder / "names.txt").write_text("cat dog")
        cfg = read(
            "from zoo import Head\nhead = Head(1)\nwith open('names.txt') as file:\n"
            "    n = file.read().split()"
        )
        assert cfg.n == ["cat", "dog"]
        assert "file" not in cfg

    def test_an_object_of_the_files_own_class_that_is_private(self, read):
        cfg = read(
            "from zoo import Head\nclass Sizes:\n    width = 3\n_sizes = Sizes()\n"
            "head = Head(_sizes.width)\nclass Width(int):\n    pass\n_width = Width(2)"
        )
        assert cfg.head.channels == 3

    def test_pure_modules_of_the_standard_library_work(self, read):
        cfg = read(
            "import math, os.path as osp, itertools\nfrom zoo import Head\nfrom functools import partial\n"
            "h = Head(math.ceil(2.1))\np = osp.join('a', 'b')\nl = list(itertools.chain([1], [2]))"
        )
        assert (cfg.h.channels, cfg.p, cfg.l) == (3, "a/b", [1, 2])

    def test_environment_variables_are_read_and_remembered(self, read, monkeypatch):
        monkeypatch.setenv("MS_A", "7")
        monkeypatch.setenv("MS_B", "yes")
        cfg = read(
            "import os\nfrom mainspring.config import env\na = env('MS_A', 1)\nb = env('MS_B', False)\n"
            "c = env('MS_C', 'default')\nd = os.environ['MS_A']\ne = os.getenv('MS_D', 'none')"
        )
        assert (cfg.a, cfg.b, cfg.c, cfg.d, cfg.e) == (7, True, "default", "7", "none")
        assert cfg.env_variables == {"MS_A": "7", "MS_B": True, "MS_C": "default"}

    def test_an_environment_variable_of_the_wrong_type(self, read, monkeypatch):
        monkeypatch.setenv("MS_A", "seven")
        with pytest.raises(ConfigError, match=r"run.py:2:5: .*'seven', which is no int"):
            read("from mainspring.config import env\na = env('MS_A', 1)")

    def test_annotations_with_imported_names(self, read):
        cfg = read(
            "from zoo import ResNet\ndef f(a: ResNet | None = None) -> ResNet:\n"
            "    return ResNet(depth=1)\nmodel: ResNet = f()"
        )
        assert raw(cfg._cfg_dict, "model.depth") == 1

    def test_data_classes_of_the_file(self, read):
        cfg = read(
            "import dataclasses\nfrom dataclasses import KW_ONLY, dataclass\n"
            "from typing import ClassVar\nfrom zoo import Head\n@dataclass\nclass Size:\n"
            "    unit: ClassVar[str] = 'px'\n    width: int\n    _: KW_ONLY\n    head: Head | None = None\n"
            "    wrong: 'Nobody' = 3\n@dataclasses.dataclass(order=True)\nclass Wide(Size):\n"
            "    factor: int = 2\nhead = Head(Wide(3, factor=4).width)\na = dataclasses.asdict(Wide(5))"
        )
        assert cfg.head.channels == 3
        assert cfg.a == dict(width=5, head=None, wrong=3, factor=2)

    def test_the_names_so_far_are_those_of_the_file(self, read):
        cfg = read(
            "from zoo import Head\nhead = Head(1)\na = 3\nb = '{a}'.format(**locals())\n"
            "c = [name for name in dir() if len(name) == 1]\nd = vars()['a'] + vars().get('z', 1)\n"
            "e = __doc__\ndef f(x):\n    return dict(vars()), dir()\ng = f(2)"
        )
        assert (cfg.b, cfg.c, cfg.d, cfg.e) == ("3", ["a", "b"], 4, None)
        assert cfg.g == ({"x": 2}, ["x"])

    def test_a_copy_is_edited_alone(self, read):
        cfg = read(
            "from mainspring.config import copy, edit\nfrom zoo import Head, RetinaNet\n"
            "a = RetinaNet(backbone=Head(channels=1))\nb = copy(a)\nedit(b).backbone.channels = 2"
        )
        assert raw(cfg._cfg_dict, "a.backbone.channels") == 1
        assert raw(cfg._cfg_dict, "b.backbone.channels") == 2

    def test_new_style_files_keep_the_whole_standard_library(self, read, monkeypatch):
        monkeypatch.setenv("MS_A", "7")
        cfg = read(
            "from mmengine.config import read_base\nimport os\nwith read_base():\n"
            "    from .base import epochs\nn = int(os.environ.get('MS_A'))"
        )
        assert (cfg.n, cfg.epochs) == (7, 12)

    @pytest.mark.parametrize(
        ("line", "instead"),
        [
            ("import parts", "from . import parts"),
            ("import more.parts as parts", "from .more.parts import *"),
            ("from parts import model", "from .parts import model"),
            ("from parts import *", "from .parts import *"),
        ],
    )
    def test_a_config_beside_it_is_not_imported_as_a_module(self, read, write, line, instead):
        for name in ("parts.py", "more/parts.py"):
            write(name, "from zoo import Head\nmodel = Head(1)\ntrain_cfg = dict(max_epochs=1)")
        rest = "\nmodel = parts.model" if line.startswith("import") else ""
        with pytest.raises(ConfigError, match=r"parts beside this file is a config") as error:
            read(f"{line}{rest}")
        assert str(error.value.location) == "run.py:1:1"
        assert f"`{instead}`" in error.value.help
        rest = "" if "*" in instead else rest
        assert read(f"{instead}{rest}").model.channels == 1

    def test_a_module_beside_it_that_can_be_run_stays_a_module(self, read, write):
        write("script.py", "class Net: ...\nif __name__ == '__main__':\n    train_cfg = dict()")
        assert read("from script import Net\nmodel = Net()").model.type.__name__ == "Net"
        assert read("import script\nmodel = script.Net()").model.type.__name__ == "Net"


class TestVariablesOfTheCommandLine:
    def test_take_effect_where_they_are_assigned(self):
        cfg = Config.fromfile("base.py", overrides=["epochs=24"])
        assert cfg.epochs == 24
        assert cfg.milestones == [16, 23]

    def test_in_bases_too_and_in_every_dialect(self, read, write):
        write("text.py", "epochs = 2\nlength = epochs * 3")
        write("data.yaml", "width: 1")
        cfg = read(
            "_base_ = ['text.py', 'data.yaml']\ntwice = 2 * {{_base_.epochs}}\nw = {{_base_.width}}",
            overrides=["epochs=5", "width=7"],
        )
        assert cfg.to_dict() == {"epochs": 5, "length": 15, "width": 7, "twice": 10, "w": 7}

    def test_what_was_changed_is_remembered(self):
        cfg = Config.fromfile("base.py", overrides=["epochs=24", "model.num_classes=3"])
        assert cfg.overrides == ("epochs=24", "model.num_classes=3")


class TestInScripts:
    def test_later_is_a_partial_of_the_real_thing(self):
        def optimizer(params, lr):
            return params, lr

        assert later(optimizer)(lr=1)([2]) == ([2], 1)
        assert later(optimizer)(1)([2]) == ([2], 1)

    def test_nodes_are_made_with_l(self):
        node = L(SimpleNamespace)(a=L(SimpleNamespace)(b=1))
        assert isinstance(node, Node)
        assert MODELS.build(node).a.b == 1
        assert L.late(sorted)(reverse=True).is_late

    def test_words_outside_of_configs(self, monkeypatch):
        part = ConfigDict(a={"b": 1})
        edit(part).a.b = 2
        assert part.a.b == 2
        other = copy(part)
        assert other == part
        assert other.a is not part.a
        monkeypatch.setenv("MS_A", "3")
        assert env("MS_A", 0) == 3
        with pytest.raises(ConfigError, match="outside of a config"):
            include("x.py")
        with pytest.raises(ConfigError, match="at least two values"):
            sweep(1)


def test_loading_imports_nothing_heavy():
    code = (
        "import sys\nfrom mainspring.config import Config\n"
        "Config.fromfile('base.py', overrides=['epochs=3'])\n"
        "print([m for m in ('torch', 'numpy', 'zoo', 'yaml') if m in sys.modules])"
    )
    source = Path(mainspring.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(source)},
    )
    assert done.stdout.strip() == "[]"


def test_what_bases_import_stays_out_unless_it_is_assigned(read, write):
    write(
        "b.py",
        "from functools import partial\nfrom torch import optim\nfrom zoo import Head\nh = Head(1)",
    )
    cfg = read("from .b import *\nfrom zoo import ResNet\noptim = dict(lr=1)\nr = ResNet(depth=1)")
    assert list(cfg) == ["optim", "h", "r"]
    assert cfg.optim == {"lr": 1}


def test_partial_of_an_imported_name_is_recorded(read):
    cfg = read(
        "import functools\nfrom functools import partial\nfrom zoo import Opt, group\n"
        "a = partial(Opt, lr=1)\nb = functools.partial(group, 1, name='n')\nc = partial(max, 3)(4)"
    )
    assert raw(cfg._cfg_dict, "a").is_late
    assert MODELS.build(cfg.a)([2]).params == [2]
    assert MODELS.build(cfg.b)(5) == ([1, 5], "n")
    assert cfg.c == 4


def test_attributes_may_have_any_name(read, write):
    write("zoo.py", ZOO + "def build(x): return x\nname = 'n'\nclass module:\n    source = 4\n")
    cfg = read("import zoo\na = zoo.build(3)\nb = zoo.name\nc = zoo.module.source")
    assert MODELS.build(cfg.a) == 3
    assert (cfg.b, cfg.c) == ("n", 4)


def test_editing_in_a_loop_and_several_values_at_once(read):
    cfg = read(
        "from mainspring.config import edit\nfrom zoo import Head\n"
        "a = Head(channels=dict(x=1, y=2))\nb = Head(channels=dict(x=1))\n"
        "for part in (a, b):\n    edit(part).update(channels=dict(x=5), more=1)"
    )
    assert raw(cfg._cfg_dict, "a.channels") == {"x": 5, "y": 2}
    assert raw(cfg._cfg_dict, "b.more") == 1


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("mmengine.dataset.sampler", "DefaultSampler"),
        ("mmengine.dataset.dataset_wrapper", "RepeatDataset"),
        ("mmengine.optim.optimizer.amp_optimizer_wrapper", "AmpOptimWrapper"),
        ("mmengine.model.base_model.data_preprocessor", "ImgDataPreprocessor"),
        ("mmengine.runner.loops", "EpochBasedTrainLoop"),
    ],
)
def test_deep_paths_of_mmengine_lead_to_our_classes(path, name, read):
    cfg = read(f"from {path} import {name}\nx = dict(type={name})")
    assert cfg.x.type.__name__ == name
    assert cfg.x.type.__module__.startswith("mainspring.")


@pytest.mark.parametrize("module", ["mainspring.config", "mainspring.runner"])
def test_the_length_of_training_is_a_plain_section(module, read):
    cfg = read(
        f"from {module} import ByEpoch, ByIteration\nfrom zoo import Head\nh = Head(1)\n"
        "a = ByEpoch(max_epochs=3, val_interval=2)\nb = ByIteration(max_iters=9)"
    )
    assert cfg.a == {"by_epoch": True, "max_epochs": 3, "val_interval": 2}
    assert cfg.b == {"by_epoch": False, "max_iters": 9}


def test_assigning_what_is_given_by_position_replaces_it(read):
    cfg = read(
        "from mainspring.config import edit\nfrom zoo import Head, ResNet\n"
        "a = Head(1)\na.channels = 2\nb = Head(1)\nb['channels'] = 3\nc = Head(1)\nedit(c).channels = 4"
    )
    assert "zoo" not in sys.modules
    assert [MODELS.build(cfg[name]).channels for name in "abc"] == [2, 3, 4]


def test_a_dump_names_what_an_edit_replaced(read):
    cfg = read(
        "from mainspring.config import edit\nfrom zoo import Head, RetinaNet\n"
        "a = RetinaNet(Head(1))\nedit(a).backbone = Head(2)\n"
        "b = RetinaNet(Head(1))\nedit(b).num_classes = 3"
    )
    text = cfg.pretty_text
    assert "a = RetinaNet(backbone=Head(2))\n" in text
    assert "b = RetinaNet(backbone=Head(1), num_classes=3)\n" in text
    again = Config.fromstring(text, ".py")
    assert MODELS.build(again.a).backbone.channels == 2


def test_a_file_that_only_inherits_takes_no_imports_over(read):
    cfg = read("from .base import *\nepochs = 3")
    assert list(cfg) == ["epochs", "model", "milestones", "optimizer"]
