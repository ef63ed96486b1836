"""While a config is read, an imported name and a recorded call have no value, and say so."""

from __future__ import annotations

import os
import sys

import pytest

from mainspring.config import Config
from mainspring.errors import ConfigError
from mainspring.registry import Registry

PARTS = Registry("parts of this test")
ZOO = """
import enum
class Flag(enum.Flag):
    A = 1
    B = 2
DEPTH = 3
NAMES = ["cat", "dog"]
def get(): return 3
class Net:
    def __init__(self, depth: int = 1, classes: int = 2): self.depth, self.classes = depth, classes
"""
HEAD = (
    "import copy, functools, math, os, string\nfrom datetime import timedelta\nfrom decimal import "
    "Decimal\nfrom pathlib import Path\nfrom value_zoo import DEPTH, NAMES, Flag, Net, get\n"
    "def matched(v):\n    match v:\n        case 3: return 1\n"
)


@pytest.fixture(autouse=True)
def zoo(write, monkeypatch, folder):
    write("value_zoo.py", ZOO)
    monkeypatch.syspath_prepend(str(folder))
    yield
    sys.modules.pop("value_zoo", None)


NAMES = """
Flag.A | Flag.B
str(DEPTH)
repr(DEPTH)
'%s' % DEPTH
'%d' % DEPTH
'%s' % (DEPTH,)
'{}'.format(DEPTH)
f'{DEPTH}'
f'{DEPTH!r}'
','.join([DEPTH])
string.Template('$d').substitute(d=DEPTH)
print(DEPTH)
hasattr(DEPTH, 'real')
getattr(DEPTH, 'real', 3)
callable(DEPTH)
type(DEPTH)
type(DEPTH) is int
isinstance(DEPTH, int)
vars(Net)
dir(Net)
id(Net)
hash(DEPTH)
{DEPTH: 1}
{DEPTH, 1}
dict([(DEPTH, 1)])
DEPTH is None
DEPTH is not None
DEPTH == 3
DEPTH != 3
3 in [DEPTH]
DEPTH < 3
int(DEPTH)
float(DEPTH)
bool(DEPTH)
complex(DEPTH)
bytes(DEPTH)
round(DEPTH)
abs(DEPTH)
max(DEPTH, 3)
sum([1, DEPTH])
sorted([DEPTH, 1])
range(DEPTH)
[0] * DEPTH
'a' + DEPTH
-DEPTH
divmod(DEPTH, 2)
2 ** DEPTH
DEPTH[0]
len(NAMES)
reversed(NAMES)
[*NAMES]
dict(**NAMES)
next(NAMES)
enumerate(NAMES)
list(map(str, NAMES))
math.sqrt(DEPTH)
math.floor(DEPTH)
Path(DEPTH)
os.path.join('a', DEPTH)
Decimal(DEPTH)
timedelta(hours=DEPTH)
Net.__name__
Net.__module__
Net.__doc__
Net.__dict__
[one.__name__ for one in (Net,)]
matched(DEPTH)
setattr(Net, 'depth', 3)
"""
CALLS = """
str(get())
f'{get()}'
'%s' % get()
int(get())
range(get())
{get(): 1}
'a' in get()
get().get('a', 3)
get() | {}
get() + 1
-get()
type(get()) is int
callable(get())
hasattr(get(), 'a')
getattr(get(), 'a', 1)
','.join([get()])
Path(get())
get() == 3
Net(3).width
"""


@pytest.mark.parametrize("expression", [*NAMES.split("\n")[1:-1], *CALLS.split("\n")[1:-1]])
@pytest.mark.parametrize("dialect", ["", "from mainspring.config import later\n"])
def test_using_one_as_a_value_is_refused_with_its_place(expression, dialect, read):
    with pytest.raises(ConfigError) as error:
        read(f"{dialect}{HEAD}x = (\n    {expression}\n)\n")
    assert error.value.location is not None
    if "matched" not in expression:
        assert error.value.location.line == len((dialect + HEAD).split("\n")) + 1
    assert error.value.location.column
    assert error.value.help


