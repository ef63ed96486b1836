"""Mistakes of all sorts, planted in right configs: almost all are named, and nothing else is."""

from __future__ import annotations

import pytest
from check_corpus import BASE_OF_VARIANT, MISTAKES

from mainspring.check import check_config
from mainspring.config import Config

FILES = {
    "recorded": "config.py",
    "text": "config.py",
    "yaml": "config.yaml",
    "variant": "config.py",
}
SHARE = 0.95


def said(write, dialect, text):
    write("base.py", BASE_OF_VARIANT)
    write(FILES[dialect], text)
    try:
        problems = check_config(Config.fromfile(FILES[dialect]))
    except Exception as error:  # reading it says so
        return [str(error)]
    return [f"{problem.severity} {problem}" for problem in problems]


@pytest.mark.parametrize("dialect", MISTAKES)
def test_nothing_is_wrong_with_what_the_mistakes_are_planted_in(write, dialect):
    assert said(write, dialect, MISTAKES[dialect][0]) == []


def test_almost_every_mistake_is_named(write):
    missed = []
    for dialect, (right, mistakes) in MISTAKES.items():
        for old, wrong, named in mistakes:
            assert right.count(old) >= 1, old
            problems = said(write, dialect, right.replace(old, wrong, 1))
            if not any(named in problem for problem in problems):
                missed.append((dialect, wrong, problems))
    count = sum(len(mistakes) for _, mistakes in MISTAKES.values())
    assert count >= 120
    assert len(missed) <= (1 - SHARE) * count, missed
