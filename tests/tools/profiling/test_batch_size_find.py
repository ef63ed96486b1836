"""`mainspring batch-size-find`: the largest size that fits, and the one that pays."""

from __future__ import annotations

import argparse
import json

import pytest
import torch

from mainspring.cli.batch_size_find import amount
from mainspring.config import Config
from mainspring.tools.profiling import (
    BatchSizeSearch,
    TriedSize,
    batch_size,
    batch_sizes_as_text,
    find_batch_size,
)
from mainspring.tools.profiling.batch_size import is_out_of_memory, knee

MANY = "train_dataloader.dataset.length=500"


@pytest.fixture(autouse=True)
def no_collection(request, monkeypatch):
    """Collecting garbage of the whole test process takes longer than these runs."""
    if "nothing_fits" not in request.node.name:
        monkeypatch.setattr(batch_size, "_free", lambda: None)


def sizes(search, *, fits):
    return [item.size for item in search.tried if item.fits is fits]


def test_memory_that_runs_out_is_found_by_doubling_then_halving(load, write_config):
    write_config("model = dict(type=parts.Regression, most=37)")
    search = find_batch_size(load(MANY))
    assert search.ended_by == "memory"
    assert {4, 8, 16, 32} <= set(sizes(search, fits=True))
    assert 64 in sizes(search, fits=False)
    assert search.largest == 36
    assert min(sizes(search, fits=False)) <= 37 + 4
    assert all(item.was_run and item.samples_per_second > 0 for item in search.tried if item.fits)


def test_a_batch_is_not_larger_than_the_data_set(load):
    search = find_batch_size(load("train_dataloader.dataset.length=19"))
    assert sizes(search, fits=True) == [4, 8, 16, 19]
    assert search.ended_by == "samples"


def test_no_larger_size_than_asked_for(load):
    search = find_batch_size(load(MANY), largest=10)
    assert sizes(search, fits=True) == [4, 8, 10]
    assert search.ended_by == "max"


def test_it_is_said_what_the_limit_is_on_a_cpu():
    tried = [TriedSize(8, True, 100.0, 2**20)]
    text = batch_sizes_as_text(BatchSizeSearch(tried, "cpu", 2**30, 500, "max"))
    assert "limit: 1 GiB of this machine's memory, on the cpu" in text
    on_gpu = batch_sizes_as_text(BatchSizeSearch(tried, "cuda", 2**30, 500, "max"))
    assert "limit: 1 GiB\n" in on_gpu
    none_fits = BatchSizeSearch([TriedSize(1, False)], "cpu", 2**20, 500)
    assert "limit: 1 MiB of this machine's memory" in batch_sizes_as_text(none_fits)


def test_a_size_beyond_the_limit_is_not_run(load, monkeypatch):
    """Each sample takes a MiB: 16 sizes more fit below 20 MiB, and the next is ruled out."""
    ran = []

    def run_trial(cfg, watch, iterations):
        ran.append(watch.size)
        watch.samples, watch.memory, watch.samples_per_second = 500, watch.size * 2**20, 1.0

    monkeypatch.setattr(batch_size, "run_trial", run_trial)
    search = find_batch_size(load(MANY), memory=20 * 2**20)
    assert max(ran) <= 20
    assert search.largest in (18, 19, 20)
    ruled_out = [item for item in search.tried if not item.was_run]
    assert {item.size: item.memory for item in ruled_out}[32] == 32 * 2**20


BATCH_NORM = """
import torch
from torch import nn
from torch.utils.data import TensorDataset
from mainspring.dataset import DataLoader
from mainspring.model import Supervised
model = Supervised(nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2)), nn.MSELoss())
train_dataloader = DataLoader(TensorDataset(torch.zeros(8, 4), torch.zeros(8, 2)), batch_size=1)
train_cfg = dict(max_epochs=1)
optim_wrapper = dict(optimizer=dict(type="SGD", lr=0.1))
"""


def test_the_search_begins_at_the_smallest_size_that_can_be_trained(run_dir):
    cfg = Config.fromstring(BATCH_NORM, ".py")
    search = find_batch_size(cfg, largest=4)
    assert sizes(search, fits=True) == [2, 4]
    assert "Expected more than 1 value per channel" in search.tried[0].refused
    assert "Expected more than 1 value" in batch_sizes_as_text(search)
    with pytest.raises(ValueError, match="more than 1 value") as error:
        find_batch_size(cfg, largest=1)
    assert any("drop_last=True" in note for note in error.value.__notes__)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        find_batch_size(Config.fromstring(BATCH_NORM.replace("Linear(4", "Linear(3"), ".py"))


def test_nothing_fits(load, write_config):
    write_config("model = dict(type=parts.Regression, most=0)")
    search = find_batch_size(load(MANY))
    assert search.largest is None
    assert search.suggested is None
    assert sizes(search, fits=False) == [1, 2, 4]


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({8: 100, 16: 190, 32: 350, 64: 390, 128: 400}, 64),
        ({8: 100, 16: 100, 32: 100}, 8),
        ({}, None),
    ],
)
def test_the_knee_is_the_smallest_size_that_is_nearly_fastest(rates, expected):
    tried = [TriedSize(size, True, rate) for size, rate in rates.items()]
    assert knee([*tried, TriedSize(999, False), TriedSize(500, True, was_run=False)]) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (MemoryError(), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_errors_that_mean_that_memory_ran_out(error, expected):
    assert is_out_of_memory(error) is expected


def test_table_and_suggestion(command, write_config, run_dir):
    config = write_config("work_dir = 'w'")
    code, out, err = command("batch-size-find", config)
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines()[1:4]] == ["4", "8", "16"]
    assert "train_dataloader.batch_size=" in out
    assert not (run_dir / "w").exists()


def test_json(command, write_config):
    code, out, _ = command("batch-size-find", write_config(), "--max", "8", "--format", "json")
    assert code == 0
    result = json.loads(out)
    assert result["largest"] == 8
    assert [item["size"] for item in result["tried"]] == [4, 8]


def test_another_error_than_memory_is_shown_as_it_is(command, write_config):
    config = write_config("model = dict(type=parts.Regression, most=1, error=KeyError)")
    code, _, err = command("batch-size-find", config)
    assert code == 1
    assert "KeyError" in err


def test_a_loader_without_batch_size_is_refused(command, write_config):
    config = write_config(
        "train_dataloader = dict(dataset=dict(type=parts.Points), batch_sampler=dict("
        "type='BatchSampler', sampler=dict(type='DefaultSampler'), batch_size=4, drop_last=False))"
    )
    code, _, err = command("batch-size-find", config)
    assert code == 2
    assert "batch_size" in err


@pytest.mark.parametrize(
    ("word", "expected"),
    [("4GiB", 4 * 2**30), ("500M", 500 * 2**20), ("1.5 gb", 3 * 2**29), ("1000", 1000)],
)
def test_amounts_of_memory(word, expected):
    assert amount(word) == expected


@pytest.mark.parametrize("word", ["", "much", "-1G", "0"])
def test_amounts_that_are_none(word):
    with pytest.raises(argparse.ArgumentTypeError, match="amount of memory"):
        amount(word)
