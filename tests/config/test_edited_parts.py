"""What is edited after it was used: as in the program that the file is, or refused."""

from __future__ import annotations

import pytest

from mainspring.config import Config
from mainspring.config.config_dict import keeping_lazy
from mainspring.errors import ConfigError

HEAD = "from zoo import Data, Flip, Crop, Net\nfrom mainspring.config import copy, edit\n"
ACTS = {
    "a list": ("steps = [Flip()]", "edit(steps).append(Crop())", "data.pipeline.1.type"),
    "a list, by its own method": (
        "steps = [Flip()]",
        "steps.append(Crop())",
        "data.pipeline.1.type",
    ),
    "a list that is added to": ("steps = [Flip()]", "steps += [Crop()]", "data.pipeline.1.type"),
    "a list of dicts": (
        "steps = [dict(type=Flip)]",
        "steps.append(dict(type=Crop, size=3))",
        "data.pipeline.1.size",
    ),
    "a dict in a list": ("steps = [dict(type=Flip)]", "edit(steps)[0].p = 1", "data.pipeline.0.p"),
    "a dict": ("steps = dict(first=1)", "edit(steps).second = 2", "data.pipeline.second"),
    "a dict of dicts": ("steps = dict(a=dict())", "edit(steps).a.b = 2", "data.pipeline.a.b"),
    "a list in a dict": ("steps = dict(a=[1])", "edit(steps).a.append(2)", "data.pipeline.a.1"),
    "a list in a tuple": ("steps = ([1], 2)", "steps[0].append(2)", "data.pipeline.0.1"),
}


def at(cfg, path):
    with keeping_lazy():
        part = cfg._cfg_dict
        for key in path.split("."):
            part = part[int(key)] if isinstance(part, list | tuple) else dict.__getitem__(part, key)
        return part


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("in_child", [False, True])
def test_editing_what_a_part_has_got_changes_the_part(read, write, name, in_child):
    made, changed, path = ACTS[name]
    used = f"{HEAD}{made}\ndata = Data(pipeline=steps)\n"
    if in_child:
        write("base.py", used)
        text = f"{HEAD}from .base import *\n{changed}"
    else:
        text = used + changed
    cfg = read(text)
    assert at(cfg, path) is not None
    assert at(cfg, path.replace("data.pipeline", "steps")) == at(cfg, path)
    place = cfg.locate(path)
    assert (place.file, place.line) == ("run.py", text.count("\n") + 1)


@pytest.mark.parametrize("name", ACTS)
def test_what_was_read_is_one_part_at_each_place(read, name):
    made, _, _ = ACTS[name]
    cfg = read(f"{HEAD}{made}\ndata = Data(pipeline=steps)\nmore = Data(pipeline=steps)\n")
    assert cfg.data.pipeline == cfg.more.pipeline == cfg.steps
    cfg.override(["+data.pipeline.x=1" if isinstance(cfg.steps, dict) else "data.pipeline+=1"])
    assert cfg.more.pipeline == cfg.steps != cfg.data.pipeline


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ("options['b'] = 2", (5, 9)),
        ("options.update(b=2)", (5, 16)),
        ("options.setdefault('b', 2)", (5, 20)),
        ("options |= dict(b=2)", (5, 1)),
        ("options.pop('a')", (3, 16)),
        ("del options['a']", (3, 16)),
        ("options.clear()", (3, 16)),
    ],
)
def test_changing_a_dict_of_python_that_a_part_has_got_is_refused(read, change, place):
    text = f"{HEAD}options = dict(a=1)\nmodel = Net(options)\n{change}\n"
    with pytest.raises(
        ConfigError, match="options is changed after a part of the config"
    ) as caught:
        read(text)
    assert "edit(options)" in caught.value.help
    assert (caught.value.location.line, caught.value.location.column or 1) == place


@pytest.mark.parametrize(
    "text",
    [
        "options = dict(a=1)\noptions['b'] = 2\nmodel = Net(options)",
        "options = dict(a=1)\nmodel = Net(copy(options))\noptions['b'] = 2",
        "options = dict(a=1)\nmodel = Net(**options)\noptions['b'] = 2",
        "options = dict(a=1)\nmodel = Net(options)\nedit(options).b = 2",
        "options = dict(a=1)\nmodel = Net(options)\noptions = dict(a=2)",
    ],
)
def test_other_changes_are_as_in_any_program(read, text):
    assert read(HEAD + text).options is not None


def test_what_stands_in_two_sections_is_not_edited_at_one_of_them(read):
    text = (
        f"{HEAD}steps = [Flip()]\ntrain_dataloader = Data(steps=steps)\n"
        "val_dataloader = Data(steps=steps)\nedit(val_dataloader).steps.append(Crop())\n"
    )
    with pytest.raises(ConfigError, match="are the same object") as caught:
        read(text)
    assert "copy" in caught.value.help
    cfg = read(
        text.replace(
            "val_dataloader = Data(steps=steps)", "val_dataloader = Data(steps=copy(steps))"
        )
    )
    assert [len(at(cfg, f"{name}_dataloader.steps")) for name in ("train", "val")] == [1, 2]


def test_configs_of_mmengine_copy_as_mmengine_does(read, write):
    write(
        "base.py",
        "from zoo import Net\nsteps = [dict(type=Net)]\ndata = dict(type=Net, steps=steps)\n",
    )
    cfg = read(
        "from mmengine.config import read_base\nwith read_base():\n    from .base import *\n"
        "steps.append(dict(type='Crop'))\n"
    )
    assert isinstance(cfg, Config)
    assert [len(at(cfg, path)) for path in ("steps", "data.steps")] == [2, 1]


def test_positional_arguments_are_edited_by_their_numbers(read):
    made = "from torch import nn\nfrom mainspring.config import edit\n"
    made += "net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2), nn.Tanh())\n"
    cfg = read(
        made + "edit(net)[0].bias = False\nedit(net)[1] = nn.GELU()\ndel edit(net)[2]\n"
        "edit(net).append(nn.Sigmoid())\n"
    )
    expected = "nn.Sequential(nn.Linear(2, 4, bias=False), nn.GELU(), nn.Tanh(), nn.Sigmoid())"
    assert cfg.net == read(f"from torch import nn\nnet = {expected}").net
    with pytest.raises(ConfigError, match="no item 7: it has 4 items"):
        read(made + "edit(net)[7].bias = False\n")


def test_what_is_set_directly_has_its_place(read):
    text = "from zoo import Net\nnet = Net(1)\nnet.width = 2\n"
    cfg = read(text)
    assert cfg.net.width == 2
    assert str(cfg.nearest_place("net.width")).startswith("run.py:3")
