"""Errors say which part of the config they come from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.errors import ConfigError, Location
from mainspring.runner.error_places import building, path_of


class LocatedConfig(dict):
    def locate(self, path):
        return Location("run.py", 7) if path == "model" else None


def test_a_foreign_error_keeps_its_type_and_gains_a_note():
    with pytest.raises(ZeroDivisionError) as caught, building(LocatedConfig(model={}), "model"):
        1 / 0
    assert caught.value.__notes__ == ["while building model (run.py:7)"]


def test_our_error_gains_path_and_place():
    with pytest.raises(ConfigError) as caught, building(LocatedConfig(model={}), "model"):
        raise ConfigError("no such thing")
    assert caught.value.config_path == "model"
    assert str(caught.value).startswith("run.py:7: no such thing")


def test_the_innermost_dict_that_failed_gives_the_path():
    inner = {"type": "Head"}
    cfg = LocatedConfig(model={"type": "Net", "heads": [{"type": "Head"}, inner]})
    error = TypeError("boom")
    error.__mainspring_spec__ = inner
    with pytest.raises(TypeError), building(cfg, "model"):
        raise error
    assert error.__notes__ == ["while building model.heads.1 (run.py:7)"]


def test_the_innermost_section_wins():
    error = ValueError()
    with pytest.raises(ValueError), building({}, "outer"), building({}, "inner"):  # noqa: PT011
        raise error
    assert error.__notes__ == ["while building inner"]


@given(
    st.recursive(
        st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        ),
    )
)
def test_every_found_path_leads_back(tree):
    def nodes(value, path=""):
        if isinstance(value, dict):
            yield path, value
            for key, item in value.items():
                yield from nodes(item, f"{path}.{key}" if path else key)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from nodes(item, f"{path}.{index}" if path else str(index))

    for path, node in nodes(tree):
        assert path_of(tree, node) == path
