"""A runner driven by hand: every method and property, in every order in which MMEngine's work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import Adam
from torch.utils.data import DataLoader, Dataset, default_collate

from mainspring.config import Config
from mainspring.evaluator import BaseMetric
from mainspring.hooks import CheckpointHook, Hook
from mainspring.model import BaseModel
from mainspring.optim import OptimWrapper
from mainspring.registry import DATASETS, METRICS, MODELS
from mainspring.runner import Runner

LENGTH = 8


class Points(Dataset):
    def __init__(self, is_train: bool = True, size: int = LENGTH) -> None:
        self.inputs = torch.linspace(-1, 1, size)[:, None].repeat(1, 2) + (not is_train)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int):
        return {"inputs": self.inputs[index], "label": int(self.inputs[index].sum() > 0)}


class Awesome(BaseModel):
    def __init__(self, layers: int = 1, activation: str = "relu", **kwargs) -> None:
        super().__init__(**kwargs)
        self.layers = nn.Sequential(*(nn.Linear(2, 2) for _ in range(layers)))
        self.activation = getattr(torch, activation)

    def forward(self, inputs, label=None, mode: str = "tensor"):
        scores = self.activation(self.layers(inputs))
        if mode == "loss":
            return {"loss": nn.functional.cross_entropy(scores, label)}
        return [{"score": a, "label": b} for a, b in zip(scores, label, strict=True)]


class Accuracy(BaseMetric):
    default_prefix = "mine"

    def process(self, data_batch, data_samples) -> None:
        self.results += [int(s["score"].argmax()) == int(s["label"]) for s in data_samples]

    def compute_metrics(self, results) -> dict[str, float]:
        return {"share": sum(results) / len(results)}


@pytest.fixture(autouse=True)
def registered():
    """The project's own names, as its modules register them."""
    kept = {root: dict(root.module_dict) for root in (MODELS, DATASETS, METRICS)}
    METRICS.import_from_location()
    MODELS.register_module(module=Awesome)
    DATASETS.register_module(module=Points)
    METRICS.register_module(module=Accuracy)
    yield
    for root, content in kept.items():
        root.module_dict.clear()
        root.module_dict.update(content)


def described(work_dir, **changes) -> dict:
    """The sections of a run, as objects and dicts together."""
    validation = {
        "shuffle": False,
        "collate_fn": default_collate,
        "batch_size": 4,
        "num_workers": 0,
    }
    return {
        "model": Awesome(layers=2),
        "work_dir": str(work_dir),
        "train_dataloader": DataLoader(Points(), batch_size=4, shuffle=True),
        "train_cfg": {"by_epoch": True, "max_epochs": 2, "val_begin": 2, "val_interval": 1},
        "optim_wrapper": {"optimizer": {"type": Adam, "lr": 0.001}},
        "param_scheduler": {
            "type": "MultiStepLR",
            "by_epoch": True,
            "milestones": [4, 8],
            "gamma": 0.1,
        },
        "val_dataloader": DataLoader(dataset=Points(is_train=False), **validation),
        "val_cfg": {},
        "val_evaluator": {"type": Accuracy},
        "test_dataloader": DataLoader(dataset=Points(is_train=False), **validation),
        "test_cfg": {},
        "test_evaluator": {"type": "Accuracy"},
        "default_hooks": {"checkpoint": {"type": "CheckpointHook", "interval": 1}},
        "launcher": "none",
        "env_cfg": {
            "cudnn_benchmark": False,
            "backend": "nccl",
            "mp_cfg": {"mp_start_method": "fork"},
        },
        "log_level": "ERROR",
        "load_from": None,
        "resume": False,
        **changes,
    }


def state_of(model: nn.Module) -> list:
    return [value.tolist() for value in model.state_dict().values()]


