"""Pickles of plain objects, arrays and tensors are read; no other code is reached from them."""

from __future__ import annotations

import collections
import datetime as dt
import io
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from mainspring import fileio
from mainspring.dataset import BaseDataset
from mainspring.errors import DataError, is_user_mistake
from mainspring.names import allow_packages, gate


class Calls:
    """Unpickles to a call, after which a state is set."""

    def __init__(self, function, *arguments, state=None):
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.parts

    def __call__(self):
        """Lets pickle take it for a function, which is what it unpickles to."""


HONEST = {
    "boxes": np.arange(8, dtype=np.float32).reshape(2, 4),
    "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "names": np.array(["car", "pedestrian"]),
    "codes": np.array([b"a", b"bc"]),
    "big endian": np.arange(3, dtype=">i4"),
    "ragged": np.array([np.arange(2), None, "x"], dtype=object),
    "times": np.array(["2026-01-02"], dtype="M8[ms]"),
    "mask": np.array([[True], [False]]),
    "empty": np.zeros((0, 4), dtype=np.float16),
    "numbers": [np.float64(1.5), np.int64(3), np.bool_(True), np.str_("x"), np.datetime64("2026")],
    "types": [np.dtype("f4"), torch.float16],
    "tensors": [torch.arange(3.0), torch.ones(2, 3).t(), torch.nn.Parameter(torch.ones(1))],
    "size": torch.Size([1, 2]),
    "plain": [(1, 2.5, 1j, None, True, "text", b"bytes"), {1, 2}, frozenset("a"), range(3)],
    "containers": [
        collections.OrderedDict(a=1),
        collections.defaultdict(list, a=[1]),
        collections.Counter("aab"),
        collections.deque([1, 2]),
    ],
    "time": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
    "path": Path("a/b"),
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", HONEST)
def test_what_honest_files_hold_comes_back_as_pickle_reads_it(name, protocol, tmp_path):
    path = tmp_path / "annotations.pkl"
    path.write_bytes(pickle.dumps(HONEST[name], protocol))
    expected, read = pickle.loads(path.read_bytes()), fileio.load(path)
    assert_same(read, expected)
    with path.open("rb") as file:
        assert_same(fileio.load(file, file_format="pkl"), expected)


def assert_same(read, expected):
    assert type(read) is type(expected)
    if isinstance(expected, list | tuple | collections.deque):
        assert len(read) == len(expected)
        for one, other in zip(read, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, np.ndarray):
        assert (read.dtype, read.shape, read.flags) == (
            expected.dtype,
            expected.shape,
            expected.flags,
        )
        assert_same(read.tolist(), expected.tolist())
    elif isinstance(expected, torch.Tensor):
        assert read.stride() == expected.stride()
        assert torch.equal(read, expected)
    else:
        assert read == expected


def test_what_is_read_can_be_written_to_and_shares_what_was_shared(tmp_path):
    shared = np.arange(3)
    fileio.dump([shared, {"again": shared}], tmp_path / "a.pkl")
    first, second = fileio.load(tmp_path / "a.pkl")
    first[0] = 9
    assert second["again"] is first


def test_files_of_python_2():
    """As Python 2 with NumPy 1 wrote ``{'a': numpy.arange(2, dtype='i4'), 'b': set(['x'])}``."""
    old = (
        b"(dp0\nS'a'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\n"
        b"tp4\nS'b'\np5\ntp6\nRp7\n(I1\n(I2\ntp8\ncnumpy\ndtype\np9\n(S'i4'\np10\nI0\nI1\ntp11\n"
        b"Rp12\n(I3\nS'<'\np13\nNNNI-1\nI-1\nI0\ntp14\nbI00\n"
        b"S'\\x00\\x00\\x00\\x00\\x01\\x00\\x00\\x00'\np15\ntp16\nbsS'b'\np17\n"
        b"c__builtin__\nset\np18\n((lp19\nS'x'\np20\natp21\nRp22\ns."
    )
    read = fileio.load(io.BytesIO(old), file_format="pkl", encoding="latin1")
    assert read["a"].tolist() == [0, 1]
    assert read["b"] == {"x"}


def test_several_objects_in_one_file_are_read_one_by_one(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(b"".join(map(pickle.dumps, ([1], np.arange(2), "end"))))
    with path.open("rb") as file:
        read = [fileio.load(file, file_format="pkl") for _ in range(3)]
    assert [read[0], read[1].tolist(), read[2]] == [[1], [0, 1], "end"]


def test_annotations_cannot_run_code(tmp_path):
    canary, path = tmp_path / "canary", tmp_path / "train.pkl"
    attack = Calls(os.system, f"touch {canary}")
    path.write_bytes(pickle.dumps({"metainfo": {}, "data_list": [attack]}))
    with pytest.raises(DataError, match=r"train\.pkl asks for posix\.system") as error:
        BaseDataset(str(path))
    assert "--allow posix" in error.value.help
    assert is_user_mistake(error.value)
    assert not canary.exists()
    fileio.load(path, trust=True)
    assert canary.exists()


@pytest.mark.parametrize(
    "attack",
    [
        Calls(eval, "1"),
        Calls(getattr, {}, "__class__"),
        Calls(__import__, "os"),
        Calls(pickle.loads, b"N."),
        Calls(io.open, os.devnull),
        Calls(torch.load, "x"),
        Calls(np.load, "x"),
        torch.nn.ReLU(),
        json.JSONDecodeError("x", "y", 0),
        Calls(np.dtype, "i8", state=(3, "<", None, None, None, -1, -1, 63)),
        Calls(np.dtype, "U1", state=(3, "<", None, None, None, 4000, 4, 8)),
        Calls(np.dtype, "O8", state=(3, "|", None, None, None, -1, -1, 0)),
        Calls(Calls, state={}),
    ],
    ids=lambda attack: getattr(attack, "parts", [type(attack)])[0].__name__,
)
def test_what_could_run_code_or_forge_memory_is_refused(attack):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        content = io.BytesIO(pickle.dumps([np.arange(1), attack], protocol))
        with pytest.raises((DataError, pickle.UnpicklingError)):
            fileio.load(content, file_format="pkl")


def set_on(name, state):
    """A pickle that sets a state on what it names."""
    return "c{}\n{}\n".format(*name.split()).encode() + pickle.dumps(state, 0)[:-1] + b"b."


@pytest.mark.parametrize(
    "name",
    [
        "collections Counter",
        "collections OrderedDict",
        "builtins dict",
        "pathlib PosixPath",
        "numpy ndarray",
        "numpy dtype",
        "numpy.core.numeric _frombuffer",
        "torch Size",
        "torch._utils _rebuild_tensor_v2",
    ],
)
def test_no_file_changes_a_class_or_function_for_others(name):
    for state in ({"marked": 1}, (None, {"marked": 1, "__doc__": "marked"})):
        with pytest.raises((DataError, pickle.UnpicklingError, TypeError, AttributeError)):
            fileio.load(io.BytesIO(set_on(name, state)), file_format="pkl")
    assert not hasattr(collections.Counter, "marked")
    assert not hasattr(Path, "marked")
    assert not hasattr(torch._utils._rebuild_tensor_v2, "marked")


def test_an_array_of_objects_holds_as_many_as_its_shape_says():
    array = np.array([None, None], dtype=object)
    content = pickle.dumps(array, 2)
    longer = content.replace(b"K\x02\x85", b"K\x7f\x85")
    assert longer != content
    with pytest.raises(DataError):
        fileio.load(io.BytesIO(longer), file_format="pkl")


class Sample:
    """A class of a project, kept in its files."""

    def __init__(self):
        self.boxes = np.arange(3)


def test_a_person_allows_the_classes_of_a_package(monkeypatch):
    monkeypatch.setattr(gate, "_allowed", set())
    content = pickle.dumps([Sample(), np.arange(2)])
    package = Sample.__module__.partition(".")[0]
    with pytest.raises(DataError, match=f"asks for {Sample.__module__}.Sample") as error:
        fileio.load(io.BytesIO(content), file_format="pkl")
    assert f'allow = ["{package}"]' in error.value.help
    allow_packages(package)
    sample, _ = fileio.load(io.BytesIO(content), file_format="pkl")
    assert sample.boxes.tolist() == [0, 1, 2]
