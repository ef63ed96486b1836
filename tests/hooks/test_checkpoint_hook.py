from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import torch

from mainspring.errors import CheckpointError, ConfigError, MetricError
from mainspring.hooks import CheckpointHook
from mainspring.hooks.metric_rule import infer_rule
from mainspring.replacing import replacing


def files(runner):
    return sorted(path.name for path in Path(runner.work_dir).glob("*.pth"))


def test_checkpoints_are_written_at_the_interval_and_at_the_end(make_runner) -> None:
    runner = make_runner(CheckpointHook(interval=3))
    runner.train()
    assert files(runner) == ["epoch_3.pth", "epoch_4.pth"]
    assert (Path(runner.work_dir) / "last_checkpoint").read_text() == "epoch_4.pth"
    assert runner.saved[0]["meta"] == {"epoch": 3, "iter": 6}
    assert runner.message_hub.get_info("last_ckpt") == os.path.join(runner.work_dir, "epoch_4.pth")


def test_iterations_are_counted_when_asked_or_when_the_loop_does(make_runner) -> None:
    for by_epoch in (False, None):
        runner = make_runner(
            CheckpointHook(interval=3, by_epoch=by_epoch), by_epoch=False, name=str(by_epoch)
        )
        runner.train()
        assert files(runner) == ["iter_3.pth", "iter_6.pth", "iter_8.pth"]
        assert runner.saved[-1]["meta"] == {"epoch": 0, "iter": 8}


def test_save_begin_and_template(make_runner) -> None:
    runner = make_runner(
        CheckpointHook(interval=2, save_begin=1, save_last=False, filename_tmpl="e{}.pth")
    )
    runner.train()
    assert files(runner) == ["e1.pth", "e3.pth"]


def test_old_checkpoints_go_after_the_new_one_is_there(make_runner) -> None:
    runner = make_runner(CheckpointHook(interval=1, max_keep_ckpts=1))
    runner.train()
    assert files(runner) == ["epoch_4.pth"]
    assert "epoch_1.pth" in runner.saved[1]["there"], "the old file must outlive the writing"
    assert runner.message_hub.get_info("keep_ckpt_ids") == [4]


def let_saving_fail(runner, monkeypatch, epochs):
    write = runner.save_checkpoint

    def fail(*args, **kwargs):
        if kwargs["meta"]["epoch"] in epochs:
            raise OSError("no space left on device")
        write(*args, **kwargs)

    monkeypatch.setattr(runner, "save_checkpoint", fail)


def test_a_failing_write_leaves_the_earlier_checkpoint(make_runner, monkeypatch) -> None:
    runner = make_runner(CheckpointHook(interval=1, max_keep_ckpts=1, on_failure="raise"))
    let_saving_fail(runner, monkeypatch, {2})
    with pytest.raises(OSError, match="no space"):
        runner.train()
    assert files(runner) == ["epoch_1.pth"]
    assert (Path(runner.work_dir) / "last_checkpoint").read_text() == "epoch_1.pth"


def test_training_goes_on_when_the_storage_refuses_and_tries_again(
    make_runner, monkeypatch
) -> None:
    runner = make_runner(CheckpointHook(interval=1, max_keep_ckpts=1))
    let_saving_fail(runner, monkeypatch, {2})
    runner.train()
    assert files(runner) == ["epoch_4.pth"]
    [said] = runner.warnings
    assert "epoch_2.pth could not be written: OSError: no space left on device" in said
    assert "epoch_1.pth. Training goes on" in said


def test_training_must_not_end_quietly_without_its_last_checkpoint(
    make_runner, monkeypatch
) -> None:
    runner = make_runner(CheckpointHook(interval=1, max_keep_ckpts=1))
    let_saving_fail(runner, monkeypatch, {2, 3, 4})
    with pytest.raises(CheckpointError, match="the last checkpoint .* no space") as error:
        runner.train()
    assert "epoch_1.pth; resume=True" in str(error.value)
    assert files(runner) == ["epoch_1.pth"]
    assert (Path(runner.work_dir) / "last_checkpoint").read_text() == "epoch_1.pth"


