"""What configs may not reach: by no route, and data only what is known."""

from __future__ import annotations

import copy
import json
import sys

import pytest
import torch

from mainspring.config import Config, allow_packages
from mainspring.config.printing.parse import MARK
from mainspring.errors import ConfigError
from mainspring.names import DataName, gate, holds_data_names
from mainspring.registry import MODELS, DefaultScope
from mainspring.runner.building.model_setup import compile_step

FORBIDDEN = [
    "os.system",
    "posix.system",
    "subprocess.run",
    "builtins.eval",
    "builtins.exec",
    "builtins.__import__",
    "builtins.getattr",
    "builtins.open",
    "pickle.loads",
    "importlib.import_module",
    "sys.exit",
    "shutil.rmtree",
    "ctypes.CDLL",
    "socket.socket",
    "code.interact",
    "runpy.run_path",
    "test.support.script_helper.spawn_python",
    "torch.os.system",
    "torch.sys.exit",
    "torch.serialization.pickle.loads",
    "torch.utils.data.os.system",
    "numpy.os.system",
    "numpy.lib.os.system",
    "torch.nn.Module.__init__.__globals__",
    "torch.nn.Linear.__class__",
    "torch.nn.modules.module.functools.os.system",
    "mainspring.config.config.os.system",
]
CODE_RUNNERS = [
    "torch.load",
    "torch.hub.load",
    "torch.save",
    "torch.jit.load",
    "torch.utils.cpp_extension.load",
    "numpy.load",
    "mainspring.config.Config.fromfile",
    "mainspring.fileio.remove",
    "mainspring.checkpoint.load_file",
]


def test_python_s_own_tests_are_not_imported(read):
    with pytest.raises(ConfigError, match="the module test is no part of a run"):
        MODELS.build(spec("test.autotest.main"))
    with pytest.raises(ConfigError, match="the module test is no part of a run"):
        MODELS.build(read("model: {type: test.autotest.main}", "run.yaml").model)
    assert "test.autotest" not in sys.modules


def spec(kind):
    return {"type": kind}


@pytest.mark.parametrize("path", FORBIDDEN)
def test_no_string_reaches_the_system(path):
    with pytest.raises((ConfigError, KeyError, ImportError, AttributeError)):
        MODELS.build(spec(path))


@pytest.mark.parametrize("path", [*FORBIDDEN, *CODE_RUNNERS])
@pytest.mark.parametrize("form", ["python", "json", "yaml", "override"])
def test_no_data_reaches_the_system(path, form, write, read):
    if form == "python":
        root, _, rest = path.partition(".")
        if "__" in path:
            with pytest.raises(ConfigError):
                read(f"{MARK}\nimport {root}\nx = dict(type={root}.{rest})\n")
            return
        cfg = read(f"{MARK}\nimport {root}\nx = dict(type={root}.{rest})\n")
    elif form == "override":
        write("run.py", "x = 1")
        if "__" in path:
            with pytest.raises(ConfigError):
                Config.fromfile("run.py", overrides=[f"x=@{path}()"])
            return
        cfg = Config.fromfile("run.py", overrides=[f"x=@{path}()"])
    else:
        text = json.dumps({"x": {"type": {"_ref_": path}, "_call_": True}})
        cfg = read(text, f"run.{form}")
    with pytest.raises((ConfigError, ImportError, KeyError)):
        MODELS.build(cfg.x)


@pytest.mark.parametrize("path", CODE_RUNNERS)
def test_no_string_runs_code(path):
    with pytest.raises((ConfigError, KeyError)):
        MODELS.build(spec(path))


def test_a_program_may_name_what_it_imports(read):
    cfg = read("import torch\nx = torch.hub.load('a/b', 'c')")
    assert cfg.x.type.__name__ == "load"


def test_a_program_may_not_reach_the_system_either(read):
    with pytest.raises(ConfigError, match="function of Python's module subprocess"):
        read("import torch, subprocess\nx = subprocess.run(['ls'])")
    cfg = read("import torch\nx = torch.os.system('ls')")
    with pytest.raises(ConfigError):
        MODELS.build(cfg.x)