class TestTheProgramsOfTheGuide:
    def test_built_by_hand_with_a_metric_of_ones_own_called_accuracy(self, tmp_path) -> None:
        runner = Runner(**described(tmp_path))
        runner.train()
        assert set(runner.test()) == {"mine/share"}
        assert runner.epoch == 2

    def test_from_a_config_file_trained_tested_saved_and_loaded(self, tmp_path) -> None:
        data = (
            "dict(type='Points'), sampler=dict(type='DefaultSampler', shuffle=False), batch_size=4"
        )
        path = tmp_path / "example_config.py"
        path.write_text(
            "model = dict(type='Awesome', layers=2, activation='relu')\n"
            f"work_dir = {str(tmp_path / 'exp')!r}\n"
            f"train_dataloader = dict(dataset={data}, collate_fn=dict(type='default_collate'))\n"
            "train_cfg = dict(by_epoch=True, max_epochs=2)\n"
            "optim_wrapper = dict(optimizer=dict(type='Adam', lr=0.001))\n"
            "param_scheduler = dict(type='MultiStepLR', by_epoch=True, milestones=[4, 8])\n"
            f"val_dataloader = dict(dataset={data}, collate_fn=dict(type='default_collate'))\n"
            "val_cfg = dict()\nval_evaluator = dict(type='Accuracy')\n"
            "test_dataloader, test_cfg, test_evaluator = val_dataloader, val_cfg, val_evaluator\n"
            "default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1))\n"
            "launcher = 'none'\nenv_cfg = dict(cudnn_benchmark=False)\nlog_level = 'ERROR'\n"
            "load_from = None\nresume = False\n"
        )
        for cfg in (Config.fromfile(str(path)), str(path)):
            runner = Runner.from_cfg(cfg)
            runner.train()
            before = runner.test()
            runner.save_checkpoint("checkpoint.pth")
            trained = state_of(runner.model)
            nn.init.zeros_(runner.model.layers[0].weight)
            runner.load_checkpoint("checkpoint.pth")
            assert state_of(runner.model) == trained
            assert runner.test() == before

    @pytest.mark.parametrize("how", ["resume", "load_checkpoint"])
    @pytest.mark.parametrize("what", ["train", "val", "test"])
    def test_the_four_steps(self, tmp_path, how, what) -> None:
        first = Runner(**described(tmp_path))
        first.train()
        trained = state_of(first.model)

        seen = []

        class Watch(Hook):
            def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
                seen.append((runner.iter, state_of(runner.model)))

        longer = {"by_epoch": True, "max_epochs": 3}
        runner = Runner(**described(tmp_path, train_cfg=longer))
        runner.register_hook(Watch())
        getattr(runner, how)("epoch_2.pth")
        assert state_of(runner.model) == trained
        assert (runner.epoch, runner.iter) == ((2, 4) if how == "resume" else (0, 0))
        result = getattr(runner, what)()
        if what == "train":
            assert seen[0] == (4 if how == "resume" else 0, trained)
            assert (runner.epoch, runner.iter) == (3, 6)
        else:
            assert set(result) == {"mine/share"}


class TestResumedByHand:
    def make(self, work_dir, epochs: int, **changes) -> Runner:
        hooks = [{"type": "EMAHook", "momentum": 0.3}]
        train = {"by_epoch": True, "max_epochs": epochs}
        sections = {"train_cfg": train, "custom_hooks": hooks, "randomness": {"seed": 3}, **changes}
        return Runner(**described(work_dir, **sections))

    def test_is_as_exact_as_resumed_by_the_config(self, tmp_path) -> None:
        torch.manual_seed(0)
        whole = self.make(tmp_path / "whole", 4)
        whole.train()
        torch.manual_seed(0)
        self.make(tmp_path / "staged", 2).train()
        runner = self.make(tmp_path / "staged", 4)
        runner.resume("epoch_2.pth")
        runner.train()
        assert state_of(runner.model) == state_of(whole.model)
        average = [
            torch.load(Path(r.work_dir) / "epoch_4.pth")["state_dict"] for r in (whole, runner)
        ]
        assert all(torch.equal(average[0][name], average[1][name]) for name in average[0])

    def test_initial_weights_do_not_replace_what_was_loaded(self, tmp_path) -> None:
        class Initialised(Awesome):
            def init_weights(self) -> None:
                for parameter in self.parameters():
                    nn.init.constant_(parameter, 7)

        torch.save({"state_dict": Awesome(layers=1).state_dict()}, tmp_path / "body.pth")
        first = []

        class Watch(Hook):
            def before_train(self, runner) -> None:
                first.append(runner.model.state_dict()["layers.0.weight"].tolist())
                first.append(runner.model.state_dict()["layers.1.weight"].tolist())

        runner = Runner(**described(tmp_path, model=Initialised(layers=2), custom_hooks=[Watch()]))
        loaded = runner.load_checkpoint(str(tmp_path / "body.pth"))["state_dict"]
        runner.train()
        # What the checkpoint does not hold is initialised.
        assert first == [loaded["layers.0.weight"].tolist(), [[7.0, 7.0]] * 2]

    def test_what_was_loaded_by_hand_is_not_replaced_by_load_from(self, tmp_path) -> None:
        for name in ("pretrained", "best"):
            torch.save({"state_dict": Awesome(layers=2).state_dict()}, tmp_path / f"{name}.pth")
        best = torch.load(tmp_path / "best.pth")["state_dict"]
        runner = Runner(**described(tmp_path, load_from=str(tmp_path / "pretrained.pth")))
        runner.load_checkpoint(str(tmp_path / "best.pth"))
        runner.test()
        assert state_of(runner.model) == [value.tolist() for value in best.values()]

    @pytest.mark.parametrize("entry", ["load_from", "resume", "last_checkpoint", "both"])
    def test_a_bare_file_name_is_looked_for_in_the_work_dir(self, tmp_path, entry) -> None:
        self.make(tmp_path, 2).train()
        changes = {
            "load_from": {"load_from": "epoch_1.pth"},
            "resume": {"resume": "epoch_1.pth"},
            "last_checkpoint": {"resume": True},
            "both": {"resume": True, "load_from": "epoch_1.pth"},
        }[entry]
        (tmp_path / "last_checkpoint").write_text("epoch_1.pth")
        runner = self.make(tmp_path, 2, **changes)
        starts = []

        class Watch(Hook):
            def before_train(self, runner) -> None:
                starts.append(runner.epoch)

        runner.register_hook(Watch())
        runner.train()
        assert starts == [0 if entry == "load_from" else 1]