@pytest.mark.parametrize("statement", ["Net.depth = 3", "del Net.depth"])
def test_setting_what_an_imported_name_has_is_an_effect(statement, read):
    with pytest.raises(ConfigError, match="value_zoo.Net.depth: reading a config has no effects"):
        read(f"{HEAD}{statement}\n")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("sorted(['b', 'a'], key=lambda s: s)", ["a", "b"]),
        ("max([1, 3], key=lambda v: -v)", 1),
        ("min([1, 3], key=lambda v: -v)", 3),
        ("[*map(lambda v: v + 1, [1, 2])]", [2, 3]),
        ("functools.reduce(lambda a, b: a + b, [1, 2])", 3),
        ("(lambda v: 2 * v)(4)", 8),
        ("isinstance(3, int)", True),
        ("callable(len)", True),
        ("type(3) is int", True),
        ("hasattr('a', 'upper')", True),
        ("getattr('a', 'nothing', 3)", 3),
        ("Net.depth == Net.depth", True),
        ("Net(7).depth", 7),
        ("Net(7, classes=3).classes", 3),
        ("Net(7)['depth']", 7),
        ("datetime.strptime('2024', '%Y').year", 2024),
    ],
)
def test_plain_python_on_plain_values_works(expression, value, read):
    cfg = read(
        f"from mainspring.config import later\nfrom datetime import datetime\n{HEAD}x = {expression}"
    )
    assert cfg.x == value


def test_a_lambda_under_a_name_is_a_helper(read):
    cfg = read(HEAD + "double = lambda v: 2 * v\nnet = Net(double(3))")
    assert dict(cfg.net) == {"type": cfg.net.type, "depth": 6}
    assert "double" not in cfg


def test_positional_values_of_a_base_are_read(read, write):
    write("base.py", "from value_zoo import Net\nmodel = Net(5, 10)\n")
    cfg = read("from value_zoo import Net\nfrom .base import *\nhead = Net(model.classes * 2)")
    assert PARTS.build(cfg.head).depth == 20


def test_flags_that_are_imported_for_real(read):
    cfg = read(
        "from mainspring.config import eager\nwith eager():\n    from value_zoo import Flag, DEPTH\n"
        "x = (Flag.A | Flag.B).value\ny = f'{DEPTH}'\nz = Flag.A"
    )
    assert (cfg.x, cfg.y) == (3, "3")
    assert "z = Flag.A" in cfg.pretty_text


EFFECTS = """
Path('a').write_text('x')
Path('a').touch()
Path('a').mkdir()
Path('here').unlink()
Path('here').rename('a')
Path('here').chmod(0o600)
Path('a').symlink_to('here')
Path('a').open('w')
open('a', 'w')
open('here', mode='r+')
exec("open('a', 'w')")
shutil.os.remove('here')
shutil.os.environ.__setitem__('MS_X', '1')
input()
real.write()
real.run()
real.os.system('true')
real.os.putenv('MS_X', '1')
shutil.copy('here', 'a')
socket.socket().connect(('127.0.0.1', 1))
os.remove('here')
"""
READING = """
Path('here').read_text()
real.read()
json.loads('"text"')
''.join(p.read_text() for p in Path('.').glob('here'))
next(Path('.').glob('here')).read_text()
Path('here').resolve().read_text()
"""
REAL = """
import os, subprocess
def write(): open("a", "w")
def run(): subprocess.run(["true"])
def read():
    with open("here") as file: return file.read()
"""


@pytest.fixture
def effects(write, read, monkeypatch, folder):
    write("real.py", REAL)
    write("here", "text")
    yield lambda expression: read(
        "import os, pathlib\nfrom pathlib import Path\nfrom mainspring.config import eager\n"
        "with eager():\n    import json, shutil, socket\n    import real\n"
        f"x = {expression}\n"
    )
    sys.modules.pop("real", None)


