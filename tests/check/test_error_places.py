"""Planted mistakes in every dialect: the first problem stands at the token, marked by «."""

from __future__ import annotations

import sys

import pytest

from mainspring.check import check_config
from mainspring.config import Config
from mainspring.errors import as_ours

BASES = {
    "base.py": "from check_parts import Backbone, Net\nepochs = 3\nmodel = Net(Backbone(depth=50), width=2)\n",
    "text_base.py": "epochs = 3\nmodel = dict(type='Net', backbone=dict(type='Backbone', depth=50))\nsteps = [1, 2]\n",
    "base.yaml": "model: {type: Net, backbone: {type: Backbone, depth: 50}}\n",
}
HEAD = "from check_parts import Backbone, Head, Net, Plain, Points\n"
WORDS = "from mainspring.config import edit, include, later\n"
CHILD = f"{WORDS}{HEAD}from .base import *\n"
NET = "backbone=dict(type='Backbone', depth=50)"

RECORDED = [
    # names
    f"{HEAD}model = Net(«Bakbone(depth=50))",
    f"{HEAD}model = Net(\n    Backbone(depth=50), width=«widht)",
    f"{HEAD}width = 3\nmodel = Net(Backbone(depth=50), width=2 * «wdith)",
    f"{HEAD}model = «Nett(Backbone(depth=50))",
    f"{HEAD}def net():\n    return Net(Backbone(depth=«n))\nmodel = net()",
    f"{HEAD}model = Net(Backbone(depth=[«i for j in (1, 2)][0]))",
    # keywords
    f"{HEAD}model = Net(Backbone(depth=50), «widht=2)",
    f"{HEAD}model = Net(Backbone(«depht=50))",
    f"{HEAD}model = Net(\n    backbone=Backbone(depth=50, «stile='caffe'),\n)",
    f"{HEAD}model = Net(Backbone(depth=50, «style='tensorflow'))",
    f"{HEAD}model = Net(Backbone(«depth='deep'))",
    f"{HEAD}s = 'äöü'; model = Net(Backbone(depth=50), «widht=2)",
    f"{HEAD}model = Net(Backbone(«'deep'))",
    f"{HEAD}model = «Net()",
    f"{HEAD}big = True\nmodel = Net(Backbone(depth=50, «dpth=1)) if big else Net(Backbone(dpth=1))",
    f"{HEAD}if False:\n    b = Backbone(depht=1)\nelse:\n    b = Backbone(depth=50, «dpth=1)\nmodel = Net(b)",
    f"{HEAD}options = dict(«depht=50)\nmodel = Net(Backbone(**options))",
    f"{HEAD}def net(**more):\n    return Net(Backbone(depth=50), **more)\nmodel = net(«widht=2)",
    # calls that really run
    "from mainspring.runner import ByEpoch\ntrain_cfg = ByEpoch(«epochs=3)",
    "from mainspring.runner import ByEpoch\nx = 1; train_cfg = ByEpoch(max_epochs=3, «val_intervall=2)",
    "from mainspring.runner import ByEpoch\ntrain_cfg = «ByEpoch()",
    f"{HEAD}def net(width):\n    return Net(Backbone(depth=50), width=width)\nmodel = net(«widht=2)",
    f"{HEAD}x = «int('three')\nmodel = Net(Backbone(x))",
    f"{HEAD}d = dict(a=1)\nx = d[«'b']",
    f"{HEAD}x = [1, 2].«add(3)",
    f"{HEAD}x = «1 / 0",
    # what a recorded call has not
    f"{HEAD}x = Net(Backbone(depth=50)).«eval()",
    f"{HEAD}x = «len(Net(Backbone(depth=50)))",
    f"{HEAD}x = «2 * Net.width",
    # imports
    "from «.nope import *",
    "from .base import «modle",
    "from .base import (\n    epochs,\n    «modle,\n)",
    "from . import «nope",
    "from check_parts import Net, «Bakbone\nmodel = Net(Bakbone(depth=50))",
    "from no_such_package import «Net\nmodel = Net(1)",
    f"{WORDS}base = «include('./nope.py')",
    # edits
    f"{CHILD}edit(model).«bakbone.depth = 18",
    f"{CHILD}edit(model).«widht = 18",
    f"{CHILD}edit(model)[«'widht'] = 18",
    f"{CHILD}edit(model).backbone.«depht = 18",
    f"{CHILD}edit(model).backbone = Backbone(«depht=18)",
    f"{CHILD}edit(model).update(«widht=18)",
    f"{CHILD}edit(model).«width = 'wide'",
    f"{CHILD}«edit(epochs).x = 1",
    # syntax
    f"{HEAD}model = «= Net()",
    f"{HEAD}model = Net«(Backbone(depth=50)",
    f"{HEAD}model = Net(Backbone(depth=50)«]",
    f"{HEAD}if True:\n«x = 1",
    # statements that configs may not have
    f"{HEAD}model = Net(1)\ndef f():\n    «global x\n    x = 1",
    f"{HEAD}model = Net(1)\nclass A(«Net):\n    pass",
    f"{HEAD}model = Net(Backbone(depth=50), head=«lambda x: x)",
]
TEXT = [
    f"model = dict(type='Net', {NET}, width=«widht)",
    f"model = dict(type='Net', {NET}, «widht=2)",
    f"model = dict(«type='Nett', {NET})",
    "model = dict(type='Net', backbone=dict(type='Backbone', «depht=50))",
    "model = {\n    'type': 'Net',\n    'backbone': {'type': 'Backbone', 'depth': 50},\n    «'widht': 2,\n}",
    "wide = True\nif wide:\n    head = dict(type='Backbone', depth=1, «dpth=1)\nelse:\n    head = dict(type='Backbone', dpth=1)\nmodel = dict(type='Net', backbone=head)",
    f"model = dict(type='Net', {NET})\nmodel.update(«widht=2)",
    f"model = dict(type='Net', {NET})\nmodel[«'widht'] = 2",
    f"model = dict(type='Net', {NET})\nmodel['backbone'].update(dict(«depht=2))",
    "import copy\nbase = dict(type='Backbone', depth=50, «dpth=1)\nmodel = dict(type='Net', backbone=copy.deepcopy(base))",
    "_base_ = «'nope.py'",
    "_base_ = ['text_base.py', «'nope.py']",
    "_base_ = 'text_base.py'\nmodel = dict(backbone=dict(«depht=101))",
    "_base_ = 'text_base.py'\nmodel = dict(«type='Nett')",
    "_base_ = 'text_base.py'\n«steps = dict(a=1)",
    "_base_ = 'text_base.py'\nx = «{{_base_.modle}}",
    "_base_ = 'text_base.py'\n_base_.model.backbone.«depht = 3\nmodel = _base_.model",
    "x = dict(a={{$MS_UNSET_NAME:1}}, b=«y)",
    "x = «{{$MS_UNSET_NAME}}",
    "a = [1, 2]\nb = a[«5]",
    "a = dict(b=1)\nc = a.«b",
    "model = dict«(type='Net'",
]
NEW_STYLE = [
    "from mmengine.config import read_base\nwith read_base():\n    from «.nope import *",
    "from mmengine.config import read_base\nwith read_base():\n    from .base import «modle",
    f"{HEAD}model = dict(type=Net, backbone=dict(type=Backbone, depth=50), «widht=2)",
    f"{HEAD}model = dict(type=Net, backbone=dict(type=Backbone, depth=«dept))",
    "from mmengine.config import read_base\nfrom check_parts import Net\nwith read_base():\n    from .text_base import *\nmodel.update(dict(backbone=dict(«depht=1)))",
]
DATA = {
    "run.yaml": [
        "model:\n  type: Net\n  backbone: {type: Backbone, depth: 50}\n  «widht: 2\n",
        "model:\n  type: Net\n  backbone: {type: Backbone, «depht: 50}\n",
        "model:\n  «type: Nett\n  backbone: {type: Backbone, depth: 50}\n",
        "_base_: «nope.yaml\n",
        "_base_: [base.yaml, «nope.yaml]\n",
        "_base_: base.yaml\nmodel: {backbone: {«depht: 1}}\n",
        "_base_: base.yaml\nx: «'{{_base_.modle}}'\n",
        "a: [1, 2\nb«: 3\n",
        "b: &b {type: Backbone, depth: 1, «dpth: 2}\nmodel: {type: Net, backbone: *b}\n",
    ],
    "run.json": [
        '{"model": {"type": "Net", "backbone": {"type": "Backbone", «"depht": 50}}}',
        '{"model": {"type": "Net",\n  "backbone": {"type": "Backbone", "depth": 50},\n  «"widht": 2}}',
        '{"_base_": «"nope.json"}',
        '{"_base_": ["base.yaml", «"nope.json"]}',
        # From Python 3.13 on, the comma that is too much is named.
        '{"a": 1«,\n }' if sys.version_info >= (3, 13) else '{"a": 1,\n «}',
        '{"a": 1 «"b": 2}',
        '{"model": {«"type": "Nett"}}',
    ],
    "run.toml": [
        '[model]\ntype = "Net"\n«widht = 2\n[model.backbone]\ntype = "Backbone"\ndepth = 50\n',
        '[model]\ntype = "Net"\nbackbone = {type = "Backbone", «depht = 50}\n',
        '[model]\ntype = "Net"\n[model.backbone]\ntype = "Backbone"\n«depht = 50\n',
        '_base_ = ["base.yaml", «"nope.toml"]\n',
        "a = 1\nb = «\n",
    ],
}
COMMAND_LINE = [
    ("epochs.x=3", "command line: epochs.x=3"),
    ("modle=3", "command line: modle=3"),
    ("model.width=wide", "command line: model.width=wide"),
    ("=3", "command line: =3"),
    ("~nothing", "command line: ~nothing"),
    ("model=@check_parts.Net(1, widht=3)", "command line: model=@check_parts.Net(1, widht=3)"),
]
ROWS = [
    *(("run.py", text) for text in (*RECORDED, *TEXT, *NEW_STYLE)),
    *((name, text) for name, texts in DATA.items() for text in texts),
]


