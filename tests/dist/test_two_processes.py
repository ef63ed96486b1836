"""Two real processes do every collective once; each test looks at what both of them got."""

from __future__ import annotations

from prepared_processes import run_ranks

import os
import pickle
import socket
import subprocess
import sys

import pytest
import torch

PROGRAM = """
import pickle, sys
from pathlib import Path

import numpy as np
import torch
from mainspring import dist

dist.init_dist("pytorch", backend="nccl" if torch.cuda.device_count() > 1 else "gloo", timeout=60)
rank, shared = dist.get_rank(), Path(sys.argv[1])
got = {}


def in_place(function, data, *args, **kwargs):
    assert function(data, *args, **kwargs) is None
    return data


got["who"] = (dist.get_dist_info(), dist.is_main_process(), dist.is_distributed())
got["master_only"] = dist.master_only(lambda: "ran")()
for op in ("sum", "mean", "product", "min", "max", "MEAN"):
    for dtype in (torch.float64, torch.int64):
        data = torch.tensor([3 + rank, 2], dtype=dtype)
        got["all_reduce", op, dtype] = in_place(dist.all_reduce, data, op).tolist()
for op in ("band", "bor", "bxor"):
    got["all_reduce", op] = in_place(dist.all_reduce, torch.tensor([6 + rank]), op).tolist()
try:
    dist.all_reduce(torch.ones(1), "median")
except ValueError as error:
    got["bad op"] = str(error)
whole = torch.arange(6.0).reshape(2, 3) + rank
dist.all_reduce(whole[:, 0])
got["column"] = whole.tolist()
got["transposed"] = [t.tolist() for t in dist.all_gather((torch.arange(4).reshape(2, 2) + rank).t())]
got["all_gather"] = [t.tolist() for t in dist.all_gather(torch.tensor([rank, 5]))]
got["broadcast of transposed"] = in_place(
    dist.broadcast, (torch.arange(4).reshape(2, 2) + rank).t()
).tolist()
for other in (0, 1):
    got["gather", other] = [t.tolist() for t in dist.gather(torch.tensor([rank]), other)]
    got["gather_object", other] = dist.gather_object({"rank": rank}, other)
    got["broadcast", other] = in_place(dist.broadcast, torch.tensor([rank]), other).tolist()
    got["broadcast_object_list", other] = in_place(
        dist.broadcast_object_list, [rank, "x" * (rank + 1), None], other
    )
got["all_gather_object"] = dist.all_gather_object({"rank": rank})
for op in ("sum", "mean"):
    data = {"b": torch.tensor([1.0 + rank, 2]), "a": torch.tensor(3.0)}
    data = data if rank else dict(reversed(data.items()))
    got["all_reduce_dict", op] = {k: v.tolist() for k, v in in_place(dist.all_reduce_dict, data, op).items()}
got["empty dict"] = in_place(dist.all_reduce_dict, {})
for options in ({}, {"coalesce": False}, {"bucket_size_mb": 1}, {"op": "mean"}):
    params = [
        torch.nn.Parameter(torch.full((300_000,), 1.0 + rank)),
        torch.full((2, 2), rank, dtype=torch.float64),
        torch.nn.Parameter(torch.full((3,), 2.0 * rank)),
    ]
    dist.all_reduce_params((p for p in params), **options)
    got["all_reduce_params", *options] = [p.unique().tolist() for p in params]
mine = [f"{rank}{index}" for index in range(3)]
got["collect", "cpu"] = dist.collect_results(mine, 5)
got["collect", "gpu"] = dist.collect_results(mine, 5, "gpu")
there = shared / "there"
there.mkdir(exist_ok=True)
(there / "other").touch()
got["collect", "tmpdir"] = dist.collect_results(mine, 5, tmpdir=str(shared / "parts"))
got["collect", "existing tmpdir"] = dist.collect_results(mine, 5, tmpdir=str(there))
got["left"] = sorted(str(path.relative_to(shared)) for path in shared.rglob("*"))
got["collect None"] = dist.collect_results([None, rank], 4)
got["collect uneven"] = dist.collect_results([rank] * (3 - rank), 5)
got["collect from one"] = dist.collect_results([7] if rank else [], 5)
np.random.seed(3 + rank)
got["seed"] = dist.sync_random_seed()

alone = torch.distributed.new_group([1])
if rank == 1:
    got["subgroup"] = (
        dist.get_dist_info(alone),
        dist.gather(torch.ones(1), 1, alone)[0].tolist(),
        dist.gather_object("x", 1, alone),
    )
turned = torch.distributed.new_group([0, 1])
got["gather in a group"] = dist.gather_object(rank, 1, turned)
try:
    dist.get_local_rank()
except RuntimeError as error:
    got["no local group"] = str(error)
dist.init_local_group(node_rank=rank, num_gpus_per_node=1)
got["local"] = (dist.get_local_rank(), dist.get_local_size())
dist.barrier()
dist.destroy_dist()
got["after"] = (dist.is_distributed(), dist.get_dist_info())
Path(sys.argv[2], f"{rank}.pkl").write_bytes(pickle.dumps(got))
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What rank 0 and rank 1 got."""
    folder = tmp_path_factory.mktemp("two")
    shared = folder / "shared"
    shared.mkdir()
    program = folder / "program.py"
    program.write_text(PROGRAM)
    ended = run_ranks(2, [str(program), str(shared), str(folder)])
    assert [each.returncode for each in ended] == [0, 0], "\n".join(each.stdout for each in ended)
    return [pickle.loads((folder / f"{rank}.pkl").read_bytes()) for rank in (0, 1)]