BEFORE = {
    "max_epochs": 2,
    "max_iters": 4,
    "val_begin": 2,
    "val_interval": 1,
    "epoch": 0,
    "iter": 0,
    "rank": 0,
    "world_size": 1,
    "launcher": "none",
    "distributed": False,
    "deterministic": False,
    "model_name": "Awesome",
}
METHODS = ("train", "val", "test")


class TestTableOfOrders:
    @pytest.mark.parametrize("earlier", [(), ("val",), ("test", "val"), ("train",)], ids=str)
    @pytest.mark.parametrize("name", BEFORE)
    def test_properties_at_any_time(self, tmp_path, name, earlier) -> None:
        runner = Runner(**described(tmp_path))
        for method in earlier:
            getattr(runner, method)()
        trained = {"epoch": 2, "iter": 4} if "train" in earlier else {}
        assert getattr(runner, name) == {**BEFORE, **trained}[name]

    @pytest.mark.parametrize("second", METHODS)
    @pytest.mark.parametrize("first", METHODS)
    def test_methods_one_after_the_other_and_again(self, tmp_path, first, second) -> None:
        runner = Runner(**described(tmp_path))
        results = [getattr(runner, method)() for method in (first, second, first, second)]
        assert runner.iter == (4 if "train" in (first, second) else 0)
        if first == second != "train":
            assert results[0] == results[1]

    def test_parts_before_training(self, tmp_path) -> None:
        runner = Runner(**described(tmp_path))
        assert len(runner.train_dataloader) == len(runner.val_dataloader) == 2
        assert runner.train_loop is runner.train_loop
        assert runner.val_evaluator.metrics[0].prefix == "mine"
        assert runner.test_loop.evaluator is runner.test_evaluator
        assert runner.optim_wrapper["optimizer"]["lr"] == 0.001
        assert runner.param_schedulers["milestones"] == [4, 8]
        wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        assert isinstance(wrapper, OptimWrapper)
        runner.optim_wrapper = wrapper
        runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
        assert runner.param_schedulers[0].end == 2
        assert "CheckpointHook" in runner.get_hooks_info()
        runner.train()
        assert runner.optim_wrapper is wrapper

    def test_a_checkpoint_before_training(self, tmp_path) -> None:
        runner = Runner(**described(tmp_path))
        runner.save_checkpoint(str(tmp_path), "start.pth")
        assert torch.load(tmp_path / "start.pth", weights_only=False)["meta"]["iter"] == 0

    def test_trained_in_two_stages_by_hand(self, tmp_path) -> None:
        runner = Runner(**described(tmp_path))
        runner.train()
        runner._train_loop = {"by_epoch": True, "max_epochs": 3}
        runner.optim_wrapper = {"optimizer": {"type": "SGD", "lr": 0.5}}
        runner.param_schedulers = None
        runner.train()
        assert (runner.epoch, runner.iter, runner.max_iters) == (3, 6, 6)
        assert runner.optim_wrapper.optimizer.param_groups[0]["lr"] == 0.5

    def test_learning_rates_are_scaled_once(self, tmp_path) -> None:
        scale = {"enable": True, "base_batch_size": 8}
        runner = Runner(**described(tmp_path, auto_scale_lr=scale, param_scheduler=None))
        for _ in range(2):
            runner.train()
            assert runner.optim_wrapper.optimizer.param_groups[0]["lr"] == 0.0005

    def test_a_mistake_can_be_mended_and_tried_again(self, tmp_path) -> None:
        runner = Runner(**described(tmp_path, optim_wrapper={"optimizer": {"type": "Adm"}}))
        with pytest.raises(KeyError):
            runner.train()
        runner.optim_wrapper = {"optimizer": {"type": "Adam"}}
        runner.train()
        assert (tmp_path / "epoch_2.pth").exists()


