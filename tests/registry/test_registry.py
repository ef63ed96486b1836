"""Registering names and finding them: scopes, parents, children, locations, paths."""

import logging
import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.errors import UnknownTypeError
from mainspring.registry import DefaultScope, Registry


class Net:
    def __init__(self, depth=1):
        self.depth = depth


@pytest.fixture
def tree():
    """A root `base`, its children `det` and `seg`, and `rot` below `det`; each has a class."""

    class Tree:
        base = Registry("model", scope="base")
        det = Registry("model", parent=base, scope="det")
        seg = Registry("model", parent=base, scope="seg")
        rot = Registry("model", parent=det, scope="rot")

    for scope in ("base", "det", "seg", "rot"):
        name = f"{scope.capitalize()}Net"
        getattr(Tree, scope).register_module(name, module=type(name, (Net,), {}))
    return Tree


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a package of modules that can be imported, and forget it afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    written = []

    def write(name, **modules):
        written.append(name)
        directory = tmp_path / name
        directory.mkdir()
        (directory / "__init__.py").touch()
        for module, text in modules.items():
            (directory / f"{module}.py").write_text(textwrap.dedent(text))

    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] in written]:
        del sys.modules[name]


class TestRegister:
    def test_as_a_decorator_and_by_a_call(self):
        registry = Registry("r", scope="s")

        @registry.register_module()
        class Plain: ...

        @registry.register_module("alias")
        def function(): ...

        @registry.register_module(name=["one", "two"])
        class Both: ...

        assert registry.register_module(module=Net) is Net
        assert registry.module_dict == {
            "Plain": Plain,
            "alias": function,
            "one": Both,
            "two": Both,
            "Net": Net,
        }
        assert len(registry) == 5
        assert "alias" in registry
        assert "function" not in registry

    def test_a_taken_name(self):
        registry = Registry("r", scope="s")
        registry.register_module(module=Net)
        with pytest.raises(KeyError, match=r"Net is already registered in r at .*test_registry"):
            registry.register_module(module=Net)
        other = type("Net", (), {})
        registry.register_module(module=other, force=True)
        assert registry.get("Net") is other

    @pytest.mark.parametrize(
        "arguments", [{"force": 1}, {"name": 1}, {"name": ["a", 1]}, {"module": "Net"}]
    )
    def test_wrong_types(self, arguments):
        with pytest.raises(TypeError):
            Registry("r", scope="s").register_module(**arguments)

    def test_repr_is_a_table(self, tree):
        shown = repr(tree.det)
        assert "Registry of model" in shown
        assert "DetNet" in shown


class TestTree:
    def test_properties(self, tree):
        assert tree.rot.root is tree.base.root is tree.base
        assert tree.base.children == {"det": tree.det, "seg": tree.seg}
        assert tree.rot.parent is tree.det
        assert (tree.det.name, tree.det.scope) == ("model", "det")

    def test_one_child_for_each_scope(self, tree):
        with pytest.raises(AssertionError, match="scope det exists in model registry"):
            Registry("model", parent=tree.base, scope="det")

    def test_the_build_function_is_inherited(self):
        def build(cfg, registry):
            return cfg

        parent = Registry("r", build_func=build, scope="a")
        child = Registry("r", parent=parent, scope="b")
        assert child.build(3) == 3

    def test_the_scope_is_the_top_package_of_the_creating_module(self):
        names = {"__name__": "pkg.models.zoo", "Registry": Registry}
        exec("registry = Registry('r')", names)
        assert names["registry"].scope == "pkg"

    def test_the_scope_of_typed_in_code_is_the_root_scope(self, caplog):
        names = {"__name__": "__main__", "Registry": Registry}
        exec("registry = Registry('r')", names)
        assert names["registry"].scope == "mainspring"
        assert "pass scope=" in caplog.text

    def test_wrong_parents_and_scopes(self):
        with pytest.raises(AssertionError, match="parent"):
            Registry("r", parent="p", scope="s")
        with pytest.raises(AssertionError, match="scope"):
            Registry("r", scope=3)


