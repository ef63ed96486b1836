"""Without a process group every helper does what a group of one would."""

from __future__ import annotations

import collections
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
import torch

from mainspring import dist

LAUNCHER_VARIABLES = (
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "MASTER_ADDR",
    "MASTER_PORT",
    "SLURM_NTASKS",
    "SLURM_PROCID",
    "SLURM_LOCALID",
    "SLURM_NODELIST",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE",
)


@pytest.fixture
def environment(monkeypatch):
    """No launcher; what a test's launcher writes is taken away again."""
    for name in LAUNCHER_VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture
def joined(monkeypatch):
    """What the process group would have been made with."""
    calls = []
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda **kw: calls.append(kw))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return calls


def test_who_this_process_is():
    assert not dist.is_distributed()
    assert dist.get_dist_info() == (dist.get_rank(), dist.get_world_size()) == (0, 1)
    assert (dist.get_local_rank(), dist.get_local_size()) == (0, 1)
    assert dist.is_main_process()
    assert dist.get_backend() is dist.get_default_group() is dist.get_local_group() is None
    assert dist.get_comm_device() == torch.device("cpu")
    dist.barrier()
    dist.destroy_dist()


def test_collectives_leave_data_alone():
    tensor = torch.arange(3)
    dist.all_reduce(tensor, "mean")
    dist.broadcast(tensor)
    dist.all_reduce_dict({"a": tensor})
    dist.all_reduce_params([tensor])
    assert tensor.tolist() == [0, 1, 2]
    assert dist.all_gather(tensor)[0] is dist.gather(tensor)[0] is tensor
    assert dist.all_gather_object("x") == dist.gather_object("x") == ["x"]
    objects = [1, "x"]
    dist.broadcast_object_list(objects)
    assert objects == [1, "x"]
    assert dist.master_only(len)("abc") == 3


def test_what_runs_on_the_main_process_only_can_be_told():
    inner = dist.master_only(dist.is_within_master_only)
    outer = dist.master_only(lambda: (inner(), dist.is_within_master_only()))
    assert not dist.is_within_master_only()
    assert outer() == (True, True)
    with pytest.raises(ZeroDivisionError):
        dist.master_only(lambda: 1 / 0)()
    assert not dist.is_within_master_only()


@pytest.mark.parametrize("device", ["cpu", "gpu", "npu"])
def test_results_beyond_the_data_set_are_cut_off(device, tmp_path):
    assert dist.collect_results([None, 1, 2], 2, device) == [None, 1]
    assert dist.collect_results([1], 9, device) == [1]
    assert dist.collect_results([1, 2], 1, tmpdir=str(tmp_path / "unused")) == [1]


@pytest.mark.parametrize(
    ("mistake", "error"),
    [
        (lambda: dist.collect_results([], 0, "tpu"), NotImplementedError),
        (lambda: dist.collect_results([], 0, "gpu", "here"), ValueError),
        (lambda: dist.broadcast_object_list((1,)), TypeError),
        (lambda: dist.all_reduce_dict([torch.ones(1)]), TypeError),
        (lambda: dist.init_dist("ssh"), ValueError),
        (lambda: dist.init_dist("pytorch", init_backend="other"), ValueError),
    ],
)
def test_mistakes(mistake, error):
    with pytest.raises(error):
        mistake()


def test_the_seed_is_drawn_from_the_global_generator():
    np.random.seed(3)
    expected = np.random.randint(2**31)
    np.random.seed(3)
    assert dist.sync_random_seed() == expected


@pytest.mark.parametrize(
    ("variables", "launcher"),
    [
        ((), "none"),
        (("WORLD_SIZE", "SLURM_NTASKS"), "pytorch"),
        (("SLURM_NTASKS", "OMPI_COMM_WORLD_LOCAL_RANK"), "slurm"),
        (("OMPI_COMM_WORLD_LOCAL_RANK",), "mpi"),
    ],
)
def test_the_environment_tells_the_launcher(environment, variables, launcher):
    for name in variables:
        environment.setenv(name, "1")
    assert dist.infer_launcher() == launcher


