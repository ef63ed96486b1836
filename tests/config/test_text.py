"""The text dialect: bases, deletion, templates, in every file format."""

from __future__ import annotations

import os
import warnings

import pytest

from mainspring.config import Config, ConfigDict
from mainspring.errors import ConfigError, is_user_mistake


@pytest.mark.parametrize("line", ["exit(3)", "raise SystemExit(3)", "import sys; sys.exit(3)"])
def test_a_config_does_not_end_the_program(read, line):
    with pytest.raises(
        ConfigError, match=r"ends the program that reads it: SystemExit\(3\)"
    ) as error:
        read(f"a = 1\n{line}")
    assert error.value.location.line == 2


class TestBases:
    def test_a_child_changes_its_base_key_by_key(self, write, read):
        write("base.py", "a = 1\nb = dict(c=[1, 2], d=dict(e=1))\n")
        cfg = read("_base_ = './base.py'\nb = dict(c=[9], d=dict(f=2))\n")
        assert cfg.to_dict() == dict(a=1, b=dict(c=[9], d=dict(e=1, f=2)))
        assert type(cfg.b.d) is ConfigDict

    def test_paths_are_relative_to_the_file(self, write, read):
        write("x/base.py", "a = 1")
        write("x/y/middle.py", "_base_ = '../base.py'\nb = a_plus = 2")
        assert read("_base_ = ['x/y/middle.py']").to_dict() == dict(a=1, b=2, a_plus=2)

    def test_a_misspelt_name_of_a_base(self, write, read):
        write("base.py", "epochs = 1")
        with pytest.raises(AttributeError, match="no attribute 'epoch'") as error:
            read("_base_ = 'base.py'\na = _base_.epoch")
        assert "help: did you mean 'epochs'?" in error.value.__notes__

    def test_several_bases(self, write, read):
        write("a.py", "a = 1")
        write("b.yaml", "b: 2")
        write("c.json", '{"c": 3}')
        write("d.toml", "[d]\ne = 4")
        cfg = read("_base_ = ['a.py', 'b.yaml', 'c.json', 'd.toml']")
        assert cfg.to_dict() == dict(a=1, b=2, c=3, d=dict(e=4))

    def test_the_base_can_be_written_with_a_type(self, write, read):
        write("base.py", "a = 1")
        assert read("_base_: list[str] = ['base.py']").a == 1

    def test_one_key_in_two_bases_is_refused(self, write, read):
        write("a.py", "model = dict(x=1)")
        write("b.py", "model = dict(y=1)")
        with pytest.raises(KeyError, match=r"'model' is in a\.py and in b\.py") as error:
            read("lr = 1\n_base_ = ['a.py', 'b.py']")
        assert str(error.value).startswith("run.py:2:10: Duplicate key is not allowed among bases")

    def test_bases_may_share_what_a_common_base_wrote(self, write, read):
        write("root.py", "seed = 1\nmodel = dict(x=1)")
        write("a.py", "_base_ = 'root.py'\na = 1")
        write("b.py", "_base_ = 'root.py'\nb = 1")
        write("changed.py", "_base_ = 'root.py'\nseed = 1")
        cfg = read("_base_ = ['a.py', 'b.py']")
        assert cfg.to_dict() == dict(seed=1, model=dict(x=1), a=1, b=1)
        with pytest.raises(KeyError, match="'seed'"):
            read("_base_ = ['a.py', 'changed.py']")

    def test_code_reads_and_changes_base_values(self, write, read):
        write("base.py", "opt = dict(lr=0.1)\nsteps = [1, 2]")
        cfg = read("_base_ = 'base.py'\nlr = _base_.opt.lr * 2\nsteps = _base_.steps + [3]")
        assert (cfg.lr, cfg.steps) == (0.2, [1, 2, 3])
        assert "_base_" not in cfg

    def test_two_keys_of_a_file_share_no_dict(self, read):
        cfg = read("a = dict(x=[dict(y=1)])\nb = a\nc = dict(a=a)")
        cfg.b.x[0].y = 2
        assert cfg.a.x[0].y == 1
        assert cfg.c.a.x[0].y == 1

    def test_the_text_has_the_bases_first(self, write, read, folder):
        write("base.py", "a = 1\n")
        cfg = read("_base_ = 'base.py'\n")
        expected = f"{folder}/base.py\na = 1\n\n{folder}/run.py\n_base_ = 'base.py'\n"
        assert cfg.text == expected


