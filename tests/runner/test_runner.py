"""The runner as its users see it."""

from __future__ import annotations

import contextvars
import gc
import random
import time
import traceback
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset, TensorDataset

import mainspring
from mainspring.dataset import DataLoader
from mainspring.errors import ConfigError, LoopError
from mainspring.evaluator import Accuracy
from mainspring.hooks import Hook
from mainspring.logging import MessageHub
from mainspring.model import BaseModel, Supervised
from mainspring.optim import OptimWrapper, OptimWrapperDict
from mainspring.runner import EpochBasedTrainLoop, Runner
from mainspring.runner.release import release_run


class Noisy(Dataset):
    """Draws from all three generators, and counts what is loaded."""

    def __init__(self, length=24):
        self.length = length
        self.loaded = 0

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        self.loaded += 1
        noise = random.random() + float(np.random.rand()) + float(torch.rand(()))
        point = torch.tensor([index / self.length, noise, 1.0])
        return point, (point[:1] > 0.5).float()


def net():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1)
    )


def make(work_dir, **changes):
    arguments = {
        "model": Supervised(net(), nn.MSELoss()),
        "work_dir": str(work_dir),
        "train_dataloader": DataLoader(Noisy(), batch_size=4, shuffle=True),
        "train_cfg": {"max_epochs": 3},
        "optim_wrapper": {"optimizer": {"type": "AdamW", "lr": 0.05}},
        "param_scheduler": [
            {"type": "LinearLR", "start_factor": 0.2, "end": 4, "by_epoch": False},
            {"type": "StepLR", "step_size": 1, "gamma": 0.5},
        ],
        "randomness": {"seed": 1},
        **changes,
    }
    return Runner(**arguments)


def weights(runner):
    return {name: tensor.clone() for name, tensor in runner.model.state_dict().items()}


def assert_same(left, right):
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


def every(n, **more):
    return {"checkpoint": {"type": "CheckpointHook", "interval": n, "by_epoch": False, **more}}


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("stop", [2, 6, 9])
def test_a_run_resumed_after_any_iteration_ends_like_one_never_interrupted(tmp_path, stop, workers):
    def loader():
        return DataLoader(Noisy(), batch_size=4, shuffle=True, num_workers=workers)

    whole = make(tmp_path / "whole", train_dataloader=loader(), default_hooks=every(stop))
    whole.train()
    resumed = make(
        tmp_path / "resumed",
        train_dataloader=loader(),
        resume=str(tmp_path / "whole" / f"iter_{stop}.pth"),
    )
    resumed.train()
    assert_same(weights(whole), weights(resumed))
    assert resumed.iter == 18


@pytest.mark.parametrize("stop", [3, 8])
def test_training_by_iteration_resumes_exactly(tmp_path, stop):
    settings = {"train_cfg": {"max_iters": 14}, "param_scheduler": None}
    whole = make(tmp_path / "whole", default_hooks=every(stop), **settings)
    whole.train()
    path = str(tmp_path / "whole" / f"iter_{stop}.pth")
    resumed = make(tmp_path / "resumed", resume=path, **settings)
    resumed.train()
    assert_same(weights(whole), weights(resumed))


def test_resuming_loads_no_item_to_throw_it_away(tmp_path):
    make(tmp_path / "whole", default_hooks=every(5)).train()
    data = Noisy()
    path = str(tmp_path / "whole" / "iter_5.pth")
    loader = DataLoader(data, batch_size=4, shuffle=True)
    make(tmp_path / "r", train_dataloader=loader, train_cfg={"max_epochs": 1}, resume=path).train()
    # The count of the data set goes on from the 5 batches of the first run; one more is loaded.
    assert data.loaded == 5 * 4 + 4


def test_a_checkpoint_inside_a_group_of_accumulation_resumes_exactly(tmp_path):
    wrapper = {"optimizer": {"type": "SGD", "lr": 0.1}, "accumulative_counts": 4}
    settings = {"optim_wrapper": wrapper, "param_scheduler": None}
    whole = make(tmp_path / "whole", default_hooks=every(6), **settings)
    whole.train()
    path = str(tmp_path / "whole" / "iter_6.pth")
    resumed = make(tmp_path / "resumed", resume=path, **settings)
    resumed.train()
    assert_same(weights(whole), weights(resumed))


