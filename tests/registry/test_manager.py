"""Instances that are found by name or as the current one."""

import contextvars
import gc
import sys
import threading
import weakref

import pytest

from mainspring.registry.manager import ManagerMixin
from prepared_processes import run


@pytest.fixture
def managed():
    class Managed(ManagerMixin):
        def __init__(self, name, value=0):
            super().__init__(name)
            self.value = value

    return Managed


def test_an_instance_is_created_once(managed):
    first = managed.get_instance("a", value=1)
    assert managed.get_instance("a") is first
    assert first.instance_name == "a"
    assert managed.check_instance_created("a")
    assert not managed.check_instance_created("b")


def test_arguments_for_an_existing_instance_only_warn(managed):
    managed.get_instance("a", value=1)
    with pytest.warns(UserWarning, match="value have no effect"):
        assert managed.get_instance("a", value=2).value == 1


def test_classes_do_not_share_instances(managed):
    class Derived(managed):
        pass

    managed.get_instance("a")
    assert not Derived.check_instance_created("a")
    assert managed._instance_dict is not Derived._instance_dict


def test_the_current_instance_is_the_one_created_last(managed):
    with pytest.raises(RuntimeError, match="get_instance"):
        managed.get_current_instance()
    managed.get_instance("a")
    second = managed.get_instance("b")
    managed.get_instance("a")
    assert managed.get_current_instance() is second


def test_an_instance_put_into_the_table_is_current(managed):
    managed.get_instance("a")
    other = managed("b")
    managed._instance_dict["b"] = other
    assert managed.get_current_instance() is other


def test_a_cleared_table_is_empty(managed):
    managed.get_instance("a")
    managed._instance_dict.clear()
    with pytest.raises(RuntimeError):
        managed.get_current_instance()


def test_a_replaced_table_is_used(managed):
    first = managed.get_instance("a")
    table = dict(managed._instance_dict)
    managed.get_instance("b")
    managed._instance_dict = table
    assert managed.get_current_instance() is first


def test_a_released_instance_is_forgotten_and_freed(managed):
    first = managed.get_instance("a")
    second = weakref.ref(managed.get_instance("b"))
    managed.release_instance("b")
    gc.collect()
    assert second() is None
    assert managed.get_current_instance() is first
    managed.release_instance("never created")


def test_releasing_reaches_base_classes_that_list_the_instance(managed):
    class Derived(managed):
        pass

    instance = Derived.get_instance("a")
    managed._instance_dict["a"] = instance
    Derived.release_instance("a")
    assert not managed.check_instance_created("a")


def test_releasing_through_the_base_class_reaches_the_derived_one(managed):
    class Derived(managed):
        pass

    instance = Derived.get_instance("a")
    managed._instance_dict["a"] = instance
    managed.release_instance("a")
    assert not Derived.check_instance_created("a")


def test_another_thread_has_its_own_current_instance(managed):
    mine = managed.get_instance("mine")
    seen = {}

    def work():
        seen["before"] = managed.get_current_instance()
        seen["own"] = managed.get_instance("other")
        seen["after"] = managed.get_current_instance()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen["before"] is mine, "a thread that made none sees the latest"
    assert seen["after"] is seen["own"]
    assert managed.get_current_instance() is mine


def test_as_current(managed):
    first, second = managed.get_instance("a"), managed.get_instance("b")
    with first.as_current() as current:
        assert managed.get_current_instance() is first is current
    assert managed.get_current_instance() is second


def test_a_context_without_a_current_instance_sees_the_latest(managed):
    managed.get_instance("a")
    latest = managed.get_instance("b")
    assert contextvars.Context().run(managed.get_current_instance) is latest


@pytest.mark.parametrize("name", ["", 3, None])
def test_a_name_is_a_string_that_is_not_empty(managed, name):
    for error in (TypeError, AssertionError):
        with pytest.raises(error, match="name"):
            managed.get_instance(name)


def test_a_class_must_take_a_name():
    with pytest.raises(AssertionError, match="`name` argument"):

        class Nameless(ManagerMixin):
            def __init__(self):
                pass


RELEASED_BY_THE_COLLECTOR = """
import gc, random, weakref
from mainspring.registry.manager import ManagerMixin

class Run: ...

kinds = [type(f"Kind{number}", (ManagerMixin,), {}) for number in range(20)]

def release(name):
    for kind in kinds:
        kind.release_instance(name)

gc.set_threshold(50, 1, 1)
random.seed(0)
for number in range(1000):
    run = Run()
    run.itself = run
    weakref.finalize(run, release, str(number))
    for kind in kinds:
        kind.get_instance(str(number))
    # The collector comes at another moment each time, also within a change of what is current.
    garbage = [[] for _ in range(random.randrange(60))]
    del run
gc.collect()
print(sum(len(kind._instance_dict) for kind in kinds))
"""


def test_the_collector_may_release_instances_at_any_moment():
    done = run([sys.executable, "-c", RELEASED_BY_THE_COLLECTOR], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "0\n")
