"""MMEngine's name for mainspring: modules, patching, children, and what stays untouched without it.

Each program has a process of its own, since the alias holds for a whole process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

from prepared_processes import run

ALIAS = "import mainspring.compat.mmengine\n"


def output_of(program, *arguments, before=ALIAS, runner=run, **kwargs):
    """What a program prints, which must end well."""
    words = [sys.executable, "-c", before + textwrap.dedent(program), *arguments]
    result = runner(words, capture_output=True, text=True, timeout=120, **kwargs)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_modules_are_the_same_objects():
    output_of("""
        import mmengine.hooks.hook, mmengine.runner.loops, mmengine.utils.dl_utils
        import mainspring.hooks.hook, mainspring.runner.loops, mainspring.utils.dl_utils
        assert mmengine.hooks is mainspring.hooks
        assert mmengine.hooks.hook is mainspring.hooks.hook
        assert mmengine.utils.dl_utils is mainspring.utils.dl_utils
        assert mmengine.runner.loops.__spec__.name == "mainspring.runner.loops"
    """)


def test_version():
    output_of("""
        import mmengine, mainspring
        from mmengine.version import parse_version_info
        assert mmengine.__version__ == mmengine.version.__version__ == "0.10.7"
        assert mmengine.version_info == (0, 10, 7) == parse_version_info(mmengine.__version__)
        assert parse_version_info("1.3.0rc1") == (1, 3, 0, "rc1")
        assert mainspring.__version__ != mmengine.__version__
    """)


def test_names_of_the_top():
    output_of("""
        import copy
        import mmengine, mainspring.config, mainspring.registry
        from mmengine import *
        assert copy.deepcopy([1]) == [1]
        assert Config is mmengine.Config is mainspring.config.Config
        assert build_from_cfg is mainspring.registry.build_from_cfg
    """)


def test_submodules_are_attributes():
    output_of("""
        import mmengine
        assert mmengine.runner.amp.autocast is mmengine.runner.autocast
        assert mmengine.runner.checkpoint.load_checkpoint is mmengine.runner.load_checkpoint
        assert mmengine.optim.scheduler.lr_scheduler.LinearLR is mmengine.optim.LinearLR
    """)


def test_submodules_as_attributes_have_every_name():
    output_of("""
        import mmengine
        import mainspring.hooks
        assert callable(mmengine.hooks.profiler_hook.check_kineto)
        assert callable(mmengine.fileio.io._parse_uri_prefix)
    """)


def test_private_names_that_mmpretrain_calls():
    output_of("""
        from mmengine import DictAction, Registry
        from mmengine.registry import MODELS
        models = Registry("model", parent=MODELS, scope="pretrained")
        def build(**kwargs):
            return kwargs
        models._register_module(module=build, module_name="AutoModel")
        assert models.build(dict(type="AutoModel", name_or_path="x")) == {"name_or_path": "x"}
        assert DictAction._parse_iterable("1,2") == [1, 2]
    """)


@pytest.mark.parametrize("first", ["testing", "runner", "runner.loops", "hooks", "model", "infer"])
def test_any_package_may_be_imported_first(first):
    program = f"import mmengine.{first} as found; print(found.__spec__.name)"
    assert output_of(program).strip() == f"mainspring.{first}"


def test_a_module_runs_as_a_program():
    words = [sys.executable, "-m", "mainspring", "exec", "-m", "mmengine.registry.root"]
    result = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")


def test_what_is_not_there_is_named_as_it_was_asked_for():
    output_of("""
        import mmengine, pytest
        with pytest.raises(ModuleNotFoundError, match="mmengine.nothing"):
            import mmengine.nothing
        with pytest.raises(ModuleNotFoundError, match="mmengine.runner.nothing"):
            import mmengine.runner.nothing
        with pytest.raises(AttributeError, match="'mmengine' has no attribute 'nothing'"):
            mmengine.nothing
        with pytest.raises(AttributeError, match="'mmengine.runner' has no attribute 'nothing'"):
            mmengine.runner.nothing
        with pytest.raises(ImportError, match="nothing"):
            from mmengine.utils.misc import nothing
    """)


def test_importing_costs_nothing_that_is_not_used():
    output_of(
        """
        import sys, mmengine
        heavy = {"torch", "numpy", "mainspring.runner", "mainspring.config"} & set(sys.modules)
        assert not heavy, heavy
        """,
        runner=subprocess.run,
    )


def test_nothing_changes_without_it():
    output_of(
        """
        import sys, mainspring.runner
        from mainspring.logging import MMLogger
        from mainspring.runner.building.environment import Randomness
        assert MMLogger.get_current_instance().name == "mainspring"
        assert Randomness().sample_rng == "sample"
        assert not any("mmengine" in name.split(".") for name in sys.modules)
        try:
            import mmengine
        except ModuleNotFoundError:
            print("none")
        """,
        before="",
    )


def test_defaults_and_names_are_mmengines():
    lines = output_of("""
        import torch
        from mmengine.logging import MessageHub, MMLogger
        from mmengine.optim import OptimWrapper
        from mainspring.optim.optimizer.fused_choice import prefer_fused
        from mainspring.runner.building.environment import Randomness
        logger = MMLogger.get_current_instance()
        assert logger.instance_name == "mmengine" and logger is MMLogger.get_instance("mmengine")
        assert MessageHub.get_current_instance().instance_name == "mmengine"
        assert Randomness().sample_rng == "worker"
        wrapper = OptimWrapper(torch.optim.AdamW(torch.nn.Linear(1, 1).parameters()))
        prefer_fused(wrapper)
        assert not wrapper.optimizer.defaults["fused"]
        from mmengine.evaluator import DumpResults
        DumpResults("out.pkl")
        logger.info("hello")
    """)
    assert lines.endswith(" - mmengine - INFO - hello\n")
    assert "WARNING - DumpResults has no prefix" in lines


@pytest.mark.parametrize(
    ("before", "given", "absent"),
    [(ALIAS, ["loss", "time"], ["val_time"]), ("", ["val_loss", "val_time"], ["loss", "time"])],
)
def test_times_and_losses_of_a_validation_are_named_as_there(before, given, absent, tmp_path):
    lines = output_of(
        """
        import sys, torch
        from pathlib import Path
        from torch.utils.data import DataLoader
        from mainspring.model import BaseModel
        from mainspring.runner import Runner

        class Model(BaseModel):
            def __init__(self):
                super().__init__()
                self.layer = torch.nn.Linear(1, 1)

            def forward(self, inputs, mode="tensor"):
                return {"loss": self.layer(inputs).mean()} if mode == "loss" else []

        loader = DataLoader([{"inputs": torch.ones(1)}] * 4, batch_size=2)
        runner = Runner(
            Model(), sys.argv[1], loader, loader, train_cfg=dict(max_epochs=1),
            val_cfg=dict(compute_loss=True), val_evaluator=[],
            optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)), log_level="ERROR",
        )
        runner.train()
        print(next(Path(runner.log_dir).rglob("scalars.json")).read_text())
        """,
        str(tmp_path),
        before=before,
    )
    validation = json.loads(lines.strip().splitlines()[-1])
    assert set(given) <= validation.keys()
    assert not set(absent) & validation.keys()


@pytest.mark.parametrize(
    ("target", "used"),
    [
        (
            "mmengine.runner.checkpoint.load_from_http",
            "mainspring.checkpoint.schemes.load_from_http",
        ),
        ("mmengine.dist.get_rank", "mainspring.logging.logger.get_rank"),
        (
            "mmengine.dataset.sampler.get_dist_info",
            "mainspring.dataset.order.samplers.get_dist_info",
        ),
        ("mmengine.dist.dist.all_gather", "mainspring.dist.all_gather"),
        ("mmengine.hooks.CheckpointHook", "mainspring.hooks.checkpoint_hook.CheckpointHook"),
        ("mmengine.Config", "mainspring.config.config.Config"),
    ],
)
def test_patching_reaches_what_is_used(target, used):
    output_of(f"""
        import mmengine, pkgutil
        from unittest import mock
        import mainspring.logging.logger, mainspring.checkpoint.schemes, mainspring.hooks
        before = pkgutil.resolve_name("{used}")
        with mock.patch("{target}") as stub:
            assert pkgutil.resolve_name("{used}") is stub
            assert pkgutil.resolve_name("{target}") is stub
        assert pkgutil.resolve_name("{used}") is before
        assert pkgutil.resolve_name("{target}") is before
        with mock.patch("{target}"):  # and once more
            pass
        assert pkgutil.resolve_name("{used}") is before
    """)


CHILDREN = """
import multiprocessing, subprocess, sys