def test_validation_does_not_shift_the_training_stream(tmp_path):
    alone = make(tmp_path / "alone")
    alone.train()
    validated = make(
        tmp_path / "validated",
        val_dataloader=DataLoader(Noisy(), batch_size=5),
        val_cfg={"compute_loss": True},
    )
    validated.train()
    assert_same(weights(alone), weights(validated))


def test_six_frames_in_three_files_from_train_to_forward(tmp_path):
    seen = []

    class Looking(BaseModel):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(3, 1)

        def forward(self, points, targets, mode="tensor"):
            if not seen:
                seen.extend(traceback.extract_stack())
            return {"loss": (self.net(points) - targets).square().mean()}

    make(tmp_path, model=Looking(), train_cfg={"max_epochs": 1}).train()
    root = str(Path(mainspring.__file__).parent)
    ours = [frame for frame in seen if frame.filename.startswith(root)]
    assert ours[0].name == "train"
    assert len(ours) <= 6, [frame.name for frame in ours]
    assert len({frame.filename for frame in ours}) <= 3


def test_no_attribute_is_first_a_dict_and_later_an_object(tmp_path):
    runner = make(tmp_path, train_cfg={"max_epochs": 1})
    before = {name for name, value in vars(runner).items() if type(value) is dict}
    runner.train()
    after = vars(runner)
    assert {name for name in before if not isinstance(after[name], dict)} == set()


def test_losses_of_validation_can_choose_the_best_checkpoint(tmp_path):
    runner = make(
        tmp_path,
        val_dataloader=DataLoader(Noisy(), batch_size=5),
        val_cfg={"compute_loss": True},
        default_hooks={"checkpoint": {"type": "CheckpointHook", "save_best": "val_loss"}},
    )
    runner.train()
    metrics = runner.val()
    assert metrics["val_loss"] == metrics["loss"]
    assert len(list(tmp_path.glob("best_val_loss_epoch_*.pth"))) == 1


def classification(n=40):
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(n, 2, generator=generator)
    return TensorDataset(points, (points[:, 0] > 0).long())


def classifier(**changes):
    return {
        "model": Supervised(nn.Linear(2, 2), nn.CrossEntropyLoss()),
        "train_dataloader": DataLoader(classification(), batch_size=8, shuffle=True),
        "param_scheduler": None,
        **changes,
    }


def test_several_validation_sets_prefix_their_metrics(tmp_path):
    loader = DataLoader(classification(), batch_size=16)
    runner = make(
        tmp_path,
        **classifier(
            val_dataloader={"clean": loader, "same": loader},
            val_cfg={},
            val_evaluator={"clean": Accuracy(), "same": [Accuracy(prefix="again")]},
        ),
    )
    runner.train()
    metrics = runner.val()
    assert metrics.keys() == {"clean/accuracy", "same/again/accuracy"}
    assert metrics["clean/accuracy"] == metrics["same/again/accuracy"]


def test_names_of_loaders_and_evaluators_must_agree(tmp_path):
    loader = DataLoader(classification(), batch_size=16)
    runner = make(
        tmp_path,
        **classifier(
            val_dataloader={"clean": loader}, val_cfg={}, val_evaluator={"claen": Accuracy()}
        ),
    )
    with pytest.raises(ConfigError, match="claen"):
        runner.train()


def test_torchmetrics_objects_are_accepted_as_they_are(tmp_path):
    torchmetrics = pytest.importorskip("torchmetrics")
    metric = torchmetrics.classification.MulticlassAccuracy(num_classes=2, average="micro")
    loader = DataLoader(classification(), batch_size=16)
    runner = make(
        tmp_path,
        **classifier(val_dataloader=loader, val_cfg={}, val_evaluator=[metric, Accuracy()]),
    )
    runner.train()
    metrics = runner.val()
    assert metrics["multiclassaccuracy"] * 100 == pytest.approx(metrics["accuracy"])


def test_a_workflow_switches_between_phases(tmp_path):
    phases = []

    class Recorder(Hook):
        def before_train_epoch(self, runner):
            phases.append("train")

        def before_val_epoch(self, runner):
            phases.append("val")

    make(
        tmp_path,
        train_cfg={"max_epochs": 5, "workflow": [("train", 2), ("val", 1)]},
        val_dataloader=DataLoader(Noisy(), batch_size=5),
        val_cfg={"compute_loss": True},
        custom_hooks=[Recorder()],
    ).train()
    assert phases == ["train", "train", "val", "train", "train", "val", "train"]


