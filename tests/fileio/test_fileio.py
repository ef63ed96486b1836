"""Files wherever they lie."""

from __future__ import annotations

import http.server
import os
import pickle
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring import fileio


def test_bytes_and_text_go_there_and_back(tmp_path):
    path = tmp_path / "new" / "folder" / "a.bin"
    fileio.put(b"\x00\x01", path)
    fileio.put_text("grüße", str(path.with_suffix(".txt")))
    assert fileio.get(path) == b"\x00\x01"
    assert fileio.get_text(path.with_suffix(".txt")) == "grüße"
    assert fileio.isfile(path)
    assert fileio.isdir(path.parent)
    assert not fileio.exists(tmp_path / "nothing")


def test_a_failing_write_leaves_the_old_content_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a"
    fileio.put(b"old", path)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "disk full")))
    with pytest.raises(OSError, match="disk full"):
        fileio.put(b"new", path)
    monkeypatch.undo()
    assert fileio.get(path) == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_listing_a_directory(tmp_path):
    for name in ("a.txt", "b.json", "sub/c.txt", ".hidden"):
        fileio.put(b"", tmp_path / name)
    listed = fileio.list_dir_or_file
    assert set(listed(tmp_path)) == {"a.txt", "b.json", "sub"}
    assert set(listed(tmp_path, list_dir=False, recursive=True)) == {"a.txt", "b.json", "sub/c.txt"}
    assert set(listed(tmp_path, list_dir=False, suffix=".txt", recursive=True)) == {
        "a.txt",
        "sub/c.txt",
    }
    with pytest.raises(TypeError, match="list_dir=False"):
        list(listed(tmp_path, suffix=".txt"))


def test_copies_links_and_removal(tmp_path):
    fileio.put(b"x", tmp_path / "tree" / "a")
    assert fileio.copyfile(tmp_path / "tree" / "a", tmp_path / "b") == tmp_path / "b"
    assert fileio.copyfile(tmp_path / "tree" / "a", str(tmp_path / "b")) == str(tmp_path / "b")
    assert fileio.copytree(tmp_path / "tree", tmp_path / "copy") == tmp_path / "copy"
    assert fileio.get(tmp_path / "copy" / "a") == b"x"
    assert fileio.copy_if_symlink_fails(tmp_path / "b", tmp_path / "link") is True
    fileio.remove(tmp_path / "b")
    fileio.rmtree(tmp_path / "copy")
    assert not fileio.exists(tmp_path / "copy")
    with pytest.raises(IsADirectoryError):
        fileio.remove(tmp_path / "tree")


def test_where_no_link_can_be_made_there_is_a_copy(tmp_path, monkeypatch):
    def refuse(*_):
        raise NotImplementedError("no links here")

    fileio.put(b"x", tmp_path / "tree" / "a")
    monkeypatch.setattr(os, "symlink", refuse)
    assert fileio.copy_if_symlink_fails(tmp_path / "tree" / "a", tmp_path / "b") is False
    assert fileio.copy_if_symlink_fails(tmp_path / "tree", tmp_path / "copy") is False
    assert fileio.get(tmp_path / "b") == fileio.get(tmp_path / "copy" / "a") == b"x"


@pytest.mark.parametrize("ending", ["json", "yaml", "yml", "pkl", "pickle"])
def test_objects_go_through_every_format(tmp_path, ending):
    value = {"a": [1, 2.5, None, True], "b": {"c": "text"}}
    path = str(tmp_path / f"x.{ending}")
    fileio.dump(value, path)
    assert fileio.load(path) == value
    assert fileio.load(Path(path)) == value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_json_text_comes_back(value):
    import json

    assert json.loads(fileio.dump(value, file_format="json")) == value


def test_json_knows_sets_ranges_and_numpy(tmp_path):
    value = {"a": {1}, "b": range(2), "c": np.float32(0.5), "d": np.arange(2)}
    fileio.dump(value, tmp_path / "x.json")
    assert fileio.load(tmp_path / "x.json") == {"a": [1], "b": [0, 1], "c": 0.5, "d": [0, 1]}


