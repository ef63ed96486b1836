"""`mainspring diverge`: the first thing in which two runs differ."""

from __future__ import annotations

import json
import random
import shutil

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from mainspring.cli.main import main
from mainspring.dataset import DataLoader
from mainspring.hooks import Hook
from mainspring.model import Supervised
from mainspring.runner import Runner

ITERATIONS = 6
DIGESTS = {"type": "DigestHook", "interval": 1, "gradients": True}


def train(work_dir, *hooks, seed=1, data_seed=0, lr=0.05, digests=DIGESTS, **changes):
    """Six iterations; each argument changes one thing."""
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1))
    draws = torch.Generator().manual_seed(data_seed)
    points = torch.randn(24, 3, generator=draws)
    arguments = {
        "model": Supervised(net, nn.MSELoss()),
        "work_dir": str(work_dir),
        "train_dataloader": DataLoader(
            TensorDataset(points, points.sum(1, keepdim=True)), batch_size=8, shuffle=True
        ),
        "train_cfg": {"max_iters": ITERATIONS},
        "optim_wrapper": {"optimizer": {"type": "AdamW", "lr": lr}},
        "randomness": {"seed": seed},
        "custom_hooks": [*hooks, *([digests] if digests else [])],
        "default_hooks": {
            "logger": {"type": "LoggerHook", "interval": 1},
            "checkpoint": {"type": "CheckpointHook", "interval": 3, "by_epoch": False},
        },
        **changes,
    }
    runner = Runner(**arguments)
    runner.train()
    return runner


def diverge(capsys, *words):
    capsys.readouterr()
    try:
        code = main(["diverge", *map(str, words)])
    except SystemExit as end:
        code = end.code
    shown = capsys.readouterr()
    return code, shown.out + shown.err


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    work_dir = tmp_path_factory.mktemp("reference") / "run"
    train(work_dir)
    return work_dir


def test_equal_runs(reference, tmp_path, capsys):
    train(tmp_path / "b")
    code, out = diverge(capsys, reference, tmp_path / "b")
    assert (code, out) == (0, f"no difference: digests of {ITERATIONS} iterations are equal\n")
    start = next(path.parent for path in tmp_path.glob("b/*/digests_rank0.jsonl"))
    assert diverge(capsys, reference, start) == (code, out)


def test_another_seed(reference, tmp_path, capsys):
    train(tmp_path / "b", seed=2)
    code, out = diverge(capsys, reference, tmp_path / "b")
    assert code == 1
    assert "runs agree at the start of training\n" in out
    assert "iteration 1, rank 0: the random generators differ first\n  python  " in out
    assert "2 of 2 parts of the batch; loss " in out
    assert "likely: the seeds, which differ: 1 | 2\n" in out


def test_other_data(reference, tmp_path, capsys):
    train(tmp_path / "b", data_seed=1)
    code, out = diverge(capsys, reference, tmp_path / "b")
    assert code == 1
    assert "iteration 1, rank 0: the batch differs first\n  batch[0]  " in out
    assert "never: the random generators, the optimizer's settings\n" in out
    assert "likely: the data order or augmentation" in out


def test_another_learning_rate(reference, tmp_path, capsys):
    train(tmp_path / "b", lr=0.06)
    code, out = diverge(capsys, reference, tmp_path / "b")
    assert code == 1
    assert "iteration 1, rank 0: the optimizer's settings differ first\n  lr  0.05 | 0.06\n" in out
    assert "later: the logged values at iteration 2; " in out
    assert "likely: the config" in out


class ChangeOneWeight(Hook):
    """Changes the last bit of one weight after an iteration."""

    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            weight = runner.model.net[3].weight.data
            weight[0, 5] = torch.nextafter(weight[0, 5], weight.new_tensor(torch.inf))


def test_one_bit_of_one_weight(reference, tmp_path, capsys):
    train(tmp_path / "b", ChangeOneWeight(4))
    code, out = diverge(capsys, reference, tmp_path / "b")
    assert code == 1
    assert out.startswith(
        "runs agree up to iteration 3\n"
        "iteration 4, rank 0: the weights differ first\n"
        "  net.3.weight  "
    )
    assert "also" not in out
    assert "later: " in out
    assert "the gradients at iteration 5" in out
    assert "likely: something that changes weights besides the optimizer" in out


