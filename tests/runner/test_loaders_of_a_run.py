"""What a run takes as its loaders: several, streams, a user's own; and batches of any kind."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import IterableDataset, TensorDataset

from mainspring.config import Config
from mainspring.dataset import CombinedLoader, DataLoader
from mainspring.dataset.any_loader import length_of
from mainspring.errors import ConfigError, DataError
from mainspring.evaluator import Accuracy
from mainspring.hooks import Hook
from mainspring.model import BaseModel, Supervised
from mainspring.runner import Runner
from mainspring.utils import digit_version


def data(size=12, seed=0):
    inputs = torch.randn(size, 2, generator=torch.Generator().manual_seed(seed))
    return TensorDataset(inputs, (inputs.sum(1) > 0).long())


class Stream(IterableDataset):
    """No length; its items are drawn from torch's generator."""

    def __init__(self, size=8):
        self.size = size

    def __iter__(self):
        for _ in range(self.size):
            inputs = torch.randn(2)
            yield inputs, int(inputs.sum() > 0)


class Seen(BaseModel):
    """Takes what the loaders give by name, and notes it outside: what it holds comes back."""

    def __init__(self, seen):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.note = seen.append

    def forward(self, labelled, unlabelled, mode="tensor"):
        self.note((labelled[0].tolist(), unlabelled[0].tolist()))
        return dict(loss=(labelled[0] @ self.weight).mean() - (unlabelled[0] @ self.weight).mean())


class Both:
    def __init__(self, *loaders):
        self.loaders = loaders

    def __len__(self):
        return min(map(len, self.loaders))

    def __iter__(self):
        for one, other in zip(*self.loaders, strict=False):
            yield dict(labelled=one, unlabelled=other)


@pytest.mark.parametrize("as_dict", [True, False])
@pytest.mark.parametrize("count", [1, 2])
def test_a_list_of_batches_is_one_loader_in_validation_too(tmp_path, count, as_dict):
    pairs = [data(4, seed).tensors for seed in range(count)]
    names = ("inputs", "targets")
    batches = [dict(zip(names, pair, strict=True)) if as_dict else pair for pair in pairs]
    runner = Runner(
        model=Supervised(nn.Linear(2, 2), nn.CrossEntropyLoss()),
        work_dir=str(tmp_path),
        val_dataloader=batches,
        val_cfg=dict(compute_loss=True),
        val_evaluator=Accuracy(),
    )
    with torch.no_grad():
        losses = [runner.model(*pair, mode="loss")["loss"].item() for pair in pairs]
    metrics = runner.val()
    assert set(metrics) == {"accuracy", "loss", "val_loss"}
    assert metrics["val_loss"] == pytest.approx(sum(losses) / count)


def test_tensors_by_name_are_no_loaders(tmp_path):
    inputs, targets = data().tensors
    with pytest.raises(ConfigError, match="no dataset"):
        Runner(
            model=Supervised(nn.Linear(2, 2), nn.CrossEntropyLoss()),
            work_dir=str(tmp_path),
            train_dataloader=dict(inputs=inputs, targets=targets),
            train_cfg=dict(max_epochs=1),
            optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        ).train()


class Killed(Exception):
    pass


class Kill(Hook):
    """Ends the run, with a checkpoint, after so many iterations."""

    priority = "LOWEST"

    def __init__(self, after):
        self.after = after

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.after:
            runner.save_checkpoint(runner.work_dir, "killed.pth", by_epoch=False)
            raise Killed


def runner(work_dir, loader, model=None, **options):
    torch.manual_seed(5)
    return Runner(
        **{
            "model": model or Supervised(nn.Linear(2, 2), nn.CrossEntropyLoss()),
            "work_dir": str(work_dir),
            "train_dataloader": loader,
            "train_cfg": dict(max_epochs=3),
            "optim_wrapper": dict(optimizer=dict(type="SGD", lr=0.1)),
            "randomness": dict(seed=3),
            "log_level": "WARNING",
            **options,
        }
    )


def ours(size=12, seed=0, **options):
    return DataLoader(data(size, seed), **{"batch_size": 4, "shuffle": True, **options})


SECTION = dict(
    dataset=data(), batch_size=4, sampler=dict(type="DefaultSampler"), collate_fn=dict(type="default_collate")
)  # fmt: skip
NAMED = {
    "two of ours by name": lambda: dict(labelled=ours(), unlabelled=ours(20, 1)),
    "two sections by name": lambda: dict(labelled=SECTION, unlabelled=SECTION),
    "one of torch's": lambda: dict(
        labelled=ours(), unlabelled=TorchDataLoader(data(20, 1), 4, shuffle=True)
    ),
    "ready": lambda: CombinedLoader(dict(labelled=ours(), unlabelled=ours(8, 1))),
    "a section": lambda: dict(
        type="CombinedLoader", loaders=dict(labelled=SECTION, unlabelled=ours(8, 1))
    ),
    "a pair of one's own": lambda: Both(ours(), ours(20, 1)),
}


