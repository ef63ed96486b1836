"""The schema of sections says what the signatures of the engine say."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

import mainspring.registry as registries
from mainspring.config.schema import (
    OLD_SECTIONS,
    OTHER_NAMES,
    ROLES,
    RUNNER_SECTIONS,
    SECTIONS,
    TRIPLES,
    misspelt_sections,
    role_of_section,
)
from mainspring.dataset import DataLoader
from mainspring.optim import AmpOptimWrapper, DefaultOptimWrapperConstructor, OptimWrapper
from mainspring.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner, TestLoop, ValLoop
from mainspring.runner.building.default_hooks import DEFAULT_HOOKS
from mainspring.runner.building.environment import Randomness, check_environment
from mainspring.runner.workflow_loop import WorkflowTrainLoop


def parameters(*targets):
    """Names of the parameters that can be given, those of base classes included."""
    return {
        name
        for target in targets
        for base in (inspect.getmro(target) if inspect.isclass(target) else [target])
        if base is not object
        for name, one in inspect.signature(base).parameters.items()
        if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL, one.POSITIONAL_ONLY)
    }


def test_the_sections_are_the_parameters_of_the_runner_in_their_order():
    given = [name for name in inspect.signature(Runner).parameters if name != "cfg"]
    positional = list(RUNNER_SECTIONS)[: len(given) - 2]
    assert positional == given[:-2]
    assert set(RUNNER_SECTIONS) == set(given)


LOOPS = (EpochBasedTrainLoop, IterBasedTrainLoop, WorkflowTrainLoop)
KEYS = {
    "train_cfg": parameters(*LOOPS) - ROLES["train_loop"].supplied | {"type", "by_epoch"},
    "val_cfg": parameters(ValLoop) - ROLES["val_loop"].supplied | {"type"},
    "test_cfg": parameters(TestLoop) - ROLES["test_loop"].supplied | {"type"},
    "optim_wrapper": parameters(OptimWrapper, AmpOptimWrapper)
    | (parameters(DefaultOptimWrapperConstructor) - {"optim_wrapper_cfg"})
    | {"type", "constructor"},
    "default_hooks": {*DEFAULT_HOOKS, "progress"},
    "randomness": {field.name for field in dataclasses.fields(Randomness)},
    **{
        f"{mode}_dataloader": parameters(DataLoader) | ROLES["loader"].extra | {"type"}
        for mode in ("train", "val", "test")
    },
}


@pytest.mark.parametrize("section", KEYS)
def test_a_section_takes_what_the_signatures_take(section):
    assert set(SECTIONS[section].keys) == KEYS[section]


def test_settings_are_those_that_the_engine_takes():
    check_environment(dict.fromkeys(SECTIONS["env_cfg"].keys), "none")
    with pytest.raises(Exception, match="has no setting"):
        check_environment({"backnd": None}, "none")


def test_each_section_is_known_once_and_by_what_it_holds():
    assert not set(SECTIONS) & set(OTHER_NAMES) | set(SECTIONS) & set(OLD_SECTIONS)
    assert {name for triple in TRIPLES for name in triple} <= set(SECTIONS)
    assert misspelt_sections([*SECTIONS, *OTHER_NAMES, *OLD_SECTIONS]) == {}
    assert {role.registry for role in ROLES.values()} - {""} <= set(registries.__all__)
    for name in SECTIONS:
        assert role_of_section(name) is not None
    for role in ROLES.values():
        assert set(role.parts.values()) <= set(ROLES)


def registered_as(role):
    role = ROLES[role]
    return getattr(registries, role.registry).get(role.default)


@pytest.mark.parametrize("name", [n for n, role in ROLES.items() if role.supplied and role.default])
def test_what_is_added_when_a_part_is_built_is_among_its_parameters(name):
    assert ROLES[name].supplied <= parameters(registered_as(name))
