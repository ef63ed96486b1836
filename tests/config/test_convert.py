"""`mainspring convert`: old configs become recorded ones that read back equal."""

from __future__ import annotations

import argparse
import importlib
import io
import json
import shutil
import sys
import tokenize
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.cli import convert as verb
from mainspring.config import Config
from mainspring.errors import ConfigError
from mainspring.registry import MODELS, root
from mainspring.tools.convert import convert, same_config
from mainspring.tools.convert.names import Names

HERE = Path(__file__).parent
ZOO = HERE / "zoo"
EXAMPLES = HERE.parents[1] / "examples"
KINDS = ("detection", "segmentation", "classification", "pose")
FORMATS = (".py", ".yaml", ".json", ".toml")

FILES = [
    path for kind in KINDS for path in sorted((ZOO / kind).rglob("*")) if path.suffix in FORMATS
]
LEAVES = [path for path in FILES if "_base_" not in path.parts]
CONFIGS = [*LEAVES, *sorted(EXAMPLES.glob("*/config*.py"))]
PRINTED = {"mutated_dicts.py"}
"""Files that cannot keep their text, since they read types back as strings."""


@pytest.fixture(autouse=True, scope="module")
def zoo_models():
    """The classes that the zoo names; the registries are as before afterwards."""
    registries = [getattr(root, name) for name in root.__all__]
    for registry in registries:
        registry.try_locations()
    before = [dict(registry.module_dict) for registry in registries]
    folders = [str(ZOO), *map(str, EXAMPLES.glob("*"))]
    sys.path[:0] = folders
    importlib.import_module("zoo_models")
    yield
    sys.path[:] = [path for path in sys.path if path not in folders]
    sys.modules.pop("zoo_models", None)
    for registry, names in zip(registries, before, strict=True):
        registry.module_dict.clear()
        registry.module_dict.update(names)


def shown(path):
    return str(path.relative_to(ZOO if ZOO in path.parents else EXAMPLES))


def comments(text):
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


# The zoo


def test_the_zoo_is_large_enough():
    print(f"{len(LEAVES)} leaf configs, {len(FILES)} files, {len(CONFIGS)} with the examples")
    assert len(LEAVES) >= 30
    assert {path.relative_to(ZOO).parts[0] for path in LEAVES} == set(KINDS)


@pytest.mark.parametrize("path", CONFIGS, ids=shown)
def test_a_converted_config_reads_equal(path, tmp_path):
    report = convert(path, tmp_path / "new")
    new = report.written[-1]
    assert same_config(path, new) == []
    is_printed = any("its values are printed" in remark.text for remark in report.remarks)
    assert is_printed == (path.name in PRINTED)
    if path.suffix == ".py" and not is_printed:
        written = Path(new).read_text()
        assert [c for c in comments(path.read_text()) if c not in written] == []


@pytest.mark.parametrize("path", CONFIGS, ids=shown)
def test_a_flat_config_reads_equal(path, tmp_path):
    new = tmp_path / "flat.py"
    report = convert(path, new, flat=True)
    assert report.written == [str(new)]
    assert same_config(path, new) == []
    assert " import *" not in new.read_text()


def test_converting_what_is_converted_changes_nothing(tmp_path):
    path = ZOO / "detection" / "retinanet_ghm.py"
    once = convert(path, tmp_path / "once").written
    twice = convert(once[-1], tmp_path / "twice").written
    assert [Path(file).read_text() for file in once] == [Path(file).read_text() for file in twice]


def test_most_types_of_the_zoo_become_calls(tmp_path):
    reports = [convert(path, tmp_path / str(i)) for i, path in enumerate(LEAVES[::4])]
    calls, kept = sum(r.calls for r in reports), sum(r.kept for r in reports)
    print(f"{calls} calls, {kept} kept as dicts")
    assert calls > 5 * kept


def test_a_package_that_is_not_there_is_looked_for_once(monkeypatch):
    asked = []
    monkeypatch.setattr("mainspring.tools.convert.names.is_installed", asked.append)
    names = Names("nowhere")
    for name in ("A", "nowhere.A", "elsewhere.B"):
        assert names.find(name, ("model",)) is None
    assert asked == ["nowhere", "elsewhere"]