class TestSeveralLoaders:
    @pytest.mark.parametrize("name", NAMED)
    @pytest.mark.parametrize(
        "unit", [dict(max_epochs=3), dict(max_iters=8)], ids=["epochs", "iters"]
    )
    def test_killed_and_resumed_they_end_where_an_unbroken_run_ends(self, name, unit, tmp_path):
        whole: list[Any] = []
        in_parts: list[Any] = []
        unbroken = runner(tmp_path / "whole", NAMED[name](), Seen(whole), train_cfg=unit)
        unbroken.train()
        kill = [Kill(5)]
        with pytest.raises(Killed):
            runner(
                tmp_path, NAMED[name](), Seen(in_parts), train_cfg=unit, custom_hooks=kill
            ).train()
        killed = dict(load_from=str(tmp_path / "killed.pth"), resume=True)
        again = runner(tmp_path, NAMED[name](), Seen(in_parts), train_cfg=unit, **killed)
        again.train()
        assert in_parts == whole
        assert torch.equal(again.model.weight, unbroken.model.weight)

    @pytest.mark.parametrize("make", [ours, lambda: SECTION], ids=["ours", "sections"])
    def test_they_visit_their_data_in_different_orders(self, make, tmp_path):
        seen: list[Any] = []
        runner(tmp_path, dict(labelled=make(), unlabelled=make()), Seen(seen)).train()
        assert sum(one == other for one, other in seen) < len(seen) / 2

    def test_supervised_adds_up_the_losses_of_named_batches(self, tmp_path):
        run = runner(tmp_path, dict(a=ours(), b=ours(8, 1)))
        batch = next(iter(run.train_dataloader))
        losses = run.model(*[None] * 0) if False else run.model._run_forward(batch, "loss")
        assert list(losses) == ["a_loss", "b_loss"]
        by_hand = nn.functional.cross_entropy(run.model.net(batch["a"][0]), batch["a"][1])
        assert torch.equal(losses["a_loss"], by_hand)
        run.train()

    def test_a_list_comes_in_turn(self, tmp_path):
        run = runner(tmp_path, [ours(), ours(20, 1)])
        assert run.train_loop.dataloader.mode == "in_turn"
        run.train()
        assert run.iter == 3 * (3 + 5)

    def test_a_recorded_config_says_the_same(self, tmp_path):
        path = tmp_path / "several.py"
        path.write_text(
            "import torch\n"
            "from torch.utils.data import TensorDataset\n"
            "from mainspring.dataset import CombinedLoader, DataLoader\n"
            f"from {__name__} import data\n"
            "train_dataloader = CombinedLoader(\n"
            "    dict(a=DataLoader(data(), batch_size=4), b=DataLoader(data(8), batch_size=4)),\n"
            "    'by_share', shares=dict(a=3, b=1),\n"
            ")\n"
        )
        section = Config.fromfile(str(path)).train_dataloader
        run = runner(tmp_path, section)
        assert run.train_loop.dataloader.mode == "by_share"
        run.train()

    def test_a_mistake_in_one_of_them_is_placed(self, tmp_path):
        with pytest.raises(ConfigError, match=r"train_dataloader\.b"):
            runner(
                tmp_path, dict(a=ours(), b=dict(batch_size=4, dataset=None, sampler=None, x=1))
            ).train()


class Initialised(Supervised):
    """Draws its weights, after a loop by iterations has started its loader."""

    def init_weights(self):
        nn.init.normal_(self.net.weight)


class Around:
    """Iterates over a torch loader of its own."""

    def __init__(self, **options):
        self.inner = TorchDataLoader(data(), batch_size=2, shuffle=True, **options)

    def __len__(self):
        return len(self.inner)

    def __iter__(self):
        yield from self.inner


class Drawn(Around):
    """Draws an order by itself."""

    def __iter__(self):
        for batch in torch.randperm(12).view(-1, 2):
            yield self.inner.dataset[batch]


@pytest.mark.parametrize(
    "make",
    [
        lambda: TorchDataLoader(data(), batch_size=2, shuffle=True),
        Around,
        lambda: Around(num_workers=1),
        Drawn,
    ],
)
def test_a_first_pass_goes_on_with_the_order_that_was_drawn_after_the_weights(tmp_path, make):
    def run(work_dir, **options):
        model = Initialised(nn.Linear(2, 2, bias=False), nn.CrossEntropyLoss())
        loader = make()
        return runner(work_dir, loader, model, train_cfg=dict(max_iters=8), **options)

    unbroken = run(tmp_path / "whole")
    unbroken.train()
    with pytest.raises(Killed):
        run(tmp_path, custom_hooks=[Kill(2)]).train()
    again = run(tmp_path, load_from=str(tmp_path / "killed.pth"), resume=True)
    again.train()
    assert torch.equal(again.model.net.weight, unbroken.model.net.weight)