class Draw(Hook):
    """Draws a random number in one run only; nothing else uses that generator."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        random.random()


def test_a_generator_that_nothing_depends_on(reference, tmp_path, capsys):
    train(tmp_path / "b", Draw())
    code, out = diverge(capsys, reference, tmp_path / "b")
    assert code == 1
    assert "iteration 2, rank 0: the random generators differ first\n  python  " in out
    assert "never: the batch, the logged values, the gradients, the optimizer's settings, " in out
    assert "likely: one run drew more random numbers" in out


def test_other_initial_weights(reference, tmp_path, capsys):
    torch.manual_seed(4)
    net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1))
    train(tmp_path / "b", model=Supervised(net, nn.MSELoss()))
    code, out = diverge(capsys, reference, tmp_path / "b")
    assert code == 1
    assert out.startswith("the start of training, rank 0: the weights differ first\n")
    assert "likely: the weights that training started from" in out


def test_another_model(reference, tmp_path, capsys):
    net = nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 1))
    train(tmp_path / "b", model=Supervised(net, nn.MSELoss()))
    code, out = diverge(capsys, reference, tmp_path / "b")
    assert code == 1
    assert "| missing\n" in out
    assert "likely: the models: some tensors are in one run only" in out


class Interrupt(Hook):
    """Ends a run in the middle, as a signal would."""

    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            raise KeyboardInterrupt


@pytest.mark.parametrize("at", [3, 5])
def test_an_interrupted_and_resumed_run(reference, tmp_path, capsys, at):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "b", custom_hooks=[DIGESTS, end_at(at)])
    code, out = diverge(capsys, reference, tmp_path / "b")
    assert code == 0
    assert f"digests of {at} iterations are equal; A is longer, up to iteration 6" in out
    train(tmp_path / "b", resume=True)
    assert len(list(tmp_path.glob("b/*/digests_rank0.jsonl"))) == 2
    code, out = diverge(capsys, reference, tmp_path / "b")
    assert (code, out) == (0, f"no difference: digests of {ITERATIONS} iterations are equal\n")


def end_at(iteration):
    return {"type": Interrupt, "iteration": iteration, "priority": "LOWEST"}


def test_json(reference, tmp_path, capsys):
    train(tmp_path / "b", ChangeOneWeight(4))
    code, out = diverge(capsys, reference, tmp_path / "b", "--format", "json")
    content = json.loads(out)
    assert code == 1
    assert (content["equal"], content["equal_until"], content["gap"]) == (False, 3, 1)
    first = content["first"][0]
    assert (first["iteration"], first["rank"], first["kind"]) == (4, 0, "weights")
    assert [thing["name"] for thing in first["things"]] == ["net.3.weight"]
    code, out = diverge(capsys, reference, reference, "--format", "json")
    assert (code, json.loads(out)["equal"]) == (0, True)


# Without digests, what both logged is compared.


def test_without_digests_logged_numbers_are_compared(reference, tmp_path, capsys):
    train(tmp_path / "b", digests=None)
    code, out = diverge(capsys, reference, tmp_path / "b")
    assert code == 0
    assert f"no difference: logged numbers of {ITERATIONS} iterations are equal\n" in out
    assert "note: B recorded no digests, so only logged numbers are compared; train with " in out
    train(tmp_path / "c", lr=0.06, digests=None)
    code, out = diverge(capsys, tmp_path / "b", tmp_path / "c")
    assert code == 1
    assert "iteration 1: the logged scalars of training differ first\n" in out
    assert "  lr  0.05 | 0.06\n" in out
    assert "note: A and B recorded no digests" in out


def log(work_dir, start, *lines):
    folder = work_dir / start / "vis_data"
    folder.mkdir(parents=True)
    (folder / "scalars.json").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_times_of_a_validation_are_no_difference(tmp_path, capsys):
    a, b = tmp_path / "a", tmp_path / "b"
    for work_dir, seconds in ((a, 0.1), (b, 0.2)):
        times = {"val_time": seconds, "val_data_time": seconds / 2}
        log(work_dir, "1", training(10, 0.5), {"acc": 0.5, **times, "step": 1})
    code, out = diverge(capsys, a, b)
    assert code == 0, out


def training(step, loss, **more):
    return {"lr": 0.1, "loss": loss, "time": step * 0.1, "iter": step, "step": step, **more}


def test_logged_numbers_of_a_resumed_run_replace_what_it_did_again(tmp_path, capsys):
    a, b = tmp_path / "a", tmp_path / "b"
    nan = float("nan")
    log(a, "1", training(10, 0.5), training(20, nan), {"acc": 0.5, "step": 1}, training(30, 0.3))
    log(b, "1", training(10, 0.5), training(20, 7.0), {"acc": 0.7, "step": 1}, training(30, 8.0))
    log(b, "2", training(20, nan, memory=5), {"acc": 0.5, "step": 1}, training(30, 0.3))
    assert diverge(capsys, a, b)[0] == 0
    log(b, "3", {"acc": 0.25, "step": 1}, training(30, 0.4))
    code, out = diverge(capsys, a, b)
    assert code == 1
    assert "step 1: the metrics of validation differ first\n  acc  0.5 | 0.25\n" in out
    log(b, "4", training(20, 0.5))
    code, out = diverge(capsys, a, b)
    assert "between iteration 10, equal, and 20: the logged scalars of training differ" in out
    assert "loss  nan | 0.5" in out


# What files of several ranks, intervals and starts say.


def write(work_dir, records, rank=0, start=0, folder="20260101_000000", end="", **header):
    """A file of digests; each record is (iteration, {kind: {name: digest}})."""
    (work_dir / folder).mkdir(parents=True, exist_ok=True)
    lines = [{"digests": 1, "start": start, "rank": rank, "interval": 1, "seed": 1, **header}]
    lines += [{"iteration": iteration, **content} for iteration, content in records]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (work_dir / folder / f"digests_rank{rank}.jsonl").write_text(text + end)


def record(iteration, batch="b", weights="w", **more):
    content = {"batch": {"batch": f"{batch}{iteration}"}, **more}
    if weights:
        content["weights"] = {"weight": f"{weights}{iteration}"}
    return iteration, content


@pytest.fixture
def a(tmp_path):
    return tmp_path / "a"


@pytest.fixture
def b(tmp_path):
    return tmp_path / "b"


def test_the_cause_on_another_rank_comes_before_its_effect_on_the_first(a, b, capsys):
    values = {"loss": (0.5).hex()}, {"loss": (0.25).hex()}
    write(a, [record(1), record(2, values=values[0])])
    write(b, [record(1), record(2, values=values[1], weights="v")])
    write(a, [record(1, weights=""), record(2, weights="")], rank=1)
    write(b, [record(1, weights=""), record(2, batch="c", weights="")], rank=1)
    code, out = diverge(capsys, a, b)
    assert code == 1
    assert out == (
        "runs agree up to iteration 1\n"
        "iteration 2, rank 1: the batch differs first\n"
        "  batch  b2 | c2\n"
        "  also: loss 0.5 | 0.25 on rank 0; 1 of 1 tensors of the weights on rank 0\n"
        "likely: the data order or augmentation: another shuffle, sampler or transform, or other "
        "files\n"
    )


def test_another_number_of_ranks(a, b, capsys):
    write(a, [record(1)])
    write(b, [record(1)])
    write(b, [record(1)], rank=1)
    code, out = diverge(capsys, a, b)
    assert code == 0
    assert "note: A has 1 ranks and B 2: only those of both are compared\n" in out
    write(b, [record(1, batch="half of b")])
    code, out = diverge(capsys, a, b)
    assert code == 1
    likely = "the number of ranks, among which the batches are dealt out: 1 | 2"
    assert f"likely: {likely}\n" in out


def test_other_intervals_are_compared_where_they_meet(a, b, capsys):
    write(a, [record(i) for i in range(0, 31, 10)], interval=10)
    write(b, [record(i, weights="w" if i < 20 else "v") for i in range(0, 31, 5)], interval=5)
    code, out = diverge(capsys, a, b)
    assert code == 1
    assert "runs agree up to iteration 10\n" in out
    assert "between iteration 10, equal, and 20, rank 0: the weights differ first\n" in out
    assert "likely: not to be told from records that are 10 iterations apart\n" in out
    assert "next: record each of these 10 iterations (record_digests = 1)" in out
    assert "note: A recorded every 10 iterations and B every 5" in out


def test_a_last_line_that_is_cut_off_is_left_out(a, b, capsys):
    write(a, [record(1), record(2)])
    write(b, [record(1)], end='{"iteration": 2, "batch": {"ba')
    code, out = diverge(capsys, a, b)
    assert code == 0
    assert "digests of 1 iterations are equal; A is longer, up to iteration 2" in out
    assert "note: B: 20260101_000000/digests_rank0.jsonl: its last line is cut off" in out


@pytest.mark.parametrize(
    "line", ["\x00\x00", "[1]", '{"iteration": "2"}', '{"iteration": 2, "a": 1}']
)
def test_other_damaged_lines_are_left_out(a, b, capsys, line):
    write(a, [record(1)])
    write(b, [record(1)], end=line + "\n" + json.dumps({"iteration": 2}) + "\n")
    code, out = diverge(capsys, a, b)
    assert code == 0
    assert "digests_rank0.jsonl: line 3 is damaged; it is left out" in out


def test_a_start_from_the_beginning_replaces_all_before_it(a, b, capsys):
    write(a, [record(1), record(2)])
    write(b, [record(1, batch="x"), record(2), record(3)])
    write(b, [record(1), record(2)], folder="20260102_000000")
    assert diverge(capsys, a, b) == (
        0,
        "no difference: digests of 2 iterations are equal\n",
    )


def test_starts_follow_each_other_also_when_the_clock_was_put_back(a, b, capsys):
    write(a, [record(1), record(2)])
    write(b, [record(1), record(2, batch="x")], folder="20260102_000000", earlier_starts=0)
    write(b, [record(2)], folder="20260101_000000", start=1, earlier_starts=1)
    assert diverge(capsys, a, b)[0] == 0


def test_kinds_that_one_run_did_not_record_are_not_compared(a, b, capsys):
    write(a, [record(1, gradients={"weight": "g"})])
    write(b, [record(1)])
    assert diverge(capsys, a, b)[0] == 0


def test_the_group_of_parameters_is_named(a, b, capsys):
    rates = [(0.5).hex(), (0.25).hex(), (0.125).hex()]
    write(a, [record(1, settings={"lr": "|".join(rates)})])
    write(b, [record(1, settings={"lr": "|".join([*rates[:2], (1.0).hex()])})])
    assert "  lr of group 2  0.125 | 1.0\n" in diverge(capsys, a, b)[1]
    write(b, [record(1, settings={"lr": rates[0]})])
    assert "  lr of group 1  0.25 | 0.5\n" in diverge(capsys, a, b)[1]


def test_what_the_runs_were_computed_with_is_named(a, b, capsys):
    write(a, [record(1, values={"loss": "0x1p-1"})], torch="2.6.0", device="cpu")
    write(b, [record(1, values={"loss": "0x1p-2"})], torch="2.7.0", device="cuda")
    out = diverge(capsys, a, b)[1]
    assert "likely: what the runs were computed with: torch 2.6.0 | 2.7.0, device cpu | cuda" in out


def test_many_things_are_counted(a, b, capsys):
    write(a, [(1, {"weights": {f"w{i}": "0" for i in range(20)}})])
    write(b, [(1, {"weights": {f"w{i}": str(int(i > 3)) for i in range(20)}})])
    out = diverge(capsys, a, b)[1]
    assert "  w8  0 | 1\n  and 11 more of 20\n" in out


# Mistakes.


def test_one_run_alone_is_asked_for_the_other(capsys):
    with pytest.raises(SystemExit) as end:
        main(["diverge", "work_dirs/a"])
    assert end.value.code == 2
    assert capsys.readouterr().err.endswith("arguments are required: RUN_B\n")


def test_mistakes(reference, a, b, capsys):
    assert diverge(capsys, reference, a) == (2, f"error: there is no directory {str(a)!r}\n")
    a.mkdir()
    code, out = diverge(capsys, reference, a)
    assert code == 2
    assert f"{str(a)!r} holds neither digests nor logged scalars: it is no work directory" in out
    write(a, [record(1)])
    write(b, [record(5)])
    code, out = diverge(capsys, a, b)
    assert code == 2
    assert "the runs recorded no iteration in common: 1 to 1 of" in out
    code, out = diverge(capsys, a, b, "more")
    assert code == 2
    assert "diverge takes two runs, but got 'more' as well" in out
    write(b, [record(1)], digests=2)
    code, out = diverge(capsys, a, b)
    assert code == 2
    assert "holds digests of version 2, not 1" in out
    shutil.rmtree(b)
    log(b, "1", training(1, 0.5))
    code, out = diverge(capsys, a, b)
    assert code == 2
    assert out == (
        f"error: B recorded no digests, and {str(a)!r} holds no logged scalars: there is nothing "
        "to compare\n"
    )


def test_a_config_asks_for_digests_with_one_word(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "from mainspring.config import later\n"
        "from mainspring.model import Supervised\n"
        "from mainspring.runner import ByIteration\n"
        "from torch.utils.data import TensorDataset\n"
        "model = Supervised(nn.Linear(2, 1), nn.MSELoss())\n"
        "train_dataloader = dict(dataset=TensorDataset(torch.ones(8, 2), torch.ones(8, 1)),"
        " batch_size=2, shuffle=True)\n"
        "train_cfg = ByIteration(max_iters=4)\n"
        "optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.1))\n"
        "randomness = dict(seed=1)\n"
    )
    for name in ("a", "b"):
        assert main(["train", "small.py", "record_digests=1", "--work-dir", name]) == 0
    capsys.readouterr()
    assert main(["diverge", "a", "b"]) == 0
    assert "digests of 4 iterations are equal" in capsys.readouterr().out