def test_a_converted_model_is_built_as_before(tmp_path):
    path = ZOO / "detection" / "_base_" / "models" / "retinanet.py"
    new = convert(path, tmp_path / "new.py").written[-1]
    old, converted = (MODELS.build(Config.fromfile(file).model) for file in (path, new))
    assert type(old) is type(converted)
    assert dict(converted.backbone) == {**old.backbone, "type": type(MODELS.build(old.backbone))}


# What becomes what


@pytest.fixture
def converted(write):
    """Write a file, perhaps beside a base, and give its recorded text without the imports."""

    def convert_text(text, base=None, name="old.py"):
        if base is not None:
            write("base.py", base)
            text = f"_base_ = 'base.py'\n{text}"
        report = convert(write(name, text), "new")
        assert not [remark for remark in report.remarks if "printed" in remark.text]
        lines = Path(report.written[-1]).read_text().split("\n")
        return "\n".join(line for line in lines if not line.startswith("from ")).strip("\n")

    return convert_text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model = dict(type='ResNet', depth=50)", "model = ResNet(depth=50)"),
        ("model = dict(depth=50, type='ResNet')", "model = ResNet(depth=50)"),
        ("model = {'type': 'ResNet', 'depth': 50}", "model = ResNet(depth=50)"),
        ("x = dict(type='Conv')", "x = Conv()"),
        ("x = dict(type='Conv', **dict(k=1))", "x = Conv(**dict(k=1))"),
        ("x = dict(a=1)", "x = dict(a=1)"),
        ("x = dict(type='Nowhere', a=1)", "x = dict(type='Nowhere', a=1)"),
        ("x = dict(type='torch.nn.ReLU')", "x = ReLU()"),
        ("x = dict(type='mmengine.Accuracy')", "x = Accuracy()"),
        (
            "n = 3\nx = [dict(type='Conv', k=n * i) for i in range(n)]",
            "n = 3\nx = [Conv(k=n * i) for i in range(n)]",
        ),
        ("kind = 'Conv'\nx = dict(type=kind, k=1)", "kind = 'Conv'\nx = Conv(k=1)"),
        (
            "optim_wrapper = dict(optimizer=dict(type='SGD', lr=1))",
            "optim_wrapper = dict(optimizer=later(SGD)(lr=1))",
        ),
        (
            "param_scheduler = dict(type='StepLR', step_size=3)",
            "param_scheduler = later(StepLR)(step_size=3)",
        ),
        (
            "val_dataloader = dict(sampler=dict(type='DefaultSampler', shuffle=False))",
            "val_dataloader = dict(sampler=later(DefaultSampler)(shuffle=False))",
        ),
        (
            "d = dict(collate_fn=dict(type='pad_collate', fill=2))",
            "d = dict(collate_fn=later(pad_collate)(fill=2))",
        ),
        ("train_cfg = dict(by_epoch=True, max_epochs=3)", "train_cfg = ByEpoch(max_epochs=3)"),
        (
            "train_cfg = dict(by_epoch=False, max_iters=3, val_interval=2)",
            "train_cfg = ByIteration(max_iters=3, val_interval=2)",
        ),
        # What equals the default would be lost.
        (
            "train_cfg = dict(by_epoch=True, max_epochs=3, val_interval=1)",
            "train_cfg = dict(by_epoch=True, max_epochs=3, val_interval=1)",
        ),
        # What the class does not take, or gets from somebody else, is no call.
        (
            "custom_hooks = [dict(type='IntervalHook', priority=1)]",
            "custom_hooks = [dict(type=IntervalHook, priority=1)]",
        ),
        ("test_cfg = dict(type='TestLoop')", "test_cfg = dict(type=TestLoop)"),
        # A class that is not registered gets calls built, but this one got a dict.
        (
            "x = dict(type='zoo_models.Wrapper', inner=dict(type='Conv'))",
            "x = Wrapper(inner=dict(type=Conv))",
        ),
        ("x = '{{$ZOO_A:b}}'", 'x = env("ZOO_A", "b")'),
        ("x = '{{$ZOO_A:b}}/c'", "x = f\"{env('ZOO_A', 'b')}/c\""),
        ("x = '{{$ZOO_A:b}}/{}'", "x = (env('ZOO_A', 'b') + '/{}')"),
        ("x = {{$ZOO_A:3}} + 1", 'x = env("ZOO_A", 3) + 1'),
        ("x = {{'$ZOO_A:3'}} + 1", 'x = env("ZOO_A", 3) + 1'),
        ("x = ('{{$ZOO_A:b}}' '/c')", "x = (f\"{env('ZOO_A', 'b')}/c\")"),
        ("x = '{{$ZOO_A:b}}'  # as {{$ZOO_A:b}}", 'x = env("ZOO_A", "b")  # as $ZOO_A'),
        ("x = '{{fileBasename}}'", "x = 'old.py'"),
        # A part of its own for each place, whatever `copy` is in the file.
        (
            "copy = 3\nnorm = dict(type='Conv', k=copy)\nmodel = dict(a=norm, b=norm)",
            "copy = 3\nnorm = Conv(k=copy)\nmodel = dict(a=norm, b=config_copy(norm))",
        ),
        ("été = dict(ü='ß', type='Conv')  # ñ", "été = Conv(ü='ß')  # ñ"),
        (
            "# head\n\n# of x\nx = dict(  # why\n  type='Conv',\n  # a\n  a=1)  # end",
            "# head\n\n# of x\nx = Conv(  # why\n  # a\n  a=1)  # end",
        ),
    ],
)
def test_a_file_without_bases(converted, old, new):
    assert converted(old) == new