def test_only_the_best_is_kept_when_nothing_else_is_wanted(make_runner) -> None:
    runner = make_runner(CheckpointHook(interval=-1, save_last=False, save_best="acc"))
    runner.train([{"acc": 0.1}, {"acc": 0.3}, {"acc": 0.2}, {"acc": float("nan")}])
    assert files(runner) == ["best_acc_epoch_2.pth"]
    assert runner.saved[-1]["optimizer"] is False
    assert runner.message_hub.get_info("best_score") == 0.3
    assert runner.message_hub.get_info("best_ckpt").endswith("best_acc_epoch_2.pth")


def test_a_new_best_beside_ordinary_checkpoints_renews_the_ordinary_one(make_runner) -> None:
    # The same files as MMEngine 0.10.7 writes for these settings and scores.
    runner = make_runner(CheckpointHook(interval=2, max_keep_ckpts=1, save_best="auto"))
    runner.train([{"acc": 0.1}, {"acc": 0.3}, {"acc": 0.2}, {"acc": 0.4}])
    assert [entry["file"] for entry in runner.saved] == [
        "best_acc_epoch_1.pth",
        "epoch_2.pth",
        "best_acc_epoch_2.pth",
        "epoch_2.pth",
        "epoch_4.pth",
        "best_acc_epoch_4.pth",
        "epoch_4.pth",
    ]
    assert files(runner) == ["best_acc_epoch_4.pth", "epoch_4.pth"]


def test_several_metrics_have_their_own_best_ones(make_runner) -> None:
    hook = CheckpointHook(
        interval=-1, save_last=False, save_best=["set/acc", "f1"], rule=["greater", "less"]
    )
    runner = make_runner(hook)
    runner.train(
        [{"set/acc": a, "f1": f} for a, f in [(0.1, 0.9), (0.3, 0.7), (0.2, 0.8), (0.4, 0.6)]]
    )
    assert files(runner) == ["best_f1_epoch_4.pth", "best_set_acc_epoch_4.pth"]
    assert runner.message_hub.get_info("best_score_set/acc") == 0.4
    assert runner.message_hub.get_info("best_score_f1") == 0.6


def test_a_wrong_metric_is_an_error_at_the_first_validation(make_runner) -> None:
    runner = make_runner(CheckpointHook(save_best="accc", rule="greater"))
    with pytest.raises(MetricError, match=r"'accc'.*validation gave acc, loss") as caught:
        runner.train([{"acc": 0.1, "loss": 1.0}])
    assert caught.value.help == "did you mean 'acc'?"


def test_a_metric_without_its_prefix_is_recognised(make_runner) -> None:
    runner = make_runner(CheckpointHook(save_best="bbox_mAP"))
    with pytest.raises(MetricError) as caught:
        runner.train([{"coco_dataset/bbox_mAP": 0.1}])
    assert "coco_dataset/bbox_mAP" in str(caught.value.help)


def test_validation_alone_writes_nothing(make_runner) -> None:
    runner = make_runner(CheckpointHook(save_best=["acc", "top1"]))
    runner.call_hook("after_val_epoch", metrics={"acc": 1.0, "top1": 1.0})
    assert runner.saved == []


def test_no_metrics_are_said_and_skipped(make_runner) -> None:
    runner = make_runner(CheckpointHook(save_best="acc"))
    runner.train([{}, {}, {}, {}])
    assert "no metrics" in runner.warnings[0]
    assert not any(entry["file"].startswith("best") for entry in runner.saved)


