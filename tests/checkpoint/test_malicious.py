"""Files that would run code when they are unpickled are refused on every way in, and nothing runs."""

from __future__ import annotations

import builtins
import collections
import contextlib
import functools
import http.server
import importlib
import io
import os
import pickle
import random
import sys
import threading
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mainspring import fileio
from mainspring.checkpoint import CheckpointLoader, load_checkpoint, load_file, save_checkpoint
from mainspring.cli.main import main
from mainspring.errors import CheckpointError, DataError
from mainspring.runner import Runner

FOREIGN = Path(__file__).parent / "foreign"
WEIGHTS = {"weight": torch.ones(2)}


class Calls:
    """Unpickles to the call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call

    def __call__(self):
        """Lets pickle take it for a function, which is what it unpickles to."""


class Sets:
    """Unpickles to a call and then sets a state."""

    def __init__(self, function, arguments, state):
        self.parts = function, arguments, state

    def __reduce__(self):
        return self.parts


def touch(canary):
    return f"__import__('pathlib').Path({str(canary)!r}).touch()"


def system(canary):
    return Calls(os.system, f"touch {canary}")


def evaluate(canary):
    return Calls(builtins.eval, touch(canary))


def execute(canary):
    return Calls(builtins.exec, touch(canary))


def partial_of_partial(canary):
    return Calls(Calls(functools.partial, os.system, f"touch {canary}"))


def map_in_a_list(canary):
    return Calls(list, Calls(map, os.system, [f"touch {canary}"]))


def fetched_by_getattr(canary):
    return Calls(Calls(getattr, Calls(importlib.import_module, "os"), "system"), f"touch {canary}")


def array_of_objects(canary):
    return np.array([system(canary)], dtype=object)


def structured_scalar(canary):
    return np.array([(system(canary),)], dtype=[("field", object)])[0]


def key_of_a_dict(canary):
    return {Calls(os.system, f"touch {canary}"): 1}


def inside_of_a_counter(canary):
    return collections.Counter({Calls(os.system, f"touch {canary}"): 1})


def unpickled_again(canary):
    return Calls(pickle.loads, pickle.dumps(system(canary)))


def torch_load_in_torch_load(canary):
    inner = canary.with_suffix(".inner")
    torch.save(system(canary), inner)
    return Calls(functools.partial(torch.load, weights_only=False), str(inner))


def torch_hub(canary):
    repository = canary.parent / "hub"
    repository.mkdir(exist_ok=True)
    (repository / "hubconf.py").write_text(f"def run():\n    {touch(canary)}\n")
    return Calls(functools.partial(torch.hub.load, source="local"), str(repository), "run")


def compiled_script(canary):
    return Calls(torch.jit.load, str(canary))


def module_of_a_user(canary):
    return nn.Sequential(nn.ReLU())


def state_of_a_history(canary):
    buffer = mmengine_history()
    return Sets(buffer, (), {"_log_history": system(canary), "_count_history": [1]})


def statistics_of_a_history(canary):
    methods = {"mean": os.system, "latest": system(canary)}
    state = {"_log_history": [1.0], "_count_history": [1], "statistics_methods": methods}
    return Sets(mmengine_history(), (), state)


def other_attribute_of_a_history(canary):
    reached = Calls(getattr, mmengine_history(), "__init__")
    return Calls(Calls(getattr, reached, "__globals__"))


def unknown_class_of_mmengine(canary):
    run = types.FunctionType(compile("", "", "exec"), {}, "run")
    run.__module__, run.__qualname__ = "mmengine.utils.misc", "run"
    sys.modules["mmengine.utils.misc"].run = run
    return Calls(run, str(canary))


def mmengine_history():
    return sys.modules["mmengine.logging.history_buffer"].HistoryBuffer


ATTACKS = [
    system,
    evaluate,
    execute,
    partial_of_partial,
    map_in_a_list,
    fetched_by_getattr,
    array_of_objects,
    structured_scalar,
    key_of_a_dict,
    inside_of_a_counter,
    unpickled_again,
    torch_load_in_torch_load,
    torch_hub,
    compiled_script,
    module_of_a_user,
    state_of_a_history,
    statistics_of_a_history,
    other_attribute_of_a_history,
    unknown_class_of_mmengine,
]
"""What a file may hold beside its weights: calls of code, or what only code could restore."""


@pytest.fixture
def mmengine(monkeypatch):
    """Modules of the names that MMEngine has, to pickle by; gone again before files are read."""

    class HistoryBuffer:
        pass

    HistoryBuffer.__module__ = "mmengine.logging.history_buffer"
    HistoryBuffer.__qualname__ = "HistoryBuffer"
    for name in ("mmengine", "mmengine.logging", "mmengine.utils", "mmengine.utils.misc"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    module = types.ModuleType("mmengine.logging.history_buffer")
    module.HistoryBuffer = HistoryBuffer
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return monkeypatch


@pytest.fixture(params=ATTACKS, ids=lambda attack: attack.__name__)
def bomb(request, mmengine, tmp_path):
    """A malicious file, and the file that its code would make."""
    folder = tmp_path / "attack"
    folder.mkdir()
    canary, path = folder / "canary", folder / "epoch_1.pth"
    content = {"meta": {"epoch": 1, "iter": 4}, "state_dict": WEIGHTS}
    torch.save({**content, "extra": request.param(canary)}, path)
    mmengine.undo()
    assert not canary.exists()
    return path, canary


class Net(nn.Linear):
    def __init__(self):
        super().__init__(2, 1)


def runner_for(path, tmp_path, *, resume):
    return Runner(
        model=Net(),
        work_dir=str(tmp_path / "work"),
        load_from=str(path),
        resume=resume,
        custom_hooks=[],
        launcher="none",
    )


def test_reading_is_refused(bomb):
    path, canary = bomb
    for read in (
        load_file,
        lambda file: load_file(io.BytesIO(file.read_bytes())),
        lambda file: CheckpointLoader.load_checkpoint(file, logger="silent"),
        lambda file: load_checkpoint(Net(), file, logger="silent"),
    ):
        with pytest.raises(CheckpointError):
            read(path)
    assert not canary.exists()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_annotations_and_other_pickles_are_refused(attack, mmengine, tmp_path):
    canary, path = tmp_path / "canary", tmp_path / "annotations.pkl"
    path.write_bytes(pickle.dumps({"metainfo": {}, "data_list": [attack(canary)]}, 2))
    mmengine.undo()
    for read in (fileio.load, lambda file: fileio.load(io.BytesIO(file.read_bytes()), "pickle")):
        with pytest.raises(DataError, match="could run code"):
            read(path)
    assert not canary.exists()


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_newer_protocols_and_the_older_format_are_refused_too(protocol, tmp_path):
    canary = tmp_path / "canary"
    for is_zip in (True, False):
        path = tmp_path / "a.pth"
        torch.save(
            {"state_dict": WEIGHTS, "extra": system(canary)},
            path,
            pickle_protocol=protocol,
            _use_new_zipfile_serialization=is_zip,
        )
        with pytest.raises(CheckpointError):
            load_file(path)
    path.write_bytes(pickle.dumps(system(canary), protocol))
    with pytest.raises(CheckpointError):
        load_file(path)
    assert not canary.exists()


def test_the_command_refuses_with_one_line(bomb, tmp_path, capsys):
    path, canary = bomb
    out = str(tmp_path / "out.pth")
    good = str(tmp_path / "good.pth")
    save_checkpoint({"state_dict": WEIGHTS}, good)
    for words in (
        ["info", path],
        ["diff", path, good],
        ["diff", good, path],
        ["average", good, path, "-o", out],
        ["average", "--last", "1", path.parent, "-o", out],
        ["strip", path, "-o", out],
        ["export", path, "-o", out],
        ["import-mmengine", path, "-o", out],
    ):
        assert main(["ckpt", *map(str, words)]) == 2, words
        error = capsys.readouterr().err.splitlines()
        assert error[0].startswith("error: ")
        assert len(error) <= 2
        assert not Path(out).exists()
    assert main(["ckpt", "ls", str(path.parent)]) == 0
    assert "refused: " in capsys.readouterr().out
    assert main(["ckpt", "verify", str(path)]) == 0
    assert not canary.exists()


@pytest.fixture
def one_bomb(tmp_path):
    """One malicious file for ways in that differ only in where the bytes come from."""
    canary, path = tmp_path / "canary", tmp_path / "epoch_1.pth"
    content = {"meta": {"epoch": 1, "iter": 4}, "state_dict": WEIGHTS}
    torch.save({**content, "extra": system(canary)}, path)
    return path, canary


@pytest.mark.parametrize("resume", [False, True])
def test_a_runner_refuses(one_bomb, tmp_path, resume):
    path, canary = one_bomb
    runner = runner_for(path, tmp_path, resume=resume)
    with pytest.raises(CheckpointError, match=r"only running code.*asks for posix\.system"):
        runner.load_or_resume()
    assert not canary.exists()


def test_a_runner_refuses_what_lies_in_its_work_directory(one_bomb, tmp_path):
    path, canary = one_bomb
    runner = runner_for(path, tmp_path, resume=True)
    runner._load_from = None
    Path(runner.work_dir).mkdir(exist_ok=True)
    path.rename(Path(runner.work_dir) / path.name)
    with pytest.raises(CheckpointError, match="only running code"):
        runner.load_or_resume()
    assert not canary.exists()


def test_a_download_is_refused(one_bomb, tmp_path, monkeypatch):
    path, canary = one_bomb
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(CheckpointError, match="only running code"):
                CheckpointLoader.load_checkpoint(
                    f"http://127.0.0.1:{server.server_port}/{path.name}", logger="silent"
                )
        finally:
            server.shutdown()
            thread.join()
    assert not canary.exists()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def test_object_storage_is_refused(one_bomb, monkeypatch):
    path, canary = one_bomb
    monkeypatch.setattr(fileio, "get", lambda name, backend_args=None: path.read_bytes())
    with pytest.raises(CheckpointError, match="only running code"):
        CheckpointLoader.load_checkpoint("s3://bucket/epoch_1.pth", logger="silent")
    assert not canary.exists()


def test_trust_is_explicit(one_bomb, tmp_path):
    """What the file says is run only where somebody says so; that also proves that it would be."""
    path, canary = one_bomb
    load_file(path, trust=True)
    assert canary.exists()
    canary.unlink()
    out = tmp_path / "clean.pth"
    assert main(["ckpt", "import-mmengine", str(path), "-o", str(out), "--trust"]) == 0
    assert canary.exists()
    canary.unlink()
    assert torch.load(out, weights_only=True)["meta"]["iter"] == 4
    assert not canary.exists()


def test_histories_reach_nothing_but_their_statistics(tmp_path, mmengine):
    kind = mmengine_history()
    kind.mean = None
    for name, fine in [("mean", True), ("__init__", False), ("__class__", False), ("x", False)]:
        path = tmp_path / "history.pth"
        torch.save({"value": Calls(getattr, kind, name)}, path)
        if fine:
            load_file(path)
        else:
            with pytest.raises(CheckpointError, match=r"asks for builtins\.getattr"):
                load_file(path)


@pytest.mark.parametrize("seed", range(4))
def test_an_altered_pickle_is_refused_or_read_but_never_anything_else(seed):
    """A pickle is a program, so one altered byte of it may mean anything."""
    generator = random.Random(seed)
    with zipfile.ZipFile(FOREIGN / "mmengine_epochs.pth") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    for _ in range(50):
        altered = io.BytesIO()
        with zipfile.ZipFile(altered, "w") as archive:
            for name, content in entries.items():
                changed = bytearray(content)
                if name.endswith("data.pkl"):
                    changed[generator.randrange(len(changed))] = generator.randrange(256)
                archive.writestr(name, bytes(changed))
        with contextlib.suppress(CheckpointError):
            load_file(altered, "cpu")


def test_what_a_user_allows_torch_to_load_is_left_as_it_was(tmp_path):
    before = set(torch.serialization.get_safe_globals())
    save_checkpoint({"state_dict": WEIGHTS}, tmp_path / "a.pth")
    load_file(tmp_path / "a.pth")
    assert set(torch.serialization.get_safe_globals()) == before