@pytest.mark.parametrize("path", ["torch.nn.Linear", "torch.nn.functional.relu", "torch.bfloat16"])
def test_known_packages_are_allowed(path, read):
    cfg = read(json.dumps({"x": {"_ref_": path}}), "run.json")
    assert cfg.x is not None


def test_functions_of_packages_must_be_allowed_first(read, monkeypatch):
    monkeypatch.setattr(gate, "_allowed", set())
    text = json.dumps({"x": {"_ref_": "hypothesis.given"}})
    with pytest.raises(
        ConfigError, match="a function of hypothesis that is not registered"
    ) as error:
        _ = read(text, "run.json").x
    assert "--allow hypothesis" in error.value.help
    allow_packages("hypothesis")
    assert callable(read(text, "run.json").x)


def test_a_project_allows_packages_where_the_person_stands(read, write, monkeypatch):
    monkeypatch.setattr(gate, "_allowed", set())
    text = json.dumps({"x": {"_ref_": "hypothesis.given"}})
    write("data/pyproject.toml", '[tool.mainspring]\nallow = ["hypothesis"]')
    with pytest.raises(ConfigError):
        _ = read(text, "data/run.json").x
    gate._allowed_by_project.cache_clear()
    write("pyproject.toml", '[tool.mainspring]\nallow = ["hypothesis"]')
    assert callable(read(text, "data/run.json").x)
    gate._allowed_by_project.cache_clear()
    write("pyproject.toml", '[tool.mainspring]\nallow = "hypothesis"')
    with pytest.raises(ConfigError, match="allow"):
        _ = read(text, "data/run.json").x


def test_the_project_s_own_modules_are_allowed(read, write, folder, monkeypatch):
    write("ms_own.py", "class Net:\n    pass\n")
    monkeypatch.syspath_prepend(folder)
    cfg = read(json.dumps({"x": {"type": {"_ref_": "ms_own.Net"}, "_call_": True}}), "run.json")
    assert type(MODELS.build(cfg.x)).__name__ == "Net"
    sys.modules.pop("ms_own")


def test_reading_data_runs_nothing(read):
    read(f"{MARK}\nimport ms_evil\nx = ms_evil.run()\n")
    read(json.dumps({"x": {"type": {"_ref_": "ms_evil.run"}, "_call_": True}}), "run.json")
    assert "ms_evil" not in sys.modules


# By kind, not by name: none of these is on a list

RUN_SOMETHING = {
    "yaml.unsafe_load": {"stream": "!!python/object/apply:os.system ['touch PWN']"},
    "pydoc.pipepager": {"text": "", "cmd": "touch PWN"},
    "subprocess.Popen": {"args": ["touch", "PWN"]},
    "logging.FileHandler": {"filename": "PWN"},
    "tempfile.NamedTemporaryFile": {"dir": ".", "delete": False},
    "setuptools._distutils.spawn.spawn": {"cmd": ["touch", "PWN"]},
    "numpy.savetxt": {"fname": "PWN", "X": [1]},
    "numpy.memmap": {"filename": "PWN", "mode": "w+", "shape": [1]},
    "torch.from_file": {"filename": "PWN", "shared": True, "size": 4},
    "torch.utils.tensorboard.SummaryWriter": {"log_dir": "PWN"},
    "torch.utils.data.datapipes.iter.FileOpener": {"datapipe": ["PWN"], "mode": "w"},
    "torch.fx.GraphModule": {"root": {}, "graph": 1},
    "torch._utils._import_dotted_name": {"name": "os.system"},
    "operator.methodcaller": {"name": "unlink"},
    "builtins.type": {"name": "A"},
    "builtins.open": {"file": "PWN", "mode": "w"},
    "pathlib.Path.touch": {"self": "PWN"},
    "joblib.Memory": {"location": "PWN"},
    "PIL.Image.open": {"fp": "PWN"},
    "mainspring.fileio.put_text": {"obj": "x", "filepath": "PWN"},
    "mmengine.fileio.put_text": {"obj": "x", "filepath": "PWN"},
    "mainspring.checkpoint.save_checkpoint": {"checkpoint": {}, "filename": "PWN"},
    "mainspring.config.Config.fromfile": {"filename": "PWN"},
    "mainspring.names.allow_packages": {"names": "os"},
    "torch.nn.Linear.forward": {},
    "torch.nn.modules.module.OrderedDict.__init__": {},
    "torch.utils.data": {},
}