def test_a_resumed_run_knows_the_best_and_the_kept_ones(make_runner) -> None:
    scores = [{"acc": 0.1}, {"acc": 0.3}, {"acc": 0.2}, {"acc": 0.4}]
    first_hook = CheckpointHook(interval=1, max_keep_ckpts=2, save_best="acc")
    first = make_runner(first_hook)
    first.max_epochs = 3
    first.train(scores)
    state = first_hook.state_dict()
    assert state == {
        "last_ckpt": "epoch_3.pth",
        "keep_ckpt_ids": [2, 3],
        "outdated_ids": [1],
        "best": {"acc": {"rule": "greater", "score": 0.3, "file": "best_acc_epoch_2.pth"}},
    }
    second_hook = CheckpointHook(interval=1, max_keep_ckpts=2, save_best="acc")
    second = make_runner(second_hook)
    second.epoch, second.iter = 3, 6
    second_hook.load_state_dict(state)
    second.train(scores)
    assert files(second) == ["best_acc_epoch_4.pth", "epoch_3.pth", "epoch_4.pth"]


def test_what_a_killed_process_did_not_come_to_remove_is_removed(make_runner) -> None:
    hook = CheckpointHook(interval=1, max_keep_ckpts=1)
    hook.load_state_dict(
        {"last_ckpt": "epoch_3.pth", "keep_ckpt_ids": [3], "outdated_ids": [2], "best": {}}
    )
    runner = make_runner(hook)
    work_dir = Path(runner.work_dir)
    for name in ("epoch_2.pth", "epoch_3.pth", "mine.tmp"):
        (work_dir / name).touch()
    unfinished = []
    for name in ("epoch_3.pth", "last_checkpoint", "config.py", "run.json"):
        with replacing(work_dir / name):
            unfinished += work_dir.glob(".*")  # there if the process is killed now
    for path in unfinished:
        path.touch()
    for name in ("config.py", "run.json", "last_checkpoint"):
        (work_dir / name).unlink()
    assert len(unfinished) == 4
    hook.before_train(runner)
    assert sorted(path.name for path in work_dir.iterdir() if path.is_file()) == [
        "epoch_3.pth",
        "mine.tmp",
    ]


def test_a_run_resumed_from_a_checkpoint_of_mmengine_reads_the_hub(make_runner) -> None:
    runner = make_runner(CheckpointHook(interval=-1, save_last=False, save_best="acc"))
    for name in ("best_acc_epoch_2.pth", "epoch_3.pth"):
        (Path(runner.work_dir) / name).touch()
    runner.message_hub.update_info_dict(
        {"best_score": 0.3, "best_ckpt": "/moved/away/best_acc_epoch_2.pth"}
    )
    runner.epoch = 3
    runner.train([{}, {}, {}, {"acc": 0.2}])
    assert files(runner) == ["best_acc_epoch_2.pth", "epoch_3.pth"], "0.2 is not better"
    runner.epoch = 3
    runner.train([{}, {}, {}, {"acc": 0.4}])
    assert files(runner) == ["best_acc_epoch_4.pth", "epoch_3.pth"]


def test_out_dir_gets_a_directory_named_like_the_work_dir(make_runner, tmp_path) -> None:
    runner = make_runner(CheckpointHook(interval=4, out_dir=tmp_path / "store"))
    runner.train()
    assert (tmp_path / "store" / "run" / "epoch_4.pth").exists()
    recorded = (Path(runner.work_dir) / "last_checkpoint").read_text()
    assert recorded == str(tmp_path / "store" / "run" / "epoch_4.pth")


def test_published_checkpoints_hold_the_published_keys_and_are_named_by_content(
    make_runner,
) -> None:
    runner = make_runner(CheckpointHook(interval=4, save_best="acc", published_keys=["state_dict"]))
    runner.train([{"acc": 1.0}, {"acc": 0.0}, {"acc": 0.0}, {"acc": 0.0}])
    published = [name for name in files(runner) if "-" in name]
    assert [name.split("-")[0] for name in published] == ["best_acc_epoch_1", "epoch_4"]
    for name in published:
        path = Path(runner.work_dir) / name
        assert list(torch.load(path, weights_only=True)) == ["state_dict"]
        assert name.split("-")[1] == hashlib.sha256(path.read_bytes()).hexdigest()[:8] + ".pth"


