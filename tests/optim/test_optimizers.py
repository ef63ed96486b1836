"""Which optimizers a config can name, and what that costs."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from mainspring.optim import Muon, ZeroRedundancyOptimizer
from mainspring.registry import OPTIMIZERS


def parameters():
    return nn.Linear(2, 2).parameters()


def test_every_optimizer_of_torch():
    base = torch.optim.Optimizer
    classes = {name: item for name, item in vars(torch.optim).items() if isinstance(item, type)}
    found = {name for name, item in classes.items() if issubclass(item, base) and item is not base}
    assert {"SGD", "AdamW", "LBFGS", "Adafactor"} <= found
    for name in found:
        registered = "TorchAdafactor" if name == "Adafactor" else name
        # Torch's own Muon refuses all that is no matrix.
        expected = Muon if name == "Muon" else classes[name]
        assert OPTIMIZERS.get(registered) is expected


def test_building_by_name():
    made = OPTIMIZERS.build(dict(type="AdamW", params=parameters(), lr=0.3))
    assert isinstance(made, torch.optim.AdamW)
    made = OPTIMIZERS.build(dict(type="TorchAdafactor", params=parameters()))
    assert isinstance(made, torch.optim.Adafactor)


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("Lion", "lion-pytorch"),
        ("DAdaptAdam", "dadaptation"),
        ("SophiaG", "Sophia-Optimizer"),
        ("PagedAdamW8bit", "bitsandbytes"),
        ("Adafactor", "transformers"),
    ],
)
def test_a_missing_package_is_named_when_it_is_needed(name, package, monkeypatch):
    for module in ("lion_pytorch", "dadaptation", "Sophia", "bitsandbytes", "transformers"):
        monkeypatch.setitem(sys.modules, module, None)
    assert callable(OPTIMIZERS.get(name))
    with pytest.raises(ImportError) as caught:
        OPTIMIZERS.build(dict(type=name, params=parameters()))
    text = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert f"pip install {package}" in text


def test_an_installed_package_is_used(monkeypatch):
    class Lion(torch.optim.SGD):
        pass

    package = ModuleType("lion_pytorch")
    package.Lion = Lion
    monkeypatch.setitem(sys.modules, "lion_pytorch", package)
    made = OPTIMIZERS.build(dict(type="Lion", params=parameters(), lr=0.3))
    assert isinstance(made, Lion)


def test_a_package_that_breaks_on_import_keeps_its_own_error(monkeypatch, tmp_path):
    (tmp_path / "lion_pytorch.py").write_text("import a_module_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_module_that_is_not_there"):
        OPTIMIZERS.build(dict(type="Lion", params=parameters()))


def test_importing_the_package_imports_no_other():
    code = (
        "import sys, mainspring.optim\n"
        "heavy = {'transformers', 'bitsandbytes', 'lion_pytorch', 'dadaptation', 'Sophia', 'apex',"
        " 'torch.distributed.optim'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_zero_redundancy_with_a_single_process(tmp_path):
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1
    )
    try:
        made = OPTIMIZERS.build(
            dict(
                type="ZeroRedundancyOptimizer",
                params=list(parameters()),
                optimizer_type="SGD",
                lr=0.3,
            )
        )
        assert isinstance(made, ZeroRedundancyOptimizer)
        assert isinstance(made.optim, torch.optim.SGD)
        with pytest.raises(ValueError, match=r"torch\.optim does not have"):
            ZeroRedundancyOptimizer(list(parameters()), optimizer_type="SDG")
    finally:
        torch.distributed.destroy_process_group()
