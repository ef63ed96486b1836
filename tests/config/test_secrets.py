"""Values of the environment are in the run, and in nothing that it writes down."""

from __future__ import annotations

import pytest

from mainspring.checkpoint import load_file, save_checkpoint
from mainspring.cli.printing import in_one_line
from mainspring.config import Config
from mainspring.errors import ConfigError

VALUE = "s3cr3t-VALUE"
RUN = """
import os
from mainspring.config import env
from zoo import Data
data = Data(token=env('MS_TOKEN'), other=os.environ['MS_TOKEN'], n=env('MS_N', 1), d=env('MS_D', 'x'))
url = f"https://{env('MS_TOKEN')}@host"
tokens = [env('MS_LOGIN')]
"""


@pytest.fixture
def cfg(read, monkeypatch):
    monkeypatch.setenv("MS_TOKEN", VALUE)
    monkeypatch.setenv("MS_LOGIN", VALUE[::-1])
    monkeypatch.setenv("MS_N", "7")
    return read(RUN)


@pytest.mark.parametrize("name", ["a.py", "a.json", "a.yaml"])
def test_a_dump_names_the_variable_and_reads_back_equal(cfg, name, folder, monkeypatch):
    cfg.dump(folder / name)
    text = (folder / name).read_text()
    assert VALUE not in text
    assert VALUE[::-1] not in text
    again = Config.fromfile(name)
    assert again.data == cfg.data
    assert again.data.token == VALUE
    assert again.tokens == [VALUE[::-1]]
    assert again.url == "https://***@host"
    assert again.dump() == cfg.dump(folder / name) or again.pretty_text == cfg.pretty_text
    monkeypatch.delenv("MS_TOKEN")
    with pytest.warns(UserWarning, match="MS_TOKEN, which|variable MS_TOKEN is not set"):
        assert Config.fromfile(name).data.token == "***"


def test_neither_is_it_shown_nor_saved(cfg, folder):
    assert VALUE not in in_one_line(cfg._cfg_dict)
    save_checkpoint({"meta": {"cfg": cfg.pretty_text, "value": cfg.tokens[0]}}, folder / "a.pth")
    content = (folder / "a.pth").read_bytes()
    assert VALUE.encode() not in content
    assert VALUE[::-1].encode() not in content
    assert load_file(folder / "a.pth")["meta"]["value"] == "***"


def test_templates_of_data(read, monkeypatch):
    monkeypatch.setenv("MS_TOKEN", VALUE)
    cfg = read("x: '{{$MS_TOKEN:}}'", "run.yaml")
    assert cfg.x == VALUE
    assert VALUE not in cfg.pretty_text
    assert "env('MS_TOKEN')" in cfg.pretty_text
    cfg.dump("again.yaml")
    assert Config.fromfile("again.yaml").x == VALUE


DATA = {
    "run.yaml": "a: 1\nload_from: https://other.host/{{$MS_TOKEN:}}.pth",
    "run.json": '{"a": 1,\n"load_from": ["https://other.host/{{ $MS_TOKEN }}.pth"]}',
    "run.toml": 'a = 1\nload_from = "https://{{$MS_TOKEN:x}}@other.host/a.pth"',
}


@pytest.mark.parametrize("name", DATA)
def test_data_does_not_send_secrets_anywhere(write, monkeypatch, name):
    write(name, DATA[name])
    monkeypatch.setenv("MS_TOKEN", VALUE)
    with pytest.raises(ConfigError, match="puts a secret of the environment") as caught:
        Config.fromfile(name)
    assert VALUE not in str(caught.value)
    column = DATA[name].split("\n")[1].index("{{") + 1
    assert (caught.value.location.line, caught.value.location.column) == (2, column)
    write("program.py", "load_from = 'https://{{$MS_TOKEN:x}}@other.host/a.pth'")
    assert VALUE in Config.fromfile("program.py").load_from  # a person wrote it
