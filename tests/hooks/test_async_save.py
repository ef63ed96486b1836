"""Checkpoints that are written while training goes on."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import nn

from mainspring.checkpoint import load_file, verify_file
from mainspring.checkpoint.writer import CheckpointWriter, Snapshots
from mainspring.hooks import Hook
from mainspring.model import Supervised
from mainspring.runner import Runner


def make(work_dir, *hooks, **checkpoint):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1))
    return Runner(
        model=Supervised(net, nn.MSELoss()),
        work_dir=str(work_dir),
        train_dataloader=[(torch.randn(4, 4), torch.randn(4, 1)) for _ in range(3)],
        train_cfg={"max_iters": 9},
        optim_wrapper={"optimizer": {"type": "AdamW", "lr": 0.01}},
        default_hooks={
            "checkpoint": {
                "type": "CheckpointHook",
                "interval": 3,
                "by_epoch": False,
                **checkpoint,
            }
        },
        custom_hooks=list(hooks),
        randomness={"seed": 1},
    )


def contents(path):
    checkpoint = load_file(path)
    return checkpoint["state_dict"], checkpoint["optimizer"]["state"]


class HeldUp(Hook):
    """Holds up the writing thread until training has gone on."""

    def __init__(self, monkeypatch, until):
        self.until = until
        self.go_on = threading.Event()
        self.threads = []
        import mainspring.runner.state.checkpoints as module

        write = module.save_checkpoint

        def held_up(checkpoint, *args):
            self.threads.append(threading.current_thread())
            assert self.go_on.wait(timeout=60)
            write(checkpoint, *args)

        monkeypatch.setattr(module, "save_checkpoint", held_up)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.until:
            self.go_on.set()


def test_what_is_written_is_the_state_of_its_iteration_though_training_has_gone_on(
    tmp_path, monkeypatch
):
    make(tmp_path / "sync").train()
    hook = HeldUp(monkeypatch, until=5)
    make(tmp_path / "async", hook, async_save=True).train()
    assert threading.main_thread() not in hook.threads
    for name in ("iter_3.pth", "iter_6.pth", "iter_9.pth"):
        assert verify_file(tmp_path / "async" / name).is_valid
        torch.testing.assert_close(
            contents(tmp_path / "async" / name), contents(tmp_path / "sync" / name), rtol=0, atol=0
        )


def test_the_end_of_a_run_waits_for_the_last_one(tmp_path):
    runner = make(tmp_path, async_save=True, max_keep_ckpts=1)
    runner.train()
    assert [path.name for path in tmp_path.glob("*.pth")] == ["iter_9.pth"]
    assert (tmp_path / "last_checkpoint").read_text() == "iter_9.pth"
    assert not [thread for thread in threading.enumerate() if "checkpoint" in thread.name]


def test_an_older_one_stays_until_the_new_one_is_safe(tmp_path, monkeypatch):
    seen = []

    class Look(HeldUp):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter + 1 == 7:
                seen.append(sorted(path.name for path in tmp_path.glob("*.pth")))

    hook = Look(monkeypatch, until=None)
    hook.go_on.set()

    class HoldSecond(Hook):
        priority = "HIGHEST"

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter + 1 == 6:
                runner.finish_saving()
                hook.go_on.clear()
            if runner.iter + 1 == 8:
                hook.go_on.set()

    make(tmp_path, hook, HoldSecond(), async_save=True, max_keep_ckpts=1).train()
    assert seen == [["iter_3.pth"]]


def test_a_training_that_fails_still_finishes_what_it_was_writing(tmp_path):
    class Fail(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter + 1 == 4:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        make(tmp_path, Fail(), async_save=True).train()
    assert verify_file(tmp_path / "iter_3.pth").is_valid


def test_what_could_not_be_written_is_forgotten_whatever_the_reason(tmp_path, monkeypatch):
    def refuse(*_args):
        raise ValueError("no such compression")

    monkeypatch.setattr("mainspring.runner.state.checkpoints.save_checkpoint", refuse)
    runner = make(tmp_path, async_save=True)
    with pytest.raises(ValueError, match="no such compression"):
        runner.train()
    hook = next(hook for hook in runner.hooks if type(hook).__name__ == "CheckpointHook")
    assert hook.last_ckpt is None


def test_best_checkpoints_are_written_too(tmp_path):
    runner = make(tmp_path, async_save=True, save_best="loss", rule="less")
    runner.train()
    hook = next(hook for hook in runner.hooks if type(hook).__name__ == "CheckpointHook")
    hook.after_val_epoch(runner, {"loss": 1.0})
    hook.after_val_epoch(runner, {"loss": 0.5})
    hook.after_train(runner)
    assert [path.name for path in tmp_path.glob("best*.pth")] == ["best_loss_iter_9.pth"]


class TestWriter:
    def test_a_failure_is_told_once(self):
        writer = CheckpointWriter()

        def refuse(checkpoint):
            raise OSError("full")

        writer.start({}, refuse)
        assert str(writer.wait()) == "full"
        assert writer.wait() is None

    def test_one_after_the_other(self):
        writer, order, first = CheckpointWriter(), [], threading.Event()
        writer.start({"n": 1}, lambda checkpoint: (first.wait(60), order.append(checkpoint["n"])))
        threading.Timer(0.05, first.set).start()
        writer.start({"n": 2}, lambda checkpoint: order.append(checkpoint["n"]))
        writer.wait()
        assert order == [1, 2]


class TestSnapshots:
    def test_tensors_of_every_kind(self):
        base, vector = torch.randn(10, 1000), torch.arange(10.0)
        checkpoint = {
            "part": base[3],
            "transposed": torch.randn(4, 6).t(),
            "channels last": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
            "vector": vector,
            "view": vector[2:5],
            "same": [vector, (vector,)],
            "empty": torch.empty(0, 3),
            "scalar": torch.tensor(3),
            "complex": torch.randn(3, dtype=torch.complex64).conj(),
            "sparse": torch.eye(3).to_sparse(),
            "parameter": nn.Parameter(torch.ones(2, dtype=torch.bfloat16)),
            "plain": {"a": [1, 2.0, "x", None]},
        }
        taken = Snapshots().take(checkpoint)
        for name, value in checkpoint.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(
                    taken[name].detach().resolve_conj().to_dense(),
                    value.detach().resolve_conj().to_dense(),
                ), name
                assert taken[name] is not value
        assert taken["plain"] == checkpoint["plain"]
        assert taken["plain"]["a"] is not checkpoint["plain"]["a"]
        assert taken["same"][0] is taken["same"][1][0] is taken["vector"]
        taken["vector"][3] = -1
        assert taken["view"][1] == -1
        assert vector[3] == 3
        assert taken["part"].untyped_storage().nbytes() == 4000
        assert taken["channels last"].is_contiguous(memory_format=torch.channels_last)

    def test_memory_is_used_again(self):
        snapshots, state = Snapshots(), {"a": torch.randn(1000), "b": torch.randn(500)}
        first = snapshots.take(state)
        places = {first[name].data_ptr() for name in state}
        state["a"].zero_()
        second = snapshots.take(state)
        assert {second[name].data_ptr() for name in state} == places
        assert torch.equal(second["a"], torch.zeros(1000))

    def test_reserved_memory_is_what_is_used(self):
        snapshots, state = Snapshots(), {"a": torch.randn(1000), "b": torch.randn(500)}
        snapshots.reserve([state["a"], [state["b"]]])
        snapshots._reserving.join()
        reserved = {memory.data_ptr() for each in snapshots._used.values() for memory in each}
        taken = snapshots.take(state)
        assert {taken[name].data_ptr() for name in state} == reserved