class TestStreams:
    def test_epochs_and_validation_over_streams(self, tmp_path):
        lines: list[str] = []

        class Lines(Hook):
            def after_val_epoch(self, runner, metrics=None):
                lines.append(runner.log_processor.get_log_after_epoch(runner, 2, "val")[1])

        run = runner(
            tmp_path,
            TorchDataLoader(Stream(), batch_size=4),
            val_dataloader=TorchDataLoader(Stream(), batch_size=4),
            val_evaluator=Accuracy(),
            custom_hooks=[Lines()],
            param_scheduler=dict(type="CosineAnnealingLR", T_max=3),
            default_hooks=dict(logger=dict(type="LoggerHook", interval=1)),
        )
        run.train()
        assert run.iter == 6
        assert run.epoch == 3
        assert len(lines) == 3
        assert "accuracy" in lines[0]
        assert "[2/2]" in lines[0]

    def test_an_epoch_is_continued_in_its_middle(self, tmp_path):
        def make():
            return TorchDataLoader(Stream(), batch_size=2)

        unbroken = runner(tmp_path / "whole", make())
        unbroken.train()
        with pytest.raises(Killed):
            runner(tmp_path, make(), custom_hooks=[Kill(6)]).train()
        again = runner(tmp_path, make(), load_from=str(tmp_path / "killed.pth"), resume=True)
        again.train()
        assert again.iter == unbroken.iter == 12
        assert torch.equal(again.model.net.weight, unbroken.model.net.weight)

    def test_a_scheduler_by_iteration_has_to_say_where_it_ends(self, tmp_path):
        schedule = dict(type="CosineAnnealingLR", by_epoch=False)
        with pytest.raises(ConfigError, match="end="):
            runner(tmp_path, TorchDataLoader(Stream()), param_scheduler=schedule).train()

    def test_a_loader_without_a_data_set_is_scored_whole(self, tmp_path):
        class Own:
            def __iter__(self):
                yield from ours(size=6)

        no_training = dict(train_cfg=None, optim_wrapper=None)
        test = dict(test_dataloader=Own(), test_evaluator=Accuracy())
        ready = dict(test_dataloader=ours(size=6), test_evaluator=Accuracy())
        one, other = (
            runner(tmp_path / str(number), None, **no_training, **described).test()
            for number, described in enumerate((test, ready))
        )
        assert one == other


class TestListsOfBatches:
    inputs, targets = data(6)[:]
    BATCHES = {
        "pairs": [(inputs[:4], targets[:4]), (inputs[4:], targets[4:])],
        "lists": list(TorchDataLoader(data(6), batch_size=4)),
        "dicts": [dict(inputs=x, targets=y) for x, y in TorchDataLoader(data(6), batch_size=4)],
        "one": ((inputs, targets),),
    }

    @pytest.mark.parametrize("name", BATCHES)
    def test_they_are_one_validation_set(self, name, tmp_path):
        one, other = (
            runner(tmp_path / str(number), ours(), val_dataloader=loader, val_evaluator=Accuracy())
            for number, loader in enumerate((self.BATCHES[name], ours(6)))
        )
        assert one.val() == other.val()

    def test_several_of_them_are_several(self, tmp_path):
        two = dict(val_dataloader=[self.BATCHES["pairs"]] * 2, val_evaluator=Accuracy())
        assert set(runner(tmp_path, ours(), **two).val()) == {"0/accuracy", "1/accuracy"}


class TestWithoutABatch:
    EMPTY = {
        "a stream": lambda: TorchDataLoader(Stream(0), batch_size=2),
        "a list": list,
        "drop_last": lambda: TorchDataLoader(data(3), batch_size=4, drop_last=True),
        "ours": lambda: ours(3, drop_last=True),
        "an own one": lambda: Both(ours(), ours(3, drop_last=True)),
    }

    @pytest.mark.parametrize("name", EMPTY)
    def test_training_ends_with_an_error(self, name, tmp_path):
        for number, unit in enumerate((dict(max_epochs=1), dict(max_iters=2))):
            with pytest.raises(DataError, match="no batch"):
                runner(tmp_path / str(number), self.EMPTY[name](), train_cfg=unit).train()

    @pytest.mark.parametrize("name", EMPTY)
    def test_validation_ends_with_an_error(self, name, tmp_path):
        run = runner(tmp_path, ours(), val_dataloader=self.EMPTY[name](), val_evaluator=Accuracy())
        with pytest.raises(DataError, match="no batch"):
            run.val()


