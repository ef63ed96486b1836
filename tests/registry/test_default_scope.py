"""The current scope."""

import contextvars
import threading

import pytest

from mainspring.registry import DATASETS, HOOKS, MODELS, DefaultScope, init_default_scope


@pytest.fixture(autouse=True)
def _no_scope():
    def clean():
        for name in list(DefaultScope._instance_dict):
            DefaultScope.release_instance(name)

    clean()
    yield
    clean()


def current():
    instance = DefaultScope.get_current_instance()
    return None if instance is None else instance.scope_name


def test_there_may_be_none():
    assert DefaultScope.get_current_instance() is None


def test_the_one_created_last_is_current():
    DefaultScope.get_instance("a", scope_name="mmdet")
    DefaultScope.get_instance("b", scope_name="mmseg")
    assert current() == "mmseg"
    DefaultScope.release_instance("b")
    assert current() == "mmdet"


def test_the_name_of_a_scope_is_a_string():
    with pytest.raises(AssertionError, match="scope_name should be a string"):
        DefaultScope.get_instance("a", scope_name=3)


def test_overwriting():
    DefaultScope.get_instance("a", scope_name="outer")
    with DefaultScope.overwrite_default_scope("inner"):
        assert current() == "inner"
        with DefaultScope.overwrite_default_scope(None):
            assert current() == "inner"
        with pytest.raises(ValueError, match="x"), DefaultScope.overwrite_default_scope("third"):
            raise ValueError("x")
        assert current() == "inner"
    assert current() == "outer"
    assert list(DefaultScope._instance_dict) == ["a"], "nothing is left behind"


def test_overwriting_without_a_scope_before():
    with DefaultScope.overwrite_default_scope("inner"):
        assert current() == "inner"
    assert current() is None


def test_a_scope_created_while_overwritten_holds_until_the_end_of_the_block():
    DefaultScope.get_instance("a", scope_name="outer")
    with DefaultScope.overwrite_default_scope("inner"):
        DefaultScope.get_instance("b", scope_name="created")
        assert current() == "created"
    assert current() == "outer"


def test_other_threads_do_not_see_it():
    seen = []
    with DefaultScope.overwrite_default_scope("inner"):
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
        assert contextvars.copy_context().run(current) == "inner"
    assert seen == [None]


def test_init_default_scope(caplog):
    init_default_scope("mmdet")
    assert current() == "mmdet"
    init_default_scope("mmdet")
    init_default_scope("mmseg")
    assert current() == "mmseg"
    assert not caplog.records
    init_default_scope("mmdet")
    assert current() == "mmdet"
    assert "is not 'mmdet'" in caplog.text


def test_a_scope_that_is_not_there_is_said_once_for_all_registries(caplog):
    with DefaultScope.overwrite_default_scope("not_there_at_all"):
        for registry in (HOOKS, MODELS, DATASETS):
            registry.in_current_scope()
    said = "the scope 'not_there_at_all' has no registry, so names are looked up in mainspring"
    assert [record.getMessage() for record in caplog.records] == [said]