class TestDelete:
    def test_it_drops_what_the_base_has(self, write, read):
        write("base.py", "a = dict(b=dict(x=1, y=2), c=1)\nd = 1")
        cfg = read(
            "_base_ = 'base.py'\na = dict(b=dict(_delete_=True, z=3))\nd = dict(_delete_=True, e=1)"
        )
        assert cfg.to_dict() == dict(a=dict(b=dict(z=3), c=1), d=dict(e=1))

    def test_no_mark_is_left_where_nothing_was_replaced(self, write, read):
        write("base.py", "a = 1")
        cfg = read("_base_ = 'base.py'\nb = dict(_delete_=True, c=[dict(_delete_=False, d=1)])")
        assert cfg.b == dict(c=[dict(d=1)])

    def test_a_mark_that_is_text_is_refused(self, write, read):
        write("base.py", "a = dict(b=1)")
        with pytest.raises(ConfigError, match=r"run.py:2:\d+: _delete_ is 'no'"):
            read("_base_ = 'base.py'\na = dict(_delete_='no', c=2)")

    @pytest.mark.parametrize("old", ["1", "None", "[1]", "'x'"])
    def test_a_dict_in_the_place_of_something_else(self, write, read, old):
        write("base.py", f"model = dict(\n    head={old})")
        with pytest.raises(TypeError) as error:
            read("_base_ = 'base.py'\nmodel = dict(\n    head=dict(x=1),\n)")
        text = str(error.value)
        assert text.startswith("run.py:3:5: ")
        assert "at: model.head" in text
        assert "_delete_=True" in text