@pytest.mark.parametrize("path", RUN_SOMETHING)
@pytest.mark.parametrize(
    "form", ["string", "reference", "nested", "value", "late", "partial", "toml"]
)
def test_no_route_of_data_reaches_what_is_no_part_of_a_run(path, form, read, folder):
    arguments = RUN_SOMETHING[path]
    call = {"_call_": True, "type": {"_ref_": path}, **arguments}
    specs = {
        "string": {"type": path, **arguments},
        "reference": call,
        "nested": {"type": "torch.nn.Sequential", "_args_": [call], "_call_": True},
        "value": {"type": "torch.nn.Identity", "_args_": [{"_ref_": path}], "_call_": True},
        "late": call | {"_late_": True},
        "partial": {
            "type": {"_ref_": "functools.partial"},
            "_args_": [{"_ref_": path}],
            "_call_": True,
        },
    }
    if form == "toml":
        cfg = read(f'[model]\ntype = "{path}"', "run.toml")
    else:
        cfg = read(json.dumps({"model": specs[form]}), "run.json")
    with pytest.raises((ConfigError, ImportError, KeyError)):
        MODELS.build(cfg.model)
    assert not (folder / "PWN").exists()


def test_a_string_in_a_program_may_name_a_function_of_its_own(read, write, folder, monkeypatch):
    write("ms_made.py", "def make(n=1):\n    return [n]\n")
    monkeypatch.syspath_prepend(folder)
    assert MODELS.build(read("x = dict(type='ms_made.make', n=3)").x) == [3]
    for text, name in (
        ("x: {type: ms_made.make}", "a.yaml"),
        (f"{MARK}\nx = dict(type='ms_made.make')", "a.py"),
    ):
        with pytest.raises(ConfigError, match="not registered"):
            MODELS.build(read(text, name).x)
    sys.modules.pop("ms_made")


def test_a_name_of_data_stays_one_on_its_way(read, write):
    """Merged into a program, copied, dumped and read again."""
    write("base.yaml", "model: {type: hypothesis.given}\nother: {kind: hypothesis.given}\n")
    cfg = read("_base_ = 'base.yaml'\nmodel = dict(x=1)\n")
    again = read("model: {type: '{{_base_.other.kind}}'}\n_base_: base.yaml\n", "child.yaml")
    copied = copy.deepcopy(cfg)
    write("dumped.py", cfg.dump())
    for each in (cfg, again, copied, Config.fromfile("dumped.py"), Config(cfg.to_dict())):
        assert isinstance(each.model.type, DataName)
        with pytest.raises(ConfigError):
            MODELS.build(each.model)


@pytest.mark.parametrize(
    "program",
    [
        "import os",
        "x = [c for c in ().__class__.__base__.__subclasses__()]",
        "x = print",
        "dict = eval\nx = dict('1')",
        "x = f'{().__class__}'",
        "_base_ = __import__('os').listdir()",
        "from torch import nn\nmodel = nn.Linear(2, 2)",
        "def f(): ...",
        "_base_ = 'worse.py'",
    ],
)
@pytest.mark.parametrize("name", ["run.yaml", "run.json", "run.toml"])
def test_data_has_no_program_as_its_base(program, name, read, write):
    write("worse.py", "import os")
    write("base.py", program)
    text = {"run.yaml": "_base_: base.py", "run.json": '{"_base_": "base.py"}'}
    with pytest.raises(ConfigError, match="a program"):
        read(text.get(name, '_base_ = "base.py"'), name)