@pytest.mark.parametrize(
    ("metric", "rule"),
    [
        ("acc", "greater"),
        ("ACC", "greater"),
        ("coco/bbox_mAP_50", "greater"),
        ("top5", "greater"),
        ("loss", "less"),
        ("val_loss", "less"),
        ("acc_loss", "greater"),
    ],
)
def test_rules_are_inferred_from_names(metric, rule) -> None:
    assert infer_rule(metric) == rule


def test_a_rule_that_cannot_be_inferred_must_be_given() -> None:
    with pytest.raises(ConfigError, match="FID"):
        CheckpointHook(save_best="FID")
    CheckpointHook(save_best="FID", rule="less")
    CheckpointHook(save_best="FID", less_keys=["fid"])


@pytest.mark.parametrize(
    "arguments",
    [
        {"intervall": 2},
        {"save_best": ["acc", "auto"]},
        {"save_best": ["acc", "acc"]},
        {"save_best": ["acc", "top1", "auc"], "rule": ["greater", "less"]},
        {"save_best": "acc", "rule": "bigger"},
        {"save_best": []},
        {"save_begin": -1},
        {"file_client_args": {}, "backend_args": {}},
    ],
)
def test_wrong_arguments_are_refused(arguments) -> None:
    with pytest.raises(ConfigError):
        CheckpointHook(**arguments)


def test_what_derived_hooks_of_mmengine_look_for(make_runner) -> None:
    class OfADetector(CheckpointHook):
        _default_greater_keys = ("nds",)

    hook = OfADetector(save_best=["nds", "loss"], less_keys="loss")
    assert hook.key_indicators == ["nds", "loss"]
    assert hook.rules == ["greater", "less"]
    assert (hook.greater_keys, hook.less_keys) == (("nds",), ("loss",))
    assert hook.best_ckpt_path_dict == {"nds": None, "loss": None}
    assert not hasattr(hook, "best_ckpt_path")

    hook = CheckpointHook(save_best="auto")
    assert hook.key_indicators == ["auto"]
    assert hook.best_ckpt_path is None
    runner = make_runner(hook)
    runner.train([{"acc": 0.1}] * 4)
    assert (hook.key_indicators, hook.rules) == (["acc"], ["greater"])
    assert hook.best_ckpt_path == os.path.join(runner.work_dir, "best_acc_epoch_1.pth")
    assert not hasattr(hook, "best_ckpt_path_dict")
    assert not hasattr(CheckpointHook(), "rules")


def test_where_checkpoints_go_can_be_asked_for(make_runner) -> None:
    hook, older = CheckpointHook(), CheckpointHook(file_client_args={"backend": "local"})
    for each, name in ((hook, "new"), (older, "old")):
        make_runner(each, name=name).train()
        assert each.file_backend.exists(each.last_ckpt)
        assert each.file_client.isfile(each.last_ckpt)


@pytest.mark.parametrize(
    "arguments",
    [
        {"save_best": {"acc": "acc"}},
        {"save_best": ["acc"], "rule": 1},
        {"save_best": ["acc"], "rule": ["greater", "less"]},
        {"save_best": ["auto", "acc"]},
    ],
)
def test_what_cannot_be_watched_is_refused_as_mmengine_does(arguments) -> None:
    with pytest.raises(AssertionError) as error:
        CheckpointHook(**arguments)
    assert isinstance(error.value, ConfigError)


def test_metrics_that_are_missing_are_said_outside_of_training_too(make_runner) -> None:
    runner = make_runner(CheckpointHook(save_best="acc"))
    runner.call_hook("after_val_epoch", metrics={})
    assert runner.warnings == ["validation gave no metrics, so no best checkpoint is chosen"]


def test_a_checkpoint_that_is_a_directory_is_removed_too(make_runner) -> None:
    runner = make_runner(CheckpointHook(max_keep_ckpts=1))
    whole = runner.save_checkpoint

    def in_parts(out_dir, filename, *args, **kwargs) -> None:
        whole(os.path.join(out_dir, filename), "part.pth", *args, **kwargs)

    runner.save_checkpoint = in_parts
    runner.train()
    assert files(runner) == ["epoch_4.pth"]