class TestTemplates:
    def test_a_base_value_stands_anywhere(self, write, read):
        write("base.py", "b = dict(c=[1, 2], d=dict(e='text'))\nt = (1, dict(f=None))")
        cfg = read(
            "_base_ = 'base.py'\n"
            "whole = {{_base_.b.d}}\n"
            "inside = [{{ _base_.b.d.e }}, ({{_base_.b.c}},)]\n"
            "deep = dict(x=dict(y={{_base_.t}}))\n"
            "longer = {{_base_.b.c}} + [3]\n"
            "item = {{_base_.b.c.1}}\n"
        )
        assert cfg.whole == dict(e="text")
        assert cfg.inside == ["text", ([1, 2],)]
        assert cfg.deep.x.y == (1, dict(f=None))
        assert cfg.longer == [1, 2, 3]
        assert cfg.item == 2

    def test_it_is_a_copy(self, write, read):
        write("base.py", "a = dict(x=1)")
        cfg = read("_base_ = 'base.py'\nb = {{_base_.a}}\nb['x'] = 2")
        assert (cfg.a.x, cfg.b.x) == (1, 2)

    def test_it_sees_the_base_before_the_changes_of_this_file(self, write, read):
        write("base.py", "lr = 1")
        assert read("_base_ = 'base.py'\nlr = 2\nold = {{_base_.lr}}").old == 1

    @pytest.mark.parametrize(
        "text",
        [
            "# {{_base_.nothing}}\na = 1",
            '"""Uses {{_base_.nothing}}."""\na = 1',
        ],
    )
    def test_comments_and_descriptions_may_speak_of_it(self, read, text):
        assert read(text).a == 1

    @pytest.mark.parametrize("text", ["x = '{{_base_.a}}'", "x = 'pre_{{_base_.a}}'"])
    def test_quotes_around_it_are_a_mistake(self, write, read, text):
        write("base.py", "a = 1")
        with pytest.raises(SyntaxError, match="without quotes") as error:
            read(f"_base_ = 'base.py'\n{text}")
        assert str(error.value).startswith("run.py:2:")

    def test_a_value_that_is_not_there(self, write, read):
        write("base.py", "model = dict(depth=1)")
        with pytest.raises(KeyError) as error:
            read("_base_ = 'base.py'\nx = [{{_base_.model.dept}}]")
        assert str(error.value) == (
            "run.py:2:6: {{_base_.model.dept}}: the bases have no 'dept' in model\n"
            "  help: did you mean 'depth'?"
        )

    @pytest.mark.parametrize("quote", ["", '"'])
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("run.json", '{"_base_": "base.py", "x": {"y": [%s]}}'),
            ("run.yaml", "_base_: base.py\nx:\n  y: [%s]\n"),
        ],
    )
    def test_in_data_files_with_or_without_quotes(self, write, read, name, text, quote):
        write("base.py", "a = dict(b=(1, None))")
        cfg = read(text % f"{quote}{{{{_base_.a.b}}}}{quote}", name)
        assert cfg.x.y == [(1, None)]

    def test_predefined_variables(self, read, folder):
        text = (
            "d = '{{ fileDirname }}'\nb = '{{fileBasename}}'\n"
            "n = 'x_{{ fileBasenameNoExtension }}'\ne = '{{fileExtname }}'"
        )
        cfg = read(text, "sub/run.v2.py")
        assert cfg.to_dict() == dict(d=f"{folder}/sub", b="run.v2.py", n="x_run.v2", e=".py")
        assert read(text, use_predefined_variables=False).b == "{{fileBasename}}"

    def test_environment_variables(self, read, monkeypatch):
        monkeypatch.setenv("MS_SET", "5")
        monkeypatch.delenv("MS_UNSET", raising=False)
        cfg = read(
            "a = {{$MS_SET:4}}\nb = '{{ $MS_SET:4 }}'\n"
            "c = {{$MS_UNSET:7}}\nd = '{{$MS_UNSET:a b/c}}'\n"
            "e = {{'$MS_SET:4'}}\nf = {{\"$MS_UNSET:8\"}}"
        )
        assert cfg.to_dict() == dict(a=5, b="5", c=7, d="a b/c", e=5, f=8)
        assert cfg.env_variables == dict(MS_SET="5", MS_UNSET="8")

    def test_environment_variables_of_bases_are_known_too(self, write, read, monkeypatch):
        monkeypatch.setenv("MS_SET", "5")
        write("base.py", "a = {{$MS_SET:4}}")
        assert read("_base_ = 'base.py'").env_variables == dict(MS_SET="5")

    @pytest.mark.parametrize("template", ["{{$MS_UNSET:}}", "{{$MS_UNSET}}"])
    def test_an_unset_environment_variable_without_default(self, read, monkeypatch, template):
        monkeypatch.delenv("MS_UNSET", raising=False)
        with pytest.raises(KeyError, match="MS_UNSET") as error:
            read(f"a = 1\nb = '{template}'")
        assert str(error.value).startswith("run.py:2:6: ")

    def test_braces_of_other_languages_are_left_alone(self, read):
        assert read("a = '{{ user }}: {{% if x %}}'").a == "{{ user }}: {{% if x %}}"