def test_data_may_build_on_a_python_file_that_only_states_values(read, write):
    write("zero.py", "n = 2")
    write(
        "base.py",
        "_base_ = ['zero.py']\nw = [1] * 3\na = dict(type='hypothesis.given', w=w, n={{_base_.n}})",
    )
    cfg = read("_base_: base.py\na: {z: 1}", "run.yaml")
    assert cfg.a.w == [1, 1, 1]
    assert cfg.a.n == 2
    assert isinstance(cfg.a.type, DataName)


@pytest.mark.parametrize("imports", ["ms_evil", "[ms_evil]", "{imports: [ms_evil]}"])
def test_data_imports_nothing_unless_allowed(imports, read, write, folder, monkeypatch):
    write("ms_evil.py", "x = 1")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(gate, "_allowed", set())
    with pytest.raises(ConfigError):
        read(f"custom_imports: {imports}", "run.yaml")
    assert "ms_evil" not in sys.modules
    assert read("custom_imports: {imports: [ms_evil]}", "run.yaml", import_custom_modules=False)
    allow_packages("ms_evil")
    read("custom_imports: {imports: [ms_evil]}", "run.yaml")
    assert sys.modules.pop("ms_evil")


@pytest.mark.parametrize(
    "words",
    [
        "trust_remote_code: true",
        "weights_only: false",
        "trust_repo: check",
        "kwargs: {trust_remote_code: 1}",
        "parts: [{allow_pickle: true}]",
    ],
)
def test_data_does_not_decide_what_to_trust(words, read, write):
    cfg = read(f"model: {{type: torch.nn.Identity, {words}}}", "run.yaml")
    with pytest.raises(ConfigError, match="data does not decide what to trust"):
        MODELS.build(cfg.model)
    with pytest.raises(ConfigError, match="data does not decide what to trust"):
        read("_base_ = 'run.yaml'\nmodel = dict(type='torch.nn.Identity')")
    assert type(MODELS.build(dict(type="torch.nn.Identity", trust_remote_code=True)))


def test_data_names_no_program_for_a_compiler(read):
    """Settings of torch's compilers are commands; numbers are not."""
    for value in ("[touch, PWN]", "touch"):
        cfg = read(f"compile: {{target: forward, options: {{cpp.cxx: {value}}}}}", "run.yaml")
        with pytest.raises(ConfigError, match="may name programs"):
            compile_step(torch.nn.Identity(), cfg, None)
    cfg = read("compile: {target: forward, options: {max_autotune: true}}", "run.yaml")
    assert not holds_data_names(cfg.compile)


def test_scopes_of_the_standard_library_are_not_imported(read):
    cfg = read("model: {type: antigravity.Net}\ndefault_scope: antigravity", "run.yaml")
    with DefaultScope.overwrite_default_scope("antigravity"), pytest.raises(KeyError):
        MODELS.build(cfg.model)
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    "text",
    [
        "nn.Sequential(nn.Linear(2, 3), nn.ReLU(), act=nn.ReLU)",
        "nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0]))",
        "Supervised(nn.Linear(2, 3), loss=F.cross_entropy)",
        "nn.Linear(2, 3, dtype=torch.float64)",
        "DataLoader(TensorDataset(torch.arange(6)), batch_size=2)",
        "later(AdamW)(lr=1e-3)",
        "nn.Identity(fn=torch.tanh, agg=torch.mean)",
    ],
)
def test_what_a_run_of_a_program_writes_down_builds_the_same_parts(text, read):
    head = (
        "import torch\nfrom torch import nn\nfrom torch.nn import functional as F\n"
        "from torch.optim import AdamW\nfrom torch.utils.data import TensorDataset\n"
        "from mainspring.config import later\nfrom mainspring.dataset import DataLoader\n"
        "from mainspring.model import Supervised\n"
    )
    cfg = read(f"{head}model = {text}".replace(", act=nn.ReLU", ""))
    again = read(cfg.dump(), "dumped.py")
    assert str(MODELS.build(again.model)) == str(MODELS.build(cfg.model)) or "at 0x" in str(
        MODELS.build(cfg.model)
    )