@pytest.mark.parametrize("expression", EFFECTS.split("\n")[1:-1])
def test_effects_are_refused_by_what_they_do(expression, effects, folder):
    before = {path.name for path in folder.iterdir()} | {"run.py", "__pycache__"}
    environment = dict(os.environ)
    with pytest.raises(ConfigError, match="reading a config has no effects") as error:
        effects(expression)
    assert {path.name for path in folder.iterdir()} <= before
    assert (folder / "here").read_text() == "text"
    assert dict(os.environ) == environment
    assert error.value.location is not None
    assert "module" in (error.value.help or "")


@pytest.mark.parametrize("expression", READING.split("\n")[1:-1])
def test_reading_is_no_effect(expression, effects):
    assert effects(expression).x == "text"


def test_after_a_config_is_read_files_are_written(effects, folder):
    with pytest.raises(ConfigError):
        effects("open('a', 'w')")
    (folder / "a").write_text("x")


@pytest.mark.parametrize(
    "call", ["subprocess.run(['true'])", "shutil.rmtree('x')", "glob.glob('*')"]
)
def test_what_touches_the_system_is_not_even_recorded(call, read):
    with pytest.raises(ConfigError, match="recorded, not called"):
        read(f"import {call.partition('.')[0]}\nfrom value_zoo import Net\nx = Net({call})")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("model = Net(**TABLE)", "zoo.TABLE"),
        ("model = Net({**TABLE})", "zoo.TABLE"),
        ("model = Net(dict(TABLE))", "zoo.TABLE"),
        ("model = Net('%d' % DEPTH)", "zoo.DEPTH"),
        ("model = Net(''.join(WORDS))", "zoo.WORDS"),
    ],
)
def test_what_python_itself_refuses_is_said_in_our_words(read, text, names):
    with pytest.raises(ConfigError) as caught:
        read(f"from zoo import DEPTH, Net, TABLE, WORDS\n{text}")
    said = str(caught.value)
    assert f"what is imported ({names}) has no value while the config is read" in said
    assert "with eager()" in said
    assert "Reference" not in said
    assert "Node" not in said
    assert caught.value.location.line == 2


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("from collections import OrderedDict\nmodel = Net(OrderedDict(a=1))", 13),
        ("from collections import OrderedDict\nmodel = Net([OrderedDict(a=1)])", 14),
        ("from collections import OrderedDict\nx = OrderedDict(a=1); y = Net()", 5),
        ("from collections import Counter\nmodel = Net(Counter('ab'))", 13),
        ("from collections import deque\nmodel = Net(deque([1]))", 13),
        ("from types import SimpleNamespace\nmodel = Net(SimpleNamespace(a=1))", 13),
        ("import uuid\nmodel = Net(uuid.UUID(int=3))", 13),
    ],
)
def test_classes_of_values_that_no_config_keeps_are_refused(read, text, column):
    with pytest.raises(ConfigError) as caught:
        read(f"from zoo import Net\n{text}")
    assert caught.value.location.line == 3
    assert caught.value.location.column in (column, column - 4, 9)


def test_what_only_calculates_is_called_at_once(read):
    cfg = read("import json\nfrom zoo import Net\nmodel = Net(json.loads('[1, 2]'))")
    assert "Net([1, 2])" in cfg.pretty_text


def test_the_value_of_a_member_of_an_enumeration_reads_back(read, write, folder, monkeypatch):
    write("ms_colours.py", "import enum\nclass Colour(enum.Enum):\n    RED = 7\n")
    monkeypatch.syspath_prepend(folder)
    for name in ("again.py", "again.yaml", "again.json"):
        cfg = read(
            "from ms_colours import Colour\n"
            "model = dict(type='Net', a=Colour.RED.value, b=Colour.RED.name)"
        )
        cfg.dump(name)
        again = Config.fromfile(name)
        assert (again.model.a, again.model.b) == (7, "RED")
