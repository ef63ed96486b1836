"""The small helpers without torch."""

import collections
import importlib.metadata
import io
import json
import os
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from mainspring import utils
from mainspring.utils import path as path_module


def test_public_names_exist_and_are_sorted():
    assert utils.__all__ == sorted(utils.__all__)
    assert all(hasattr(utils, name) for name in utils.__all__)


class TestSequences:
    def test_casts(self):
        assert utils.list_cast(["1", 2.5], int) == [1, 2]
        assert utils.tuple_cast([1, 2], str) == ("1", "2")
        assert next(utils.iter_cast([1], float)) == 1.0
        with pytest.raises(TypeError, match="iterable"):
            utils.list_cast(1, int)
        with pytest.raises(TypeError, match="dst_type"):
            utils.list_cast([1], "int")

    def test_checks(self):
        assert utils.is_str("a")
        assert not utils.is_str(b"a")
        assert utils.is_seq_of((1, 2), int)
        assert utils.is_seq_of([1, 2.0], (int, float))
        assert not utils.is_seq_of({1, 2}, int)
        assert not utils.is_seq_of([1, "2"], int)
        assert utils.is_list_of([], int)
        assert not utils.is_list_of((1,), int)
        assert utils.is_tuple_of((1,), int)

    def test_slice_and_concat_are_inverse(self):
        data = list(range(6))
        assert utils.slice_list(data, [1, 2, 3]) == [[0], [1, 2], [3, 4, 5]]
        assert utils.slice_list(data, 2) == [[0, 1], [2, 3], [4, 5]]
        assert utils.concat_list(utils.slice_list(data, 3)) == data
        with pytest.raises(ValueError, match="does not match"):
            utils.slice_list(data, [1, 2])
        with pytest.raises(TypeError, match="lens"):
            utils.slice_list(data, "2")
        with pytest.raises(AssertionError, match="pieces"):
            utils.slice_list(data, 4)

    def test_ntuple(self):
        assert utils.to_2tuple(3) == (3, 3)
        assert utils.to_ntuple(5)(None) == (None,) * 5
        given = [1, 2, 3]
        assert utils.to_2tuple(given) is given


class Pair(NamedTuple):
    left: object
    right: object


def test_apply_to_keeps_containers():
    data = {"a": [1, "x"], "b": Pair(2, (3.0, None)), "c": collections.OrderedDict(d=4)}
    changed = utils.apply_to(data, lambda leaf: isinstance(leaf, int), lambda leaf: leaf + 10)
    assert changed == {"a": [11, "x"], "b": Pair(12, (3.0, None)), "c": {"d": 14}}
    assert type(changed["b"]) is Pair
    assert type(changed["c"]) is collections.OrderedDict
    assert data["a"] == [1, "x"]


class TestImports:
    def test_get_object_from_string(self):
        assert utils.get_object_from_string("json.JSONDecoder.decode") is json.JSONDecoder.decode
        assert utils.get_object_from_string("os.path") is os.path
        assert utils.get_object_from_string("json:loads") is json.loads
        for absent in ("nothing.here", "json.nope", "json.nope.deeper", "a b", "", "a..b"):
            assert utils.get_object_from_string(absent) is None

    def test_a_function_comes_before_the_module_of_its_name(self, tmp_path, monkeypatch):
        package = tmp_path / "twin_names"
        package.mkdir()
        (package / "__init__.py").write_text("from twin_names.nms import nms\n")
        (package / "nms.py").write_text("def nms(): ...\n")
        monkeypatch.syspath_prepend(tmp_path)
        found = utils.get_object_from_string("twin_names.nms")
        assert found.__name__ == "nms"
        assert callable(found)

    def test_import_modules(self):
        assert utils.import_modules_from_strings("json") is json
        assert utils.import_modules_from_strings(["json", "os.path"]) == [json, os.path]
        assert utils.import_modules_from_strings(None) is None
        assert utils.import_modules_from_strings([]) is None
        with pytest.raises(ImportError) as failed:
            utils.import_modules_from_strings("not_there_at_all")
        assert "Failed to import not_there_at_all" in failed.value.__notes__[0]
        with pytest.warns(UserWarning, match="not_there_at_all failed"):
            assert utils.import_modules_from_strings(["not_there_at_all"], True) == [None]
        for wrong in (1, {"a"}, [1]):
            with pytest.raises(TypeError):
                utils.import_modules_from_strings(wrong)