def test_an_unknown_format_names_those_that_there_are(tmp_path):
    with pytest.raises(TypeError, match="did you mean 'json'"):
        fileio.dump({}, tmp_path / "x.jsno")
    with pytest.raises(ValueError, match="file_format"):
        fileio.dump({})


def test_lines_and_pairs(tmp_path):
    fileio.put_text("a 1\nb 2 3\n", tmp_path / "x")
    assert fileio.list_from_file(tmp_path / "x", prefix=">", offset=1) == [">b 2 3"]
    assert fileio.list_from_file(tmp_path / "x", max_num=1) == ["a 1"]
    assert fileio.dict_from_file(tmp_path / "x") == {"a": "1", "b": ["2", "3"]}


def test_a_real_http_server(tmp_path):
    (tmp_path / "a.json").write_text('{"x": 1}')

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, directory=str(tmp_path), **options)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/a.json"
        assert fileio.load(url) == {"x": 1}
        with fileio.get_local_path(url) as local:
            assert Path(local).read_text() == '{"x": 1}'
        assert not Path(local).exists()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_storages_of_fsspec_work_by_their_uri():
    uri = "memory://bucket/run/a.txt"
    fileio.put_text("hello", uri)
    assert fileio.get_text(uri) == "hello"
    assert fileio.join_path("memory://bucket", "run", "a.txt") == uri
    assert list(fileio.list_dir_or_file("memory://bucket", recursive=True)) == ["run", "run/a.txt"]
    fileio.remove(uri)
    assert not fileio.exists(uri)


def test_a_backend_of_ones_own():
    class Shouting(fileio.BaseStorageBackend):
        def get(self, filepath):
            return self.get_text(filepath).encode()

        def get_text(self, filepath, encoding="utf-8"):
            return str(filepath).upper()

    fileio.register_backend("shouting", Shouting, prefixes="shout", force=True)
    assert fileio.get_text("shout://a") == "SHOUT://A"
    assert fileio.get_text("a", backend_args={"backend": "shouting"}) == "A"
    with pytest.raises(ValueError, match="already"):
        fileio.register_backend("shouting", Shouting)
    with pytest.raises(ValueError, match="did you mean 'shouting'"):
        fileio.get("a", backend_args={"backend": "shoutin"})


def test_both_spellings_of_backend_arguments_at_once_are_refused(tmp_path):
    with pytest.raises(ValueError, match="not both"):
        fileio.load(tmp_path / "a.json", None, {"backend": "local"}, {"backend": "local"})


def test_what_is_no_backend_is_not_registered():
    class Reading(fileio.BaseStorageBackend):
        def get(self, filepath):
            return b""

        def get_text(self, filepath, encoding="utf-8"):
            return ""

    for register in (fileio.register_backend, fileio.FileClient.register_backend):
        for name, backend in [(1, Reading), ("reading", object), ("reading", print)]:
            with pytest.raises(TypeError):
                register(name, backend)
        with pytest.raises(AssertionError, match="prefixes"):
            register("reading", Reading, prefixes=1)
    for uri in (None, []):
        with pytest.raises(AssertionError):
            fileio.FileClient.parse_uri_prefix(uri)


def test_a_backend_is_kept_for_the_arguments_that_it_was_made_with(monkeypatch):
    monkeypatch.setattr(fileio.io, "backend_instances", {})
    kept = fileio.get_file_backend("a", enable_singleton=True)
    assert fileio.get_file_backend("b", enable_singleton=True) is kept
    assert fileio.get_file_backend("a") is not kept
    other = fileio.get_file_backend("s3://a", backend_args={"anon": True}, enable_singleton=True)
    assert fileio.io.backend_instances == {":{}": kept, 's3:{"anon": true}': other}


def test_own_formats_are_dumped_as_they_write_files(tmp_path):
    @fileio.register_handler(["lines", "packed"])
    class Lines(fileio.BaseFileHandler):
        def load_from_fileobj(self, file):
            return file.read().splitlines()

        def dump_to_fileobj(self, obj, file, end="\n"):
            file.write(end.join(obj))

        def dump_to_str(self, obj):
            return ", ".join(obj)

    fileio.dump(["a", "b"], tmp_path / "x.lines", end="\n\n")
    assert (tmp_path / "x.lines").read_text() == "a\n\nb"
    assert fileio.load(tmp_path / "x.lines") == ["a", "", "b"]
    assert fileio.dump(["a", "b"], file_format="packed") == "a, b"