class TestNames:
    def test_what_is_no_value_is_dropped(self, read):
        cfg = read(
            "from __future__ import annotations\nimport math\n__hidden = 1\n_kept = 2\n"
            "def helper():\n    return 3\nx = helper() + math.floor(0.5)\n"
            "for i in range(2):\n    pass\n"
        )
        assert cfg.to_dict() == dict(_kept=2, x=3, i=1)

    @pytest.mark.parametrize("key", ["filename", "text", "pretty_text", "env_variables"])
    def test_reserved_names(self, read, key):
        with pytest.raises(KeyError, match=f"{key} is reserved for config file") as error:
            read(f"a = 1\n{key} = 2")
        assert str(error.value).startswith("run.py:2:1: ")

    def test_deprecation(self, read):
        with pytest.warns(DeprecationWarning, match="Please use new.py instead") as caught:
            cfg = read("_deprecation_ = dict(expected='new.py', reference='https://x.org')\na = 1")
        assert "https://x.org" in str(caught[0].message)
        assert cfg.to_dict() == dict(a=1)

    def test_custom_imports(self, write, read, folder, monkeypatch):
        monkeypatch.syspath_prepend(folder)
        write("ms_config_plugin.py", "loaded = True")
        text = "custom_imports = dict(imports=['ms_config_plugin'], allow_failed_imports=False)"
        read(text, import_custom_modules=False)
        import sys

        assert "ms_config_plugin" not in sys.modules
        read(text)
        assert sys.modules.pop("ms_config_plugin").loaded

    def test_failing_custom_imports(self, read):
        with pytest.raises(ImportError, match="no_such_module") as error:
            read("a = 1\ncustom_imports = dict(\n    imports=['no_such_module'])")
        text = str(error.value)
        assert text.startswith("run.py:3:5: Failed to import custom modules")
        assert os.__file__.rpartition("/")[0] in text
        with pytest.warns(UserWarning, match="no_such_module failed to import"):
            read("custom_imports = dict(imports=['no_such_module'], allow_failed_imports=True)")
        with pytest.raises(ConfigError, match="'allow_failed_imports': 'no'"):
            read("custom_imports = dict(imports=['os'], allow_failed_imports='no')")


class TestPackages:
    @pytest.fixture
    def package(self, write, folder, monkeypatch):
        monkeypatch.syspath_prepend(folder)
        write("ms_zoo/__init__.py", "")
        write(
            "ms_zoo/.mim/configs/net/base.py",
            "model = dict(type='Net', head=dict(type='Head'))\n"
            "loader = dict(sampler=dict(type='S'))\nhooks = [dict(type='H'), dict(x=1)]\n"
            "other = dict(type='O', _scope_='else')",
        )
        write("ms_zoo/configs/plain.py", "a = 1")

    def test_a_base_in_a_package_builds_in_its_scope(self, package, read):
        cfg = read("_base_ = 'ms_zoo::net/base.py'\nown = dict(type='Mine')")
        assert cfg.model == dict(type="Net", head=dict(type="Head"), _scope_="ms_zoo")
        assert cfg.loader == dict(sampler=dict(type="S", _scope_="ms_zoo"))
        assert cfg.hooks == [dict(type="H", _scope_="ms_zoo"), dict(x=1)]
        assert cfg.other._scope_ == "else"
        assert cfg.own == dict(type="Mine")

    def test_any_package_with_configs(self, package, read):
        assert read("_base_ = ['ms_zoo::plain.py']").a == 1

    def test_mistakes(self, package, read):
        with pytest.raises(FileNotFoundError, match=r"no config 'nothing\.py'"):
            read("_base_ = 'ms_zoo::nothing.py'")
        with pytest.raises(ImportError, match="'ms_no_zoo' is not installed") as error:
            read("_base_ = 'ms_no_zoo::nothing.py'")
        assert str(error.value).startswith("run.py:1:10: ")