class TestRequirements:
    def test_missing_packages_refuse_the_call(self):
        @utils.requires_package(["json", "not_there_at_all"])
        def work():
            return 1

        with pytest.raises(RuntimeError, match=r'"not_there_at_all".*"work"'):
            work()

    def test_present_ones_let_it_pass(self):
        @utils.requires_package("json")
        @utils.requires_executable("sh")
        def work(x, *, y):
            return x + y

        assert work(1, y=2) == 3

    def test_missing_programs_are_printed_as_well(self, capsys):
        @utils.requires_executable("no_such_program")
        def work(): ...

        with pytest.raises(RuntimeError, match="no_such_program"):
            work()
        assert "no_such_program" in capsys.readouterr().out


class TestDeprecation:
    def test_renamed_arguments(self):
        @utils.deprecated_api_warning({"old": "new"}, cls_name="Thing")
        def work(new, other=0):
            return new, other

        assert work(1, other=2) == (1, 2)
        with pytest.warns(DeprecationWarning, match=r"Thing\.work.*\"new\""):
            assert work(old=3) == (3, 0)
        with pytest.raises(AssertionError, match="deprecated name"):
            work(old=1, new=2)

    def test_deprecated_function(self):
        @utils.deprecated_function("1.0", "2.0", "use other()")
        def work(x):
            """Do it."""
            return x

        with pytest.warns(DeprecationWarning, match=r"2\.0\. Please use other\(\)"):
            assert work(1) == 1
        assert ".. deprecated:: 1.0" in work.__doc__
        assert "Do it." in work.__doc__

    @pytest.mark.parametrize(("own", "shown"), [
        ("One line.", "    One line."),
        ("One.\n\n        More.\n        ", "    One.\n\n    More.\n"),
    ])  # fmt: skip
    def test_the_docstring_is_kept_below_the_note(self, own, shown):
        def work(): ...

        work.__doc__ = own
        documented = utils.deprecated_function("1.0", "2.0", "do it")(work)
        assert documented.__doc__.endswith(f"\n\n\n{shown}")


def test_methods():
    class Base:
        def first(self): ...
        def second(self): ...

    class Derived(Base):
        def first(self): ...

    assert utils.is_method_overridden("first", Base, Derived)
    assert utils.is_method_overridden("first", Base, Derived())
    assert not utils.is_method_overridden("second", Base, Derived)
    with pytest.raises(AssertionError, match="class"):
        utils.is_method_overridden("first", Base(), Derived)
    assert utils.has_method(Base(), "first")
    assert not utils.has_method(Base(), "third")