@pytest.mark.parametrize("arguments", [{"backend": "older"}, {"prefix": "older"}])
def test_the_older_spelling_means_the_older_clients(arguments):
    class Older(fileio.BaseStorageBackend):
        def get(self, filepath):
            return b"[1]"

        def get_text(self, filepath, encoding="utf-8"):
            return "[1]"

    fileio.FileClient.register_backend("older", Older, force=True, prefixes="older")
    with pytest.warns(DeprecationWarning, match="file_client_args"):
        assert fileio.load("x.json", file_client_args=arguments) == [1]
    with pytest.warns(DeprecationWarning, match="file_client_args"):
        assert fileio.list_from_file("x", file_client_args=arguments) == ["[1]"]


def test_a_client_is_kept_until_its_backend_is_replaced():
    class Kept(fileio.BaseStorageBackend):
        def get(self, filepath):
            return b"kept"

        def get_text(self, filepath, encoding="utf-8"):
            return "kept"

    class Later(Kept):
        pass

    register = fileio.FileClient.register_backend
    register("kept", Kept, prefixes=["keep"])
    client = fileio.FileClient("kept")
    assert fileio.FileClient("kept") is client
    assert fileio.FileClient(prefix="keep").get_text("a") == "kept"
    with pytest.raises(KeyError):
        register("kept", Later)
    register("kept", Later, force=True)
    assert isinstance(fileio.FileClient("kept").client, Later)
    with pytest.raises(ValueError, match="did you mean 'kept'"):
        fileio.FileClient("kep")
    with pytest.raises(ValueError, match="nowhere://"):
        fileio.FileClient(prefix="nowhere")
    with pytest.raises(KeyError, match="did you mean 'kept'"):
        fileio.get("a", backend_args={"backend": "kep"})
    assert fileio.FileClient(prefix="memory").name == "FsspecBackend"


@pytest.mark.parametrize(("path", "parts", "joined"), [
    ("s3://a/b/", ["c"], "s3://a/b/c"),
    ("s3://a/b", ["/c", "d"], "s3://a/b/c/d"),
])  # fmt: skip
def test_a_path_below_a_uri_stays_below_it(path, parts, joined):
    assert fileio.join_path(path, *parts) == joined


def test_a_database_goes_to_workers_before_it_is_opened(tmp_path, monkeypatch):
    opened = []

    class Transaction(dict):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    def open_database(path, **settings):
        opened.append((path, settings["readonly"]))
        contents = Transaction({b"key": b"value"})
        return SimpleNamespace(begin=lambda write: contents)

    monkeypatch.setitem(sys.modules, "lmdb", SimpleNamespace(open=open_database))
    backend = pickle.loads(pickle.dumps(fileio.LmdbBackend(tmp_path)))
    assert opened == []
    assert backend.get("key") == b"value"
    assert opened == [(str(tmp_path), True)]
    with pytest.raises(NotImplementedError):
        backend.get_text("key")
    with pytest.raises(FileNotFoundError):
        backend.get("other")


def test_the_older_client(tmp_path):
    client = fileio.FileClient()
    client.put_text("x", tmp_path / "a")
    assert client.get_text(tmp_path / "a") == "x"
    assert client.allow_symlink
    with client.get_local_path(tmp_path / "a") as path:
        assert path == str(tmp_path / "a")
    assert fileio.FileClient.parse_uri_prefix("cluster:s3://a") == "s3"
    assert fileio.FileClient.infer_client(uri="x").name == "HardDiskBackend"


def test_a_client_package_that_is_missing_is_named():
    with pytest.raises(ImportError) as caught:
        fileio.LmdbBackend("x")
    assert str(caught.value).endswith("help: pip install lmdb")


def test_a_url_that_cannot_be_read_is_named():
    with pytest.raises(URLError) as error:
        fileio.get("http://127.0.0.1:9/model.pth")
    assert error.value.__notes__ == ["while reading http://127.0.0.1:9/model.pth"]
