"""Trainings that an interruption must not change, by name: each function gives arguments of Runner.

Every one of them has batch normalisation, dropout, a stateful optimizer, and items that draw from
Python's, NumPy's and torch's generators; its name says what it has beyond that.
"""

from __future__ import annotations

from typing import Any

import torch
from matrix_base import (
    EPOCHS,
    ITERATIONS,
    LOADERS,
    RANKS,
    REPLAYING,
    SAVING,
    VARIANTS,
    WINDOWS,
    Arguments,
    base,
    by_iteration,
    epochs_of,
    infinite,
    iterations_of,
    layouts,
    of_section,
    ours,
    several,
    streams_of,
    torchs,
    validated,
    variant,
)
from matrix_parts import (
    BATCH,
    ITEMS,
    ContinuedStream,
    Counted,
    Counting,
    CountingValidation,
    ForValidation,
    GlobalSampler,
    GroupsOfItems,
    ManyParts,
    NoNumberInOne,
    OwnAccumulation,
    OwnGenerator,
    OwnLoader,
    OwnLoop,
    PythonSampler,
    Remembers,
    RemembersItems,
    SavesAlone,
    ScaledOnCpu,
    Seen,
    ShuffledStream,
    Smoothed,
    Stream,
    TwoShapes,
    ValidatesInBetween,
)
from schedule_free import ScheduleFree
from torch import nn
from torch.utils.data import BatchSampler, RandomSampler, WeightedRandomSampler
from torch.utils.data import DataLoader as TorchDataLoader

from mainspring import optim
from mainspring.config import later
from mainspring.dataset import DataLoader, TokenBudgetBatchSampler
from mainspring.model import Supervised
from mainspring.optim import OptimWrapper, OptimWrapperDict
from mainspring.runner import WorkflowTrainLoop

__all__ = ["LOADERS", "RANKS", "REPLAYING", "VARIANTS"]

AHEAD = {"num_workers": 2, "prefetch_factor": 1}
"""Some, but not all indices of a pass are drawn before they are needed."""