class TestNothingNewIsRemoved:
    def test_a_failed_test_after_training_removes_nothing(self, tmp_path) -> None:
        sections = described(tmp_path / "new" / "run")
        for name in ("test_dataloader", "test_cfg", "test_evaluator"):
            del sections[name]
        runner = Runner(**sections)
        runner.train()
        before = sorted(os.listdir(runner.work_dir))
        with pytest.raises(Exception, match="describes no test"):
            runner.test()
        assert sorted(os.listdir(runner.work_dir)) == before

    def test_a_failed_start_leaves_what_others_put_there(self, tmp_path) -> None:
        runner = Runner(**described(tmp_path / "run", optim_wrapper={"optimizer": {"type": "Adm"}}))
        (tmp_path / "run" / "notes.txt").write_text("mine")
        with pytest.raises(KeyError):
            runner.train()
        assert os.listdir(tmp_path / "run") == ["notes.txt"]

    @pytest.mark.parametrize("keep", [1, 2])
    def test_a_fixed_name(self, tmp_path, keep) -> None:
        hook = {"type": "CheckpointHook", "interval": 1, "max_keep_ckpts": keep}
        hook["filename_tmpl"] = "last.pth"
        hooks = {"checkpoint": hook}
        for epochs, resume in ((3, False), (5, True)):
            train = {"by_epoch": True, "max_epochs": epochs}
            Runner(
                **described(tmp_path, train_cfg=train, default_hooks=hooks, resume=resume)
            ).train()
            assert sorted(p.name for p in tmp_path.glob("*.pth")) == ["last.pth"]
            assert torch.load(tmp_path / "last.pth", weights_only=False)["meta"]["epoch"] == epochs

    def test_two_hooks_in_one_directory(self, tmp_path) -> None:
        sections = described(tmp_path, train_cfg={"by_epoch": True, "max_epochs": 5})
        sections["default_hooks"] = {"checkpoint": CheckpointHook(interval=1, max_keep_ckpts=1)}
        Runner(**sections, custom_hooks=[CheckpointHook(interval=2, save_last=False)]).train()
        names = sorted(path.name for path in tmp_path.glob("*.pth"))
        assert names == ["epoch_2.pth", "epoch_4.pth", "epoch_5.pth"]

    def test_best_checkpoints_of_the_same_name(self, tmp_path) -> None:
        class Scores(BaseMetric):
            scores = [(1, 1), (2, 0), (3, 0)]

            def process(self, data_batch, data_samples) -> None:
                self.results.append(0)

            def compute_metrics(self, results) -> dict[str, float]:
                first, second = self.scores[self.calls]
                self.calls += 1
                return {"a/b": first, "a_b": second}

            calls = 0

        sections = described(tmp_path, train_cfg={"by_epoch": True, "max_epochs": 3})
        keep = CheckpointHook(interval=-1, save_best=["a/b", "a_b"], rule="greater")
        sections |= {"default_hooks": {"checkpoint": keep}, "val_evaluator": Scores()}
        Runner(**sections).train()
        names = sorted(path.name for path in tmp_path.glob("best*"))
        assert names == ["best_a_b_epoch_1.pth", "best_a_b_epoch_3.pth"]
