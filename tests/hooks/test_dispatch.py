from __future__ import annotations

import warnings

import pytest

from mainspring.errors import is_user_mistake
from mainspring.hooks import Hook, HookDispatch


class Named(Hook):
    def __init__(self, name="", priority=None):
        self.name = name
        if priority is not None:
            self.priority = priority


def names(dispatch):
    return [hook.name for hook in dispatch.hooks]


def test_hooks_are_ordered_by_priority_and_equal_ones_by_registration() -> None:
    dispatch = HookDispatch()
    for name, priority in [
        ("c", "LOW"),
        ("a", "VERY_HIGH"),
        ("b1", "NORMAL"),
        ("d", 100),
        ("b2", 50),
    ]:
        dispatch.register(Named(name), priority)
    dispatch.register(Named("b3"))
    assert names(dispatch) == ["a", "b1", "b2", "b3", "c", "d"]


def test_a_priority_at_registration_replaces_the_hooks_own() -> None:
    hook = Named("x", "LOW")
    HookDispatch().register(hook, "HIGH")
    assert hook.priority == "HIGH"


def test_a_hook_may_be_described_by_a_dict_or_its_class() -> None:
    dispatch = HookDispatch()
    dispatch.register({"type": Named, "name": "late", "priority": "LOW"})
    dispatch.register({"type": "LoggerHook", "interval": 5})
    dispatch.register(Named)
    assert [type(hook).__name__ for hook in dispatch.hooks] == ["Named", "LoggerHook", "Named"]
    assert dispatch.hooks[1].interval == 5
    assert dispatch.hooks[2].name == "late"


@pytest.mark.parametrize("no_hook", [None, "LoggerHook", ["LoggerHook"], 3])
def test_what_is_no_hook_is_refused(no_hook) -> None:
    with pytest.raises(TypeError, match="is not a hook"):
        HookDispatch().register(no_hook)


def test_only_hooks_that_override_a_point_are_called() -> None:
    class Acting(Hook):
        def before_run(self, runner):
            return "acted"

    class Heir(Acting):
        pass

    dispatch = HookDispatch()
    for hook in (Hook(), Acting(), Heir()):
        dispatch.register(hook)
    assert [method(None) for method in dispatch.methods("before_run")] == ["acted", "acted"]
    assert dispatch.methods("after_run") == ()


def test_a_family_is_called_in_every_mode_unless_its_point_is_overridden() -> None:
    class Timer(Hook):
        def _before_iter(self, runner, batch_idx, data_batch=None, mode="train"):
            return mode, runner, batch_idx, data_batch

        def before_val_iter(self, runner, batch_idx, data_batch=None):
            return "own"

    dispatch = HookDispatch()
    dispatch.register(Timer())
    arguments = {"batch_idx": 3, "data_batch": "batch"}
    results = [
        dispatch.methods(f"before_{mode}_iter")[0]("runner", **arguments)
        for mode in ("train", "val", "test")
    ]
    assert results == [("train", "runner", 3, "batch"), "own", ("test", "runner", 3, "batch")]


def test_a_family_does_not_get_what_only_some_of_its_points_pass() -> None:
    dispatch = HookDispatch()
    hook = Hook()
    ended = []
    hook._after_epoch = lambda runner, mode: ended.append(mode)
    dispatch.register(hook)
    dispatch.methods("after_train_epoch")[0](None)
    dispatch.methods("after_val_epoch")[0](None, metrics={"acc": 1.0})
    assert ended == ["train", "val"]


def test_a_method_set_on_the_instance_counts() -> None:
    hook = Hook()
    hook.before_run = lambda runner: "instance"
    dispatch = HookDispatch()
    dispatch.register(hook)
    assert dispatch.methods("before_run")[0](None) == "instance"
    hook.after_run = lambda runner: "later"
    dispatch.refresh()
    assert dispatch.methods("after_run")[0](None) == "later"


