"""What configs may not reach: by no route, and data only what is known."""

from __future__ import annotations

import json
import sys

import pytest

from mainspring.config import Config, allow_packages
from mainspring.config.parse import MARK
from mainspring.errors import ConfigError
from mainspring.registry import MODELS
from mainspring.utils.allow import _allowed

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
    cfg = read(
        "import torch\nimport subprocess\nx = torch.os.system('ls')\ny = subprocess.run(['ls'])"
    )
    for name in ("x", "y"):
        with pytest.raises(ConfigError):
            MODELS.build(cfg[name])


@pytest.mark.parametrize("path", ["torch.nn.Linear", "torch.nn.functional.relu", "torch.bfloat16"])
def test_known_packages_are_allowed(path, read):
    cfg = read(json.dumps({"x": {"_ref_": path}}), "run.json")
    assert cfg.x is not None


def test_unknown_packages_must_be_allowed_first(read):
    text = json.dumps({"x": {"_ref_": "hypothesis.given"}})
    with pytest.raises(ConfigError, match="'hypothesis' is not known to be safe") as error:
        _ = read(text, "run.json").x
    assert "--allow hypothesis" in error.value.help
    allow_packages("hypothesis")
    try:
        assert callable(read(text, "run.json").x)
    finally:
        _allowed.discard("hypothesis")


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