several(epochs_of, layouts(ours, "epochs", "0", "2", "2p", "4", "4p"))
several(iterations_of, layouts(ours, "iterations", "0", "2p", "4"))
several(epochs_of, layouts(of_section, "default_sampler", "0"))
several(iterations_of, layouts(infinite, "infinite_sampler", "0", "2", "4p"))
several(epochs_of, layouts(torchs, "torch_loader", "0", "2", "2p"))
several(iterations_of, layouts(torchs, "torch_loader_by_iteration", "0", "2", "2p"))
several(epochs_of, {
    "torch_loader_with_generator": {
        "loader": lambda: torchs(generator=torch.Generator().manual_seed(8))
    },
    "torch_loader_with_generator_2_workers": {
        "loader": lambda: torchs(generator=torch.Generator().manual_seed(8), num_workers=2)
    },
    "torch_loader_in_order": {"loader": lambda: torchs(sampler=range(ITEMS))},
    "torch_loader_weighted": {
        "loader": lambda: torchs(sampler=WeightedRandomSampler([1.0, 2.0] * 9, ITEMS))
    },
    "torch_loader_global_sampler": {"loader": lambda: torchs(sampler=GlobalSampler())},
    "torch_loader_batch_sampler": {
        "loader": lambda: torchs(batch_sampler=TwoShapes(GlobalSampler()), **AHEAD)
    },
    "global_sampler": {"loader": lambda: ours(sampler=GlobalSampler())},
    "global_sampler_2_workers": {
        "loader": lambda: ours(sampler=GlobalSampler(), **AHEAD)
    },
    "python_sampler": {"loader": lambda: ours(sampler=PythonSampler())},
    "batch_sampler": {"loader": lambda: ours(sampler=PythonSampler(), batch_sampler=TwoShapes)},
    "batch_sampler_2_workers": {
        "loader": lambda: ours(batch_sampler=TwoShapes(PythonSampler()), num_workers=2)
    },
    "weighted_with_generator_2_workers": {
        "loader": lambda: ours(
            sampler=WeightedRandomSampler(
                [1.0, 2.0] * 9, ITEMS, generator=torch.Generator().manual_seed(4)
            ),
            num_workers=2,
        )
    },
    "own_generator": {"loader": lambda: ours(sampler=OwnGenerator())},
    "own_generator_2_workers": {"loader": lambda: ours(sampler=OwnGenerator(), **AHEAD)},
    "torch_loader_own_generator_2_workers": {
        "loader": lambda: torchs(sampler=OwnGenerator(), **AHEAD)
    },
    "sampler_with_state": {"loader": lambda: ours(sampler=Remembers())},
    "torch_loader_batch_sampler_with_state": {
        "loader": lambda: torchs(batch_sampler=TwoShapes(Remembers()), num_workers=2)
    },
    "groups_of_items": {
        "loader": lambda: DataLoader(
            GroupsOfItems(),
            batch_size=None,
            sampler=BatchSampler(RandomSampler(range(ITEMS)), BATCH, drop_last=False),
        )
    },
    "own_loader": {"loader": OwnLoader},
    "stream_with_state": {"loader": lambda: DataLoader(ContinuedStream(), batch_size=BATCH)},
    "torch_loader_stream_with_state": {"loader": lambda: torchs(ContinuedStream())},
    "shuffled_stream_with_state": {"loader": lambda: torchs(ShuffledStream())},
    "one_stream_a_worker_0_workers": {"loader": lambda: ours(sample_rng="worker")},
})  # fmt: skip
several(iterations_of, {
    "global_sampler_by_iteration": {"loader": lambda: ours(sampler=GlobalSampler())},
    "batch_sampler_by_iteration": {
        "loader": lambda: ours(sampler=PythonSampler(), batch_sampler=TwoShapes, num_workers=2)
    },
    "stream_with_state_by_iteration": {
        "loader": lambda: DataLoader(ContinuedStream(), batch_size=BATCH)
    },
})  # fmt: skip
several(epochs_of, {
    **layouts(ours, "one_stream_a_worker", "2", "2p", "4p", sample_rng="worker"),
    **layouts(of_section, "default_sampler_one_stream_a_worker", "2p", sample_rng="worker"),
    "one_stream_a_worker_drawn_order": {
        "loader": lambda: ours(sampler=GlobalSampler(), sample_rng="worker", **AHEAD)
    },
    "one_stream_a_worker_more_workers_than_batches": {
        "loader": lambda: ours(sample_rng="worker", num_workers=6, persistent_workers=True)
    },
})  # fmt: skip
several(streams_of, {
    **layouts(torchs, "torch_loader_one_stream_a_worker", "2", "2p"),
    **layouts(torchs, "data_that_remember", "2", "2p", dataset=RemembersItems(), shuffle=True),
})  # fmt: skip
several(iterations_of, {
    **layouts(ours, "one_stream_a_worker_by_iteration", "2", "2p", "4p", sample_rng="worker"),
    **layouts(infinite, "infinite_one_stream_a_worker", "2", "4p", sample_rng="worker"),
})  # fmt: skip
several(epochs_of, {
    "stream": {"loader": lambda: DataLoader(Stream(), batch_size=BATCH)},
    "stream_2_workers": {"loader": lambda: DataLoader(Stream(), batch_size=BATCH, num_workers=2)},
    "torch_loader_stream": {"loader": lambda: torchs(Stream())},
    "torch_loader_stream_2_workers": {"loader": lambda: torchs(Stream(), num_workers=2)},
}, replays=True)  # fmt: skip


@variant
def workflow():
    loop = {"type": WorkflowTrainLoop, "max_epochs": EPOCHS}
    return validated(train_cfg={**loop, "workflow": [("train", 1), ("val", 1), ("train", 1)]})


@variant
def own_loop():
    saving = {"type": "CheckpointHook", "interval": 1}
    loop = {"type": OwnLoop, "max_epochs": EPOCHS}
    return base(train_cfg=loop, default_hooks={"checkpoint": saving})


@variant
def model_with_state():
    return validated(
        model=Supervised(Counted(), nn.MSELoss()),
        custom_hooks=[{"type": "EMAHook", "momentum": 0.1}],
    )


@variant
def state_outside_of_state_dict():
    return base(model=Supervised(Smoothed(), nn.MSELoss()))


@variant
def own_accumulation():
    return base(model=OwnAccumulation())


@variant
def everything_at_once():
    best = {"save_best": "auto", "rule": "less", "async_save": True}
    stopping = {"type": "EarlyStoppingHook", "monitor": "error", "rule": "less"}
    step = {"type": ScaledOnCpu, "optimizer": {"type": "AdamW", "lr": 0.05}}
    return validated(
        train_dataloader=torchs(num_workers=2, persistent_workers=True),
        train_cfg={"by_epoch": False, "max_iters": ITERATIONS, "val_begin": 3, "val_interval": 4,
                   "dynamic_intervals": [(9, 2), (13, 1)]},
        optim_wrapper={**step, "accumulative_counts": 3, "clip_grad": {"max_norm": 0.5}},
        param_scheduler=[
            {"type": "LinearLR", "start_factor": 0.1, "end": 5, "by_epoch": False},
            {"type": "ReduceOnPlateauLR", "monitor": "error", "patience": 0, "factor": 0.5},
        ],
        default_hooks={"checkpoint": {"type": "CheckpointHook", **SAVING, **best}},
        custom_hooks=[
            {"type": "EMAHook", "momentum": 0.1, "begin_iter": 5},
            {**stopping, "patience": 50, "min_delta": 0.01},
        ],
    )  # fmt: skip