MISTAKES = {
    "a syntax error": ("a = 1\nb = dict(\n", SyntaxError, "run.py:2:9: '(' was never closed"),
    "a syntax error after a template": (
        "x = '{{fileBasename}}' y",
        SyntaxError,
        "run.py:1: invalid syntax",
    ),
    "a missing base": ("\n_base_ = 'bse.py'", FileNotFoundError, "run.py:2:10: there is no config"),
    "a base that is no path": ("_base_ = 5", TypeError, "run.py:1:10: _base_ is 5"),
    "a computed base": ("p = 'x'\n_base_ = p", ValueError, "run.py:2:10: _base_ cannot be"),
    "a nested base": ("if True:\n    _base_ = 'x'", ValueError, "run.py:2:5: _base_ is assigned"),
    "itself as base": ("_base_ = 'run.py'", RuntimeError, "run.py:1:10: 'run.py' is its own base"),
    "no base to take from": ("a = {{_base_.b}}", KeyError, "run.py:1:5: {{_base_.b}}"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_file_line_and_column(name, read):
    text, builtin, start = MISTAKES[name]
    with pytest.raises(builtin) as error:
        read(text)
    assert isinstance(error.value, ConfigError)
    assert str(error.value).startswith(start)


@pytest.mark.parametrize(
    ("name", "text", "start"),
    [
        ("run.json", '{\n"a": 1 "b"}', "run.json:2:8: not valid JSON"),
        ("run.json", '{"a":' * 300 + "1" + "}" * 300, "run.json:1: the file is nested too deep"),
        ("run.yaml", "a: 1\nb: [1", "run.yaml:3:1: not valid YAML"),
        ("run.toml", "a = 1\nb = ]", "run.toml:2:5: not valid TOML"),
    ],
)
def test_syntax_errors_of_data_files(read, name, text, start):
    with pytest.raises(SyntaxError) as error:
        read(text, name)
    assert str(error.value).startswith(start)


@pytest.mark.parametrize(("name", "text"), [("run.json", "[1]"), ("run.yaml", ""), ("r.yml", "x")])
def test_a_data_file_is_a_mapping(read, name, text):
    with pytest.raises(ConfigError, match="mapping of keys"):
        read(text, name)


def test_missing_files_and_unknown_extensions(write):
    write("train_cfg.py", "")
    with pytest.raises(FileNotFoundError, match=r"did you mean 'train_cfg.py'"):
        Config.fromfile("train_cgf.py")
    with pytest.raises(FileNotFoundError, match="no directory 'nowhere'"):
        Config.fromfile("nowhere/a.py")
    write("a.txt", "")
    with pytest.raises(OSError, match=r"\.txt"):
        Config.fromfile("a.txt")


def test_an_exception_of_the_file_keeps_its_type_and_shows_the_line(read, folder):
    import traceback

    with pytest.raises(ZeroDivisionError) as error:
        read("a = 1\nb = a / 0\n")
    assert error.value.__notes__ == ["while reading the config, run.py:2:5"]
    assert is_user_mistake(error.value)
    shown = "".join(traceback.format_exception(error.value))
    assert f'File "{folder}/run.py", line 2' in shown
    assert "b = a / 0" in shown


def test_reading_leaves_no_files_behind(write, read, folder, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    write("base.py", "a = 1")
    before = sorted(p.name for p in folder.iterdir())
    read("_base_ = 'base.py'\nb = {{_base_.a}}")
    Config.fromstring("a = 1", ".py")
    with pytest.raises(SyntaxError):
        read("a = (")
    assert sorted(p.name for p in folder.iterdir()) == sorted({*before, "run.py"})


def test_reading_warns_of_nothing(read):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read("a = dict(b=[1])")


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("c.yaml", "model: {type: A}\nlr: 1\nlr: 2\n", (3, 1)),
        ("c.yaml", "model: {type: A, lr: 1, lr: 2}\n", (1, 25)),
        ("c.json", '{"lr": 1,\n "lr": 2}', (2, 2)),
        ("c.json", '{"m": {"lr": 1, "lr": 2}}', (1, 17)),
    ],
)
def test_a_key_that_is_given_twice_is_refused_at_its_second_place(tmp_path, name, text, place):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match="'lr' is given twice") as refused:
        Config.fromfile(tmp_path / name)
    assert (refused.value.location.line, refused.value.location.column) == place
