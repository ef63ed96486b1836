"""What runs, though a signature of a project does not tell so: no run is refused or warned for it.

The sayings are OpenMMLab's: 2400 of its packaged configs hold one of them.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import pytest
from torch import nn

from mainspring.check import check_config, examine
from mainspring.registry import MODELS
from mainspring.runner.building.quick_check import MistakenConfigError, refuse_mistakes


def renaming(function):
    @functools.wraps(function)
    def renamed(self, *args, **kwargs):
        kwargs = {
            "deform_groups" if key == "deformable_groups" else key: value
            for key, value in kwargs.items()
        }
        return function(self, *args, **kwargs)

    return renamed


class Conv(nn.Module):
    @renaming
    def __init__(self, deform_groups: int = 1) -> None:
        super().__init__()


class PackedConv(Conv):
    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)


class Part(nn.Module):
    def __init__(self, magnitude_range: Sequence[float] = (0.0,)) -> None:
        super().__init__()


class Careless(nn.Module):
    """Its annotations are as wrong as those of many, and it takes words out of its parts."""

    def __init__(
        self,
        backends: dict | None = None,
        pipeline: Sequence[str] = (),
        size: tuple[float] = (1.0,),
        fill: float = 0.0,
        ratio: int | None = None,
        depth: int = 18,
        layers: Sequence[int] = (),
        part: dict | None = None,
    ) -> None:
        super().__init__()


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for kind in (Careless, PackedConv, Part):
        monkeypatch.setitem(MODELS.module_dict, kind.__name__, kind)


def config(**arguments):
    return dict(model=dict(type="Careless", **arguments), work_dir="runs")


RUNNING = [
    dict(backends=[dict(type="LocalVisBackend")]),
    dict(pipeline=[dict(type="Part"), dict(type="Part")]),
    dict(size=(0.15, 0.9)),
    dict(fill=(114.0, 114.0, 114.0)),
    dict(ratio=0.03),
    dict(layers=(1, 0.5)),
    dict(part=dict(type="Part", magnitude_key="alpha")),
    dict(part=dict(type="PackedConv", deformable_groups=4)),
    dict(part=dict(type="nms", iou_threshold=0.5)),
    dict(part=dict(type="careless")),
]


@pytest.mark.parametrize("arguments", RUNNING, ids=str)
def test_a_run_neither_refuses_nor_warns_of_what_runs(arguments):
    assert refuse_mistakes(config(**arguments)) == []
    assert all(problem.severity == "warning" for problem in check_config(config(**arguments)))


def test_a_check_says_what_is_unlike_the_signature():
    (problem,) = check_config(config(backends=[dict(type="LocalVisBackend")]))
    assert problem.message == "backends is a list, but Careless takes dict | None"
    assert problem.only_checked


REFUSED = [
    (dict(depth="18"), "depth is '18', but Careless takes int"),
    (dict(layers=[1, "two"]), "layers is"),
    (dict(backends=3), "backends is 3, but Careless takes dict | None"),
    (dict(deptt=18), "Careless has no parameter 'deptt'"),
    (dict(part=dict(type="Part", magnitud_range=[1.0])), "Part has no parameter 'magnitud_range'"),
    (dict(part=dict(type="Careles")), "no registry knows 'Careles'"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=[said for _, said in REFUSED])
def test_what_cannot_be_meant_is_refused_all_the_same(arguments, message):
    with pytest.raises(MistakenConfigError) as refusal:
        refuse_mistakes(config(**arguments))
    assert message in str(refusal.value)


def test_a_whole_number_of_iterations_may_be_written_as_a_fraction():
    train_cfg = dict(type="IterBasedTrainLoop", max_iters=9e4, val_interval=9e4 / 2)
    found = examine(dict(train_cfg=train_cfg)).problems
    assert not [problem for problem in found if "val_interval" in problem.message]


def test_the_annotations_of_torch_hold():
    found = check_config(config(part=dict(type=nn.Linear, in_features=4.5, out_features=2)))
    assert [problem.only_checked for problem in found] == [False]


def test_a_package_whose_import_fails_is_said_before_its_names_are(tmp_path, monkeypatch):
    package = tmp_path / "lacking_zoo"
    package.mkdir()
    (package / "__init__.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    cfg = dict(default_scope="lacking_zoo", model=dict(type="Detector"))
    with pytest.raises(MistakenConfigError) as refusal:
        refuse_mistakes(cfg)
    first, _, others = str(refusal.value).partition("one more mistake")
    assert "a_package_that_is_not_there" in first
    assert "no 'Detector'" in others
    assert refusal.value.config_path == "default_scope"
    assert refusal.value.help == "mend that import first"
    refuse_mistakes(dict(default_scope="lacking_zoo", model=dict(type="torch.nn.Identity")))