@variant
def rolled_back():
    step = {"optimizer": {"type": "AdamW", "lr": 0.05}, "accumulative_counts": 2}
    return by_iteration(
        model=Supervised(nn.Linear(4, 1), nn.MSELoss()),
        train_dataloader=DataLoader(NoNumberInOne(), batch_size=BATCH, shuffle=True),
        optim_wrapper=step,
        default_hooks={
            "divergence": {"type": "DivergenceHook", "policy": "rollback", "max_rollbacks": 9},
            "checkpoint": {"type": "CheckpointHook", **SAVING, "interval": 3},
        },
    )


@variant
def saved_by_epoch():
    saving = {"type": "CheckpointHook", "interval": 1, "max_keep_ckpts": 2}
    return base(default_hooks={"checkpoint": saving})


@variant
def saved_in_the_background():
    return base(default_hooks={"checkpoint": {"type": "CheckpointHook", **SAVING,
                                              "async_save": True}})  # fmt: skip


@variant
def log_windows():
    epoch = {"data_src": "loss", "log_name": "loss_of_epoch", "method_name": "mean",
             "window_size": "epoch"}  # fmt: skip
    logger = {"type": "LoggerHook", "interval": 5, "ignore_last": False}
    return base(
        default_hooks={"logger": logger},
        log_processor={"window_size": 7, "custom_cfg": [*WINDOWS, epoch]},
    )


@variant
def accumulation():
    step = {"optimizer": {"type": "Adam", "lr": 0.05}, "accumulative_counts": 3}
    return base(optim_wrapper={**step, "clip_grad": {"max_norm": 0.5}})


@variant
def accumulation_by_iteration():
    step = {"optimizer": {"type": "SGD", "lr": 0.05, "momentum": 0.9}, "accumulative_counts": 4}
    return by_iteration(optim_wrapper=step)


@variant
def growing_accumulation():
    step = {"optimizer": {"type": "SGD", "lr": 0.05, "momentum": 0.9}}
    return base(optim_wrapper={**step, "accumulative_counts": [(0, 2), (1, 3), (2, 7)]})


@variant
def mixed_precision():
    step = {"type": "AmpOptimWrapper", "optimizer": {"type": "AdamW", "lr": 0.05}}
    return base(optim_wrapper=step)


@variant
def mixed_precision_with_scaler():
    step = {"type": ScaledOnCpu, "optimizer": {"type": "AdamW", "lr": 0.05}}
    return base(optim_wrapper={**step, "accumulative_counts": 3, "clip_grad": {"max_norm": 0.5}})


def averaged(**average: Any) -> Arguments:
    return validated(custom_hooks=[{"type": "EMAHook", **average}])


several(averaged, {
    "moving_average": {"momentum": 0.1},
    "moving_average_of_buffers": {"momentum": 0.1, "update_buffers": True, "begin_iter": 6},
    "annealed_average": {"ema_type": "MomentumAnnealingEMA", "gamma": 5, "interval": 3},
    "uniform_average": {"ema_type": "StochasticWeightAverage", "begin_epoch": 2},
})  # fmt: skip


@variant
def schedule_free():
    return validated(optim_wrapper={"optimizer": {"type": ScheduleFree, "lr": 0.02}})


@variant
def hook_with_state():
    return base(custom_hooks=[{"type": Counting}])


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"type": "SGD", "lr": 0.02, "momentum": 0.9, "nesterov": True},
    "adam": {"type": "Adam", "lr": 0.02, "amsgrad": True},
    "radam": {"type": "RAdam", "lr": 0.02},
    "adagrad": {"type": "Adagrad", "lr": 0.02},
    "rmsprop": {"type": "RMSprop", "lr": 0.02, "centered": True, "momentum": 0.5},
}


def each_optimizer(optimizers: dict[str, dict[str, Any]], **changes: Any) -> Arguments:
    model = ManyParts(list(optimizers))
    wrappers = {
        name: OptimWrapper(
            getattr(torch.optim, arguments["type"])(
                model.parts[name].parameters(),
                **{key: value for key, value in arguments.items() if key != "type"},
            ),
            accumulative_counts=2 if name == "adam" else 1,
        )
        for name, arguments in optimizers.items()
    }
    return {**base(**changes), "model": model, "optim_wrapper": OptimWrapperDict(**wrappers)}