BASE = """
n = 3
words = ['a', 'b']
norm = dict(type='Conv', k=1)
model = dict(type='ResNet', depth=50, norm_cfg=norm, dcn=dict(norm=norm, a=1, b=2))
val_dataloader = dict(batch_size=1, dataset=dict(type='ImageNet', a=1))
test_dataloader = val_dataloader
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model = dict(depth=18)", "edit(model).depth = 18"),
        ("model = dict(type='ResNet', depth=18)", "edit(model).depth = 18"),
        ("model = dict(dcn=dict(c=dict(d=1)))", "edit(model).dcn.c = dict(d=1)"),
        ("model = dict(_delete_=True, type='Conv')", "model = Conv()"),
        ("model = dict(dcn=dict(_delete_=True, a=1))", "edit(model).dcn = dict(a=1)"),
        (
            "model = dict(dcn=dict(norm=dict(_delete_=True, type='FPN')))",
            "edit(model).dcn.norm = FPN()",
        ),
        # One of two places with the same part.
        (
            "model = dict(norm_cfg=dict(k=2))",
            "edit(model).norm_cfg = copy(model.norm_cfg)\nedit(model).norm_cfg.k = 2",
        ),
        ("test_dataloader = dict(batch_size=2)", "edit(test_dataloader).batch_size = 2"),
        ("model = dict(type='HRNet', x=1)", "edit(model).type = HRNet\nedit(model).x = 1"),
        ("model = dict(dcn={'a-b': 1})", 'edit(model).dcn["a-b"] = 1'),
        (
            "model = dict(update=1, dcn=dict(pop=2))",
            'edit(model)["update"] = 1\nedit(model).dcn["pop"] = 2',
        ),
        ("k = {{_base_.n}} * 2", "k = n * 2"),
        ("k = _base_.model.depth", "k = model.depth"),
        ("k = {{_base_.words.1}}", "k = words[1]"),
        ("k = {{_base_.words}}", "k = copy(words)"),
        ("k = _base_.model.dcn", "k = copy(model.dcn)"),
        ("_base_.model.depth = 3", "edit(model).depth = 3"),
        ("words = [*_base_.words, 'c']", "words = [*copy(words), 'c']"),
        ("words = ['c']", "words = ['c']"),
        ("new = dict(type='FPN')", "new = FPN()"),
        (
            "model = dict(\n    # less\n    depth=18,  # deep\n    dcn=dict(a=[\n        1,\n    ]))",
            "# less\nedit(model).depth = 18  # deep\nedit(model).dcn.a = [\n    1,\n]",
        ),
        ("model = dict(depth=(1 +\n  2))", "edit(model).depth = (1 +\n  2)"),
        ("n = 5\nk = {{_base_.n}}", "_base_n = n\n\nn = 5\nk = _base_n"),
        (
            "more = dict(batch_size=2)\nval_dataloader = more",
            "more = dict(batch_size=2)\nedit(val_dataloader).batch_size = 2",
        ),
    ],
)
def test_a_child(converted, old, new):
    assert converted(old, base=BASE) == new


def test_names_that_the_file_uses_itself_are_imported_under_others(write):
    write("old.py", "Conv = 3\nlater = 4\noptim_wrapper = dict(optimizer=dict(type='SGD', lr=1))\n"
          "x = dict(type='Conv', a=Conv)\n")  # fmt: skip
    text = Path(convert("old.py", "new.py").written[0]).read_text()
    assert "from zoo_models import Conv as zoo_models_Conv" in text
    assert "config_later(SGD)(lr=1)" in text


def test_printed_values_keep_their_kinds(write):
    values = {"a": [1, 2.5, None, True, 'it\'s "x"\n'], "b-c": {"2": {}}, "d": [[], [[]]]}
    write("old.json", json.dumps({"x": values, "y": 1e400, "z": "{{a}}"}))
    convert("old.json", "new.py")
    assert Config.fromfile("new.py").x == values
    assert Config.fromfile("new.py").y == float("inf")
    assert Config.fromfile("new.py").z == "{{a}}"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=6) | st.sampled_from(["type", "pipeline", "optimizer", "lr", "depth"]),
            inner | st.sampled_from(["ResNet", "Conv", "SGD", "OptimWrapper", "Nowhere"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(model=JSON)
def test_any_data_reads_equal(tmp_path_factory, model):
    folder = tmp_path_factory.mktemp("any")
    old = folder / "old.json"
    old.write_text(json.dumps({"model": model}))
    try:
        Config.fromfile(old)
    except ConfigError:
        return  # two braces that are a template, which is no config
    new = convert(old, folder / "new.py").written[0]
    assert same_config(old, new) == []
    shutil.rmtree(folder)


KEYS = st.sampled_from(["type", "a", "b", "model", "norm"])
NAMES = st.sampled_from(["ResNet", "Conv", "FPN", "SGD", "Nowhere"])
TREES = st.recursive(
    st.integers(0, 9) | NAMES | st.lists(st.integers(0, 9), max_size=2),
    lambda inner: st.dictionaries(KEYS, inner | NAMES, max_size=4),
    max_leaves=10,
)
CHANGES = st.recursive(
    st.integers(0, 9) | NAMES | st.lists(st.integers(0, 9), max_size=2),
    lambda inner: st.dictionaries(
        KEYS | st.just("_delete_"), inner | NAMES | st.just(True), max_size=4
    ),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    base=st.dictionaries(KEYS, TREES, max_size=3), child=st.dictionaries(KEYS, CHANGES, max_size=3)
)
def test_any_child_reads_equal(tmp_path_factory, base, child):
    folder = tmp_path_factory.mktemp("any")
    lines = [f"{key} = {value!r}" for key, value in base.items()]
    (folder / "base.py").write_text("\n".join([*lines, f"other = dict(x={next(iter(base), 0)})"]))
    lines = ["_base_ = 'base.py'", *(f"{key} = {value!r}" for key, value in child.items())]
    old = folder / "old.py"
    old.write_text("\n".join(lines))
    try:
        Config.fromfile(old)
    except (ConfigError, NameError):
        return  # a dict in the place of something else
    new = convert(old, folder / "new").written[-1]
    assert same_config(old, new) == []
    shutil.rmtree(folder)


# Files


def test_bases_keep_their_places_beside_a_file(write):
    write("configs/a/old.py", "_base_ = ['../_base_/x.py', './y-1.yaml']\nm = dict(k=2)\n")
    write("configs/_base_/x.py", "m = dict(k=1)\n")
    write("configs/a/y-1.yaml", "z: 3\n")
    report = convert("configs/a/old.py", "out/b/new.py")
    assert report.written == ["out/_base_/x.py", "out/b/y_1.py", "out/b/new.py"]
    text = Path("out/b/new.py").read_text()
    assert "from .._base_.x import *" in text
    assert "from .y_1 import *" in text
    cfg = Config.fromfile("out/b/new.py")
    assert (cfg.m.k, cfg.z) == (2, 3)


def test_bases_keep_their_places_in_a_directory(write):
    write("configs/a/old.py", "_base_ = '../_base_/x.py'\n")
    write("configs/_base_/x.py", "k = 1\n")
    report = convert("configs/a/old.py", "out")
    assert report.written == ["out/_base_/x.py", "out/a/old.py"]


def test_a_base_of_several_files_is_written_once(write):
    write("top.py", "k = 1\n")
    write("a.py", "_base_ = 'top.py'\na = 1\n")
    write("b.py", "_base_ = 'top.py'\nb = 1\n")
    write("old.py", "_base_ = ['a.py', 'b.py']\n")
    report = convert("old.py", "out")
    assert [Path(path).name for path in report.written] == ["top.py", "a.py", "b.py", "old.py"]
    assert same_config("old.py", "out/old.py") == []


def test_files_that_are_there_are_kept(write):
    write("old.py", "x = 1\n")
    write("new.py", "mine = 1\n")
    with pytest.raises(FileExistsError, match=r"new\.py is there already") as caught:
        convert("old.py", "new.py")
    assert isinstance(caught.value, ConfigError)
    assert "--force" in str(caught.value)
    assert Path("new.py").read_text() == "mine = 1\n"
    convert("old.py", "new.py", force=True)
    assert Path("new.py").read_text() == "x = 1\n"


def test_a_config_can_be_converted_in_place(write):
    write("base.py", "model = dict(type='ResNet', depth=50)\n")
    write("old.py", "_base_ = 'base.py'\nmodel = dict(depth=18)\n")
    old = Config.fromfile("old.py")
    convert("old.py", "old.py", force=True)
    assert "ResNet(depth=50)" in Path("base.py").read_text()
    assert same_config(old, "old.py") == []


# Reports and refusals


def test_what_stays_is_reported_by_line(write):
    write(
        "old.py",
        "work_dir = '{{ fileBasenameNoExtension }}'\n_scale = 2\n"
        "a = dict(type='Nowhere')\nkind = 'Conv'\nb = dict(type=kind)\n"
        "c = dict(type='no.where.Model')\nkinds = ['Conv']\nd = dict(type=kinds[0])\n",
    )
    report = convert("old.py", "new.py")
    assert [str(remark) for remark in report.remarks] == [
        "old.py:1: fileBasenameNoExtension became a literal: it does not follow the file's name any more",
        "old.py:2: _scale: a private name is no part of a recorded config",
        "old.py:3: kept as a dict: no package gives 'Nowhere'",
        "old.py:5: kind does not choose the class here any more",
        "old.py:6: kept as a dict: no package gives 'no.where.Model'",
        "old.py:8: kept as a dict: its type is computed",
    ]
    assert (report.calls, report.kept) == (1, 3)
    assert str(report).endswith(
        "wrote new.py\n1 calls, 3 kept as dicts; the new config equals the old one"
    )


def test_custom_imports_that_fail_are_reported(write):
    write("old.py", "custom_imports = dict(imports=['nowhere'])\nx = dict(type='Mine')\n")
    first, second = convert("old.py", "new.py").remarks
    assert str(first).startswith("old.py:1: nowhere cannot be imported, so its names are not known")
    assert str(second) == "old.py:2: kept as a dict: no package gives 'Mine'"


def test_a_file_that_cannot_keep_its_text_is_printed(write):
    write("old.py", "# head\nx = dict(type='Conv', k=1)\ny = dict(type='Conv')\n"
          "n = len(x)\nif y['type'] == 'Conv':\n    n += 1\n")  # fmt: skip
    report = convert("old.py", "new.py")
    assert "old.py:1: its values are printed, not its text: " in str(report)
    text = Path("new.py").read_text()
    assert text.startswith("# head\n")
    assert "n = 3\n" in text
    assert "x = Conv(k=1)" in text


@pytest.mark.parametrize(
    ("line", "reason"),
    [("x = f'{{$ZOO_A:b}}{1}'", "in an f-string"), ("x = n_{{$ZOO_A:3}}", "where no call can")],
)
def test_a_template_that_no_call_can_replace_is_printed(write, line, reason):
    write("old.py", f"n_3 = 4\n{line}\n")
    report = convert("old.py", "new.py")
    assert "its values are printed, not its text: a template" in str(report)
    assert reason in str(report)
    assert same_config("old.py", "new.py") == []


def test_values_without_python_are_refused(write):
    write("old.py", "import queue\nx = [queue.Queue(3)]\n")
    with pytest.raises(ConfigError, match=r"Queue object at .* cannot be written") as caught:
        convert("old.py", "new.py", flat=True)
    assert not Path("new.py").exists()
    assert "move it to a module" in str(caught.value)


def test_errors_of_the_old_config_are_its_own(write):
    with pytest.raises(FileNotFoundError, match=r"no config file 'old\.py'"):
        convert("old.py", "new.py")
    write("old.py", "x = dict(\n")
    with pytest.raises(SyntaxError, match=r"old\.py:1"):
        convert("old.py", "new.py")
    write("ok.py", "x = 1\n")
    with pytest.raises(OSError, match="is no Python file"):
        convert("ok.py", "new.yaml")
    assert not Path("new.py").exists()


# same_config


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ("x = dict(a=1)", "x = dict(a=1)", []),
        ("x = dict(a=1, b=2)", "x = dict(b=2, a=1)", []),
        ("x = dict(a=[1, dict(b=2)])", "x = dict(a=[1, dict(b=3)])", ["x.a.1.b"]),
        ("x = 1", "y = 1", ["x", "y"]),
        ("x = (1,)", "x = [1]", ["x"]),
        ("x = 1", "x = True", ["x"]),
        ("x = float('nan')", "x = float('nan')", []),
        ("_x = 1", "_x = 2", []),
        ("x = dict(type='Conv')", "from zoo_models import Conv\nx = Conv()", []),
        ("x = dict(type='Conv')", "from zoo_models import FPN\nx = FPN()", ["x.type"]),
        ("x = dict(type='torch.nn.ReLU')", "from torch import nn\nx = nn.ReLU()", []),
        ("x = dict(type='Nowhere')", "from nowhere import Nowhere\nx = Nowhere()", ["x.type"]),
        ("x = dict(type='ResNet', depth=3)", "from zoo_models import ResNet\nx = ResNet(3)", []),
        ("from a import B\nx = dict(type=B)", "from a import B\nx = B()", []),
    ],
)
def test_same_config(write, old, new, paths):
    write("old.py", old)
    write("new.py", new)
    assert same_config("old.py", "new.py") == paths


# The verb


def run_verb(*words):
    parser = argparse.ArgumentParser()
    verb.add_parser(parser.add_subparsers())
    options = parser.parse_args(["convert", *words])
    options.run(options)


def test_the_verb_prints_what_it_did(write, capsys):
    write("old.py", "x = dict(type='Nowhere')\ny = dict(type='Conv')\n")
    run_verb("old.py", "out/", "--flat")
    assert capsys.readouterr().out == (
        "old.py:1: kept as a dict: no package gives 'Nowhere'\n"
        "wrote out/old.py\n"
        "1 calls, 1 kept as dicts; the new config equals the old one\n"
        "help: --import MODULE makes names known that a module of yours registers\n"
    )


def test_the_verb_imports_what_registers_names(write, capsys, folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    write("my_parts.py", "from mainspring.registry import MODELS\n@MODELS.register_module()\n"
          "class Part: ...\n")  # fmt: skip
    run_verb(write("old.py", "x = dict(type='Part')\n"), "new.py", "--import", "my_parts")
    assert Path("new.py").read_text() == "from my_parts import Part\n\nx = Part()\n"
    with pytest.raises(ConfigError, match="--import nowhere: No module named 'nowhere'"):
        run_verb("old.py", "other.py", "--import", "nowhere")


def test_the_verb_takes_no_changes(write):
    parser = argparse.ArgumentParser()
    verb.add_parser(parser.add_subparsers())
    options = parser.parse_args(["convert", write("old.py", "x = 1"), "new.py"])
    options.overrides = [*options.overrides, "x=2"]
    with pytest.raises(ConfigError, match="takes no changes, but got 'x=2'"):
        options.run(options)


def test_converting_data_imports_only_what_it_may_name(write, folder, monkeypatch):
    write("ms_evil.py", "raise SystemExit('imported')")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr("mainspring.names.gate._allowed", set())
    text = '{"custom_imports": {"imports": "ms_evil"}}'
    convert(write("old.json", text), "new.py")
    assert "ms_evil" not in sys.modules
    with pytest.raises(ConfigError, match="the module test is no part of a run"):
        convert(write("old.json", '{"a": {"_ref_": "test.autotest.x"}}'), "other.py")


def test_names_that_data_cannot_have_imported_stay_strings(write, folder):
    convert(write("old.yaml", "model: {type: zoo_that_is_not.Net}"), "new.py")
    assert (folder / "new.py").read_text() == 'model = dict(type="zoo_that_is_not.Net")\n'


def test_keys_that_python_would_normalise_stay_texts(write, folder):
    convert(write("old.json", '{"model": {"\\u00b5": 1, "\\u03bc": 2}}'), "new.py")
    assert (folder / "new.py").read_text() == 'model = {"\u00b5": 1, "\u03bc": 2}\n'