class TestPath:
    def test_scandir(self, tmp_path):
        for name in ("a.py", "b.TXT", ".hidden", "sub/c.py", "sub/deep/d.txt", ".git/e.py"):
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()

        def scan(*args, **kwargs):
            return sorted(utils.scandir(tmp_path, *args, **kwargs))

        assert scan() == ["a.py", "b.TXT"]
        assert scan(".txt") == []
        assert scan(".txt", case_sensitive=False) == ["b.TXT"]
        assert "sub/deep/d.txt" in scan((".txt", ".py"), recursive=True)
        with pytest.raises(TypeError, match="dir_path"):
            utils.scandir(1)
        with pytest.raises(TypeError, match="suffix"):
            utils.scandir(tmp_path, 1)

    def test_files_and_directories(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        utils.mkdir_or_exist("~/x/y")
        utils.mkdir_or_exist("~/x/y")
        utils.mkdir_or_exist("")
        file = tmp_path / "x" / "file"
        with utils.fopen(file, "w") as opened:
            opened.write("1")
        utils.check_file_exist(file)
        with pytest.raises(FileNotFoundError, match="gone: "):
            utils.check_file_exist(tmp_path, "gone: {}")
        with pytest.raises(ValueError, match="filepath"):
            utils.fopen(3)
        link = tmp_path / "link"
        utils.symlink(file, link)
        utils.symlink(file, link)
        assert link.read_text() == "1"
        with pytest.raises(FileExistsError):
            utils.symlink(file, link, overwrite=False)

    def test_questions(self, tmp_path):
        assert utils.is_filepath("x")
        assert utils.is_filepath(Path("x"))
        assert not utils.is_filepath(0)
        assert utils.is_abs("/a")
        assert utils.is_abs("s3://bucket")
        assert not utils.is_abs("a")
        (tmp_path / ".git").mkdir()
        (tmp_path / "a" / "b").mkdir(parents=True)
        assert path_module.find_vcs_root(tmp_path / "a" / "b") == str(tmp_path)
        assert path_module.find_vcs_root(tmp_path / "a", markers=(".none",)) is None


class TestPackages:
    def test_is_installed(self):
        assert utils.is_installed("pytest")
        assert utils.is_installed("json")
        assert not utils.is_installed("not_there_at_all")
        assert not utils.is_installed("not_there_at_all.sub")

    def test_installed_path(self):
        assert utils.get_installed_path("pytest") == str(Path(pytest.__file__).parent)
        assert Path(utils.get_installed_path("PyYAML")).name == "yaml"
        assert utils.get_installed_path("json") == str(Path(json.__file__).parent)
        with pytest.raises(importlib.metadata.PackageNotFoundError):
            utils.get_installed_path("not_there_at_all")

    def test_commands(self):
        utils.call_command(["true"])
        with pytest.raises(subprocess.CalledProcessError):
            utils.call_command(["false"])
        utils.install_package("pytest")


class TestTimer:
    def test_laps(self, capsys):
        timer = utils.Timer(start=False)
        assert not timer.is_running
        with pytest.raises(utils.TimerError, match="not running"):
            timer.since_start()
        timer.start()
        time.sleep(0.02)
        assert timer.since_start() >= 0.02
        assert timer.since_last_check() < 0.02
        with utils.Timer(print_tmpl="took {:.0f} s"):
            pass
        assert capsys.readouterr().out == "took 0 s\n"

    def test_check_time(self):
        assert utils.check_time("unique name") == 0
        time.sleep(0.01)
        assert utils.check_time("unique name") >= 0.01


def double(x):
    return 2 * x


class TestProgress:
    def test_bar(self, monkeypatch):
        monkeypatch.setenv("COLUMNS", "120")
        file = io.StringIO()
        bar = utils.ProgressBar(4, bar_width=8, file=file)
        bar.update()
        bar.update(3)
        first, half, full = file.getvalue().split("\r")
        assert first == "[        ] 0/4, elapsed: 0s, ETA:"
        assert half.startswith("[>>      ] 1/4, ")
        assert full.startswith("[>>>>>>>>] 4/4, ")
        assert full.endswith("elapsed: 0s, ETA:     0s")
        with pytest.raises(AssertionError, match="at least 1"):
            bar.update(0)

    def test_without_a_number(self):
        file = io.StringIO()
        utils.ProgressBar(file=file).update()
        assert file.getvalue().startswith("completed: 0, elapsed: 0scompleted: 1, elapsed: 0s, ")

    def test_tracking(self, capsys):
        assert utils.track_progress(double, [1, 2]) == [2, 4]
        assert utils.track_progress(lambda x, y: x + y, ((i for i in (1, 2)), 2), y=1) == [2, 3]
        assert list(utils.track_iter_progress((iter("ab"), 2))) == ["a", "b"]
        assert "2/2" in capsys.readouterr().out
        with pytest.raises(TypeError, match="tasks"):
            utils.track_progress(double, {1})
        with pytest.raises(AssertionError, match="number"):
            utils.track_progress(double, (1, 2, 3))

    @pytest.mark.parametrize("keep_order", [True, False])
    def test_parallel(self, capsys, keep_order):
        results = utils.track_parallel_progress(
            double, list(range(6)), nproc=2, skip_first=True, keep_order=keep_order
        )
        assert sorted(results) == [0, 2, 4, 6, 8, 10]
        assert "4/4" in capsys.readouterr().out

    @pytest.mark.parametrize("nproc", [1, 2])
    def test_rich(self, capsys, nproc):
        assert utils.track_progress_rich(double, [1, (2,), [3]], nproc=nproc) == [2, 4, 6]
        assert utils.track_progress_rich(int, task_num=2, nproc=nproc) == [0, 0]
        assert utils.track_progress_rich(double, iter([1, 2]), task_num=2, nproc=nproc) == [2, 4]

    def test_rich_refuses(self):
        for arguments, error in [
            ({"func": 1, "tasks": [1]}, TypeError),
            ({"func": double, "tasks": 1}, TypeError),
            ({"func": double}, ValueError),
            ({"func": double, "tasks": [1], "task_num": 2}, ValueError),
            ({"func": double, "tasks": [1], "nproc": 0}, ValueError),
        ]:
            with pytest.raises(error):
                utils.track_progress_rich(**arguments)