def child(results):
    import mmengine
    results.put(mmengine.config.__name__ + mmengine.__version__)

if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        results = context.Queue()
        process = context.Process(target=child, args=(results,))
        process.start()
        print(method, results.get(timeout=60))
        process.join()
    code = "import mmengine; print(mmengine.config.__name__ + mmengine.__version__)"
    print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
"""


@pytest.mark.parametrize("line", [ALIAS, ""], ids=["imported", "exec"])
def test_children_have_it(tmp_path, line):
    script = tmp_path / "script.py"
    script.write_text(line + CHILDREN)
    verb = [] if line else ["-m", "mainspring", "exec"]
    words = [sys.executable, *verb, str(script)]
    result = subprocess.run(words, capture_output=True, text=True, timeout=150)
    expected = ["fork", "spawn", "forkserver", ""]
    assert result.stdout.split("\n")[:4] == [
        f"{method} mainspring.config0.10.7".strip() for method in expected
    ], result.stderr


def test_the_real_one_is_not_replaced_behind_its_users(tmp_path):
    (tmp_path / "mmengine").mkdir()
    (tmp_path / "mmengine" / "__init__.py").write_text('__version__ = "0.10.7"\n')
    output_of(
        """
        import sys
        sys.path.insert(0, ".")
        import mmengine, pytest
        with pytest.raises(ImportError, match="mmengine 0.10.7 was imported from"):
            import mainspring.compat.mmengine
        """,
        before="",
        cwd=tmp_path,
    )


def test_hooks_of_a_run_are_those_of_mmengine_and_a_diverged_one_ends(tmp_path):
    output_of(
        """
        import sys, torch
        from mmengine.runner import Runner
        from mmengine.model import BaseModel

        class Falling(BaseModel):
            def __init__(self):
                super().__init__()
                self.weight = torch.nn.Parameter(torch.ones(1))
            def forward(self, inputs, mode="tensor"):
                return {"loss": self.weight.sum() * torch.tensor(float("nan"))}

        runner = Runner(Falling(), sys.argv[1], [{"inputs": torch.ones(1)}] * 40,
                        train_cfg={"by_epoch": True, "max_epochs": 1},
                        optim_wrapper={"optimizer": {"type": "SGD", "lr": 1}})
        assert len(runner.hooks) == len(runner._hooks) == 6
        runner._hooks = []
        runner.register_default_hooks()
        assert len(runner._hooks) == 6
        runner.register_default_hooks({"divergence": {"type": "DivergenceHook"}})
        assert "DivergenceHook" in [type(hook).__name__ for hook in runner.hooks]
        runner._hooks = []
        try:
            runner.train()
        except FloatingPointError as error:
            assert "diverged" in str(error)
        else:
            raise AssertionError("it went on")
        """,
        str(tmp_path),
    )


def test_what_stands_in_for_mmcv_is_not_taken_for_it():
    output_of("""
        import mmcv, mmcv.runner
        from mmengine.utils import get_installed_path, is_installed
        assert not is_installed("mmcv") and is_installed("yaml")
        try:
            get_installed_path("mmcv")
        except ModuleNotFoundError:
            pass
        else:
            raise AssertionError("there is no path of MMCV")
    """)


def test_names_that_lie_elsewhere_here():
    output_of("""
        from mmengine.fileio.file_client import HTTPBackend, LocalBackend, PetrelBackend
        from mmengine.optim.optimizer.builder import TORCH_OPTIMIZERS
        from mmengine.runner.checkpoint import _safe_torch_load
        from mmengine.runner.loops import _InfiniteDataloaderIterator
        assert {"SGD", "Optimizer"} <= set(TORCH_OPTIMIZERS)
        given = {}
        exec("from mmengine.optim.optimizer.builder import *", given)
        assert {"LION_OPTIMIZERS", "register_torch_npu_optimizers", "build_optim_wrapper"} <= set(given)
        assert given["register_lion_optimizers"]() == given["LION_OPTIMIZERS"] == ["Lion"]
        import ast
        from mmengine.config.utils import _gather_abs_import_lazyobj
        tree, names = _gather_abs_import_lazyobj(ast.parse("from torch.optim import SGD, Adam"))
        lazy = {}
        exec(compile(tree, "a config", "exec"), {"LazyObject": lambda *words: words}, lazy)
        assert names == {"SGD", "Adam"} and lazy["SGD"][:2] == ("torch.optim", "SGD")
        batches = _InfiniteDataloaderIterator([1, 2])
        assert [next(batches) for _ in range(5)] == [1, 2, 1, 2, 1]
    """)
