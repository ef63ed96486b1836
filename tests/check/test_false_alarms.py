"""Configs that are right, or of other projects: nothing is said that is not so."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from check_configs import RECORDED
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import mainspring
from mainspring.check import Problem, check_config
from mainspring.config import Config
from mainspring.config.schema import SECTIONS
from prepared_processes import run

ROOT = Path(__file__).parents[2]
ZOO = sorted(
    path
    for kind in ("py", "yaml", "json")
    for path in (ROOT / "tests" / "config" / "zoo").glob(f"*/*.{kind}")
)

PROGRAM = """
import sys
sys.path[:0] = [{zoo!r}]
import zoo_models
from mainspring.config import Config
from mainspring.check import check_config

def is_so(problem):
    # Parts of the zoo are unfinished on purpose: names that nothing registers, sections alone.
    message = problem.message
    return (
        problem.severity == "warning"
        or " has no '" in message
        or message.startswith("no registry knows")
        or "does not exist" in message
        or message.endswith((" is missing", " are missing"))
        or message == "the config has no 'model'"
    )

for path in sys.argv[1:]:
    cfg = Config.fromfile(path)
    for problem in check_config(cfg):
        assert is_so(problem), (path, str(problem))
"""


def test_classes_stand_where_their_calls_could(problems_of):
    text = RECORDED.replace("import CheckpointHook,", "import EMAHook,").replace(
        "import CosineAnnealingLR,", "import ConstantLR,"
    )
    text = text.replace("Accuracy()", "[Accuracy]")
    more = "custom_hooks = [EMAHook]\nparam_scheduler = [ConstantLR]\n"
    assert problems_of(text + more) == []


def test_nothing_is_invented_about_configs_of_other_projects():
    assert len(ZOO) > 20
    program = PROGRAM.format(zoo=str(ROOT / "tests" / "config" / "zoo"))
    words = [sys.executable, "-c", program, *map(str, ZOO)]
    environment = {**os.environ, "PYTHONPATH": str(Path(mainspring.__file__).parents[1])}
    ran = run(words, capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("name", ["digits", "retinanet-r18"])
def test_nothing_is_wrong_with_the_typed_configs(name, monkeypatch):
    folder = ROOT / "tests" / "typing"
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(sys.modules, "zoo", None)
    del sys.modules["zoo"]  # afterwards it is what it was before
    assert check_config(Config.fromfile(folder / "good" / f"{name}.py")) == []


NAMES = [
    *SECTIONS,
    *(key for section in SECTIONS.values() for key in section.keys),
    *("type", "_scope_", "_args_", "init_cfg", "milestones", "T_max", "end", "begin", "metrics"),
    *("save_best", "monitor", "pipeline", "topk", "x"),
]
TYPES = [
    *("MultiStepLR", "CosineAnnealingLR", "CheckpointHook", "Accuracy", "Evaluator", "SGD"),
    *("EpochBasedTrainLoop", "DefaultSampler", "Adam", "torch.nn.ReLU", "torch.nn.Nothing"),
    *("a.b", ".", "a:", "", "mmdet.ResNet", "OptimWrapper", "LocalVisBackend", "\\0"),
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 20)
    | st.floats()
    | st.sampled_from([*TYPES, "x", "nowhere.pth"])
    | st.sampled_from([len, dict, lambda: None, object()]),
    lambda items: (
        st.lists(items, max_size=3)
        | st.tuples(items)
        | st.dictionaries(st.sampled_from(NAMES) | st.integers() | st.text(max_size=3), items)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.dictionaries(st.sampled_from([*NAMES, "default_scope", "mdoel"]), VALUES))
@example(values={"param_scheduler": {0: []}, "env_cfg": {}})
def test_nothing_is_raised_whatever_the_config_says(values):
    for found in (
        check_config(Config(values)),
        check_config(values, imports=False),
    ):
        assert all(isinstance(problem, Problem) and str(problem) for problem in found)