class TestGet:
    # The answers that MMEngine 0.10.7 gives for the same tree.
    @pytest.mark.parametrize(
        ("start", "key", "found"),
        [
            ("base", "BaseNet", True),
            ("base", "DetNet", False),
            ("base", "det.DetNet", True),
            ("base", "base.BaseNet", True),
            ("base", "det.rot.RotNet", True),
            ("base", "det.BaseNet", True),
            ("det", "DetNet", True),
            ("det", "BaseNet", True),
            ("det", "det.DetNet", True),
            ("det", "det.BaseNet", False),
            ("det", "SegNet", False),
            ("det", "seg.SegNet", True),
            ("det", "base.DetNet", False),
            ("rot", "DetNet", True),
            ("rot", "BaseNet", True),
            ("rot", "seg.SegNet", True),
            ("rot", "rot.DetNet", False),
            ("rot", "base.BaseNet", True),
        ],
    )
    def test_scopes(self, tree, start, key, found):
        got = getattr(tree, start).get(key)
        assert (got is not None) is found
        if found:
            assert got.__name__ == key.rpartition(".")[2]

    def test_a_child_hides_its_parents_name(self, tree):
        own = type("BaseNet", (), {})
        tree.det.register_module(module=own)
        assert tree.det.get("BaseNet") is own
        assert tree.seg.get("BaseNet") is not own

    def test_paths_of_objects(self, tree):
        import json

        assert tree.det.get("json.JSONDecoder") is json.JSONDecoder
        assert tree.det.get("json:JSONDecoder.decode") is json.JSONDecoder.decode
        assert tree.det.get("json.dumps") is json.dumps
        assert tree.det.get("json.Nothing") is None
        assert tree.det.get("json.decoder") is None, "a module is not a type"
        assert tree.det.get("json") is None

    def test_only_strings(self, tree):
        with pytest.raises(TypeError, match="must be a str"):
            tree.base.get(Net)

    def test_mmengine_is_another_name_of_the_root_scope(self):
        root = Registry("r", scope="mmengine")
        child = Registry("r", parent=root, scope="child")
        root.register_module(module=Net)
        assert root.scope == "mainspring"
        for key in ("mmengine.Net", "mainspring.Net"):
            assert child.get(key) is root.get(key) is Net
        assert child.get("mmengine.registry.Registry") is Registry
        assert Registry.split_scope_key("mmengine.Net") == ("mainspring", "Net")

    def test_split_scope_key(self):
        assert Registry.split_scope_key("mmdet.ResNet") == ("mmdet", "ResNet")
        assert Registry.split_scope_key("a.b.C") == ("a", "b.C")
        assert Registry.split_scope_key("ResNet") == (None, "ResNet")

    @given(st.text(max_size=12))
    def test_no_name_can_break_the_search(self, key):
        registry = Registry("r", scope="s")
        assert registry.get(f"{key} ") is None


class TestLocations:
    def test_they_are_imported_when_a_name_is_missing(self, package):
        package(
            "lazy_pkg",
            reg="from mainspring.registry import Registry\n"
            "R = Registry('r', locations=['lazy_pkg.nets'])",
            nets="from lazy_pkg.reg import R\nR.register_module('Lazy', module=dict)",
        )
        from lazy_pkg.reg import R

        R.register_module("Eager", module=list)
        assert R.get("Eager") is list
        assert "lazy_pkg.nets" not in sys.modules
        assert R.get("Lazy") is dict
        R.import_from_location()

    def test_those_of_a_parent_too(self, package):
        package("lazy_parent", nets="")
        parent = Registry("r", scope="lazy_parent", locations=["lazy_parent.nets"])
        Registry("r", parent=parent, scope="below").get("Anything")
        assert "lazy_parent.nets" in sys.modules

    def test_a_location_that_fails_is_not_swallowed(self, package):
        package("broken_loc", nets="import missing_dependency")
        registry = Registry("r", scope="broken_loc", locations=["broken_loc.nets"])
        registry.register_module(module=Net)
        assert registry.get("Net") is Net
        for ask in (lambda: registry.get("Other"), registry.import_from_location):
            with pytest.raises(ModuleNotFoundError, match="missing_dependency") as failed:
                ask()
            assert failed.value.__notes__ == [
                "while importing broken_loc.nets, to look for registered names"
            ]
        with pytest.raises(UnknownTypeError, match="missing_dependency") as unknown:
            registry.build({"type": "Other"})
        assert isinstance(unknown.value.__cause__, ModuleNotFoundError)

    def test_a_location_that_does_not_exist(self):
        registry = Registry("r", scope="s", locations=["no_such_package.nets"])
        with pytest.raises(ModuleNotFoundError, match="no_such_package"):
            registry.get("Net")

    def test_a_scope_imports_its_registry_module(self, package, tree):
        sys.modules["tree_under_test"] = tree
        package(
            "auto_scope",
            registry="""
                import sys
                from mainspring.registry import Registry
                R = Registry('model', parent=sys.modules['tree_under_test'].base,
                             locations=['auto_scope.nets'])
            """,
            nets="from auto_scope.registry import R\nR.register_module('Auto', module=dict)",
        )
        try:
            assert tree.det.get("auto_scope.Auto") is dict
        finally:
            del sys.modules["tree_under_test"]

    def test_openmmlab_packages_without_locations_register_everything(self, package):
        package(
            "mmtrack",
            utils="calls = []\ndef register_all_modules(default): calls.append(default)",
        )
        Registry("r", scope="mmtrack").get("Net")
        from mmtrack.utils import calls

        assert calls == [False]