def test_a_hook_need_not_derive_from_hook() -> None:
    class Duck:
        def after_run(self, runner):
            return "quack"

    dispatch = HookDispatch()
    dispatch.register(Duck())
    dispatch.register(Named("early"), "HIGHEST")
    assert [type(hook).__name__ for hook in dispatch.hooks] == ["Named", "Duck"]
    assert dispatch.methods("after_run")[0](None) == "quack"
    assert dispatch.methods("before_run") == ()


def test_a_point_of_the_users_own_reaches_every_hook_that_has_it() -> None:
    class Custom(Hook):
        def on_batch_of_gan(self, runner, real):
            return real

    dispatch = HookDispatch()
    dispatch.register(Custom())
    dispatch.register(Hook())
    assert [method(None, real=5) for method in dispatch.methods("on_batch_of_gan")] == [5]
    assert dispatch.methods("on_nothing") == ()


def test_tuples_are_compiled_once_and_renewed_when_hooks_come_and_go() -> None:
    class Acting(Hook):
        def before_run(self, runner):
            pass

    dispatch = HookDispatch()
    dispatch.register(Acting())
    first = dispatch.methods("before_run")
    assert dispatch.methods("before_run") is first
    dispatch.register(Acting())
    assert len(dispatch.methods("before_run")) == 2
    dispatch.hooks.pop()
    assert len(dispatch.methods("before_run")) == 1


def test_the_table_shows_each_point_with_its_hooks_in_order() -> None:
    class Late(Hook):
        def before_run(self, runner):
            pass

        after_run = before_run

    class Early(Late):
        after_run = Hook.after_run

    dispatch = HookDispatch()
    dispatch.register(Late(), 71)
    dispatch.register(Early(), "high")
    assert dispatch.describe().splitlines() == [
        "before_run:",
        "(HIGH        ) Early",
        "(71          ) Late",
        " --------------------",
        "after_run:",
        "(71          ) Late",
    ]


def test_a_signature_that_cannot_take_the_arguments_is_refused_at_once() -> None:
    class Wrong(Hook):
        def after_train_iter(self, runner, batch_index, data_batch=None, outputs=None):
            pass

    with pytest.raises(TypeError) as caught:
        HookDispatch().register(Wrong())
    message = str(caught.value)
    assert "Wrong.after_train_iter" in message
    assert "expected: after_train_iter(self, runner, batch_idx, data_batch, outputs)" in message
    assert "'batch_index': did you mean 'batch_idx'?" in message
    assert is_user_mistake(caught.value)


def test_a_missing_argument_is_refused_and_a_further_optional_one_is_not() -> None:
    class Short(Hook):
        def after_val_epoch(self, runner):
            pass

    class Long(Hook):
        def after_val_epoch(self, trainer, metrics=None, verbose=True):
            pass

    class Open(Hook):
        def after_train_iter(self, *args, **kwargs):
            pass

    with pytest.raises(TypeError, match="metrics"):
        HookDispatch().register(Short())
    HookDispatch().register(Long())
    HookDispatch().register(Open())


def test_a_family_is_checked_too() -> None:
    class Wrong(Hook):
        def _before_iter(self, runner, batch_idx, data_batch=None):
            pass

    with pytest.raises(TypeError, match="mode"):
        HookDispatch().register(Wrong())


def test_a_method_named_almost_like_a_point_is_warned_about() -> None:
    class Misspelt(Hook):
        def after_train_itr(self, runner, batch_idx, data_batch=None, outputs=None):
            pass

    with pytest.warns(
        UserWarning, match=r"Misspelt.after_train_itr is never called.*'after_train_iter'"
    ):
        HookDispatch().register(Misspelt())


def test_other_methods_are_nobodys_business() -> None:
    class Helpful(Hook):
        def load_weights(self):
            pass

        def _before_train(self):
            pass

    dispatch = HookDispatch()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        dispatch.register(Helpful())
    assert said == []
    assert [type(hook) for hook in dispatch.hooks] == [Helpful]


def test_the_name_of_a_hook_is_answered_by_its_dict() -> None:
    with pytest.raises(TypeError, match=r"write dict\(type='EMAHook'\)$"):
        HookDispatch().register("EMAHook")
