from __future__ import annotations

from types import SimpleNamespace

import pytest

from mainspring.errors import ConfigError
from mainspring.hooks import Hook, Priority, get_priority


@pytest.mark.parametrize(
    ("completed", "n", "start", "expected"),
    [
        (1, 1, 0, True),
        (3, 2, 0, False),
        (4, 2, 0, True),
        (4, 0, 0, False),
        (4, -1, 0, False),
        (3, 2, 3, True),
        (5, 2, 3, True),
        (2, 2, 4, False),
    ],
)
def test_every_n_counts_from_its_start(completed, n, start, expected) -> None:
    runner = SimpleNamespace(epoch=completed - 1, iter=completed - 1)
    assert Hook().every_n_epochs(runner, n, start) is expected
    assert Hook().every_n_train_iters(runner, n, start) is expected
    if start == 0:
        assert Hook().every_n_inner_iters(completed - 1, n) is expected


def test_the_last_ones_are_recognised() -> None:
    runner = SimpleNamespace(epoch=3, max_epochs=4, iter=6, max_iters=8)
    assert Hook().is_last_train_epoch(runner)
    assert not Hook().is_last_train_iter(runner)
    assert Hook().end_of_epoch([1, 2, 3], 2)
    assert not Hook().end_of_epoch([1, 2, 3], 1)


def test_triggered_stages_are_the_overridden_ones_in_call_order() -> None:
    class Some(Hook):
        def after_run(self, runner):
            pass

        def before_run(self, runner):
            pass

        def _before_epoch(self, runner, mode="train"):
            pass

    assert Some().get_triggered_stages() == [
        "before_run",
        "before_train_epoch",
        "before_val_epoch",
        "before_test_epoch",
        "after_run",
    ]
    assert Hook().get_triggered_stages() == []


def test_a_hook_remembers_nothing_by_default() -> None:
    assert Hook().state_dict() == {}
    Hook().load_state_dict({})


def test_priorities_have_the_values_of_mmengine() -> None:
    assert {member.name: member.value for member in Priority} == {
        "HIGHEST": 0,
        "VERY_HIGH": 10,
        "HIGH": 30,
        "ABOVE_NORMAL": 40,
        "NORMAL": 50,
        "BELOW_NORMAL": 60,
        "LOW": 70,
        "VERY_LOW": 90,
        "LOWEST": 100,
    }


@pytest.mark.parametrize("priority", [50, "NORMAL", "normal", Priority.NORMAL])
def test_a_priority_is_given_in_any_form(priority) -> None:
    assert get_priority(priority) == 50


def test_wrong_priorities_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'VERY_LOW'"):
        get_priority("VERY_LO")
    with pytest.raises(ValueError, match="between 0 and 100"):
        get_priority(101)
    with pytest.raises(TypeError, match="not float"):
        get_priority(1.5)  # type: ignore[arg-type] - the wrong type is the point of the test
