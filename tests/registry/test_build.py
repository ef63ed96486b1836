"""Building from specs, and what an error tells about the spec."""

import functools

import pytest

from mainspring.errors import MainspringError, is_user_mistake
from mainspring.registry import (
    PARAM_SCHEDULERS,
    RUNNERS,
    DefaultScope,
    Registry,
    build_from_cfg,
    build_model_from_cfg,
    build_runner_from_cfg,
    build_scheduler_from_cfg,
)
from mainspring.utils import ManagerMixin

PARTS = Registry("part", scope="parts")


@PARTS.register_module()
class Gear:
    def __init__(self, teeth, *, material="brass", inner=None):
        if teeth < 3:
            raise ValueError(f"a gear has at least 3 teeth, not {teeth}")
        if teeth == 13:
            len(teeth)
        self.teeth, self.material = teeth, material
        self.inner = PARTS.build(inner) if inner else None


@PARTS.register_module()
class Worm(Gear):
    def __init__(self, pitch=1, **kwargs):
        super().__init__(**kwargs)


@PARTS.register_module()
class Movement(ManagerMixin):
    def __init__(self, name, jewels=17):
        super().__init__(name)
        self.jewels = jewels


@PARTS.register_module()
def oil(amount=1):
    return f"{amount} drops, scope {scope()}"


def scope():
    current = DefaultScope.get_current_instance()
    return current.scope_name if current else None


def notes_of(cfg, expected=TypeError):
    with pytest.raises(expected) as failed:
        PARTS.build(cfg)
    return failed.value, "\n".join(failed.value.__notes__)


class TestBuild:
    def test_names_classes_functions_and_paths(self):
        assert PARTS.build({"type": "Gear", "teeth": 8}).teeth == 8
        assert PARTS.build({"type": Gear, "teeth": 8}).material == "brass"
        assert PARTS.build({"type": "oil", "amount": 2}) == "2 drops, scope None"
        assert PARTS.build({"type": functools.partial(oil, 3)}).startswith("3 drops")
        assert PARTS.build({"type": "collections.OrderedDict", "a": 1}) == {"a": 1}
        assert PARTS.build({"type": "collections:Counter", "a": 1}) == {"a": 1}

    def test_the_spec_is_not_changed_and_inner_values_are_passed_on(self):
        spec = {"type": dict, "_scope_": "other", "inner": {"a": []}}
        built = PARTS.build(spec)
        assert set(spec) == {"type", "_scope_", "inner"}
        assert built["inner"] is spec["inner"]

    def test_default_arguments_fill_what_is_missing(self):
        spec = {"teeth": 8}
        built = build_from_cfg(spec, PARTS, {"type": "Gear", "teeth": 9, "material": "steel"})
        assert (built.teeth, built.material) == (8, "steel")
        assert spec == {"teeth": 8}

    def test_objects_like_a_config(self):
        class Config:
            def __init__(self, values):
                self._cfg_dict = values

            def __getitem__(self, key):
                return self._cfg_dict[key]

        assert PARTS.build(Config({"type": "Gear", "teeth": 7})).teeth == 7

    def test_a_mapping_is_asked_for_each_value(self):
        class Lazy(dict):
            def __getitem__(self, key):
                value = super().__getitem__(key)
                return value() if callable(value) else value

        assert PARTS.build(Lazy(type=lambda: Gear, teeth=lambda: 5)).teeth == 5

    def test_the_scope_holds_while_building(self):
        assert PARTS.build({"type": "oil", "_scope_": "other"}) == "1 drops, scope other"
        assert scope() is None

    def test_managed_classes_are_reached_by_name(self):
        try:
            built = PARTS.build({"type": "Movement", "name": "calibre", "jewels": 21})
            assert Movement.get_instance("calibre") is built
            assert PARTS.build({"type": "Movement", "name": "calibre"}) is built
        finally:
            Movement.release_instance("calibre")

    @pytest.mark.parametrize("wrong", [3, "Gear", None, [{"type": "Gear"}], Gear(3)])
    def test_only_dicts_are_specs(self, wrong):
        with pytest.raises(TypeError, match="cfg should be a dict") as failed:
            PARTS.build(wrong)
        assert is_user_mistake(failed.value)

    def test_other_wrong_arguments(self):
        with pytest.raises(KeyError, match='must contain the key "type"'):
            PARTS.build({"teeth": 3})
        with pytest.raises(TypeError, match="registry must be"):
            build_from_cfg({"type": "Gear"}, "PARTS")
        with pytest.raises(TypeError, match="default_args"):
            build_from_cfg({"type": "Gear"}, PARTS, 3)
        with pytest.raises(TypeError, match="type must be a str"):
            PARTS.build({"type": 3})