@variant
def several_optimizers():
    return each_optimizer(OPTIMIZERS)


SCHEDULES: dict[str, dict[str, Any]] = {
    "Constant": {"factor": 0.5, "end": 3},
    "CosineAnnealing": {"T_max": 4, "eta_min": 0.002},
    "CosineRestart": {"periods": [2, 3, 10], "restart_weights": [1, 0.5, 0.2], "eta_min": 0.002},
    "Exponential": {"gamma": 0.9},
    "Linear": {"start_factor": 0.1, "end": 7},
    "MultiStep": {"milestones": [1, 2, 7], "gamma": 0.5},
    "Poly": {"power": 0.9, "eta_min": 0.002, "end": 11},
    "Step": {"step_size": 1, "gamma": 0.8},
}


def each_schedule(kind: str, by_epoch: bool) -> Arguments:
    known = {name: dict(value) for name, value in SCHEDULES.items()}
    if kind == "LR":
        known["OneCycle"] = {"eta_max": 0.02, "total_steps": ITERATIONS + 1}
    optimizer = {"type": "SGD", "lr": 0.01, "momentum": 0.9}
    if kind == "Momentum":
        optimizer = {"type": "Adam", "lr": 0.05}
    arguments = each_optimizer(dict.fromkeys(known, optimizer))
    arguments["param_scheduler"] = {
        name: [
            getattr(optim, f"{name}{kind}")(
                arguments["optim_wrapper"][name], **value, by_epoch=by_epoch
            )
        ]
        for name, value in known.items()
    }
    return arguments


several(each_schedule, {
    "learning_rate_by_iteration": {"kind": "LR", "by_epoch": False},
    "learning_rate_by_epoch": {"kind": "LR", "by_epoch": True},
    "momentum_by_iteration": {"kind": "Momentum", "by_epoch": False},
    "momentum_by_epoch": {"kind": "Momentum", "by_epoch": True},
})  # fmt: skip


@variant
def chained_schedules():
    return base(param_scheduler=[
        {"type": "LinearLR", "start_factor": 0.1, "end": 6, "by_epoch": False},
        {"type": "CosineAnnealingLR", "T_max": 9, "begin": 6, "by_epoch": False},
        {"type": "ConstantMomentum", "factor": 0.5, "end": 2},
        {"type": "StepLR", "step_size": 1, "convert_to_iter_based": True},
    ])  # fmt: skip


@variant
def plateau():
    plateau = {"by_epoch": True, "monitor": "error", "patience": 0, "threshold": 0.4, "factor": 0.5}
    return validated(
        train_cfg={"by_epoch": False, "max_iters": ITERATIONS, "val_interval": 3},
        param_scheduler=[
            {"type": "ReduceOnPlateauLR", **plateau},
            {"type": "ReduceOnPlateauMomentum", **plateau, "cooldown": 1},
        ],
    )


@variant
def early_stopping():
    stopping = {"type": "EarlyStoppingHook", "monitor": "error", "rule": "less"}
    return validated(
        train_cfg={"by_epoch": False, "max_iters": ITERATIONS, "val_interval": 2},
        custom_hooks=[{**stopping, "patience": 6, "min_delta": 10.0}],
    )


@variant
def best_checkpoints():
    best = {"save_best": ["accuracy", "error"], "rule": ["greater", "less"]}
    return validated(
        train_cfg={"by_epoch": False, "max_iters": ITERATIONS, "val_interval": 3},
        default_hooks={"checkpoint": {"type": "CheckpointHook", **SAVING, **best}},
    )


@variant
def validation_in_between():
    return validated(
        train_cfg={"max_epochs": EPOCHS, "val_interval": 2, "dynamic_intervals": [(2, 1)]},
        val_dataloader=DataLoader(ForValidation(draws=True), batch_size=8, num_workers=2),
    )


@variant
def validation_within_an_epoch():
    return validated(
        custom_hooks=[{"type": ValidatesInBetween}, {"type": "EMAHook", "momentum": 0.2}],
        val_dataloader=DataLoader(ForValidation(draws=True), batch_size=8),
    )


@variant
def validation_that_is_counted():
    return validated(
        train_cfg={"by_epoch": False, "max_iters": ITERATIONS, "val_interval": 3},
        custom_hooks=[{"type": CountingValidation}],
    )


@variant
def validation_that_draws_globally():
    return validated(
        val_dataloader=TorchDataLoader(ForValidation(draws=True), batch_size=8, num_workers=0),
        train_dataloader=ours(sample_rng="worker"),
    )