class TestUnknownNames:
    def text(self, registry, name, **more):
        with pytest.raises(KeyError) as failed:
            registry.build({"type": name, **more})
        assert isinstance(failed.value, UnknownTypeError)
        assert failed.value.__mainspring_spec__["type"] == name
        return str(failed.value)

    def test_the_words_that_users_search_for(self):
        from mainspring.registry import TASK_UTILS

        text = self.text(TASK_UTILS, "Nothing")
        assert "Nothing is not in the mainspring::task util registry" in text
        assert "custom_imports" in text
        assert "'my_module.Nothing'" in text

    def test_what_was_searched(self, tree):
        text = self.text(tree.rot, "Xyz")
        assert "is not in the rot::model registry" in text
        assert "(searched: rot::model, det::model, base::model)" in text

    def test_close_names(self, tree):
        assert "did you mean 'DetNet'" in self.text(tree.det, "DteNet")
        assert "did you mean 'DetNet'" in self.text(tree.base, "det.detnet")

    def test_where_else_the_name_is(self, tree):
        assert "found as seg.SegNet: write that, or set _scope_" in self.text(tree.det, "SegNet")
        assert "found as rot.RotNet" in self.text(tree.base, "RotNet")

    def test_packages_that_are_not_installed(self, tree):
        assert "pip install mmsegmentation" in self.text(tree.base, "mmseg.FCN")

    def test_an_import_error_that_hid_the_scope_is_the_cause(self, package, tree, caplog):
        package("broken_scope", registry="from torch_ops_not_compiled import ops")
        for name, more in (("broken_scope.Net", {}), ("Net", {"_scope_": "broken_scope"})):
            with pytest.raises(UnknownTypeError) as failed:
                tree.base.build({"type": name, **more})
            cause = failed.value.__cause__
            assert isinstance(cause, ModuleNotFoundError)
            assert cause.name == "torch_ops_not_compiled"
            assert "while importing broken_scope.registry: ModuleNotFoundError" in str(failed.value)
        with caplog.at_level(logging.WARNING):
            assert tree.base.get("broken_scope.Net") is None
        assert "torch_ops_not_compiled" in caplog.text

    def test_an_error_in_a_module_on_a_path(self, package, tree):
        package("broken_path", nets="raise ValueError('half written')", more="import nowhere_mod")
        with pytest.raises(UnknownTypeError, match="half written") as failed:
            tree.base.build({"type": "broken_path.nets.Net"})
        assert isinstance(failed.value.__cause__, ValueError)
        with pytest.raises(RuntimeError, match="Failed to get broken_path"):
            tree.base.get("broken_path.nets.Net")
        assert tree.base.get("broken_path.more.Net") is None, "as MMEngine for import errors"

    def test_the_scope_without_a_registry_is_named(self, tree, caplog):
        text = self.text(tree.base, "Xyz", _scope_="nowhere_scope")
        assert "the scope 'nowhere_scope' has no registry of this kind" in text
        tree.base.build({"type": "BaseNet", "_scope_": "nowhere_scope"})
        assert caplog.text.count("nowhere_scope") == 1, "the warning comes once"


class TestScopes:
    def test_switch_scope_and_registry(self, tree):
        assert DefaultScope.get_current_instance() is None
        with tree.base.switch_scope_and_registry("det") as registry:
            assert registry is tree.det
            assert DefaultScope.get_current_instance().scope_name == "det"
            with registry.switch_scope_and_registry("seg") as inner:
                assert inner is tree.seg
            with registry.switch_scope_and_registry(None) as inner:
                assert inner is tree.det
        assert DefaultScope.get_current_instance() is None
        with tree.seg.switch_scope_and_registry(None) as registry:
            assert registry is tree.seg
        with tree.seg.switch_scope_and_registry("unknown_scope") as registry:
            assert registry is tree.seg

    def test_the_current_scope_decides_where_names_are_looked_up(self, tree):
        with DefaultScope.overwrite_default_scope("det"):
            assert type(tree.base.build({"type": "DetNet"})).__name__ == "DetNet"
        assert type(tree.base.build({"type": "SegNet", "_scope_": "seg"})).__name__ == "SegNet"

    def test_the_registry_that_was_asked_is_searched_after_it(self, tree):
        with DefaultScope.overwrite_default_scope("base"):
            assert type(tree.det.build({"type": "DetNet"})).__name__ == "DetNet"
            with pytest.raises(UnknownTypeError, match=r"base::model, det::model"):
                tree.det.build({"type": "Xyz"})


@pytest.fixture
def packages_of_others(tmp_path, monkeypatch):
    """A registry that asks the packages `others` and `broken` at last, of which one is installed."""
    tmp_path.joinpath("others.py").write_text(
        "class Theirs:\n    pass\n\ndef helper():\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Registry("thing", scope="mainspring", packages=["absent", "others.absent", "others"])
    sys.modules.pop("others", None)


def test_classes_of_other_projects_have_their_names(packages_of_others):
    assert packages_of_others.build(dict(type="Theirs")).__class__.__module__ == "others"
    child = Registry("thing", scope="project", parent=packages_of_others)
    assert child.get("Theirs").__module__ == "others"


def test_what_is_registered_goes_before_the_packages_of_others(packages_of_others):
    class Theirs:
        pass

    packages_of_others.register_module(module=Theirs)
    assert packages_of_others.get("Theirs") is Theirs


def test_only_classes_of_other_projects_are_named(packages_of_others):
    assert packages_of_others.get("helper") is None
    with pytest.raises(UnknownTypeError, match="Their is not in the mainspring::thing registry"):
        packages_of_others.build(dict(type="Their"))