def test_a_checkpoint_is_saved_and_found_by_its_name_alone(tmp_path):
    runner = make(tmp_path, train_cfg={"max_epochs": 1})
    runner.train()
    runner.save_checkpoint("mine.pth")
    assert (tmp_path / "mine.pth").is_file()
    runner.save_checkpoint(str(tmp_path / "sub"), "other.pth")
    assert (tmp_path / "sub" / "other.pth").is_file()
    assert runner.load_checkpoint("mine.pth")["meta"]["iter"] == 6


def test_learning_rates_are_scaled_by_the_batch_size(tmp_path):
    runner = make(
        tmp_path,
        auto_scale_lr={"enable": True, "base_batch_size": 16},
        param_scheduler=None,
        train_cfg={"max_epochs": 1},
    )
    runner.train()
    assert runner.optim_wrapper.get_lr()["lr"] == [0.05 * 4 / 16]


def test_ready_objects_and_a_plain_torch_loader(tmp_path):
    model = Supervised(net(), nn.MSELoss())
    runner = make(
        tmp_path,
        model=model,
        train_dataloader=TorchDataLoader(Noisy(), batch_size=4, shuffle=True),
        optim_wrapper=torch.optim.SGD(model.parameters(), lr=0.1),
        param_scheduler=None,
    )
    assert runner.train() is runner.model is model


def test_several_optimizers(tmp_path):
    class Two(BaseModel):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 1), nn.Linear(3, 1)

        def train_step(self, data, optim_wrapper):
            points, targets = data
            for name in ("a", "b"):
                loss = (getattr(self, name)(points) - targets).square().mean()
                optim_wrapper[name].update_params(loss)
            return {"loss": loss.detach()}

        def forward(self, *inputs, mode="tensor"):
            raise NotImplementedError

    model = Two()
    wrappers = OptimWrapperDict(
        a=OptimWrapper(torch.optim.SGD(model.a.parameters(), lr=0.1)),
        b=OptimWrapper(torch.optim.SGD(model.b.parameters(), lr=0.2)),
    )
    runner = make(
        tmp_path,
        model=model,
        optim_wrapper=wrappers,
        param_scheduler={"a": {"type": "StepLR", "step_size": 1, "gamma": 0.1}},
        train_cfg={"max_epochs": 2},
    )
    runner.train()
    assert wrappers.get_lr() == {"a.lr": [pytest.approx(0.01)], "b.lr": [0.2]}
    assert set(torch.load(tmp_path / "epoch_1.pth", weights_only=True)["optimizer"]) == {"a", "b"}


def test_what_is_counted_is_said_once(tmp_path):
    runner = make(
        tmp_path,
        train_cfg={"max_iters": 6},
        param_scheduler={"type": "StepLR", "step_size": 2, "gamma": 0.5},
        default_hooks={"checkpoint": {"type": "CheckpointHook", "interval": 3}},
    )
    runner.train()
    assert {path.name for path in tmp_path.glob("*.pth")} == {"iter_3.pth", "iter_6.pth"}
    assert runner.param_schedulers[0].by_epoch is False
    assert runner.log_processor.by_epoch is False


def test_two_runs_started_in_the_same_second_have_their_own_logs(tmp_path):
    first, second = make(tmp_path), make(tmp_path)
    assert first.log_dir != second.log_dir
    assert first.message_hub is not second.message_hub


def test_a_loop_of_ones_own(tmp_path):
    class EveryOther(EpochBasedTrainLoop):
        def run_iter(self, idx, data_batch):
            if idx % 2:
                super().run_iter(idx, data_batch)

    runner = make(tmp_path, train_cfg={"type": EveryOther, "max_epochs": 1})
    runner.train()
    assert runner.iter == 3


def test_type_and_by_epoch_contradict_each_other(tmp_path):
    runner = make(tmp_path, train_cfg={"type": "EpochBasedTrainLoop", "by_epoch": True})
    with pytest.raises(ConfigError, match="both type and by_epoch"):
        runner.train()