def place_of_first_problem(name, overrides=()):
    """Where the first thing stands that reading or checking a config complains of, and all of it."""
    try:
        problems = check_config(Config.fromfile(name, overrides=overrides))
    except Exception as error:  # any exception of the file
        return str(as_ours(error).location), repr(error)
    places = [
        str(problem.location) for problem in problems if "has no model" not in problem.message
    ]
    return (places or [None])[0], str(problems)


@pytest.mark.parametrize(("name", "text"), ROWS)
def test_the_first_problem_stands_at_the_token(write, name, text):
    for base, content in BASES.items():
        write(base, content)
    before, _, after = text.partition("«")
    write(name, before + after)
    place, said = place_of_first_problem(name)
    column = len(before) - (before.rfind("\n") + 1) + 1
    assert place == f"{name}:{before.count(chr(10)) + 1}:{column}", said


@pytest.mark.parametrize(("word", "place"), COMMAND_LINE)
def test_what_the_command_line_says_is_its_own_place(write, word, place):
    for base, content in BASES.items():
        write(base, content)
    found, said = place_of_first_problem("base.py", [word])
    assert found == place, said


def test_there_are_enough_of_them():
    assert len(ROWS) + len(COMMAND_LINE) >= 100


def test_a_name_that_is_not_imported_is_called_so(write):
    write("run.py", "from torch import nn\nmodel = nn.Sequential(ResNet(18))\n")
    with pytest.raises(NameError) as error:
        Config.fromfile("run.py")
    assert "ResNet is not imported" in as_ours(error.value).help
    write("run.py", "from mainspring.config import edit\nedit(custom_hooks).append(3)\n")
    with pytest.raises(NameError) as error:
        Config.fromfile("run.py")
    assert "nothing has assigned custom_hooks before" in as_ours(error.value).help