@dataclasses.dataclass(frozen=True)
class Pair:
    inputs: torch.Tensor
    targets: torch.Tensor
    name: str = "a"


class Movable:
    def __init__(self, values, device="nowhere"):
        self.values, self.device = values, device

    def to(self, device):
        return Movable(self.values.to(device), str(device))


class OfObjects(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, batch, mode="tensor"):
        assert batch.device == "cpu"
        return dict(loss=(batch.values @ self.weight).mean())


class TestBatchesOfAnyKind:
    def test_dataclasses_and_objects_that_can_move(self, tmp_path):
        inputs, targets = data(4)[:]
        runner(tmp_path / "1", [Pair(inputs, targets)] * 2).train()
        run = runner(tmp_path / "2", [Movable(inputs)] * 2, OfObjects())
        run.train()
        assert run.iter == 6


class WithMeta(TensorDataset):
    metainfo: Any = None


@pytest.mark.parametrize("changed", [False, True])
def test_meta_information_is_compared_by_what_it_says(changed, tmp_path, capsys):
    def make(metainfo):
        named = WithMeta(*data().tensors)
        named.metainfo = metainfo
        return DataLoader(named, batch_size=4)

    first = dict(classes=("a", "b"), mean=torch.tensor([0.5]), palette=[np.array([1, 2])])
    runner(tmp_path, make(first), train_cfg=dict(max_epochs=1)).train()
    second = dict(classes=["a", "c" if changed else "b"], mean=np.array([0.5]), palette=([1, 2],))
    runner(tmp_path, make(second), train_cfg=dict(max_epochs=2), resume=True).train()
    assert ("meta information differs" in capsys.readouterr().out) is changed


def test_meta_information_in_a_checkpoint_keeps_numbers_as_keys(tmp_path):
    named = WithMeta(*data().tensors)
    named.metainfo = dict(names={0: "nose", 1: "ear"}, sigmas=np.array([0.5, 0.25]))
    run = runner(tmp_path, DataLoader(named, batch_size=4), train_cfg=dict(max_epochs=1))
    run.train()
    meta = torch.load(tmp_path / "epoch_1.pth")["meta"]
    assert meta["dataset_meta"] == dict(names={0: "nose", 1: "ear"}, sigmas=[0.5, 0.25])
    assert digit_version(meta["mmengine_version"]) == digit_version("0.10.7")


@pytest.mark.parametrize(("window", "length"), [("epoch", 3), ("global", 9), (2, 2)])
def test_logged_values_are_averaged_over_the_window(window, length, tmp_path):
    seen: list[float] = []
    logged: list[float] = []

    class Look(Hook):
        priority = "LOWEST"

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            seen.append(float(outputs["loss"]))
            logged.append(
                runner.log_processor.get_log_after_iter(runner, batch_idx, "train")[0]["loss"]
            )

    run = runner(tmp_path, ours(), custom_hooks=[Look()], log_processor=dict(window_size=window))
    run.train()
    assert logged[-1] == pytest.approx(sum(seen[-length:]) / length)


@pytest.mark.parametrize("window", ["epoch", "epcoh"])
def test_a_window_that_means_nothing_is_refused(window, tmp_path):
    with pytest.raises(ConfigError, match="window_size"):
        runner(
            tmp_path, ours(), train_cfg=dict(max_iters=2), log_processor=dict(window_size=window)
        )


@pytest.mark.parametrize(("own", "said"), [("sample", 1), ("worker", 0), (None, 0)])
def test_random_numbers_that_a_ready_loader_does_not_draw_as_asked_are_said(
    own, said, tmp_path, capfd
):
    loader = DataLoader(data(), 4, sample_rng=own) if own else TorchDataLoader(data(), 4)
    Runner(
        model=Supervised(nn.Linear(2, 2), nn.CrossEntropyLoss()),
        work_dir=str(tmp_path),
        train_dataloader=loader,
        train_cfg=dict(max_iters=1),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        randomness=dict(sample_rng="worker"),
    ).train()
    text = " ".join(capfd.readouterr().out.split())
    assert text.count("does not reach the ready DataLoader in train_dataloader") == said


class SaysLength:
    def __init__(self, length: Any) -> None:
        self.length = length

    def __len__(self) -> Any:
        return self.length


@pytest.mark.parametrize("length", [2.0, -1, None])
def test_a_length_that_is_no_number_of_batches_is_refused(length):
    with pytest.raises(ConfigError, match=f"the length of SaysLength is {length}"):
        length_of(SaysLength(length))
    assert length_of(SaysLength(3)) == 3
    stream = TorchDataLoader(type("Stream", (IterableDataset,), {"__iter__": iter})())
    assert length_of(stream) is None