def test_each_knows_its_rank(both):
    assert [got["who"] for got in both] == [((0, 2), True, True), ((1, 2), False, True)]
    assert [got["master_only"] for got in both] == ["ran", None]


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("sum", [7, 4]),
        ("mean", [3.5, 2]),
        ("MEAN", [3.5, 2]),
        ("product", [12, 4]),
        ("min", [3, 2]),
        ("max", [4, 2]),
    ],
)
def test_all_reduce(both, op, expected):
    for got in both:
        assert got["all_reduce", op, torch.float64] == expected
        # In place, a mean of whole numbers has no room for its fraction.
        assert got["all_reduce", op, torch.int64] == [int(value) for value in expected]


def test_all_reduce_of_bits_and_of_an_unknown_operation(both):
    for got in both:
        assert [got["all_reduce", op] for op in ("band", "bor", "bxor")] == [[6], [7], [1]]
        assert "'median'" in got["bad op"]
        assert "product" in got["bad op"]


def test_views_are_reduced_in_place(both):
    assert both[0]["column"] == [[1, 1, 2], [7, 4, 5]]
    assert both[1]["column"] == [[1, 2, 3], [7, 5, 6]]
    for got in both:
        assert got["transposed"] == [[[0, 2], [1, 3]], [[1, 3], [2, 4]]]
        assert got["broadcast of transposed"] == [[0, 2], [1, 3]]


def test_gathering(both):
    for rank, got in enumerate(both):
        assert got["all_gather"] == [[0, 5], [1, 5]]
        assert got["all_gather_object"] == [{"rank": 0}, {"rank": 1}]
        for to in (0, 1):
            assert got["gather", to] == ([[0], [1]] if rank == to else [])
            assert got["gather_object", to] == ([{"rank": 0}, {"rank": 1}] if rank == to else None)


def test_broadcasting(both):
    for got in both:
        for source in (0, 1):
            assert got["broadcast", source] == [source]
            assert got["broadcast_object_list", source] == [source, "x" * (source + 1), None]


def test_dicts_are_reduced_by_name_whatever_their_order(both):
    for got in both:
        assert got["all_reduce_dict", "sum"] == {"a": 6, "b": [3, 4]}
        assert got["all_reduce_dict", "mean"] == {"a": 3, "b": [1.5, 2]}
        assert got["empty dict"] == {}


@pytest.mark.parametrize("options", [(), ("coalesce",), ("bucket_size_mb",)])
def test_parameters_are_reduced_together_or_one_by_one(both, options):
    for got in both:
        assert got["all_reduce_params", *options] == [[3], [1], [2]]
        assert got["all_reduce_params", "op"] == [[1.5], [0.5], [1]]


@pytest.mark.parametrize("way", ["cpu", "gpu", "tmpdir", "existing tmpdir"])
def test_results_come_in_the_order_of_the_data_set_without_padding(both, way):
    assert both[0]["collect", way] == ["00", "10", "01", "11", "02"]
    assert both[1]["collect", way] is None


def test_only_own_files_are_removed(both):
    assert both[0]["left"] == both[1]["left"] == ["there", "there/other"]


def test_results_of_uneven_parts(both):
    # `None` is a result like any other, as it is with one process.
    assert both[0]["collect None"] == [None, None, 0, 1]
    assert both[0]["collect uneven"] == [0, 1, 0, 1, 0]
    assert both[0]["collect from one"] == [7]


def test_the_seed_is_that_of_rank_0(both):
    import numpy as np

    np.random.seed(3)
    assert both[0]["seed"] == both[1]["seed"] == np.random.randint(2**31)


def test_groups(both):
    assert both[1]["subgroup"] == ((0, 1), [1], ["x"])
    assert [got["gather in a group"] for got in both] == [None, [0, 1]]
    for got in both:
        assert "init_local_group" in got["no local group"]
        assert got["local"] == (0, 1)


def test_leaving_the_group(both):
    assert [got["after"] for got in both] == [(False, (0, 1))] * 2
