"""Importing mainspring is cheap: nothing heavy is loaded before it is needed."""

import json
import subprocess
import sys

import pytest

import mainspring

HEAVY = ("torch", "numpy", "matplotlib", "cv2", "rich", "yaml", "fsspec", "packaging")
NEVER = ("torch", "numpy", "matplotlib", "cv2", "rich")


def modules_after(statement):
    program = f"{statement}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(json.loads(run.stdout))


@pytest.mark.parametrize(
    "module", ["config", "registry", "fileio", "logging", "utils", "errors", "version"]
)
def test_packages_below_the_engine_load_nothing_heavy(module):
    assert not modules_after(f"import mainspring.{module}") & set(NEVER)


def test_the_bare_import_loads_no_package_of_ours_either():
    loaded = modules_after("import mainspring")
    assert not loaded & set(HEAVY)
    assert {name for name in loaded if name.startswith("mainspring")} == {
        "mainspring",
        "mainspring.version",
    }


def test_names_are_loaded_when_they_are_asked_for():
    loaded = modules_after("from mainspring import ProgressBar, Registry, Timer")
    assert not loaded & set(NEVER)
    assert "mainspring.config" not in loaded


@pytest.mark.parametrize("package", ["config", "fileio", "logging", "registry", "utils"])
def test_the_public_names_of_the_light_packages_are_names_of_mainspring(package):
    module = getattr(mainspring, package)
    assert module.__name__ == f"mainspring.{package}"
    for name in module.__all__:
        assert getattr(mainspring, name) is getattr(module, name)


def test_star_import_dir_and_version():
    names = {}
    exec("from mainspring import *", names)
    assert {"Config", "Registry", "MMLogger", "load", "is_list_of", "__version__"} <= set(names)
    assert set(mainspring.__all__) - {"__version__", "version_info"} <= set(dir(mainspring))
    assert mainspring.version_info[:2] == tuple(
        int(part) for part in mainspring.__version__.split(".")[:2]
    )


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Confg'"):
        _ = mainspring.Confg
    with pytest.raises(ImportError):
        exec("from mainspring import Confg")