class TestFailures:
    def test_a_constructor_that_raises_keeps_its_error(self):
        spec = {"type": "Gear", "teeth": 2}
        error, notes = notes_of(spec, ValueError)
        assert str(error) == "a gear has at least 3 teeth, not 2"
        assert "while building Gear(teeth, *, material='brass', inner=None)" in notes
        assert "test_build.py:" in notes
        assert error.__mainspring_spec__ is spec
        assert not is_user_mistake(error)

    def test_unknown_and_missing_arguments(self):
        error, notes = notes_of({"type": "Gear", "tooth": 8, "xyz": 1})
        assert "Gear has no argument 'tooth'; did you mean 'teeth'?" in notes
        assert "Gear has no argument 'xyz'" in notes
        assert "Gear also needs 'teeth'" in notes
        assert is_user_mistake(error)

    def test_arguments_that_are_passed_on_to_a_base_class(self):
        error, notes = notes_of({"type": "Worm", "teeth": 8, "materiel": "steel"})
        assert "Worm has no argument 'materiel'; did you mean 'material'?" in notes
        assert is_user_mistake(error)

    def test_a_type_error_inside_the_constructor_is_not_the_users(self):
        error, notes = notes_of({"type": "Gear", "teeth": 13})
        assert "no argument" not in notes
        assert not is_user_mistake(error)

    def test_the_innermost_spec_is_remembered_and_the_outer_types_are_named(self):
        inner = {"type": "Gear", "teth": 8}
        error, notes = notes_of({"type": "Worm", "teeth": 9, "inner": {**inner}})
        assert error.__mainspring_spec__ == inner
        lines = notes.splitlines()
        assert lines[0].startswith("while building Gear(")
        assert "did you mean 'teeth'?" in lines[1]
        assert lines[-1].startswith("while building Worm, defined at")

    def test_an_unknown_inner_name_names_the_outer_type(self):
        error, notes = notes_of({"type": "Gear", "teeth": 9, "inner": {"type": "Geer"}}, KeyError)
        assert isinstance(error, MainspringError)
        assert "did you mean 'Gear'?" in str(error)
        assert notes.startswith("while building Gear, defined at")
        assert error.__mainspring_spec__ == {"type": "Geer"}

    def test_a_missing_name_of_a_managed_class(self):
        _, notes = notes_of({"type": "Movement", "jewls": 3})
        assert "Movement has no argument 'jewls'; did you mean 'jewels'?" in notes
        assert "Movement also needs 'name'" in notes

    def test_callables_without_a_signature(self):
        _, notes = notes_of({"type": "builtins.range", "start": 3})
        assert "while building range(...)" in notes


class TestSchedulers:
    @pytest.fixture
    def registry(self):
        registry = Registry("scheduler", build_func=build_scheduler_from_cfg, scope="sched")

        @registry.register_module()
        class Step:
            def __init__(self, optimizer, gamma=0.1, by_epoch=True):
                self.made = ("constructor", gamma)

            @classmethod
            def build_iter_from_epoch(cls, *args, epoch_length, **kwargs):
                made = cls(*args, **kwargs)
                made.made = ("converted", epoch_length)
                return made

        return registry

    def test_by_its_constructor(self, registry):
        defaults = {"optimizer": None, "epoch_length": 10}
        assert registry.build({"type": "Step", "gamma": 0.5}, default_args=defaults).made == (
            "constructor",
            0.5,
        )

    def test_converted(self, registry):
        spec = {"type": "Step", "convert_to_iter_based": True}
        defaults = {"optimizer": None, "epoch_length": 10}
        assert registry.build(spec, default_args=defaults).made == ("converted", 10)
        assert spec == {"type": "Step", "convert_to_iter_based": True}

    @pytest.mark.parametrize("more", [{}, {"epoch_length": 3, "by_epoch": False}])
    def test_what_cannot_be_converted(self, registry, more):
        spec = {"type": "Step", "convert_to_iter_based": True, **more}
        with pytest.raises(AssertionError, match="epoch_length"):
            registry.build(spec)

    @pytest.mark.parametrize("convert", [True, False])
    def test_errors_remember_the_spec_itself(self, registry, convert):
        spec = {"type": "Step", "gama": 0.5, "convert_to_iter_based": convert}
        with pytest.raises(TypeError) as failed:
            registry.build(spec, default_args={"optimizer": None, "epoch_length": 3})
        assert failed.value.__mainspring_spec__ is spec
        assert PARAM_SCHEDULERS.build_func is build_scheduler_from_cfg


class TestRunners:
    def test_from_cfg_of_the_runner_type(self):
        registry = Registry("runner", build_func=build_runner_from_cfg, scope="runners")

        @registry.register_module("Runner")
        class Default:
            @classmethod
            def from_cfg(cls, cfg):
                return cls, cfg, scope()

        class Other(Default): ...

        cfg = {"model": 1, "_scope_": "other"}
        assert registry.build(cfg) == (Default, {"model": 1}, "other")
        assert registry.build({"runner_type": Other})[0] is Other
        with pytest.raises(KeyError, match="is not in the runners::runner registry"):
            registry.build({"runner_type": "Rnner"})
        with pytest.raises(TypeError):
            registry.build({"runner_type": 3})
        assert RUNNERS.build_func is build_runner_from_cfg


def test_a_list_of_specs_builds_a_sequential():
    registry = Registry("net", build_func=build_model_from_cfg, scope="nets")
    linear = {"type": "torch.nn.Linear", "in_features": 2, "out_features": 2}
    built = registry.build([linear, linear])
    assert [type(part).__name__ for part in built] == ["Linear", "Linear"]
    assert type(built).__name__ == "Sequential"
    assert type(registry.build(linear)).__name__ == "Linear"


@pytest.mark.parametrize("build", [build_runner_from_cfg, build_scheduler_from_cfg])
def test_what_is_no_description_is_refused_as_mmengine_refuses_it(build):
    for kind in (AssertionError, TypeError):
        with pytest.raises(kind, match="should be a dict"):
            build(3, Registry("thing", scope="some_project"))
