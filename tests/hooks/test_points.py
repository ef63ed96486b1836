"""The table of points, the base class and the diagram say the same."""

from __future__ import annotations

import inspect
import re
from typing import get_args

import pytest

from mainspring.hooks import HOOK_POINTS, Hook, HookPointName, points
from mainspring.hooks.points import FAMILIES, POINT_NAMES


def test_the_typed_names_are_those_of_the_table() -> None:
    assert get_args(HookPointName) == POINT_NAMES == Hook.stages


def test_the_diagram_shows_every_point_in_the_order_of_the_table_with_its_arguments() -> None:
    diagram = (points.__doc__ or "").split("A loop by iterations", maxsplit=1)[0]
    shown = re.findall(r"((?:before|after)_\w+)\(runner(?:, )?([^)]*)\)", diagram)
    expected = [(point.name, ", ".join(point.arguments)) for point in HOOK_POINTS]
    assert shown == expected


@pytest.mark.parametrize("point", HOOK_POINTS, ids=lambda point: point.name)
def test_the_base_class_has_a_method_with_the_arguments_of_the_point(point) -> None:
    parameters = list(inspect.signature(getattr(Hook, point.name)).parameters)
    assert parameters == ["self", "runner", *point.arguments]
    assert point.when


@pytest.mark.parametrize(("name", "arguments"), FAMILIES.items())
def test_the_base_class_has_the_methods_of_the_families(name, arguments) -> None:
    assert list(inspect.signature(getattr(Hook, name)).parameters) == ["self", "runner", *arguments]


def test_the_base_class_has_no_other_points() -> None:
    named_like_points = {name for name in vars(Hook) if re.match("_?(before|after)_", name)}
    assert named_like_points == {*POINT_NAMES, *FAMILIES}


@pytest.mark.parametrize("point", [p for p in HOOK_POINTS if p.family], ids=lambda p: p.name)
def test_inherited_methods_call_their_family_with_the_mode(point) -> None:
    seen = {}

    class Recording(Hook):
        def _before_epoch(self, runner, mode="train"):
            seen.update(runner=runner, mode=mode)

        _after_epoch = _before_epoch

        def _before_iter(self, runner, batch_idx, data_batch=None, mode="train"):
            seen.update(runner=runner, batch_idx=batch_idx, data_batch=data_batch, mode=mode)

        def _after_iter(self, runner, batch_idx, data_batch=None, outputs=None, mode="train"):
            seen.update(
                runner=runner,
                batch_idx=batch_idx,
                data_batch=data_batch,
                outputs=outputs,
                mode=mode,
            )

    arguments = {name: name for name in point.arguments}
    getattr(Recording(), point.name)("runner", **arguments)
    arguments.pop("metrics", None)
    assert seen == {"runner": "runner", "mode": point.mode, **arguments}
