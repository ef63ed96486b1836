"""Weights are brought into a module, and differences are said."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import nn

from mainspring.checkpoint import (
    _load_checkpoint_with_prefix,
    find_latest_checkpoint,
    get_state_dict,
    load_checkpoint,
    load_state_dict,
    save_checkpoint,
    weights_to_cpu,
)
from mainspring.errors import CheckpointError


def net():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def test_weights_go_through_a_file(tmp_path):
    source, target = net(), net()
    save_checkpoint({"state_dict": get_state_dict(source)}, tmp_path / "a.pth")
    load_checkpoint(target, tmp_path / "a.pth", logger="silent", strict=True)
    assert all(map(torch.equal, source.state_dict().values(), target.state_dict().values()))


def test_tensors_that_hooks_put_beside_the_weights_are_no_weights(tmp_path):
    source, target = net(), net()
    content = {"meta": {}, "state_dict": get_state_dict(source), "queue": torch.zeros(9)}
    save_checkpoint(content, tmp_path / "a.pth")
    load_checkpoint(target, tmp_path / "a.pth", logger="silent", strict=True)
    assert all(map(torch.equal, source.state_dict().values(), target.state_dict().values()))


def test_the_prefix_of_wrappers_is_cut_off(tmp_path):
    state = {f"module.{key}": value for key, value in net().state_dict().items()}
    save_checkpoint({"state_dict": state}, tmp_path / "a.pth")
    load_checkpoint(net(), tmp_path / "a.pth", logger="silent", strict=True)


def test_differences_are_reported_and_tolerated(caplog):
    state = net().state_dict()
    del state["0.bias"]
    state["extra"] = torch.zeros(1)
    state["0.weight"] = torch.zeros(5, 5)
    logger = logging.getLogger("differences")
    with caplog.at_level(logging.WARNING):
        load_state_dict(net(), state, logger=logger)
    for part in ("missing keys", "0.bias", "unexpected key", "extra", "size mismatch", "(5, 5)"):
        assert part in caplog.text


def test_differences_raise_when_strict():
    state = net().state_dict()
    del state["0.bias"]
    with pytest.raises(CheckpointError, match=r"0\.bias"):
        load_state_dict(net(), state, strict=True)


def test_a_checkpoint_of_another_model_is_refused():
    with pytest.raises(CheckpointError, match="belongs to another model"):
        load_state_dict(net(), {"encoder.weight": torch.zeros(1)})


def test_counters_alone_make_no_checkpoint_of_this_model():
    wide = torch.nn.Sequential(torch.nn.Linear(2, 6), torch.nn.BatchNorm1d(6))
    narrow = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    with pytest.raises(CheckpointError, match="belongs to another model"):
        load_state_dict(narrow, wide.state_dict())


def test_old_batch_norms_without_a_counter_load_silently(caplog):
    state = {k: v for k, v in net().state_dict().items() if "num_batches" not in k}
    load_state_dict(net(), state, strict=True)
    assert caplog.text == ""


def test_the_part_below_a_prefix(tmp_path):
    save_checkpoint(
        {"state_dict": {"backbone.w": torch.ones(1), "head.w": torch.zeros(1)}}, tmp_path / "a"
    )
    part = _load_checkpoint_with_prefix("backbone", tmp_path / "a", logger="silent")
    assert list(part) == ["w"]
    with pytest.raises(CheckpointError) as caught:
        _load_checkpoint_with_prefix("backbon", tmp_path / "a", logger="silent")
    assert "backbone" in caught.value.help
    assert isinstance(caught.value, AssertionError)


def test_weights_to_cpu_keeps_torchs_version_notes():
    state = net().state_dict()
    assert weights_to_cpu(state)._metadata == state._metadata


def test_the_latest_checkpoint_survives_a_moved_work_dir(tmp_path):
    assert find_latest_checkpoint(str(tmp_path)) is None
    (tmp_path / "epoch_3.pth").write_bytes(b"")
    for recorded in ("epoch_3.pth", "/gone/elsewhere/epoch_3.pth"):
        (tmp_path / "last_checkpoint").write_text(recorded)
        assert find_latest_checkpoint(str(tmp_path)) == str(tmp_path / "epoch_3.pth")