@variant(ranks=2)
def two_ranks():
    seeds = {"seed": 5, "diff_rank_seed": True}
    return base(train_cfg={"max_epochs": 5}, randomness=seeds)


@variant(ranks=2)
def two_ranks_by_iteration():
    step = {"optimizer": {"type": "AdamW", "lr": 0.05}, "accumulative_counts": 2}
    return by_iteration(train_dataloader=infinite(num_workers=2), optim_wrapper=step)


def of_three(**changes: Any) -> Arguments:
    """The sum of three gradients depends on the order in which they are added."""
    return base(train_dataloader={**of_section(), "batch_size": 2}, train_cfg={"max_epochs": 5},
                **changes)  # fmt: skip


several(of_three, {
    "three_ranks": {},
    "three_ranks_with_accumulation": {
        "optim_wrapper": {"optimizer": {"type": "AdamW", "lr": 0.05}, "accumulative_counts": 3},
    },
}, ranks=3)  # fmt: skip


def validated_by_two(**changes: Any) -> Arguments:
    sampler = {"type": "DefaultSampler", "shuffle": False}
    loader = {**of_section(), "dataset": ForValidation(), "sampler": sampler, "batch_size": 2}
    return validated(**{
        "train_dataloader": of_section(),
        "train_cfg": {"max_epochs": 5},
        "val_dataloader": loader,
        **changes,
    })  # fmt: skip


several(validated_by_two, {
    "two_ranks_validated": {},
    "two_ranks_validated_by_iteration": {
        "train_dataloader": infinite(),
        "train_cfg": {"by_epoch": False, "max_iters": ITERATIONS, "val_interval": 3},
        "custom_hooks": [{"type": "EMAHook", "momentum": 0.1}],
    },
    "two_ranks_with_averaged_buffers": {
        "custom_hooks": [{"type": "EMAHook", "momentum": 0.1, "update_buffers": True}],
    },
    "two_ranks_schedule_free": {"optim_wrapper": {"optimizer": {"type": ScheduleFree, "lr": 0.02}}},
}, ranks=2)  # fmt: skip


@variant(ranks=2)
def two_ranks_that_drift_apart():
    """They wait for each other every eighth iteration only, and when a checkpoint is written."""
    step = {"optimizer": {"type": "AdamW", "lr": 0.05}, "accumulative_counts": 8}
    return by_iteration(
        train_dataloader=infinite(),
        default_hooks={"checkpoint": {"type": "CheckpointHook", **SAVING, "interval": 4}},
        optim_wrapper=step,
    )


def by_tokens(**changes: Any) -> Arguments:
    batches = later(TokenBudgetBatchSampler)(
        max_tokens=12, lengths=list(range(1, ITEMS // 2 + 1)) * 2, max_items=BATCH
    )
    return base(train_dataloader=ours(shuffle=True, batch_size=1, batch_sampler=batches, **changes))


several(by_tokens, {"token_batches": {}, "token_batches_2_workers": {"num_workers": 2}})
several(by_tokens, {"two_ranks_of_token_batches": {}}, ranks=2)


def saved_by_one(way: str) -> Arguments:
    hook = {"type": SavesAlone, "way": way}
    return base(train_dataloader=of_section(), train_cfg={"max_epochs": 5}, custom_hooks=[hook])


several(saved_by_one, {
    "two_ranks_saving_in_master_only": {"way": "master_only"},
    "two_ranks_saving_if_rank_0": {"way": "if_rank_0"},
    "two_ranks_saving_late": {"way": "late"},
}, ranks=2)  # fmt: skip


def noted(loader: Any) -> Arguments:
    """Batch normalisation and dropout would see half a batch on each of two ranks."""
    return base(
        model=Supervised(nn.Linear(4, 1), nn.MSELoss()),
        train_dataloader=loader,
        train_cfg={"max_epochs": 5},
        custom_hooks=[{"type": Seen}],
    )


def described(batch_size: int) -> dict[str, Any]:
    return {**of_section(), "batch_size": batch_size}


several(noted, {
    "ready_loader_1_rank": {"loader": ours(batch_size=6)},
    "described_loader_1_rank": {"loader": described(6)},
})  # fmt: skip


@variant(ranks=2)
def two_ranks_one_stream_a_worker():
    loader = ours(num_workers=2, persistent_workers=True, sample_rng="worker")
    return base(train_dataloader=loader, train_cfg={"max_epochs": 5})


several(noted, {
    "ready_loader_2_ranks": {"loader": ours(batch_size=3)},
    "described_loader_2_ranks": {"loader": described(3)},
}, ranks=2)  # fmt: skip