def test_the_runner_releases_what_it_put_into_the_process(tmp_path):
    import gc

    from mainspring.logging import MessageHub, MMLogger

    runner = make(tmp_path)
    name = runner.experiment_name
    assert MessageHub.check_instance_created(name)
    del runner
    gc.collect()
    assert not MessageHub.check_instance_created(name)
    assert not MMLogger.check_instance_created(name)


def test_what_the_run_does_not_describe_cannot_be_run(tmp_path):
    runner = make(tmp_path)
    with pytest.raises(LoopError, match="describes no validation"):
        runner.val()
    with pytest.raises(LoopError, match="describes no test") as error:
        runner.test()
    assert isinstance(error.value, RuntimeError)  # as MMEngine's users catch it
    assert "test_dataloader" in error.value.help


def test_what_is_left_of_a_failed_start_does_not_take_a_later_run_s_parts_away(tmp_path):
    left = []

    class Failing(Runner):
        def build_model(self, model):
            left.append(self)
            raise RuntimeError("no model")

    try:
        Failing(nn.Linear(1, 1), work_dir=str(tmp_path / "failed"))
    except RuntimeError:
        name = left[0].experiment_name
    hub = MessageHub.get_instance(name)  # the name is free now: another run takes it
    left.clear()
    gc.collect()
    assert MessageHub.get_instance(name) is hub
    MessageHub.release_instance(name)


def test_two_runs_of_one_second_have_their_own_names_and_folders(tmp_path):
    runs = [make(tmp_path / "same") for _ in range(3)]
    assert len({run.experiment_name for run in runs}) == 3
    assert len({run.log_dir for run in runs}) == 3
    assert len({id(run.visualizer) for run in runs}) == 3


def test_a_run_that_was_released_by_hand_takes_nothing_from_a_later_one_of_its_name(tmp_path):
    first = make(tmp_path / "first")
    release_run(first.experiment_name)
    with patch(
        "time.time", return_value=time.mktime(time.strptime(first.timestamp, "%Y%m%d_%H%M%S"))
    ):
        second = make(tmp_path / "second")
    assert second.experiment_name == first.experiment_name
    del first
    gc.collect()
    assert MessageHub.check_instance_created(second.experiment_name)


def test_a_run_is_released_without_setting_a_context_variable(tmp_path):
    first, second = make(tmp_path / "first"), make(tmp_path / "second")
    # The one that is current is released as well: the collector may do so while another is set.
    for run in (first, second):
        before = contextvars.copy_context()
        release_run(run.experiment_name)
        after = contextvars.copy_context()
        changed = [variable for variable in after if before.get(variable) is not after[variable]]
        assert changed == []


def test_parts_are_built_for_those_who_ask(tmp_path):
    runner = make(tmp_path, data_preprocessor={"type": "BaseDataPreprocessor"})
    assert runner.build_logger(name="own").instance_name == "own"
    linear = {"type": nn.Linear, "in_features": 1, "out_features": 1}
    assert isinstance(runner.build_model(linear), nn.Module)
    for build, part in (
        (runner.build_log_processor, runner.log_processor),
        (runner.build_visualizer, runner.visualizer),
    ):
        assert build(part) is part
        with pytest.raises(TypeError, match="'no part', which has no"):
            build("no part")
    with pytest.raises(RuntimeError, match="both type and by_epoch"):
        runner.build_train_loop({"type": "EpochBasedTrainLoop", "by_epoch": True, "max_epochs": 1})
    runner.optim_wrapper = {"optimizer": {"type": "SGD", "lr": 1}}
    with pytest.raises(AssertionError, match="not a dict"):
        runner.build_param_scheduler({"type": "StepLR", "step_size": 1})


def test_the_list_of_hooks_can_be_exchanged(tmp_path):
    runner = make(tmp_path)
    runner._hooks = []
    runner.register_hook({"type": "IterTimerHook"})
    assert [type(hook).__name__ for hook in runner.hooks] == ["IterTimerHook"]
    assert runner._hooks is runner.hooks


def test_it_says_in_a_line_what_it_is_and_where_it_stands(tmp_path):
    runner = make(tmp_path)
    assert repr(runner) == f"<Runner of Supervised in {tmp_path}, after epoch 0, iteration 0>"
    runner.train()
    assert repr(runner) == f"<Runner of Supervised in {tmp_path}, after epoch 3, iteration 18>"
    assert repr(Runner.__new__(Runner)) == "<Runner>"