@pytest.mark.parametrize("launcher", ["pytorch", "slurm", "mpi"])
@pytest.mark.parametrize("builtin", [KeyError, RuntimeError])
def test_a_launcher_that_did_not_launch_is_reported(environment, joined, launcher, builtin):
    with pytest.raises(builtin, match=f"launcher='{launcher}' needs .* in the environment"):
        dist.init_dist(launcher)
    assert joined == []


def test_torchrun_and_its_timeout(environment, joined):
    import os

    environment.setenv("RANK", "1")
    environment.setenv("WORLD_SIZE", "2")
    dist.init_dist("pytorch", timeout=90)
    assert joined[0]["backend"] == "gloo"  # there is no accelerator for nccl
    assert joined[0]["timeout"].total_seconds() == 90
    assert (os.environ["LOCAL_RANK"], os.environ["MASTER_PORT"]) == ("1", "29500")
    assert os.environ["MASTER_ADDR"] == "127.0.0.1"


def test_slurm_asks_for_the_first_host(environment, joined, tmp_path):
    import os

    scontrol = tmp_path / "scontrol"
    scontrol.write_text('#!/bin/sh\n[ "$3" = "node[7-8]" ] && printf "node7\\nnode8\\n"\n')
    scontrol.chmod(0o755)
    environment.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name, value in {
        "SLURM_PROCID": "3",
        "SLURM_NTASKS": "4",
        "SLURM_LOCALID": "1",
        "SLURM_NODELIST": "node[7-8]",
    }.items():
        environment.setenv(name, value)
    dist.init_dist("slurm", backend="gloo", port=1234)
    told = [os.environ[name] for name in LAUNCHER_VARIABLES[:5]]
    assert told == ["3", "4", "1", "node7", "1234"]


class Pair(NamedTuple):
    a: torch.Tensor
    b: torch.Tensor


@pytest.mark.parametrize(
    "data",
    [
        torch.ones(2),
        [torch.ones(2)],
        (torch.ones(2), {"a": [torch.ones(1)]}),
        collections.OrderedDict(a=torch.ones(1)),
        Pair(torch.ones(1), torch.ones(2)),
    ],
)
def test_nested_data_moves_and_keeps_its_types(data):
    assert dist.get_data_device(data) == torch.device("cpu")
    made = dist.cast_data_device(data, torch.device("meta"))
    assert type(made) is type(data)
    assert dist.get_data_device(made) == torch.device("meta")


@pytest.mark.parametrize("data", ["x", 1, [torch.ones(1), 1], None])
def test_data_without_tensors_is_refused(data):
    with pytest.raises(TypeError):
        dist.cast_data_device(data, torch.device("cpu"))
    with pytest.raises(TypeError):
        dist.get_data_device(data)


def test_data_on_no_or_two_devices_has_no_device():
    with pytest.raises(ValueError, match="no tensor"):
        dist.get_data_device([])
    with pytest.raises(ValueError, match="'cpu', 'meta'"):
        dist.get_data_device([torch.ones(1), torch.ones(1, device="meta")])


def test_moving_into_given_tensors():
    out = {"a": torch.zeros(2)}
    dist.cast_data_device({"a": torch.ones(2)}, torch.device("cpu"), out=out)
    assert out["a"].tolist() == [1, 1]
    for wrong, error in (([torch.zeros(2)], TypeError), ({"b": 1}, ValueError), ({}, ValueError)):
        with pytest.raises(error):
            dist.cast_data_device({"a": torch.ones(2)}, torch.device("cpu"), out=wrong)


def test_importing_costs_no_heavy_module():
    code = (
        "import sys, mainspring.dist, mainspring.logging;"
        "print([name for name in ('torch', 'numpy', 'rich') if name in sys.modules])"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
