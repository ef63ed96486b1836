"""A mistake is named at its file, line and column in every dialect, and nothing else is."""

from __future__ import annotations

import pytest
from check_places import FILES, IN_CHILDREN, MISTAKES

from mainspring.check import check_config
from mainspring.config import Config
from mainspring.errors import ConfigError


def found(write, name, text):
    """What is said of a text, and the place of its mark."""
    at = text.index("§")
    write(name, text.replace("§", ""))
    place = f"{name}:{text[:at].count(chr(10)) + 1}:{at - text.rfind(chr(10), 0, at)}"
    try:
        problems = check_config(Config.fromfile(name))
    except ConfigError as error:
        problems = [error]
    return problems, place


@pytest.mark.parametrize("dialect", FILES)
def test_nothing_is_wrong_with_what_is_right(write, dialect):
    write(*FILES[dialect])
    assert check_config(Config.fromfile(FILES[dialect][0])) == []


@pytest.mark.parametrize(("dialect", "right", "wrong"), MISTAKES)
def test_a_mistake_is_named_at_its_place(write, dialect, right, wrong):
    name, text = FILES[dialect]
    assert right in text
    problems, place = found(write, name, text.replace(right, wrong, 1))
    assert place in [str(problem.location) for problem in problems]
    lines = {problem.location.line for problem in problems}
    assert len(lines) == 1, [str(problem) for problem in problems]


@pytest.mark.parametrize(("dialect", "text"), IN_CHILDREN)
def test_a_mistake_of_a_child_is_named_in_the_child(write, dialect, text):
    name, base = FILES[dialect]
    write(name.replace("c.", "b."), base)
    problems, place = found(write, name, text)
    assert place in [str(problem.location) for problem in problems]
    assert {problem.location.file for problem in problems} == {name}
